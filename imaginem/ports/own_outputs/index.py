"""What photos are found by of the outputs of own steps."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imaginem.ports.own_outputs.fields import Kind, OutputField
from imaginem.ports.own_outputs.values import MOST_ROWS, FieldValue

PLACED_STEPS = frozenset(
    {"generalclassification", "ocr", "facedetection", "facecrop", "faceprint", "facematch"}
)
"""Steps that ship with a place of their own: pages, search and exports know their outputs."""
LONGEST_TEXT = 200
"""Characters of a text that is compared as a whole; longer ones are searched for words alone."""
LONGEST_NAME = 200
"""Characters of a step's and a field's name together."""
_MOST_FACTS = 2_000
_SCORES = ("confidence", "score", "probability")
"""Fields by which an entry of a list is a tag: it says how sure its first text is."""


@dataclass(frozen=True)
class Fact:
    """A value that photos are filtered by: a number or a text.

    Attributes:
        name: step and field, such as `blurriness.sharpness`.
        number: also for a boolean (0 or 1) and a moment (seconds since 1970, UTC).
        text: in small letters (`str.casefold`).
    """

    name: str
    number: float | None = None
    text: str | None = None


@dataclass(frozen=True)
class IndexedOutputs:
    """What a photo is found by.

    Attributes:
        text: words of it are searched like those that were read in the photo.
        tags: with their confidence; 0.0 where the step tells none.
    """

    text: str = ""
    tags: Mapping[str, float] = field(default_factory=dict)
    facts: Sequence[Fact] = ()


OutputIndexer = Callable[[Mapping[str, Any]], IndexedOutputs]
"""Returns what a photo is found by, of a job's outputs by step."""


def index_nothing(outputs: Mapping[str, Any]) -> IndexedOutputs:
    """Return nothing: for stores that know no steps."""
    return IndexedOutputs()


def index_of(found: Iterable[tuple[str, Sequence[FieldValue]]]) -> IndexedOutputs:
    """Return what a photo is found by.

    Args:
        found: steps, each with what it found.
    """
    texts: list[str] = []
    tags: dict[str, float] = {}
    facts: dict[Fact, None] = {}
    for step, values in found:
        for value in values:
            if not value.field.searchable:
                continue
            texts += _texts(value)
            for word, confidence in _tags(value):
                tags[word] = max(tags.get(word, 0.0), confidence)
            facts |= dict.fromkeys(_facts(step, value))
    kept = [fact for fact in facts if len(fact.name) <= LONGEST_NAME]
    return IndexedOutputs("\n".join(texts), tags, kept[:_MOST_FACTS])


def as_moment(text: str) -> float:
    """Return a day or a moment (ISO 8601) in seconds since 1970; without a zone it is in UTC.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def as_text(value: str) -> str:
    """Return a text as texts are compared."""
    return _storable(value).casefold()[:LONGEST_TEXT]


def _texts(value: FieldValue) -> Iterator[str]:
    if value.field.kind is Kind.TEXT and value.text:
        yield _storable(value.text)
    scored = scored_by(value.field)
    for row in value.rows:
        texts = [cell for cell in row if cell.field.kind is Kind.TEXT and cell.field.searchable]
        for cell in texts[1:] if scored else texts:
            yield from _texts(cell)


def _tags(value: FieldValue) -> Iterator[tuple[str, float]]:
    if value.field.kind is Kind.WORDS:
        for word in _listed(value):
            yield word, 0.0
    if scored := scored_by(value.field):
        for row in value.rows:
            words = [cell for cell in row if cell.field.kind is Kind.TEXT]
            scores = [cell.value for cell in row if cell.field.name == scored]
            if words and words[0].field.searchable and (word := _storable(words[0].text)):
                yield word[:LONGEST_TEXT], min(1.0, max(0.0, _as_number(scores[0]) or 0.0))
    for row in value.rows:
        for cell in row:
            if cell.field.searchable:
                yield from _tags(cell)


def scored_by(field: OutputField) -> str:
    """Return the name of the column that says how sure the entries of a list are; else nothing.

    The first text of such an entry is a tag of the photo.
    """
    numbers = [each.name for each in field.columns if each.kind is Kind.NUMBER]
    return next((name for name in _SCORES if name in numbers), "")


def _facts(step: str, value: FieldValue, within: str = "") -> Iterator[Fact]:
    name = f"{step}.{within}{value.field.name}"
    for row in value.rows:
        for cell in row:
            if cell.field.searchable:
                yield from _facts(step, cell, f"{value.field.name}.")
    if (number := _compared_number(value)) is not None:
        yield Fact(name, number=number)
    for text in _compared_texts(value):
        yield Fact(name, text=as_text(text))


def _compared_number(value: FieldValue) -> float | None:
    if value.field.kind is Kind.MOMENT and isinstance(value.value, str):
        return as_moment(value.value)
    numeric = value.field.kind in (Kind.NUMBER, Kind.BOOLEAN)
    return _as_number(value.value) if numeric else None


def _compared_texts(value: FieldValue) -> list[str]:
    if value.field.kind is Kind.TEXT:
        return [value.text] if 0 < len(value.text) <= LONGEST_TEXT else []
    return _listed(value) if value.field.kind is Kind.WORDS else []


def _listed(value: FieldValue) -> list[str]:
    words = value.value if isinstance(value.value, list) else []
    return [_storable(str(word))[:LONGEST_TEXT] for word in words[:MOST_ROWS] if word]


def _as_number(value: Any) -> float | None:
    """Return a number that every database takes; a `Decimal` is text in JSON."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _storable(text: str) -> str:
    """Return a text that every database takes: without NUL and unpaired surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
