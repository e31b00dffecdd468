"""Faces that were erased from photos that stay: they are not to be found there again."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey

Box = tuple[int, int, int, int]
"""Left edge, top edge, width and height, in pixels of the upright photo."""


@dataclass(frozen=True)
class SuppressedFace:
    """A face that is to go, and stays away.

    Attributes:
        key: of the job in whose photo it is.
        photo_sha256: of the photo's file; empty if it is not known.
        box: where it is; None if that is not known.
    """

    face_id: uuid.UUID
    key: JobKey
    photo_sha256: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class SuppressedMark:
    """A suppressed face as the table keeps it for good; it names nobody.

    Attributes:
        face, photo: keyed hashes; that of the photo is empty if it is not known.
        group: in whose batches.
        box: where it is; None if that is not known.
    """

    face: str
    photo: str
    group: str
    box: Box | None = None


class SuppressedFaces(Erasable, Protocol):
    """The table `suppressed_face`: keyed hashes of photos and faces, and boxes, for each group.

    As long as the erasure of a face is not finished, the ids of face and job are kept too.
    """

    def suppress(self, face: SuppressedFace) -> None:
        """Commit that a face is erased, and that its erasure is not finished.

        It is suppressed in the group that its batch belongs to, or in the batches of no group.
        """

    def is_any(self, batch_id: str) -> bool:
        """Tell whether any face is suppressed in a batch's group."""

    def among(
        self, batch_id: str, photo_sha256: str, faces: Mapping[uuid.UUID, Box | None]
    ) -> set[uuid.UUID]:
        """Return the faces that the group suppresses, by their ids or their places in the photo.

        Args:
            batch_id: in whose group.
            photo_sha256: of the photo that they are in; empty if it is not known.
            faces: ids, each with the face's box if that is known.
        """

    def unfinished(self) -> Sequence[SuppressedFace]:
        """Return the faces whose erasure is not finished; their photos are not told."""

    def all(self) -> Sequence[SuppressedMark]:
        """Return every suppressed face."""

    def restore(self, marks: Iterable[SuppressedMark]) -> None:
        """Suppress faces again that a backup did not have; those that are there stay."""

    def finish(self, face_id: uuid.UUID) -> None:
        """Note that nothing is left of a face; its id and its job's are forgotten."""


def is_same_place(one: Box, other: Box) -> bool:
    """Tell whether two boxes share at least half of what they cover together."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return False
    shared = across * down
    return 2 * shared >= one[2] * one[3] + other[2] * other[3] - shared


def is_in_one_of(box: Box | None, places: Collection[Box]) -> bool:
    """Tell whether a face is where a suppressed one was."""
    return box is not None and any(is_same_place(box, place) for place in places)
