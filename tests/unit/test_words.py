"""Which words a photo gets of what the networks found in it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.engines.dignity import dignified, is_refused, tells_of_bodies
from imaginem.engines.local.vision import describe
from imaginem.engines.local.words import Words, vocabulary, words_of
from imaginem.outputs import (
    Box,
    Caption,
    Description,
    FoundObject,
    ImageAnalysis,
    ObjectKind,
    PhotoMetadata,
    Tag,
)

TABLE = vocabulary()
APES = ("chimpanzee", "gorilla", "orangutan", "baboon")
LABELS = [f"class {number}" for number in range(1000)]
LABELS[281] = "tabby"
LABELS[365:369] = APES
LABELS[400:412] = (
    *("brassiere", "maillot", "groom", "suit", "military uniform", "moped", "ambulance"),
    *("church", "menu", "tripod", "mask", "espresso"),
)
WORDS = Words(LABELS)


def probable(**shares: float) -> NDArray[np.float32]:
    """Return probabilities by class; `_` stands for a blank."""
    probabilities = np.zeros(1000, np.float32)
    for name, share in shares.items():
        probabilities[LABELS.index(name.replace("_", " "))] = share
    return probabilities


def thing(name: str, confidence: float = 0.7) -> FoundObject:
    return FoundObject(object=name, confidence=confidence, rectangle=Box(x=0, y=0, w=9, h=9))


def names(probabilities: NDArray[np.float32], *objects: FoundObject) -> list[str]:
    return [tag.name for tag in WORDS.tags(probabilities, objects)]


def test_no_word_of_the_whole_table_is_for_a_body_or_underwear() -> None:
    told = {*TABLE.objects, *TABLE.anywhere, *TABLE.where_nobody_is, *TABLE.as_they_are}

    assert not [name for name in told if is_refused(name)]


def test_what_people_are_mistaken_for_is_told_only_as_a_uniform() -> None:
    mapped = {name for names in TABLE.anywhere.values() for name in names}
    mapped |= {name for names in TABLE.where_nobody_is.values() for name in names}

    assert not set(TABLE.people) & set(TABLE.as_they_are)
    assert set(TABLE.people) & mapped == {"military uniform"}


@pytest.mark.parametrize("name", ["brassiere", "maillot", "groom", "suit", "mask", *APES])
def test_clothes_underwear_and_apes_are_never_told_however_sure(name: str) -> None:
    assert names(probable(**{name: 0.99})) == []
    assert names(probable(**{name: 0.99}), thing("person")) == []


def test_where_somebody_is_things_keep_their_names_to_themselves() -> None:
    likely = probable(tripod=0.9)

    assert names(likely) == ["tripod"]
    assert names(likely, thing("person")) == []
    assert names(likely + probable(suit=0.1)) == []


def test_words_that_help_are_told_of_people_when_they_are_sure() -> None:
    assert names(probable(moped=0.6), thing("person")) == ["vehicle"]
    assert names(probable(moped=0.4), thing("person")) == []
    assert names(probable(ambulance=0.6), thing("person")) == ["vehicle", "medical"]


def test_a_uniform_needs_somebody_who_wears_it() -> None:
    likely = probable(military_uniform=0.35)

    assert names(likely, thing("person")) == ["uniform"]
    assert names(likely) == []


def test_the_classes_of_a_word_count_together() -> None:
    assert names(probable(moped=0.12, ambulance=0.1)) == ["vehicle"]


def test_a_place_of_worship_behind_people_is_a_building() -> None:
    assert names(probable(church=0.8)) == ["building", "church"]
    assert names(probable(church=0.8), thing("person")) == ["building"]


def test_what_the_detector_found_has_its_wider_word() -> None:
    found = [thing("suitcase", 0.5), thing("backpack", 0.6), thing("truck", 0.7)]

    assert words_of(found) == {"luggage": 0.6, "vehicle": 0.7}


@pytest.mark.parametrize(("people", "is_crowd"), [(7, False), (8, True), (20, True)])
def test_eight_people_are_a_crowd(people: int, is_crowd: bool) -> None:
    assert ("crowd" in words_of([thing("person")] * people)) is is_crowd


def test_a_face_that_the_detector_calls_a_cat_is_no_cat() -> None:
    face = probable(suit=0.5)

    assert WORDS.seen(face, [thing("cat", 0.5), thing("cup", 0.5)]) == [thing("cup", 0.5)]
    assert WORDS.seen(face, [thing("dog", 0.6)]) == [thing("dog", 0.6)]
    assert WORDS.seen(face + probable(tabby=0.3), [thing("cat", 0.5)]) == [thing("cat", 0.5)]
    assert WORDS.seen(probable(tripod=0.9), [thing("cat", 0.5)]) == [thing("cat", 0.5)]


def test_people_count_for_no_category_but_of_what_may_be_told_of_them() -> None:
    likely = probable(chimpanzee=0.5, tabby=0.3, espresso=0.1, church=0.1)

    told = WORDS.without_people(likely, [])
    assert told[407] == likely[407]
    assert told[[365, 281]].tolist() == [0, 0]
    assert told[411] == 0
    assert WORDS.without_people(likely, [thing("cat")])[281] == likely[281]


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("medical", "medical"),
        ("luggage", "luggage"),
        ("tent", "a tent"),
        ("aircraft", "an aircraft"),
    ],
)
def test_a_caption_counts_what_can_be_counted(tag: str, sentence: str) -> None:
    described = describe([], [Tag(name=tag, confidence=0.9)])

    assert [caption.text for caption in described.captions] == [sentence]


@pytest.mark.parametrize(
    "name",
    ["Bra", "bikini top", "swimming trunks", "human leg", "Bare chest", "lip gloss", "skin", "wig"],
)
def test_words_for_bodies_and_underwear_are_refused(name: str) -> None:
    assert is_refused(name)


@pytest.mark.parametrize(
    "name",
    [
        "person",
        "uniform",
        "leg warmer",
        "medicine chest",
        "library",
        "croix rouge",
        "human face",
        "",
    ],
)
def test_other_words_are_told(name: str) -> None:
    assert not is_refused(name)


def test_sentences_with_underwear_or_bareness_are_refused() -> None:
    assert tells_of_bodies("a woman in a Bikini.")
    assert tells_of_bodies("a shirtless man near a boat")
    assert not tells_of_bodies("a man with a child on his arm")


def test_an_analysis_of_any_engine_loses_refused_words_and_nothing_else() -> None:
    kind = ObjectKind(object="underwear", parent=ObjectKind(object="clothing"))
    found = ImageAnalysis(
        tags=[Tag(name="lingerie", confidence=0.9), Tag(name="boat", confidence=0.8)],
        description=Description(
            tags=["thigh", "water"],
            captions=[
                Caption(text="a woman in lingerie", confidence=0.9),
                Caption(text="a woman on a boat", confidence=0.5),
            ],
        ),
        objects=[thing("brassiere"), thing("boat").model_copy(update={"parent": kind})],
        metadata=PhotoMetadata(width=9, height=9, format="PNG"),
    )

    told = dignified(found)

    assert [tag.name for tag in told.tags] == ["boat"]
    assert told.description.tags == ["water"]
    assert [caption.text for caption in told.description.captions] == ["a woman on a boat"]
    assert [each.object for each in told.objects] == ["boat"]
    assert told.objects[0].parent == ObjectKind(object="clothing")
    assert told.metadata == found.metadata
