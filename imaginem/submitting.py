"""A photo becomes a job on its first queue."""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from imaginem.errors import NotFound, PermanentError
from imaginem.models import decode_message
from imaginem.names import blob_segment
from imaginem.ports import DashboardServices, JobKey, LogEntry
from imaginem.progress import ENDED, has_begun, steps_of

_LONGEST_ID = 150


def new_batch() -> str:
    """Return a batch id that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4]


def job_id_of(name: str) -> str:
    """Return a job id that reads like a photo's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[:_LONGEST_ID] or "photo"


def submit_photo(
    services: DashboardServices,
    key: JobKey,
    name: str,
    photo: bytes | str,
    pipeline: Sequence[str],
    *,
    parameters: dict[str, Any] | None = None,
) -> str:
    """Keep a photo and put its job on the first queue; return the id of this run.

    Args:
        services: where to.
        key: batch id and job id.
        name: of the photo, for people to see.
        photo: the file's bytes, or an address.
        pipeline: queues that the job visits.
        parameters: more to pass through with the photo.

    Raises:
        InvalidMessage: an id or the pipeline can't be.
        PermanentError: the batch was cancelled.
    """
    if services.cancellations.is_cancelled(key[0]):
        raise PermanentError(
            f"batch {key[0]} was cancelled: choose another batch id, or run "
            "`imaginem cancel --undo`"
        )
    told: dict[str, Any] = {**(parameters or {}), "original_name": name}
    if isinstance(photo, bytes):
        told["size"] = len(photo)
    url = photo if isinstance(photo, str) else "https://localhost/"
    message = decode_message(_message(key, url, told, pipeline), services.limits.default_pipeline)
    if isinstance(photo, bytes):  # only now: what can't be a job leaves no blob behind
        place = f"{blob_segment(key[0])}/{blob_segment(key[1])}"
        container = services.limits.input_container
        url = services.blobs.put(container, place, photo, "application/octet-stream")
        message = message.with_image_url(url)
    run = services.queues.send(message.current, message.encode())
    services.archive.submitted(key, run)
    return run


def _message(key: JobKey, url: str, told: dict[str, Any], pipeline: Sequence[str]) -> bytes:
    return to_json(
        {
            "job_definition": {
                "id": key[1],
                "batch_id": key[0],
                "input": {"image_url": url, "image_parameters": told},
                "processing_pipeline": list(pipeline),
                "processing_step": 0,
            },
            "job_output": {},
        }
    )


def run_again(services: DashboardServices, key: JobKey) -> str:
    """Put a job that has ended on its first queue again; return the id of the new run.

    Raises:
        NotFound: nothing is known of the job.
        PermanentError: it is at work, or its photo is not kept.
    """
    entry, result = services.log.read(key), services.results.read(key)
    if entry is None and result is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if key[1] in at_work(services, key[0], [] if entry is None else [entry]):
        raise PermanentError(f"job {key[1]} is still at work: wait until it has ended")
    url = result.photo_url if result else ""
    if not url and entry is not None:
        url = str(entry.properties.get("image_url", ""))
    pipeline = steps_of(entry) if entry else list(result.processing_pipeline if result else ())
    told = result.image_parameters if result else None
    name = told.get("original_name") if isinstance(told, dict) else None
    parameters = told if isinstance(told, dict) else {}
    return submit_photo(services, key, str(name or key[1]), url, pipeline, parameters=parameters)


def at_work(
    services: DashboardServices, batch_id: str, entries: Iterable[LogEntry]
) -> dict[str, str]:
    """Return those of a batch's jobs that have not ended, each with its state.

    Args:
        services: know what was sent.
        batch_id: of the batch.
        entries: of `pipelinelogs`; jobs whose latest run is not in theirs wait on a queue.
    """
    known = {entry.job_id: entry for entry in entries}
    found = {
        name: str(entry.properties.get("job_state", "running"))
        for name, entry in known.items()
        if entry.properties.get("job_state") not in ENDED
    }
    for name, run in services.archive.submissions(batch_id).items():
        if name not in known or not has_begun(known[name], run):
            found[name] = "queued"
    return found
