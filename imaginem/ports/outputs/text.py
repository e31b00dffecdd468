"""The text in a photo."""

from pydantic import Field

from imaginem.ports.outputs.base import StepOutput
from imaginem.ports.outputs.turns import Turn


class Word(StepOutput):
    """A word and its four corners, clockwise from the top left: [x1, y1, … x4, y4], or []."""

    text: str
    confidence: float
    polygon: list[int]


class TextStyle(StepOutput):
    """How a line is written: `handwriting`, or `other` for print."""

    name: str
    confidence: float | None = None


class TextLine(Word):
    """A line of text with its words.

    Attributes:
        language: BCP 47 tag; `und-Cyrl` and the like where only the script is known.
        script: code of ISO 15924, such as `Arab`, where the engine tells.
        unreadable: says that there is text, and in which script, where the text can't be read.
    """

    words: list[Word] = Field(default_factory=list)
    language: str | None = None
    script: str | None = None
    unreadable: str | None = None
    style: TextStyle | None = None
    page: int | None = None


class OcrText(StepOutput):
    """The text in a photo, in reading order; `ends_early` and pages as of `PhotoMetadata`.

    Attributes:
        turn: how the photo was turned to be read, where the engine tells.
        without_places: the engine tells no places: polygons are empty; None where it tells them.
    """

    full_text: str = ""
    lines: list[TextLine] = Field(default_factory=list)
    language: str = ""
    model_version: str | None = None
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None
    turn: Turn | None = None
    without_places: bool | None = None
