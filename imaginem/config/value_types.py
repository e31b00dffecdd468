"""The types of settings: what a text must be, and what a message asks for otherwise."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    FilePath,
    StringConstraints,
)

from imaginem.config.declare import Expected
from imaginem.config.ocr_languages import CODES
from imaginem.errors import InvalidMessage
from imaginem.names import check_pipeline
from imaginem.ports import ONE_PHOTO, FaceGrid, Fusion

_GRID = re.compile(r"([1-4])[xX]([1-4])")
_MESSAGE_FIELD = re.compile(r"^job_definition\.processing_pipeline\[\d+\]: ")


def one_of(words: Sequence[str]) -> StringConstraints:
    """Return what holds a text to some words, in small letters however they are written."""
    return StringConstraints(to_lower=True, pattern=rf"(?i)^(?:{'|'.join(words)})$")


def _address(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port  # is read now, so that a wrong one shows at the start
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError
    if "@" in parts.netloc:  # a name or a password, which would be logged with the address
        raise ValueError
    return text.rstrip("/")


def _split(text: object) -> object:
    if not isinstance(text, str):
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError
    try:
        check_pipeline(names)
    except InvalidMessage as problem:  # speaks of a message, and there is none
        raise ValueError(_MESSAGE_FIELD.sub("", str(problem))) from None
    return names


def _fusion(text: object) -> object:
    """Read which steps run in one delivery."""
    if not isinstance(text, str):
        return text
    if text.lower() in ("off", "auto"):
        return Fusion(every=text.lower() == "auto")
    groups = tuple(tuple(name.strip() for name in group.split("+")) for group in text.split(","))
    names = _checked_names(tuple(name for group in groups for name in group))
    for word in ("off", "auto"):
        if word in names:
            raise ValueError(f"{word} stands by itself, without groups")
    return Fusion(groups=tuple(frozenset(group) for group in groups))


def _grid(text: object) -> object:
    """Read how many photos are beside and below each other."""
    if not isinstance(text, str):
        return text
    if text.lower() == "off":
        return ONE_PHOTO
    sides = _GRID.fullmatch(text)
    if not sides:
        raise ValueError
    grid = FaceGrid(int(sides[1]), int(sides[2]))
    if grid == ONE_PHOTO:
        raise ValueError("a grid of one photo is off")
    return grid


def _known_languages(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the codes in small letters, none of them twice."""
    named = tuple(dict.fromkeys(code.lower() for code in codes))
    if named == ("none",):
        return ()
    for code in named:
        if code not in CODES:
            raise ValueError(
                f"{code} is none of them; Latin, Chinese and Japanese letters are always read"
            )
    return named


def _container(name: str) -> str:
    return _checked_names((name,))[0]  # containers follow the same naming rule as queues


def _in_home(path: object) -> object:
    return Path(path).expanduser() if isinstance(path, str) else path


def whole_number(number: object) -> object:
    """Read a whole number as Python does: `5`, not `5.0`."""
    try:
        return int(number) if isinstance(number, str) else number
    except ValueError:
        raise ValueError from None  # its text would say it in other words than `Expected`


Count = Annotated[int, Field(ge=1), BeforeValidator(whole_number), Expected("1 or more")]
FirstOfThreePorts = Annotated[
    int, Field(ge=1, le=65533), BeforeValidator(whole_number), Expected("a port, from 1 to 65533")
]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), Expected("0 to 1")]
Seconds = Annotated[
    float,
    Field(ge=0, lt=3600, allow_inf_nan=False),
    Expected("seconds, from 0 to less than 3600"),
]
Amount = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""From 0 to a million; of what, the setting's own type says."""

Address = Annotated[str, AfterValidator(_address)]
"""Of http or https, without query and login; what a wrong one holds is never shown."""
WebAddress = Annotated[Address, Expected("an http(s) address", shown=False)]

Folder = Annotated[Path, AfterValidator(Path.expanduser)]
File = Annotated[FilePath | None, BeforeValidator(_in_home)]
"""The path of a file that exists."""
ExistingFolder = Annotated[DirectoryPath | None, BeforeValidator(_in_home)]
"""The path of a folder that exists."""

Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names with commas between."""
StepNames = Annotated[
    Names, AfterValidator(_checked_names), Expected("step names with commas between")
]
OcrLanguages = Annotated[
    Names,
    AfterValidator(_known_languages),
    Expected(f"none, or codes of {' '.join(CODES)} with commas between"),
]
StepGroups = Annotated[
    Fusion,
    BeforeValidator(_fusion),
    Expected("auto, off, or groups of step names, such as ocr+facedetection,facecrop+faceprint"),
]
PhotosInGrid = Annotated[
    FaceGrid,
    BeforeValidator(_grid),
    Expected("off, or columns x rows of 1 to 4 each, such as 3x3"),
]
ContainerName = Annotated[
    str, AfterValidator(_container), Expected("a container name, by the rules of queue names")
]
