"""Fields of the services' answers read as what can be stored, whatever they hold."""

import pytest

from imaginem.engines.azure.reading import text, texts


@pytest.mark.parametrize(
    ("told", "read"),
    [("ward 3", "ward 3"), ("\ud83d", "?"), ("a\udc00b", "a?b"), ("\U0001f600", "\U0001f600")],
)
def test_half_a_character_never_reaches_an_output(told: str, read: str) -> None:
    assert text(told) == read
    assert texts([told]) == [read]
