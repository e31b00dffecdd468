"""Photos by what was found in them, and the batches that they came in."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from imaginem.ports.results import FaceOwner
from imaginem.ports.storage import JobKey

Groups = frozenset[str] | None
"""Groups of a caller; None for one who may see everything."""


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


@dataclass(frozen=True)
class BatchInfo:
    """A batch.

    Attributes:
        group: who may see it; empty for everybody with a role.
        created: when it was first heard of.
        submitted: photos that were sent through the API or the CLI.
        done: jobs with a result.
        unsuccessful: of these, jobs with a step that failed or was skipped.
        faces: found in its photos.
    """

    batch_id: str
    group: str
    created: datetime
    submitted: int = 0
    done: int = 0
    unsuccessful: int = 0
    faces: int = 0


@dataclass(frozen=True)
class BatchPage:
    """Some batches, newest first; `cursor` as of `PhotoPage`."""

    batches: Sequence[BatchInfo]
    cursor: str = ""


@dataclass(frozen=True)
class Submission:
    """That a photo was sent.

    Attributes:
        run: id of the queue message; empty as long as it is not known.
        parameters: what the sender said of the photo.
    """

    run: str
    since: datetime
    parameters: Any = None


@dataclass(frozen=True)
class Verdict:
    """What a person says of two faces.

    Attributes:
        verdict: `confirmed` or `rejected`.
        who: said so.
    """

    verdict: str
    who: str
    at: datetime


FacePair = tuple[uuid.UUID, uuid.UUID]


class Archive(Protocol):
    """What the dashboard asks of SQL besides results and faces."""

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first.

        Raises:
            InvalidMessage: the cursor is none of ours.
        """

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts, the most frequent first.

        Args:
            wanted: which photos.
            kind: `tag`, `category` or `object`.
            limit: labels at most.
        """

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """Return the batches that these groups may see, newest first."""

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Return a batch."""

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Return the groups of those batches that are some group's, erased ones too."""

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Note a batch; one that is known keeps its group, which is returned.

        Raises:
            PermanentError: it belongs to another group.
        """

    def submitted(self, key: JobKey, run: str, parameters: Any = None) -> None:
        """Note that a photo was sent, so that it is counted before its first step.

        Args:
            key: of the job.
            run: id of its message; empty as long as it is not known.
            parameters: what the sender said of the photo.
        """

    def withdraw(self, key: JobKey) -> None:
        """Note that it was not sent after all."""

    def submission(self, key: JobKey) -> Submission | None:
        """Return how a job was sent last."""

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Return a batch's jobs that were sent, by id."""

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """Return the faces that were enrolled last."""

    def judge(self, pair: FacePair, verdict: str, who: str) -> None:
        """Keep what a person says of two faces; an empty verdict takes it back.

        Raises:
            NotFound: one of the faces is not in the gallery.
        """

    def verdicts(self, face_ids: Sequence[uuid.UUID]) -> dict[FacePair, Verdict]:
        """Return what people said of these faces, by pair, seen from either side."""

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result."""

    def forget(self, key: JobKey) -> None:
        """Remove a job's result, its labels and that it was sent."""

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch, which has no jobs any more."""
