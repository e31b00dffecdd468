"""Messages that could not be processed: kept with their reason, and put back on demand."""

from typing import Any

from pydantic_core import to_json

from imaginem.errors import Conflict, InvalidMessage, NotFound
from imaginem.message import JobMessage, decode_message, read_json
from imaginem.names import property_name
from imaginem.ports import LogEntry, PoisonEntry, Services
from imaginem.redaction import one_line, redact, redact_values, without_query

_TRIES = 8
_KEPT_FOR_REPLAY = ("image", "unfinished", "traceparent")
_ID_SHOWN = 512  # an invalid message may claim an id of any length


def keep_invalid(services: Services, queue: str, message_id: str, body: str, reason: str) -> None:
    """Keep a message that can never be processed."""
    batch_id, job_id = _ids(body)
    services.poison.add(
        PoisonEntry(queue, message_id, reason, _kept_body(body), 1, batch_id, job_id)
    )


def keep_exhausted(
    services: Services, queue: str, message_id: str, message: JobMessage, reason: str, attempts: int
) -> None:
    """Keep a copy of a job whose step was retried in vain; the job itself goes on."""
    definition = message.job_definition
    services.poison.add(
        PoisonEntry(
            queue,
            message_id,
            reason,
            _kept_body(message.encode()),
            attempts,
            definition.batch_id,
            definition.id,
        )
    )


def bury(services: Services, queue: str, message_id: str, body: str) -> None:
    """Move what the host put on `<queue>-poison` into the table, and mark the job.

    Args:
        queue: the step's queue, without `-poison`.
    """
    batch_id, job_id = _ids(body)
    tries = services.core_settings.max_dequeue_count
    reason = f"{queue} failed {tries} times; the host's log has the details"
    try:
        message = decode_message(body, services.core_settings.default_pipeline)
    except InvalidMessage as problem:
        reason = one_line(str(problem))
    else:
        reason = _mark_poisoned(services, message, reason)
    services.poison.add(
        PoisonEntry(queue, message_id, reason, _kept_body(body), tries, batch_id, job_id)
    )


def _mark_poisoned(services: Services, message: JobMessage, reason: str) -> str:
    """Set `step N: poisoned` if the job still waits for this message; return the reason."""
    definition = message.job_definition
    name = property_name(message.current)
    for _ in range(_TRIES):
        entry = services.log.read((definition.batch_id, definition.id))
        if entry is None:
            if _insert_poisoned(services, message, reason):
                return reason
            continue
        if not _waits(entry, message, name):
            return reason
        told = str(entry.properties.get(f"{name}_exception", "")) or reason
        try:
            services.log.merge(
                (definition.batch_id, definition.id),
                {
                    name: f"step {definition.processing_step}: poisoned",
                    f"{name}_exception": told,
                    "job_state": "failed",
                },
                entry.fence,
            )
            return told
        except Conflict:
            continue
    return reason


def _insert_poisoned(services: Services, message: JobMessage, reason: str) -> bool:
    """Tell of a job that never began; False if it has begun meanwhile."""
    definition = message.job_definition
    name = property_name(message.current)
    told = {
        "image_url": without_query(definition.input.image_url),
        "job_state": "failed",
        "processing_pipeline": ",".join(definition.processing_pipeline),
        name: f"step {definition.processing_step}: poisoned",
        f"{name}_exception": reason,
        "imaginem_run": "",  # of a run that nobody knows
        "imaginem_previous_runs": "",
    }
    try:
        services.log.insert((definition.batch_id, definition.id), told)
    except Conflict:
        return False
    return True


def _waits(entry: LogEntry, message: JobMessage, name: str) -> bool:
    run = message.job_definition.bookkeeping.run
    same_run = not run or entry.properties.get("imaginem_run") == run
    return same_run and entry.state_of(name) in ("processing", "retrying", "failed")


def replay(services: Services, queue: str, message_id: str) -> str:
    """Put a poisoned message back on its queue as a new run; return its new id.

    Raises:
        NotFound: there is no such entry.
    """
    entry = services.poison.read(queue, message_id)
    if entry is None:
        raise NotFound(f"no message {message_id} of {queue} is in pipelinepoison")
    sent = services.queues.send(queue, _as_first_hop(entry.body))
    services.poison.drop(queue, message_id)
    return sent


def _as_first_hop(body: str) -> str:
    """Return the body without run, fence and attempts; what later steps rely on stays."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return body
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict) or "_imaginem" not in definition:
        return body
    kept = definition["_imaginem"]
    told = kept if isinstance(kept, dict) else {}
    fresh = {name: told[name] for name in _KEPT_FOR_REPLAY if name in told}
    return to_json({**value, "job_definition": {**definition, "_imaginem": fresh}}).decode()


def _ids(body: str) -> tuple[str, str]:
    """Return batch id and job id as far as the body tells."""
    try:
        value: Any = read_json(body)
    except InvalidMessage:
        return "", ""
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict):
        return "", ""
    batch_id, job_id = definition.get("batch_id", "default"), definition.get("id", "")
    return str(batch_id)[:_ID_SHOWN], str(job_id)[:_ID_SHOWN]


def _kept_body(body: str) -> str:
    """Return a body that may be kept: as it came, unless secrets must be taken out."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return redact(body)
    kept = redact_values(value)
    return body if kept == value else to_json(kept).decode()
