"""Reads model cards, and says what is wrong with one: the field, and what belongs there."""

import difflib
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from imaginem.errors import ConfigurationError
from imaginem.ports.model_card import (
    BoxesOutput,
    ClassifierCard,
    DetectorCard,
    InputSpec,
    MetadataLabels,
    ModelCard,
    PicodetOutput,
    RowsOutput,
    YoloOutput,
)
from imaginem.ports.weights import FileSource

_READER: TypeAdapter[ClassifierCard | DetectorCard] = TypeAdapter(ModelCard)
_PARTS: dict[str, tuple[type[BaseModel], ...]] = {
    "": (ClassifierCard, DetectorCard),
    "input": (InputSpec,),
    "model": (FileSource,),
    "labels": (FileSource, MetadataLabels),
    "output": (BoxesOutput, RowsOutput, YoloOutput, PicodetOutput),
}
"""The models of a card's parts; that of the card itself has no name."""


def read_card(path: Path) -> ClassifierCard | DetectorCard:
    """Return the card in a file; paths in it start from the card's folder.

    Raises:
        ConfigurationError: names the file, each field that is wrong, and what to do.
    """
    try:
        raw = from_json(path.read_bytes())
    except OSError as problem:
        told = f"{path} can't be read: {problem.strerror}"
        fix = ": put the card there" if isinstance(problem, FileNotFoundError) else ""
        raise ConfigurationError(f"{told}{fix}") from None
    except ValueError as problem:
        raise ConfigurationError(f"{path} is no JSON: {problem}") from None
    try:
        card = _READER.validate_python(raw)
    except ValidationError as problem:
        raise ConfigurationError(f"{path.name}: {explained(problem)}") from None
    folder = path.resolve().parent
    placed: dict[str, object] = {"model": _placed(card.model, folder)}
    if isinstance(card.labels, FileSource):
        placed["labels"] = _placed(card.labels, folder)
    return card.model_copy(update=placed)


def _placed(source: FileSource, folder: Path) -> FileSource:
    return source.model_copy(update={"file": str(folder / source.file)}) if source.file else source


def explained(problem: ValidationError) -> str:
    """Return what is wrong with a card, or a part of one: each field once."""
    told: dict[str, str] = {}
    for error in problem.errors(include_url=False, include_input=False):
        place = _place([str(part) for part in error["loc"]])
        told.setdefault(".".join(place), _why(error["type"], error["msg"], place))
    return "; ".join(f"{name}: {why}" if name else why for name, why in told.items())


def _place(parts: list[str]) -> list[str]:
    """Return the fields in the place of an error, without the kinds that pydantic puts between."""
    fields = parts[1:] if parts[:1] in (["classifier"], ["detector"]) else parts
    return fields[:1] + fields[2:] if fields[:1] in (["output"], ["labels"]) else fields


def _why(kind: str, message: str, place: list[str]) -> str:
    kinds = "boxes, rows, yolo or picodet" if place else "classifier or detector"
    if kind == "union_tag_not_found":
        return f"the field kind is missing: {kinds}"
    if kind == "union_tag_invalid":
        return f"the field kind must be {kinds}"
    if kind == "model_attributes_type" and not place:
        return "a card is a JSON object, {…}, as docs/own-models.md shows"
    if kind == "missing":
        return f"it is missing: {_lowered(_meaning(place)).rstrip('.')}"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(place[-1], _names(place), n=1)
        return "there is no such field" + (f": did you mean {close[0]}?" if close else "")
    if kind == "string_pattern_mismatch":  # of a sha256
        return "it must be 64 hexadecimal digits, as `sha256sum FILE` prints them"
    return _lowered(message.removeprefix("Value error, "))


def _meaning(place: list[str]) -> str:
    """Return the description of a field that is needed."""
    for model in _PARTS.get(place[0] if len(place) > 1 else "", ()):
        field = model.model_fields.get(place[-1])
        if field is not None and field.is_required() and field.description:
            return field.description
    return ""


def _names(place: list[str]) -> list[str]:
    """Return the fields that there are beside one."""
    models = _PARTS.get(place[0] if len(place) > 1 else "", ())
    return [name for model in models for name in model.model_fields]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
