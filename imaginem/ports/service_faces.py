"""What a service that keeps prints calls its faces."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class ServiceFace:
    """What a face is called by a service that keeps its print.

    Attributes:
        service_face_id: searchable at once; empty when there is none that lives.
        lapses: when it is forgotten by the service.
        list_id: face list that it is in; empty when it is in none.
        persisted_face_id: its name there.
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
        changed: it holds faces that no training covers, or some were removed.
        training: of ours that runs now; empty when none does.
        training_began: when it did.
        searchable: it has been trained.
        empty: it holds no face of ours.
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
    """Which face is called what by the service, and what is left to do there.

    Many instances write at once, so every method changes no more than it names. A face that is
    erased meanwhile never comes back: what the service got of it is queued for removal.
    """

    def read(self, face_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, ServiceFace]:
        """Return what is known of faces."""

    def note(self, faces: Mapping[uuid.UUID, tuple[str, datetime]]) -> None:
        """Keep the service's ids of faces, each with the moment that it lapses."""

    def lapsed(self, service_face_ids: Sequence[str]) -> None:
        """Forget ids that the service knows no more."""

    def adding(self, face_id: uuid.UUID, list_id: str) -> uuid.UUID | None:
        """Note, before the call, that a face is added to a list.

        Returns:
            What to conclude the addition with; None if the face is erased.
        """

    def added(
        self, addition: uuid.UUID, face_id: uuid.UUID, list_id: str, persisted_face_id: str
    ) -> None:
        """Note, after the call, what it is called there."""

    def not_added(self, addition: uuid.UUID) -> None:
        """Note that the call was refused, so that the list has nothing of it."""

    def under_way(self, list_id: str, since: datetime) -> set[uuid.UUID]:
        """Return faces of which an addition to the list began since then and is not concluded."""

    def cut_short(self, list_id: str, before: datetime) -> bool:
        """Tell whether an addition that began before then was never concluded."""

    def swept(self, list_id: str, before: datetime) -> None:
        """Note that nothing is left in the list of additions that were cut short before then."""

    def fresh(self, now: datetime) -> dict[str, uuid.UUID]:
        """Return faces that live and that no trained list covers, by the service's ids."""

    def owners(self, list_id: str, persisted: Sequence[str]) -> dict[str, uuid.UUID]:
        """Return which faces these are; those that nobody knows are left out."""

    def lists(self) -> list[FaceList]:
        """Return the lists of this account, the first one first."""

    def add_list(self, list_id: str, number: int) -> None:
        """Note a list that was made."""

    def drop_list(self, list_id: str) -> None:
        """Note that the service has the list no more, nor any face of it."""

    def mark(
        self,
        list_id: str,
        *,
        full: bool | None = None,
        changed: bool | None = None,
        searchable: bool | None = None,
    ) -> None:
        """Change what is given of a list, and nothing else."""

    def cover(self, list_id: str, training: str) -> None:
        """Note which faces a training covers, before it is asked for."""

    def begin_training(self, list_id: str, training: str) -> None:
        """Note that it runs."""

    def end_training(self, list_id: str, training: str, *, succeeded: bool) -> None:
        """Note how it ended: when it succeeded, its faces are found through their list."""

    def removals(self, list_id: str, most: int) -> list[str]:
        """Return faces that are gone here and must go there."""

    def removed(self, list_id: str, persisted_face_ids: Sequence[str]) -> None:
        """Note that they are gone there."""

    def stranded(self) -> int:
        """Return how many faces must go from lists of another account."""
