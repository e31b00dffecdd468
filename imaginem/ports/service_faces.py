"""The ids that faces have at a service that keeps their embeddings."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class ServiceFace:
    """A face's ids at a service that keeps its embedding.

    Attributes:
        service_face_id: temporary id, searchable at once; empty when it has expired.
        lapses: when `service_face_id` expires.
        list_id: the face list that the face is in; empty when it is in none.
        persisted_face_id: the face's id in that list.
    """

    face_id: uuid.UUID
    service_face_id: str = ""
    lapses: datetime | None = None
    list_id: str = ""
    persisted_face_id: str = ""


@dataclass(frozen=True)
class FaceList:
    """A face list of a service; lists are filled one after the other.

    Attributes:
        full: it takes no more faces.
        changed: it holds faces that no training covers, or faces were removed from it.
        training: our id of the training that runs now; empty when none does.
        training_began: when that training began.
        searchable: it has been trained.
        empty: no face of the gallery is in it.
    """

    list_id: str
    number: int
    full: bool = False
    changed: bool = False
    training: str = ""
    training_began: datetime | None = None
    searchable: bool = False
    empty: bool = True


class ServiceFaces(Protocol):
    """The faces' ids at the service, its face lists, and what is still to be done there.

    Many instances write at the same time, so each method changes only what it names. A face
    that is erased meanwhile never comes back: its entry at the service is queued for removal.
    """

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return the ids of faces; faces without any are left out."""

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Store the service's temporary ids of faces, each with the time at which it expires."""

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Remove temporary ids that have expired at the service."""

    def adding(self, face_id: uuid.UUID, list_id: str) -> uuid.UUID | None:
        """Record, before the service is called, that a face is about to be added to a list.

        Returns:
            The addition's id, for `added` or `not_added`; None if the face is erased.
        """

    def added(
        self, addition: uuid.UUID, face_id: uuid.UUID, list_id: str, persisted_face_id: str
    ) -> None:
        """Store, after the call, the face's id in the list; this completes the addition."""

    def not_added(self, addition: uuid.UUID) -> None:
        """Complete an addition that the service refused: the list does not have the face."""

    def under_way(self, list_id: str, since: datetime) -> set[uuid.UUID]:
        """Return faces whose addition to the list began at `since` or later and is incomplete."""

    def cut_short(self, list_id: str, before: datetime) -> bool:
        """Tell whether an addition that began before this time was never completed."""

    def swept(self, list_id: str, before: datetime) -> None:
        """Record that the list was swept of additions interrupted before this time."""

    def fresh(self, now: datetime) -> dict[str, uuid.UUID]:
        """Return faces with an unexpired id that are in no trained list, by that id."""

    def owners(self, list_id: str, persisted: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return the faces that have these ids in a list; unknown ids are left out."""

    def lists(self) -> list[FaceList]:
        """Return the lists of this account, the first one first."""

    def add_list(self, list_id: str, number: int) -> None:
        """Add a list that was made at the service."""

    def drop_list(self, list_id: str) -> None:
        """Remove a list that the service no longer has, and its faces' places in it."""

    def mark(
        self,
        list_id: str,
        *,
        full: bool | None = None,
        changed: bool | None = None,
        searchable: bool | None = None,
    ) -> None:
        """Set those of a list's flags that are given, and nothing else."""

    def cover(self, list_id: str, training: str) -> None:
        """Record, before a training is started, that it covers the faces in the list."""

    def begin_training(self, list_id: str, training: str) -> None:
        """Record that a training has begun."""

    def end_training(self, list_id: str, training: str, *, succeeded: bool) -> None:
        """Record whether a training succeeded; if so, its faces are searched in their list."""

    def removals(self, list_id: str, limit: int) -> list[str]:
        """Return ids of faces that were erased here and are still to be removed from a list."""

    def removed(self, list_id: str, persisted_face_ids: Sequence[str]) -> None:
        """Record that faces were removed from a list at the service."""

    def stranded(self) -> int:
        """Return how many faces are still to be removed from lists of other accounts."""
