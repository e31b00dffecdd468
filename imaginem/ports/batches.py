"""Batches: photos that were sent together, and who may see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Groups = frozenset[str] | None
"""Groups of a caller; None for a caller who may see everything."""


@dataclass(frozen=True)
class BatchInfo:
    """A batch.

    Attributes:
        group: who may see it; empty for everybody with a role.
        created: when it was opened, or its first photo was sent.
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
    """Some batches, newest first; `cursor` leads to the next ones and is empty at the end."""

    batches: Sequence[BatchInfo]
    cursor: str = ""


class Batches(Protocol):
    """The batches that were opened, explicitly or with their first photo."""

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """Return the batches that these groups may see, newest first.

        Raises:
            InvalidMessage: the cursor is not valid.
        """

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Return a batch."""

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Return the group of each batch that belongs to one, of erased batches too."""

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Record a batch; one that exists keeps its group. Return its group.

        Raises:
            PermanentError: it belongs to another group.
        """

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch that has no jobs any more; a group's batch id stays the group's."""
