"""The fields of an output's model: what each holds, and how people call it."""

import enum
import functools
import types
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AnyUrl, BaseModel
from pydantic.fields import FieldInfo

from imaginem.ports.outputs.analysis import Box
from imaginem.ports.outputs.faces import Rectangle
from imaginem.ports.outputs.shown import Shown


class Kind(enum.StrEnum):
    """What a field holds, as far as showing and searching differ."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    MOMENT = "moment"
    WORDS = "words"
    NUMBERS = "numbers"
    PAIRS = "pairs"
    BOX = "box"
    OBJECTS = "objects"


@dataclass(frozen=True)
class OutputField:
    """A field of an output, or a column of one that is a list of objects.

    Attributes:
        path: names that lead to it: two for a field of an object within the output.
        columns: of a list of objects.
    """

    path: tuple[str, ...]
    title: str
    kind: Kind
    description: str = ""
    unit: str = ""
    searchable: bool = True
    quiet: bool = False
    columns: tuple["OutputField", ...] = ()

    @property
    def name(self) -> str:
        """Its name in exports and filters, after the step's and a dot."""
        return ".".join(self.path)


@dataclass(frozen=True)
class _Type:
    """What an annotation says; no kind where it can't be shown."""

    kind: Kind | None
    model: type[BaseModel] | None = None
    searchable: bool = True


_NOT_SHOWN = _Type(None)
_TEXTS = (str, AnyUrl, PurePath, time, timedelta)
_LISTS = (list, tuple, set, frozenset, Sequence, AnySet)


def fields_of(model: type[BaseModel]) -> tuple[OutputField, ...]:
    """Return the fields that are shown, in the model's order.

    Objects in an output are entered once: those within them are left out, and so are fields of
    types that people can't read, secrets among them.
    """
    return _all_fields(model)


@functools.cache
def _all_fields(model: type[BaseModel]) -> tuple[OutputField, ...]:
    return tuple(_fields(model, (), deeper=True))


def _fields(
    model: type[BaseModel], above: tuple[str, ...], *, deeper: bool
) -> Iterator[OutputField]:
    for name, annotation, info in _declared(model):
        shown = next((each for each in info.metadata if isinstance(each, Shown)), Shown())
        if shown.hide:
            continue
        read = _read(annotation)
        plain = name.replace("_", " ")
        field = OutputField(
            path=(*above, name),
            title=shown.title or info.title or plain[:1].upper() + plain[1:],
            kind=read.kind or Kind.OBJECTS,
            description=info.description or "",
            unit=shown.unit,
            searchable=shown.searchable and read.searchable,
            quiet=shown.quiet,
        )
        if read.kind is Kind.OBJECTS and read.model:
            if deeper and (columns := tuple(_fields(read.model, (), deeper=False))):
                yield replace(field, columns=columns)
        elif read.kind:
            yield field
        elif read.model and deeper:
            for inner in _fields(read.model, field.path, deeper=False):
                yield replace(
                    inner,
                    title=f"{field.title}: {inner.title[:1].lower()}{inner.title[1:]}",
                    searchable=inner.searchable and field.searchable,
                )


def _declared(model: type[BaseModel]) -> Iterator[tuple[str, Any, FieldInfo]]:
    """Yield name, type and description of each field that an output has in JSON."""
    for name, info in model.model_fields.items():
        if not info.exclude:
            yield name, info.annotation, info
    for name, computed in model.model_computed_fields.items():
        info = FieldInfo.from_annotation(computed.return_type)
        info.title, info.description = computed.title or info.title, computed.description
        yield name, info.annotation, info


def _read(annotation: Any) -> _Type:
    """Return what an annotation says; for a single object the model alone."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _read(args[0])
    if origin in (typing.Union, types.UnionType):
        return _of_all([_read(each) for each in args if each is not types.NoneType])
    if origin is Literal:
        return _of_all([_read(type(each)) for each in args if each is not None])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        values = _read(args[1]) if len(args) == 2 else _NOT_SHOWN
        scalar = values.kind in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN)
        return _Type(Kind.PAIRS, searchable=False) if scalar else _NOT_SHOWN
    if isinstance(origin, type) and issubclass(origin, _LISTS):
        return _of_items(_of_all([_read(each) for each in args if each is not ...]))
    return _of_class(annotation) if isinstance(annotation, type) else _NOT_SHOWN


def _of_class(kind: type) -> _Type:
    if issubclass(kind, BaseModel):
        return _Type(Kind.BOX if issubclass(kind, Box | Rectangle) else None, kind)
    if issubclass(kind, enum.Enum):
        return _of_all([_of_class(type(each.value)) for each in kind])
    if issubclass(kind, bool):
        return _Type(Kind.BOOLEAN)
    if issubclass(kind, int | float | Decimal):
        return _Type(Kind.NUMBER)
    if issubclass(kind, date):
        return _Type(Kind.MOMENT)
    if issubclass(kind, uuid.UUID):  # a face's, it may be: who it is of is searched elsewhere
        return _Type(Kind.TEXT, searchable=False)
    return _Type(Kind.TEXT) if issubclass(kind, _TEXTS) else _NOT_SHOWN


def _of_all(read: Sequence[_Type]) -> _Type:
    """Return what holds of every one of some types."""
    if len(set(read)) == 1:
        return read[0]
    scalar = {Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.MOMENT}
    if not read or not {each.kind for each in read} <= scalar:
        return _NOT_SHOWN
    return _Type(Kind.TEXT, searchable=all(each.searchable for each in read))


def _of_items(item: _Type) -> _Type:
    """Return what a list of something is."""
    if item.kind in (Kind.TEXT, Kind.MOMENT):
        return _Type(Kind.WORDS, searchable=item.searchable)
    if item.kind in (Kind.NUMBER, Kind.BOOLEAN):
        return _Type(Kind.NUMBERS, searchable=False)
    if item.model and item.kind in (None, Kind.BOX):
        return _Type(Kind.OBJECTS, item.model)
    return _NOT_SHOWN
