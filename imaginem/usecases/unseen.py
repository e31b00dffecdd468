"""What of a photo's file nobody has looked at, as its steps have told.

Pages, API, command line and exports tell it in the same words: what was not found there may be in
the rest of the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imaginem.images.limits import PAGE_LIMIT
from imaginem.usecases.looked_words import WORDS

READERS = ("generalclassification", "ocr", "facedetection")
"""The steps that tell it."""


@dataclass(frozen=True)
class SeenOfFile:
    """How much of a photo's file was there to be seen.

    Attributes:
        ends_early: the file lacks its end.
        pages: how many the file has; the first `PAGE_LIMIT` were looked at.
        unread_pages: numbers of those that could not be decoded.
        smallest_face: pixels of the smallest face that was looked for, where that is larger than
            usual; 0 if it is not.
    """

    ends_early: bool = False
    pages: int = 1
    unread_pages: tuple[int, ...] = ()
    smallest_face: int = 0

    @property
    def parts(self) -> list[tuple[str, object]]:
        """What was not looked at: the name of a sentence, and what it tells."""
        told: dict[str, object] = {
            "pages": self.pages if self.pages > PAGE_LIMIT else 0,
            "unread_pages": ", ".join(map(str, self.unread_pages)),
            "smallest_face": self.smallest_face,
            "ends_early": self.ends_early,
        }
        return [(name, value) for name, value in told.items() if value]

    @property
    def sentences(self) -> list[str]:
        """What was not looked at, a sentence each; empty if that is nothing."""
        return [
            WORDS[f"unseen.{name}"].format(value=value, limit=PAGE_LIMIT)
            for name, value in self.parts
        ]


def seen_of_file(outputs: Mapping[str, Any]) -> SeenOfFile:
    """Return how much of a photo's file was there to be seen.

    Args:
        outputs: of its job, by step; senders may put any value into them.
    """
    told = list(_told(outputs))
    unread = [page for each in told for page in _listed(each, "unread_pages")]
    smallest = _part(outputs, "facedetection").get("smallest_face")
    return SeenOfFile(
        ends_early=any(each.get("ends_early") is True for each in told),
        pages=max([1, *(_number(each.get("pages")) for each in told)]),
        unread_pages=tuple(sorted({page for page in unread if _number(page)})),
        smallest_face=_number(smallest),
    )


def unseen_in(outputs: Mapping[str, Any] | None) -> list[str]:
    """Return what of a photo's file was not looked at, a sentence each."""
    return seen_of_file(outputs or {}).sentences


def _told(outputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for step in READERS:
        output = _part(outputs, step)
        yield _part(output, "metadata") if step == "generalclassification" else output


def _part(output: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = output.get(name)
    return value if isinstance(value, dict) else {}


def _listed(output: Mapping[str, Any], name: str) -> list[Any]:
    value = output.get(name)
    return value if isinstance(value, list) else []


def _number(value: Any) -> int:
    return value if type(value) is int else 0
