"""Messages that could not be processed: kept with their reason, and replayed on demand."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydantic_core import to_json

from imaginem.errors import InvalidMessage
from imaginem.message import JobMessage, decode_message, from_base64, read_json
from imaginem.pipeline.burying import mark_given_up
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.gathering import stop_waiting
from imaginem.pipeline.loading import Delivery, believed
from imaginem.pipeline.stopping import dropped, is_erased_body, is_given_up_erased, stop_given_up
from imaginem.ports import PoisonEntry, Services
from imaginem.redaction import one_line, redact, redact_values

_logger = logging.getLogger("imaginem.process")
_FACTS = ("image", "unfinished", "dropped", "engines", "replay_of")
_KEPT_FOR_REPLAY = (*_FACTS, "traceparent")


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


def bury(
    services: Services, queue: str, message_id: str, body: str, put: datetime | None = None
) -> None:
    """Move a message from `<queue>-poison` into `pipelinepoison`, and mark its job.

    Args:
        services: where it is kept.
        queue: the step's queue, without `-poison`.
        message_id: on the poison queue, where the host has put the body as a new message.
        body: of the message.
        put: when the host put it there; None if that is not known.
    """
    delivery = Delivery(body, message_id, put=put)
    batch_id, job_id = ids_in(body)
    tries = services.core_settings.max_dequeue_count
    reason = f"{queue} failed {tries} times; the host's log has the details"
    try:
        message = decode_message(body, services.core_settings.default_pipeline)
    except InvalidMessage as problem:
        if is_erased_body(services, body, delivery):
            dropped(queue, services)
            return
        reason = one_line(str(problem))
    else:
        message = believed(message)
        if is_given_up_erased(services, message, delivery):
            stop_given_up(message, delivery, services)
            return
        found = mark_given_up(services, message, message_id, reason)
        stop_waiting(services.shared_state, queue, message)
        reason = found.reason
        if found.next_message is not None:
            queue, body = found.next_message.current, found.next_message.encode()
        if found.before is not None and _goes_on_alike(found.before.body, _kept_body(body)):
            return  # the host died while it put the message on the poison queue, and did it again
    entry = PoisonEntry(queue, message_id, reason, _kept_body(body), tries, batch_id, job_id)
    _keep(services, entry, "defect")


def _goes_on_alike(one: str, other: str) -> bool:
    """Tell whether two messages come to the same when they are replayed."""
    return _with_bookkeeping(one, _FACTS) == _with_bookkeeping(other, _FACTS)


def _keep(services: Services, entry: PoisonEntry, why: str) -> None:
    """Keep an entry, and count it; an alert watches the metric."""
    services.poison.add(replace(entry, kind=why))
    ids = {"batch_id": entry.batch_id, "job_id": entry.job_id}
    _logger.warning("%s: kept in pipelinepoison: %s", entry.queue, entry.reason, extra=ids)
    services.telemetry.count("imaginem.poisoned", step=entry.queue, reason=why)


def as_new_run(entry: PoisonEntry) -> str:
    """Return an entry's body without run, fence and attempts; what later steps rely on stays.

    However often the same entry is sent so, it is one run; see `imaginem.pipeline.loading`.
    """
    place = f"{entry.queue}\n{entry.id}".encode("utf-8", "surrogatepass")
    replay = hashlib.sha256(place).hexdigest()[:32]
    return _with_bookkeeping(entry.body, _KEPT_FOR_REPLAY, replay=replay)


def _with_bookkeeping(body: str, keep: Sequence[str], **more: str) -> str:
    """Return a body that has of our bookkeeping only some fields; unchanged if it is no job."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return body
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict):
        return body
    before = definition.get("_imaginem")
    known = before if isinstance(before, dict) else {}
    kept = {name: known[name] for name in keep if name in known} | more
    if more and isinstance(run := known.get("run"), str) and run:
        kept["replay_of"] = run
    return to_json({**value, "job_definition": {**definition, "_imaginem": kept}}).decode()


def _kept_body(body: str) -> str:
    """Return a body with secrets redacted; unchanged if it has none."""
    try:
        value = read_json(body)
    except InvalidMessage:
        text = _text_in(body)
        plain = redact(text)
        return body if plain == text else plain
    kept = redact_values(value)
    return body if kept == value else to_json(kept).decode()


def _text_in(body: str) -> str:
    """Return the text of a body that is no JSON: if it is base64 of a text, that text."""
    try:
        return from_base64(body).decode()
    except ValueError:
        return body
