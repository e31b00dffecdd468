"""The searchable form of a photo: tokens, of which a text index needs nothing but equality.

- `maria`: a folded word; of scripts without spaces each letter, each pair of neighbours, the run.
- `=mr|maria`, `~maria|maria`: a word by a key of its sound or its look; what begins with a key is
  the list of words that may be alike.
- `|7701234567`: a telephone number without the code of its country (`numbers`).
- `#…`: a label or the batch, hashed, so that words and labels are looked up together.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from imaginem.ports.text_search.folding import Compound, compounds_in, uncut
from imaginem.ports.text_search.likeness import SHORTEST_ALIKE
from imaginem.ports.text_search.looks import look_key
from imaginem.ports.text_search.names import whole_names
from imaginem.ports.text_search.numbers import REST, number_tokens
from imaginem.ports.text_search.sounds import sound_keys

_MOST_WORDS = 5_000
"""Different words of a photo that are found; a page of a book has five hundred."""
_LONGEST_TEXT = 400_000
"""Characters of a text that are read; a page of a book has three thousand."""
_MOST_MARKS = 2_000
_MOST_BYTES = 900_000
"""Of a photo's words and keys: a `tsvector` of PostgreSQL holds 1,048,575."""
_LONGEST_RUN = 24
"""Letters of a run without spaces that may be a name."""
_BATCH = "batch"


def tokens_of(text: str, labels: Iterable[tuple[str, str]], batch_id: str) -> list[str]:
    """Return the tokens of a photo, each once; none if it has no words.

    Args:
        text: what was read in it.
        labels: kind and name of each of its labels.
        batch_id: of its batch.
    """
    words = word_tokens(text)
    if not words:
        return []
    found: list[str] = []
    room = _MOST_BYTES
    for word in words:
        tokens = [word, *(f"{key}{word}" for key in keys_of(word))]
        room -= sum(len(token.encode()) for token in tokens)
        if room < 0:
            break
        found += tokens
    return [*found, *marks_of(labels, batch_id)[:_MOST_MARKS]]


def word_tokens(text: str) -> list[str]:
    """Return the tokens of a text that are words and numbers, each once."""
    folded = uncut(text[:_LONGEST_TEXT])
    words = list(dict.fromkeys(_words(compounds_in(folded))))[:_MOST_WORDS]
    return list(dict.fromkeys([*words, *number_tokens(folded)]))


def marks_of(labels: Iterable[tuple[str, str]], batch_id: str = "") -> list[str]:
    """Return the tokens of labels, and of a batch."""
    named = [(_BATCH, batch_id), *labels] if batch_id else list(labels)
    digests = (hashlib.sha256("/".join(mark).encode("utf-8", "surrogatepass")) for mark in named)
    return [f"#{digest.hexdigest()[:16]}" for digest in digests]


def keys_of(word: str) -> list[str]:
    """Return with which letters those tokens begin that list a word with all that may be alike."""
    if len(word) < SHORTEST_ALIKE or word.isdigit() or word.startswith(REST):
        return []
    return [f"~{look_key(word)}|", *(f"={key}|" for key in sorted(sound_keys(word)))]


def words_by_key(tokens: Iterable[str]) -> dict[str, list[str]]:
    """Return the words that tokens list by a key, as `keys_of` writes it; others are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for token in tokens:
        if token[:1] in ("=", "~"):
            key, bar, word = token.partition("|")
            found[f"{key}{bar}"].append(word)
    return found


def pairs_of(run: str) -> tuple[str, ...]:
    """Return the tokens that must be there for a run of letters without spaces."""
    if len(run) == 1:
        return (run,)
    return tuple(dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1)))


def _words(found: Iterable[Compound]) -> Iterator[str]:
    every = list(found)
    for word in every:
        if not word.unspaced:
            yield from word.parts
            yield word.whole
            continue
        (run,) = word.parts
        yield from run
        yield from pairs_of(run)
        if len(run) <= _LONGEST_RUN:
            yield run
    for name in whole_names(every):
        yield name.text
