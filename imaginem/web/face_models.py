"""Models of searching for a face, and of deciding on two."""

from typing import Literal

from pydantic import BaseModel, Field

from imaginem.web.models import Answer, Match


class FoundFace(Answer):
    """A face in the photo that was sent, and who looks like it.

    Attributes:
        not_shown: how many more files than were asked for show somebody who looks like it.
        may_have_more: so many were found that there may be more.
        page: of the photo's file, from 1 on; null if that has one.
    """

    rectangle: tuple[int, int, int, int]
    matches: list[Match]
    not_shown: int = 0
    may_have_more: bool = False
    page: int | None = None


class FaceSearch(Answer):
    """The faces of the photo that was sent, page by page; nothing of it is kept.

    `width` and `height` are those of the first of its file's `pages`, of which at most a hundred
    were looked at, and `unread_pages` could not be; `ends_early` tells that the file lacks its end;
    `not_searched` tells of photos whose faces are not in the gallery yet;
    `not_compared` counts faces that were found in it, and that the engine can't compare;
    `has_other_models` tells that another model enrolled some faces of the gallery, which were not
    compared.
    """

    width: int
    height: int
    faces: list[FoundFace]
    not_compared: int = 0
    has_other_models: bool = False
    pages: int = 1
    unread_pages: list[int] = Field(default=[])
    ends_early: bool = False
    not_searched: list[str] = Field(
        [], examples=[["Still being looked at: 6 of 6 photos in batch spring-2026."]]
    )


class VerdictAsked(BaseModel):
    """A person's decision on two faces; an empty one removes the earlier decision."""

    verdict: Literal["confirmed", "rejected", ""] = Field(examples=["confirmed"])
