"""The catalogue: photos by their labels, text and faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from imaginem.ports.batches import Groups
from imaginem.ports.own_outputs.conditions import Condition
from imaginem.ports.text_search import Sureness


@dataclass(frozen=True)
class PhotoFilter:
    """Which photos: every condition that is set must hold.

    Attributes:
        tag, category, object: a label of the photo, spelt exactly like this.
        text: words in the photo, all of them, in any order; see `imaginem.ports.text_search`.
        faces: True for photos with faces, False for those in which they were looked for in vain.
        since, until: when the photo was processed: at or after `since`, before `until`.
        groups: the caller's; photos in batches of other groups are left out.
        where: what own steps said in their fields; see `imaginem.ports.own_outputs.conditions`.
        unreadable: what is said of text in the photo that can't be read, spelt exactly like this.
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
    where: tuple[Condition, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo in a list.

    Attributes:
        name: file name that the sender gave.
        tags: those of the highest confidence.
        unsuccessful: steps that failed or were skipped.
        kept: the photo itself is in our storage, so that it can be shown.
        sureness: how sure it is that the words which were searched for are in it; None where no
            words were searched for.
    """

    batch_id: str
    id: str
    name: str
    timestamp: datetime
    faces: int = 0
    tags: Sequence[str] = ()
    unsuccessful: Sequence[str] = ()
    kept: bool = True
    sureness: Sureness | None = None


@dataclass(frozen=True)
class PhotoPage:
    """Some photos; `cursor` leads to the next ones and is empty at the end."""

    photos: Sequence[FoundPhoto]
    cursor: str = ""


class PhotoCatalogue(Protocol):
    """Finds photos that have a result; it reads what `Results` writes, and stores nothing."""

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first; of those found by words, the surest hits before others.

        Raises:
            InvalidMessage: the cursor is not valid.
        """

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts, the most frequent first.

        Where there is a filter, of more than 10,000 photos that fit the newest 10,000 are counted.

        Args:
            wanted: which photos.
            kind: `tag`, `category` or `object`.
            limit: labels at most.
        """
