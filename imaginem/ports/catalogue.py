"""Photos by what was found in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from imaginem.ports.batches import Groups


@dataclass(frozen=True)
class PhotoFilter:
    """Which photos: every condition that is set must hold.

    Attributes:
        tag, category, object: a label that was found, written exactly so.
        text: part of the text in the photo, in capitals or not.
        faces: True for photos with faces, False for those without.
        since, until: when the photo was processed, from and before.
        groups: of the caller: photos of other groups' batches are left out.
    """

    tag: str = ""
    category: str = ""
    object: str = ""
    text: str = ""
    faces: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    batch: str = ""
    groups: Groups = None


@dataclass(frozen=True)
class FoundPhoto:
    """A photo in a list.

    Attributes:
        name: of the file, as its sender told.
        tags: the surest ones.
        unsuccessful: steps that failed or were skipped.
        kept: the photo itself is here to look at.
    """

    batch_id: str
    id: str
    name: str
    timestamp: datetime
    faces: int = 0
    tags: Sequence[str] = ()
    unsuccessful: Sequence[str] = ()
    kept: bool = True


@dataclass(frozen=True)
class PhotoPage:
    """Some photos, newest first; `cursor` leads to the next ones and is empty at the end."""

    photos: Sequence[FoundPhoto]
    cursor: str = ""


class PhotoCatalogue(Protocol):
    """Finds photos that have a result; it keeps nothing that `Results` does not keep."""

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first.

        Raises:
            InvalidMessage: the cursor is not valid.
        """

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts, the most frequent first.

        Args:
            wanted: which photos.
            kind: `tag`, `category` or `object`.
            limit: labels at most.
        """
