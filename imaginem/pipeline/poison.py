"""Messages that could not be processed: kept with their reason, and replayed on demand."""

from dataclasses import replace

from pydantic_core import to_json

from imaginem.errors import Conflict, InvalidMessage, NotFound
from imaginem.message import JobMessage, decode_message, ids_in, read_json
from imaginem.pipeline.openings import never_began
from imaginem.pipeline.progress_row import ProgressRow, RowChange, current_step, read_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import JobKey, PoisonEntry, Services
from imaginem.redaction import one_line, redact, redact_values

_TRIES = 8
_NOT_SUCCEEDED = frozenset({StepState.PROCESSING, StepState.RETRYING, StepState.FAILED})
_KEPT_FOR_REPLAY = ("image", "unfinished", "traceparent", "dropped")


def keep_invalid(services: Services, queue: str, message_id: str, body: str, reason: str) -> None:
    """Keep a message that can never be processed."""
    batch_id, job_id = ids_in(body)
    entry = PoisonEntry(queue, message_id, reason, _kept_body(body), 1, batch_id, job_id)
    _keep(services, entry, "invalid")


def keep_exhausted(
    services: Services, queue: str, message_id: str, message: JobMessage, reason: str, attempts: int
) -> None:
    """Keep a copy of a job's message whose step failed at every try; the job itself goes on."""
    _keep_copy(services, PoisonEntry(queue, message_id, reason, "", attempts), message, "exhausted")


def keep_lost(services: Services, message_id: str, message: JobMessage, reason: str) -> None:
    """Keep a copy of a job's message that was lost too often; the job has ended."""
    _keep_copy(services, PoisonEntry(message.current, message_id, reason, ""), message, "lost")


def _keep_copy(services: Services, entry: PoisonEntry, message: JobMessage, why: str) -> None:
    definition = message.job_definition
    body = _kept_body(message.encode())
    entry = replace(entry, body=body, batch_id=definition.batch_id, job_id=definition.id)
    _keep(services, entry, why)


def bury(services: Services, queue: str, message_id: str, body: str) -> None:
    """Move a message from `<queue>-poison` into `pipelinepoison`, and mark its job.

    Args:
        queue: the step's queue, without `-poison`.
    """
    batch_id, job_id = ids_in(body)
    tries = services.core_settings.max_dequeue_count
    reason = f"{queue} failed {tries} times; the host's log has the details"
    try:
        message = decode_message(body, services.core_settings.default_pipeline)
    except InvalidMessage as problem:
        reason = one_line(str(problem))
    else:
        reason = _mark_poisoned(services, message, reason)
    entry = PoisonEntry(queue, message_id, reason, _kept_body(body), tries, batch_id, job_id)
    _keep(services, entry, "defect")


def _keep(services: Services, entry: PoisonEntry, why: str) -> None:
    """Keep an entry, and count it; an alert watches the metric."""
    services.poison.add(entry)
    services.telemetry.count("imaginem.poisoned", step=entry.queue, reason=why)


def _mark_poisoned(services: Services, message: JobMessage, reason: str) -> str:
    """Set `step N: poisoned` if the job still waits for this message; return the reason."""
    key = message.key
    for _ in range(_TRIES):
        row = read_row(services.log, key)
        if row is None:
            if _insert_poisoned(services, key, message, reason):
                return reason
            continue
        if not _waits_for(row, message):
            return reason
        known = row.reason_of(message.current) or reason
        poisoned = current_step(message, StepState.POISONED, known)
        change = RowChange(steps=(poisoned,), job_state=JobState.FAILED)
        try:
            services.log.merge(key, change.properties(), row.fence)
            return known
        except Conflict:
            continue
    return reason


def _insert_poisoned(services: Services, key: JobKey, message: JobMessage, reason: str) -> bool:
    """Write the row of a job that never began; False if it has begun meanwhile."""
    try:
        opening = never_began(message, reason, services.blobs)
        services.log.insert(key, opening.properties())
    except Conflict:
        return False
    return True


def _waits_for(row: ProgressRow, message: JobMessage) -> bool:
    """Tell whether the row's run goes on with this message and nothing else."""
    run = message.job_definition.bookkeeping.run
    if run and row.run != run:
        return False
    return row.state_of(message.current) in _NOT_SUCCEEDED


def replay(services: Services, queue: str, message_id: str) -> str:
    """Put a poisoned message back on its queue as a new run; return its new id.

    Raises:
        NotFound: there is no such entry.
    """
    entry = services.poison.read(queue, message_id)
    if entry is None:
        raise NotFound(f"no message {message_id} of {queue} is in pipelinepoison")
    run = services.queues.send(queue, _as_new_run(entry.body))
    services.poison.drop(queue, message_id)
    return run


def _as_new_run(body: str) -> str:
    """Return the body without run, fence and attempts; what later steps rely on stays."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return body
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict) or "_imaginem" not in definition:
        return body
    bookkeeping = definition["_imaginem"]
    before = bookkeeping if isinstance(bookkeeping, dict) else {}
    kept = {name: before[name] for name in _KEPT_FOR_REPLAY if name in before}
    return to_json({**value, "job_definition": {**definition, "_imaginem": kept}}).decode()


def _kept_body(body: str) -> str:
    """Return a body with secrets redacted; unchanged if it has none."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return redact(body)
    kept = redact_values(value)
    return body if kept == value else to_json(kept).decode()
