"""Submit a photo as a job, and run a job again."""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import (
    ImaginemError,
    InvalidMessage,
    NotFound,
    PermanentError,
    StorageUnavailable,
)
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.barred import check_photo
from imaginem.pipeline.offload import expand
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.resuming import kept_of
from imaginem.pipeline.source import keep_photo, place_of_photo
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, JobKey, Submission
from imaginem.ports.ledger import STEP
from imaginem.ports.metering import count, metered, work_on
from imaginem.redaction import redact_values
from imaginem.usecases.at_work import is_at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.landing import land_and_send
from imaginem.usecases.unsent import withdraw

_LONGEST_ID = 150
SENDING = "sending photos"
"""What the ledger calls it: no step's name has a space."""


def new_batch() -> str:
    """Return a batch id that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4]


def job_id_of(name: str) -> str:
    """Return a job id made of a photo's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[:_LONGEST_ID] or "photo"


def submit_photo(
    services: DashboardServices,
    key: JobKey,
    name: str,
    photo: bytes | str,
    pipeline: Sequence[str],
    *,
    parameters: dict[str, Any] | None = None,
    step_parameters: Mapping[str, Mapping[str, Any]] | None = None,
    photo_digest: str | None = None,
    replay_of: str = "",
    anew: bool = False,
) -> str:
    """Store a photo and send its job to the first queue; return the id of this run.

    Args:
        services: where to store and send.
        key: batch id and job id.
        name: name of the photo that people are shown.
        photo: the file's bytes, or an address.
        pipeline: names of the queues that the job visits.
        parameters: further `image_parameters`, passed through to the result.
        step_parameters: what is said to steps, by their names.
        photo_digest: SHA-256 of a photo for which the job's id was claimed.
        replay_of: the run that it does again.
        anew: nothing that was found in the photo before is reused.

    Raises:
        NotFound: that run was erased meanwhile.
        InvalidMessage: an id or the pipeline is not valid.
        PermanentError: the batch was cancelled.
    """
    image_parameters: dict[str, Any] = {**(parameters or {}), "original_name": name}
    if isinstance(photo, bytes):
        image_parameters["size"] = len(photo)
    url = photo if isinstance(photo, str) else "https://localhost/"  # until it is stored
    message = decode_message(
        _message(key, url, image_parameters, pipeline, step_parameters),
        services.core_settings.default_pipeline,
    )
    message = message.noting(replay_of=replay_of) if replay_of else message
    message = message.noting(anew=True) if anew or replay_of else message
    check_open(services, key[0])
    if not isinstance(photo, bytes):
        return send_message(services, message, photo_digest)
    # Only now, so that an invalid job leaves no blob behind.
    message = message.with_image_url(place_of_photo(services, key, photo))
    return send_message(services, message, photo_digest, photo=photo)


def check_open(services: DashboardServices, batch_id: str) -> None:
    """Check that a batch accepts jobs.

    Raises:
        PermanentError: the batch was cancelled.
    """
    if services.cancellations.is_cancelled(batch_id):
        raise PermanentError(
            f"batch {batch_id} was cancelled: choose another batch id, or run "
            "`imaginem cancel --undo`"
        )


def send_message(
    services: DashboardServices,
    message: JobMessage,
    photo_digest: str | None = None,
    *,
    run: str = "",
    photo: bytes | None = None,
) -> str:
    """Record a job in SQL, so that it is known while it waits, and send it; return its run's id.

    Args:
        services: where to record and send.
        message: of the job.
        photo_digest: SHA-256 that names the photo from now on; None leaves what is recorded.
        run: id of the run that it starts, where that is not the id of the queue message.
        photo: the bytes of its photo, if they came with it; they are put where the message says.

    Raises:
        DiskFull: there is no room; it is not accepted.
        StorageUnavailable: it may have been sent or not; it is not accepted.
        PermanentError: its batch was cancelled, its photo is barred, or an id is too long for SQL.
        NotFound: it does an earlier run again, which was erased meanwhile.
    """
    with metered(services.ledger, SENDING):
        work_on(*message.key)
        run = _send(services, message, photo_digest, run=run, photo=photo)
        count(STEP, "end")
        return run


