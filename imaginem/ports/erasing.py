"""Stores from which a job's data can be erased."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from imaginem.ports.storage import JobKey


class Erasable(Protocol):
    """A store that keeps something of a job.

    An erasure may be interrupted and is then done again from the start, so both methods
    do nothing where nothing is left.
    """

    @property
    def holds(self) -> Sequence[str]:
        """Return the tables, containers and folders from which this erases a job's data."""

    def erase(self, key: JobKey) -> None:
        """Remove everything that is kept of a job."""

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove everything that is kept of a batch.

        Args:
            batch_id: of the batch.
            job_ids: its jobs as far as they are known; a store that can find a batch's
                entries by itself removes those of unknown jobs too.
        """


def without_faces(outputs: Mapping[str, Any], face_ids: Collection[uuid.UUID]) -> dict[str, Any]:
    """Return a job's outputs without the matches of some faces, whatever step found them."""
    gone = {str(face_id) for face_id in face_ids}
    return {step: _without_matches(output, gone) for step, output in outputs.items()}


def _without_matches(output: Any, gone: Collection[str]) -> Any:
    listed = output.get("matches") if isinstance(output, dict) else None
    if not isinstance(listed, list):
        return output
    return {**output, "matches": [match for match in listed if not _names_one(match, gone)]}


def _names_one(match: Any, gone: Collection[str]) -> bool:
    names = ("face_id", "matched_face_id")
    return isinstance(match, dict) and any(str(match.get(name)) in gone for name in names)
