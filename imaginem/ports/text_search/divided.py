"""Words of a search that a photo may have as two."""

from collections.abc import Iterator

from imaginem.ports.text_search.romanising import leaves_vowels_out

_SHORTEST_HALF, _SHORTEST_ABJAD = 4, 3
"""Letters of each part, where nothing tells that they are two: shorter ones are in any text. Arabic
and Hebrew write fewer."""
_LONGEST_DIVIDED = 24
_PARTICLES = (
    ("al", ("al",)),
    ("al", ("el",)),
    ("el", ("el",)),
    ("el", ("al",)),
    ("mc", ("mc",)),
    ("mac", ("mac",)),
    ("dela", ("de", "la")),
    ("delos", ("de", "los")),
    ("vander", ("van", "der")),
    ("vanden", ("van", "den")),
    ("vonder", ("von", "der")),
)
"""What stands before a name, as one word with it or by itself."""


def divided(word: str) -> Iterator[tuple[str, ...]]:
    """Yield the words that a folded word may be written as.

    What begins or ends as names do, such as Abu Bakr, is one word in photos, too (`names`).
    """
    if len(word) > _LONGEST_DIVIDED:
        return
    for begun, parts in _PARTICLES:
        if word.startswith(begun) and len(word) - len(begun) >= _SHORTEST_HALF:
            yield (*parts, word[len(begun) :])
    least = _SHORTEST_ABJAD if leaves_vowels_out(word) else _SHORTEST_HALF
    for at in range(least, len(word) - least + 1):
        yield word[:at], word[at:]