def _send(
    services: DashboardServices,
    message: JobMessage,
    photo_digest: str | None,
    *,
    run: str,
    photo: bytes | None,
) -> str:
    key = message.key
    check_open(services, key[0])
    before_it = message.job_definition.bookkeeping.replay_of
    if before_it and services.erased.covers(key, (before_it,), None):
        raise NotFound(f"job {key[1]} of batch {key[0]} was erased")
    services.open_batches.note(key[0])
    before = services.submissions.submission(key)
    if photo is None and before and before.photo and photo_digest in (None, before.photo):
        check_photo(services, key[0], lambda: before.photo, f"the photo of job {key[1]}")
    kept = services.submissions.message(key) if before else ""

    def store_and_record() -> None:
        """Make the job known, then put the photo, which has landed by now.

        In this order, so that a photo whose sender dies is found by the record.
        """
        # A run that is known stays so: if this one is not sent, the one before is still looked for.
        record_sent(services, message, before.run if before else "", photo_digest)
        if photo is not None and keep_photo(services, key, photo) != _url(message):
            raise StorageUnavailable(f"the place of the photo of job {key[1]} was taken: try again")

    try:
        run = land_and_send(services, message, photo, store_and_record, run=run)
    except ImaginemError:
        _take_back(services, key, before, kept)
        raise
    record_sent(services, message, run, photo_digest)
    return run


def _url(message: JobMessage) -> str:
    return message.job_definition.input.image_url


def _take_back(
    services: DashboardServices, key: JobKey, before: Submission | None, message: str
) -> None:
    """Record of a job that was not sent what was known of it before."""
    if before is None or not before.run:
        withdraw(services, key)
        return
    services.submissions.submitted(
        key,
        before.run,
        before.parameters,
        before.photo,
        queue=before.queue,
        message=message,
    )


def record_sent(
    services: DashboardServices, message: JobMessage, run: str, photo_digest: str | None
) -> None:
    """Record in SQL that a job is sent, and what its message says, should it be lost."""
    services.submissions.submitted(
        message.key,
        run,
        redact_values(message.job_definition.input.image_parameters),
        photo_digest,
        queue=message.current,
        message=to_json(kept_of(message, services.blobs)).decode(),
    )


def _message(
    key: JobKey,
    url: str,
    image_parameters: dict[str, Any],
    pipeline: Sequence[str],
    step_parameters: Mapping[str, Mapping[str, Any]] | None,
) -> bytes:
    return to_json(
        {
            "job_definition": {
                "id": key[1],
                "batch_id": key[0],
                "input": {"image_url": url, "image_parameters": image_parameters},
                "processing_pipeline": list(pipeline),
                "processing_step": 0,
                **({"step_parameters": step_parameters} if step_parameters else {}),
            },
            "job_output": {},
        }
    )


def run_again(services: DashboardServices, key: JobKey) -> str:
    """Send a job that has ended to its first queue again; return the id of the new run.

    Raises:
        NotFound: there is no such job.
        PermanentError: the job has not ended, or its photo is not in our storage.
    """
    row, result = read_row(services.log, key), services.results.read(key)
    sent = services.submissions.submission(key)
    if row is None and result is None and sent is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    if is_at_work(row, sent):
        services.open_batches.note(key[0], surely=True)
        raise PermanentError(
            f"job {key[1]} is still at work: wait until it has ended; should its message be lost, "
            "the watchdog sends it again"
        )
    url = result.photo_url if result else ""
    if not url and row is not None:
        url = row.image_url
    if services.blobs.locate(url) is None:  # another server may need the query, which is not kept
        raise PermanentError(f"the photo of job {key[1]} is not kept here: send it again")
    note(services, AuditDeed.RAN_AGAIN, AuditSubject.JOB, *key)
    known = (row.run if row else "", result.run if result else "", sent.run if sent else "")
    replay_of = next(filter(None, known), "")
    before = _as_sent(services, row)
    if before is not None:
        if row is not None and row.dropped is not None:
            before = before.noting(dropped=row.dropped)
        return send_message(
            services, before.with_image_url(url).noting(replay_of=replay_of, anew=True)
        )
    pipeline = row.pipeline if row else list(result.processing_pipeline if result else ())
    image_parameters = result.image_parameters if result else sent.parameters if sent else None
    parameters = image_parameters if isinstance(image_parameters, dict) else {}
    name = str(parameters.get("original_name") or key[1])
    return submit_photo(
        services, key, name, url, pipeline, parameters=parameters, replay_of=replay_of
    )


def _as_sent(services: DashboardServices, row: ProgressRow | None) -> JobMessage | None:
    """Return a job's message as it was sent, rebuilt from its final message, or None."""
    if row is None:
        return None
    try:
        final = expand(from_json(row.job_output), row.key, services.blobs)
        message = decode_message(to_json(final), services.core_settings.default_pipeline)
    except (
        ValueError,
        InvalidMessage,
        PermanentError,
    ):  # no final message, or its blob was removed
        return None
    pipeline = message.job_definition.processing_pipeline
    outputs = {name: output for name, output in message.job_output.items() if name not in pipeline}
    return message.with_outputs(outputs).at_step(0)
