"""A photo becomes a job on its first queue."""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import InvalidMessage, NotFound, PermanentError, StorageUnavailable
from imaginem.message import JobMessage, decode_message
from imaginem.names import blob_segment
from imaginem.pipeline.offload import expand
from imaginem.pipeline.poison import replay
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.ports import DashboardServices, JobKey, Submission
from imaginem.redaction import redact_values

_LONGEST_ID = 150
_LOST_AFTER = timedelta(days=7)  # a message that nobody took by then was cleared away


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
    told: dict[str, Any] = {**(parameters or {}), "original_name": name}
    if isinstance(photo, bytes):
        told["size"] = len(photo)
    url = photo if isinstance(photo, str) else "https://localhost/"
    message = decode_message(
        _message(key, url, told, pipeline), services.core_settings.default_pipeline
    )
    check_open(services, key[0])
    if isinstance(photo, bytes):  # only now: what can't be a job leaves no blob behind
        place = f"{blob_segment(key[0])}/{blob_segment(key[1])}"
        container = services.core_settings.input_container
        url = services.blobs.put(container, place, photo, "application/octet-stream")
        message = message.with_image_url(url)
    return send_message(services, message)


def check_open(services: DashboardServices, batch_id: str) -> None:
    """Check that a batch takes jobs.

    Raises:
        PermanentError: it was cancelled.
    """
    if services.cancellations.is_cancelled(batch_id):
        raise PermanentError(
            f"batch {batch_id} was cancelled: choose another batch id, or run "
            "`imaginem cancel --undo`"
        )


def send_message(services: DashboardServices, message: JobMessage) -> str:
    """Put a job on its queue, noted before so that it is known while it waits; return its run.

    Raises:
        PermanentError: its batch was cancelled, or its ids are more than SQL can hold.
    """
    definition = message.job_definition
    key = message.key
    check_open(services, key[0])
    parameters = redact_values(definition.input.image_parameters)
    before = services.submissions.submission(key)
    services.submissions.submitted(key, "", parameters)
    try:
        run = services.queues.send(message.current, message.encode())
    except StorageUnavailable:
        if before is None:
            services.submissions.withdraw(key)
        raise
    services.submissions.submitted(key, run, parameters)
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
        PermanentError: it is at work, or its photo is not kept here.
    """
    row, result = read_row(services.log, key), services.results.read(key)
    sent = services.submissions.submission(key)
    if row is None and result is None and sent is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if is_at_work(row, sent):
        raise PermanentError(f"job {key[1]} is still at work: wait until it has ended")
    url = result.photo_url if result else ""
    if not url and row is not None:
        url = row.image_url
    if services.blobs.locate(url) is None:  # its query is gone, and may have been part of it
        raise PermanentError(f"the photo of job {key[1]} is not kept here: send it again")
    before = _as_sent(services, row)
    if before is not None:
        return send_message(services, before.with_image_url(url))
    pipeline = row.pipeline if row else list(result.processing_pipeline if result else ())
    told = result.image_parameters if result else sent.parameters if sent else None
    parameters = told if isinstance(told, dict) else {}
    name = str(parameters.get("original_name") or key[1])
    return submit_photo(services, key, name, url, pipeline, parameters=parameters)


def _as_sent(services: DashboardServices, row: ProgressRow | None) -> JobMessage | None:
    """Return the message of a job that reached its end, as it was before its first step."""
    if row is None:
        return None
    try:
        final = expand(from_json(row.job_output), row.key, services.blobs)
        message = decode_message(to_json(final), services.core_settings.default_pipeline)
    except (ValueError, InvalidMessage, PermanentError):  # it never did, or it is gone
        return None
    pipeline = message.job_definition.processing_pipeline
    given = {name: output for name, output in message.job_output.items() if name not in pipeline}
    return message.with_outputs(given).at_step(0)


def is_at_work(row: ProgressRow | None, sent: Submission | None) -> bool:
    """Tell whether a job has not ended, or waits for the first step of a newer run."""
    if row is not None and not row.has_ended:
        return True
    return sent is not None and _waits(row, sent)


def _waits(row: ProgressRow | None, sent: Submission) -> bool:
    if row is None:
        return datetime.now(UTC) - sent.since < _LOST_AFTER
    if not row.run:  # poisoned before it began; replayed since?
        return row.updated is not None and sent.since > row.updated
    return bool(sent.run) and not row.has_begun(sent.run)


def at_work(
    services: DashboardServices, batch_id: str, rows: Iterable[ProgressRow]
) -> dict[str, str]:
    """Return those of a batch's jobs that have not ended, each with its state.

    Args:
        services: know what was sent.
        batch_id: of the batch.
        rows: of the batch; jobs whose latest run is not in theirs wait on a queue.
    """
    known = {row.job_id: row for row in rows}
    working = {name: str(row.job_state) for name, row in known.items() if not row.has_ended}
    for name, sent in services.submissions.submissions(batch_id).items():
        if _waits(known.get(name), sent):
            working[name] = "queued"
    return working


def replay_job(services: DashboardServices, queue: str, message_id: str) -> str:
    """Put a poisoned message back on its queue, as a new run of its job; return its id.

    Raises:
        NotFound: there is no such entry.
    """
    entry = services.poison.read(queue, message_id)
    run = replay(services, queue, message_id)
    if entry is not None and entry.batch_id and entry.job_id:
        key = (entry.batch_id, entry.job_id)
        sent = services.submissions.submission(key)
        if sent is not None:
            services.submissions.submitted(key, run, sent.parameters)
    return run
