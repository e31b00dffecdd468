"""Outputs of a job from before it was run again, to compare with those of now."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey

EARLIER_KEPT = 3
"""Earlier outputs that are kept of a job, the latest ones."""


@dataclass(frozen=True)
class EarlierOutput:
    """What a job's result was before a rerun.

    Attributes:
        made: when that result was written; a job has one earlier output of a moment.
        job_output: outputs by step.
        from_step: where the rerun began.
        engines: providers that the rerun chose, by the names of kinds that users see.
    """

    batch_id: str
    job_id: str
    made: datetime
    job_output: Mapping[str, Any]
    from_step: str
    engines: Mapping[str, str] = field(default_factory=dict)


class EarlierOutputs(Erasable, Protocol):
    """The table `earlier_output`: the last outputs of jobs that were run again."""

    def keep(self, output: EarlierOutput, *, run: str = "") -> None:
        """Keep an output, in place of one of the same moment; old ones go (`EARLIER_KEPT`).

        Args:
            output: to keep.
            run: of the job, which had it.

        Raises:
            JobErased: that run was erased.
        """

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove erased faces from the matches in a job's earlier outputs."""

    def of_job(self, key: JobKey) -> Sequence[EarlierOutput]:
        """Return a job's earlier outputs, the latest first."""
