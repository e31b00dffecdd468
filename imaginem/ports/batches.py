"""Batches: what photos came in together, and who may see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Groups = frozenset[str] | None
"""Groups of a caller; None for one who may see everything."""


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
    """Some batches, newest first; `cursor` leads to the next ones and is empty at the end."""

    batches: Sequence[BatchInfo]
    cursor: str = ""


class Batches(Protocol):
    """The batches that were opened, by hand or with their first photo."""

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """Return the batches that these groups may see, newest first.

        Raises:
            InvalidMessage: the cursor is not valid.
        """

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Return a batch."""

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Return the groups of those batches that are some group's, erased ones too."""

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Note a batch; one that is known keeps its group, which is returned.

        Raises:
            PermanentError: it belongs to another group.
        """

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch, which has no jobs any more; a group's name stays the group's."""
