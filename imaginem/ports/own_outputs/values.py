"""An output's values, by the fields of its model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from imaginem.ports.outputs.analysis import Box
from imaginem.ports.outputs.faces import Rectangle
from imaginem.ports.own_outputs.fields import Kind, OutputField, fields_of

MOST_NUMBERS = 16
"""A longer list of numbers is for programs: it may be an embedding, and is not shown."""
MOST_ROWS = 200
"""Entries of a list that are shown and searched."""
# A validator of the step's own meets whatever a message carries as its output.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)


@dataclass(frozen=True)
class MarkedBox:
    """A place on a photo.

    Attributes:
        left, top, width, height: in pixels of the upright photo.
        label: what is there.
        page: of the photo's file, from 1 on; None if it has one.
    """

    left: float
    top: float
    width: float
    height: float
    label: str
    page: int | None = None


@dataclass(frozen=True)
class FieldValue:
    """What an output says in one field.

    Attributes:
        value: as JSON has it; None if the output does not tell it.
        rows: the cells of each entry, if it is a list of objects.
        left_out: how many numbers of a list are not shown.
        boxes: where it is on the photo: one for each row, if rows have places.
    """

    field: OutputField
    value: Any
    rows: Sequence[Sequence["FieldValue"]] = ()
    boxes: Sequence[MarkedBox | None] = ()
    left_out: int = 0

    @property
    def is_told(self) -> bool:
        """Whether the step says anything in the field, be it that nothing was found."""
        return self.value is not None or self.left_out > 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found: an empty list or text, or no value at all."""
        return not self.left_out and self.value in (None, "", [], {})

    @property
    def text(self) -> str:
        """The value as people read it, on one line if it has no line feeds; empty for nothing."""
        if self.left_out:
            return _told_length(self.left_out)
        if self.value is None:
            return ""
        if self.field.kind is Kind.OBJECTS:
            return "; ".join(map(row_text, self.rows))
        if self.field.kind is Kind.BOX:
            return ", ".join(_number(each) for each in _sides(self.value) or ())
        if self.field.kind is Kind.PAIRS:
            return ", ".join(f"{name}: {_scalar(each)}" for name, each in self.value.items())
        if isinstance(self.value, list):
            return ", ".join(map(_scalar, self.value))
        text = _scalar(self.value)
        return f"{text} {self.field.unit}" if self.field.unit and text else text


def without_long_lists(output: Any) -> Any:
    """Return an output as JSON in which people read how long a list of numbers is, not the list."""
    if isinstance(output, Mapping):
        return {name: without_long_lists(value) for name, value in output.items()}
    if not isinstance(output, list):
        return output
    if len(output) > MOST_NUMBERS and all(isinstance(each, int | float) for each in output):
        return _told_length(len(output))
    return [without_long_lists(each) for each in output]


def row_text(row: Sequence[FieldValue]) -> str:
    """Return an entry of a list of objects on one line."""
    return ", ".join(cell.text for cell in row if cell.text and cell.field.kind is not Kind.BOX)


def read_output(model: type[BaseModel], output: Any) -> list[FieldValue] | None:
    """Return what an output says, field by field; None if it does not fit its model.

    Of lists of more numbers than `MOST_NUMBERS` it is told how many they are, and not which.

    Args:
        model: of the step.
        output: as JSON has it; a message may carry anything.
    """
    try:
        found = model.model_validate(output).model_dump(mode="json")
    except _UNREADABLE:  # pydantic's own error is a ValueError
        return None
    return [_value(field, found) for field in fields_of(model)]


def _value(field: OutputField, output: Any) -> FieldValue:
    value = output
    for name in field.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is not None and not _is_of_kind(value, field.kind):
        field = replace(field, kind=Kind.TEXT, columns=())  # a serializer of the step's own made it
    if field.kind is Kind.OBJECTS:
        entries = value[:MOST_ROWS] if isinstance(value, list) else []
        rows = [[_value(column, entry) for column in field.columns] for entry in entries]
        boxes = [_box_of(field, row, entry) for row, entry in zip(rows, entries, strict=True)]
        return FieldValue(field, value, rows, boxes)
    if field.kind is Kind.NUMBERS and len(value or ()) > MOST_NUMBERS:
        return FieldValue(field, None, left_out=len(value))
    box = _box(value, field.title, None) if field.kind is Kind.BOX else None
    return FieldValue(field, value, boxes=(box,) if box else ())


def _is_of_kind(value: Any, kind: Kind) -> bool:
    """Tell whether a value is what fields of a kind have in JSON."""
    if kind is Kind.MOMENT:
        return isinstance(value, str) and _is_moment(value)
    if kind is Kind.PAIRS:
        return isinstance(value, Mapping)
    if kind is Kind.BOX:
        return _sides(value) is not None
    return kind not in (Kind.WORDS, Kind.NUMBERS, Kind.OBJECTS) or isinstance(value, list)


def _box_of(field: OutputField, row: Sequence[FieldValue], entry: Any) -> MarkedBox | None:
    """Return where an entry of a list is, named by its first text."""
    texts = [cell.text for cell in row if cell.field.kind is Kind.TEXT and cell.text]
    label = texts[0] if texts else field.title
    page = entry.get("page") if isinstance(entry, Mapping) else None
    own = [cell.value for cell in row if cell.field.kind is Kind.BOX]
    return next((box for each in (*own, entry) if (box := _box(each, label, page))), None)


def _box(value: Any, label: str, page: Any) -> MarkedBox | None:
    sides = _sides(value)
    if sides is None:
        return None
    return MarkedBox(*sides, label=label, page=page if isinstance(page, int) else None)


def _sides(value: Any) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height of a `Box` or a `Rectangle`."""
    for model in (Box, Rectangle):
        names = list(model.model_fields)
        if isinstance(value, Mapping) and set(names) <= set(value):
            sides = [value[name] for name in names]
            if all(isinstance(side, int | float) and math.isfinite(side) for side in sides):
                left, top, width, height = sides
                return left, top, width, height
    return None


def _is_moment(text: str) -> bool:
    """Tell whether a text is a day or a moment as ISO 8601 writes it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _told_length(count: int) -> str:
    return f"{count} numbers, not shown"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    """Return a number with as many digits as people compare."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.3f}".rstrip("0").rstrip(".")
