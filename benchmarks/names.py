"""How well names are found in other scripts: recall and precision on the tables of `name-variants`.

A table has names in their own script, each with its spellings in Latin letters. Two spellings are
of one name if a table gives one Latin spelling for both. Each spelling is searched for among all
spellings of all tables, so that precision counts what really comes up beside the right ones.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.result import Result, missing
from imaginem.ports.text_search import Sureness
from imaginem.ports.text_search.folding import compounds
from imaginem.ports.text_search.likeness import likeness, script_of
from imaginem.ports.text_search.tokens import keys_of

SCRIPTS = {
    "arabic": "Arabic",
    "persian": "Persian",
    "russian": "Cyrillic",
    "greek": "Greek",
    "hebrew": "Hebrew",
    "indian_hindi": "Devanagari",
    "indian_bengali": "Bengali",
    "indian_tamil": "Tamil",
    "thai": "Thai",
}
"""Tables that are used, with what a result calls them."""
_SHORTEST = 3


@dataclass(frozen=True)
class Names:
    """Spellings of names.

    Attributes:
        latin: for each spelling in another script those in Latin letters.
        table: where each of these spellings is from, as in `SCRIPTS`.
    """

    latin: Mapping[str, frozenset[str]]
    table: Mapping[str, str]

    def are_one(self, one: str, other: str) -> bool:
        """Tell whether two spellings are of one name."""
        return bool(self.latin.get(one, {one}) & self.latin.get(other, {other}))


@dataclass
class Found:
    """Counts of a table's names.

    Attributes:
        wanted: pairs of spellings in different scripts that are of one name.
        right: such pairs of which one spelling found the other.
        wrong: pairs that were found and are of different names.
    """

    wanted: int = 0
    right: int = 0
    wrong: int = 0

    def __add__(self, other: "Found") -> "Found":
        """Add counts."""
        return Found(self.wanted + other.wanted, self.right + other.right, self.wrong + other.wrong)

    @property
    def recall(self) -> float:
        """The share of what should be found that was."""
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def precision(self) -> float:
        """The share of what was found that is right."""
        return self.right / (self.right + self.wrong) if self.right else 0.0


def read_names() -> Names:
    """Return the names of the tables.

    Raises:
        ImportError: `name-variants` is not installed.
    """
    from name_variants import ALL_TABLES

    tables: Mapping[str, Mapping[str, Any]] = ALL_TABLES
    latin: dict[str, frozenset[str]] = {}
    table: dict[str, str] = {}
    for key, entries in tables.items():
        if key not in SCRIPTS:
            continue
        for written, entry in entries.items():
            word, spelt = _word(written), {_word(form) for form in entry["forms"]}
            if word and len(word) >= _SHORTEST and script_of(word) != "LATIN":
                latin[word] = latin.get(word, frozenset()) | (spelt - {""})
                table.setdefault(word, key)
    return Names(latin, table)


def _word(text: str) -> str:
    """Return a name as one folded word; empty for names of several."""
    found = list(compounds(text))
    return found[0].whole if len(found) == 1 else ""


def measure(names: Names, searched: Iterable[str]) -> dict[str, Found]:
    """Search for names; return counts by table.

    Args:
        names: among all of these.
        searched: spellings in another script than Latin, which are searched for, and by whose
            Latin spellings they are searched for.
    """
    every = set(names.latin) | {form for forms in names.latin.values() for form in forms}
    by_key: dict[str, set[str]] = defaultdict(set)
    for word in every:
        for key in keys_of(word):
            by_key[key].add(word)
    counts: dict[str, Found] = defaultdict(Found)
    asked: set[tuple[str, str]] = set()
    for native in searched:
        for word in (native, *sorted(names.latin[native])):
            if (native, word) in asked:
                continue
            asked.add((native, word))
            hits = hits_of(word, by_key)
            count = counts[names.table[native]]
            partners = (
                {other for other in every if names.are_one(word, other) and _differ(word, other)}
                if word == native
                else {native}
            )
            count.wanted += len(partners)
            count.right += len(partners & hits)
            if word == native:
                count.wrong += sum(not names.are_one(word, hit) for hit in hits)
    return counts


def _differ(one: str, other: str) -> bool:
    return script_of(one) != script_of(other)


def hits_of(word: str, by_key: Mapping[str, set[str]]) -> set[str]:
    """Return the words in other scripts that a search for a word finds."""
    candidates = set().union(*(by_key.get(key, set()) for key in keys_of(word)))
    return {
        other
        for other in candidates
        if (found := likeness(word, other)) and found[0] is Sureness.OTHER_SCRIPT
    }


def sample(names: Names, count: int, seed: int) -> Sequence[str]:
    """Return some names, the same ones for the same seed."""
    return random.Random(seed).sample(sorted(names.latin), count)


def results() -> list[Result]:
    """Return recall and precision, by script and together."""
    try:
        names = read_names()
    except ImportError:
        return [missing("names in other scripts", "the package name-variants is not installed")]
    counts = measure(names, sorted(names.latin))
    shown = [_result(SCRIPTS[key], counts[key], None) for key in SCRIPTS]
    return [*shown, _result("all", sum(counts.values(), Found()), len(names.latin))]


def _result(script: str, found: Found, names: int | None) -> Result:
    told = f"recall {found.recall:.2f}, precision {found.precision:.2f} ({found.wanted:,} pairs)"
    name = f"names in other scripts: {script}" + (f" {names} names" if names else "")
    return Result(name, found.recall, told, more={"precision": found.precision})
