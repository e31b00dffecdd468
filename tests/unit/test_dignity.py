"""Which words of engines are never told of a photo, and which are."""

import pytest

from imaginem.engines.dignity import is_refused, tells_of_bodies


@pytest.mark.parametrize(
    "name",
    [
        "Bathing suit",
        "bare-chested",
        "body",
        "human body",
        "body part",
        "boxer shorts",
        "elbows",
        "feet",
        "G-string",
        "genitals",
        "human nose",
        "knickers",
        "lips",
        "nail polish",
        "panty",
        "swim suit",
        "topless",
    ],
)
def test_words_for_bodies_and_underwear_are_refused_in_each_form(name: str) -> None:
    assert is_refused(name)


@pytest.mark.parametrize(
    "name",
    ["body of water", "car body", "river mouth", "garter snake", "leg warmer", "boxer", "dress"],
)
def test_words_that_only_look_like_them_stay(name: str) -> None:
    assert not is_refused(name)


def test_sentences_may_tell_of_an_arm_but_not_of_bareness() -> None:
    assert not tells_of_bodies("a woman with her arms around a child")
    assert not tells_of_bodies("a man on foot at the mouth of a river")
    assert tells_of_bodies("a topless man in boxer shorts")
    assert tells_of_bodies("a girl in a bathing suit")
