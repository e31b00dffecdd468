"""Stores from which a job's data can be erased."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from imaginem.ports.storage import JobKey

ERASED_FACES = "erased_faces"
"""Field of an output that lists faces: how many were left out since they were erased."""


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


@runtime_checkable
class ErasableRuns(Erasable, Protocol):
    """A store that knows of which run of its job each entry is."""

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove what is of these runs of a job, or of none that is known."""


def without_faces(outputs: Mapping[str, Any], face_ids: Collection[uuid.UUID]) -> dict[str, Any]:
    """Return a job's outputs without all that names one of some faces, whatever step found it."""
    gone = {str(face_id) for face_id in face_ids}
    return {step: without_names(output, gone) for step, output in outputs.items()}


def without_names(value: Any, gone: Collection[str]) -> Any:
    """Return a JSON value without what names one of some faces.

    Of a list the whole entry goes, of an object the field. Where faces were detected, it is
    counted how many were left out since they were erased.

    Args:
        value: an output, outputs by step, or a message with outputs.
        gone: ids of the faces, in small letters.
    """
    if isinstance(value, list):
        return [without_names(item, gone) for item in value if not _names_one(item, gone)]
    if not isinstance(value, Mapping):
        return value
    kept = {
        name: without_names(item, gone)
        for name, item in value.items()
        if not (_is_name(name, gone) or _is_name(item, gone))
    }
    lost = sum(_is_detected(item) and _names_one(item, gone) for item in _faces_in(value))
    if lost:
        kept[ERASED_FACES] = int(kept.get(ERASED_FACES) or 0) + lost
    return kept


def _faces_in(output: Mapping[str, Any]) -> Sequence[Any]:
    listed = output.get("faces", output.get("Faces"))
    return listed if isinstance(listed, list) else ()


def _is_detected(item: Any) -> bool:
    """Tell whether an entry of a list is a detected face: it says where, in whatever spelling."""
    return isinstance(item, dict) and any(plain_name(name) == "facerectangle" for name in item)


def plain_name(name: str) -> str:
    """Return a field's name as the original system, Azure and we spell it alike."""
    return name.replace("_", "").lower()


def _names_one(item: Any, gone: Collection[str]) -> bool:
    values = item.values() if isinstance(item, dict) else [item]
    return any(_is_name(value, gone) for value in values)


def _is_name(value: Any, gone: Collection[str]) -> bool:
    return isinstance(value, str) and value.lower() in gone
