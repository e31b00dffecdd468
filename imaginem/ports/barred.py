"""Photos that were erased for good, and may not come back into a group's batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class BarredPhoto:
    """A photo that is barred; it names nobody.

    Attributes:
        group: in whose batches; empty: in those of no group.
        mark: keyed hash of the group and of the photo's bytes.
        at: since when.
        who: barred it.
    """

    group: str
    mark: str
    at: datetime
    who: str


class BarredPhotos(Protocol):
    """The table `barred_photo`: few entries, each made because somebody asked for it."""

    def bar(self, group: str, mark: str, who: str) -> bool:
        """Bar a photo; it is barred when this returns. Return False if it was before."""

    def restore(self, photos: Iterable[BarredPhoto]) -> None:
        """Bar photos that a backup did not have, since when they were; others stay."""

    def lift(self, mark: str) -> bool:
        """Let a photo come back; return False if it was not barred."""

    def of_batch(self, batch_id: str) -> Sequence[BarredPhoto]:
        """Return what is barred in a batch's group: one query, and nothing in most groups."""

    def all(self) -> Sequence[BarredPhoto]:
        """Return what is barred anywhere."""
