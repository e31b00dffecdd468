"""Run one step for one delivered message: load, run, record, advance.

`transition` is the whole of it but the sending: message in, next message out. Delivery
is at least once, so every line is repeatable: deterministic ids and names, merges and
upserts. `process_step` is what a queue trigger calls.
"""

import random
import time
from dataclasses import dataclass
from typing import Any

from imaginem.errors import (
    Busy,
    ImaginemError,
    InvalidMessage,
    PermanentError,
    RetryableError,
    StorageUnavailable,
)
from imaginem.message import JobMessage, decode_message
from imaginem.names import property_name
from imaginem.pipeline.advance import Outcome, Outgoing, Transition, record_and_advance
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.fence import Claim, Verdict, claim_step, record_step
from imaginem.pipeline.offload import fit
from imaginem.pipeline.poison import keep_exhausted, keep_invalid
from imaginem.pipeline.source import ingest
from imaginem.pipeline.steps import Registry, Step
from imaginem.ports import Services
from imaginem.redaction import one_line, without_query

_LONGEST_DELAY = 15 * 60.0
_LONGEST_WAIT = 5 * 60.0
_LONGEST_RETRY_AFTER = 60 * 60.0  # the other side decides how long; not for how many days


@dataclass(frozen=True)
class Delivery:
    """A queue message as the host hands it over."""

    body: str
    id: str
    dequeue_count: int = 1


def process_step(
    step: Step[Any], delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Run a step for a delivered message and send the job on.

    Raises:
        Exception: a defect in the step, or storage is down; the host redelivers.
    """
    moved = transition(step, delivery, services, registry)
    if moved.outgoing is not None:
        sent = moved.outgoing
        services.queues.send(sent.queue, sent.body, delay=sent.delay)
    return moved


def transition(
    step: Step[Any], delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Do all of a hop but the sending; see `process_step`."""
    try:
        message = load(step, delivery, services)
    except InvalidMessage as problem:
        keep_invalid(services, step.name, delivery.id, delivery.body, one_line(str(problem)))
        services.telemetry.count("imaginem.poisoned", step=step.name, reason="invalid")
        return Transition("invalid")
    definition = message.job_definition
    labels = {"batch_id": definition.batch_id, "job_id": definition.id, "step": step.name}
    parent, started = definition.bookkeeping.traceparent, time.perf_counter()
    with services.telemetry.span(step.name, parent=parent, kind="consumer", **labels) as span:
        if span.traceparent != parent:
            message = message.noting(traceparent=span.traceparent)
        moved = _execute(step, message, delivery, services, registry)
        span.note(state=moved.state)
        if moved.state in ("failed", "invalid"):
            span.fail(moved.state)
    seconds = time.perf_counter() - started
    services.telemetry.measure("imaginem.step.seconds", seconds, step=step.name, state=moved.state)
    return moved


def _execute(
    step: Step[Any], message: JobMessage, delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Do what a hop does once its message is decoded."""
    kept = message.job_definition.bookkeeping
    again = delivery.dequeue_count > 1 or kept.attempt > 0 or kept.waits > 0
    claim = claim_step(services.log, message, delivery.id, _opening(message), look_first=again)
    if claim is None:
        return Transition("dropped")
    message = message.noting(run=claim.run)
    if services.cancellations.is_cancelled(message.job_definition.batch_id):
        return _cancel(message, claim, services)
    attempts = kept.attempt + 1
    last_try = attempts >= services.core_settings.max_attempts
    try:
        message = ingest(message, services, last_try=last_try)
        outcome = _run(step, message, services)
    except RetryableError as problem:
        waiting = isinstance(problem, Busy)
        if (kept.waits < services.core_settings.max_waits) if waiting else not last_try:
            why = "busy" if waiting else "error"
            services.telemetry.count("imaginem.retries", step=step.name, reason=why)
            return _retry(message, claim, services, problem)
        tries = f"waited {kept.waits} times" if waiting else f"tried {attempts} times"
        reason = one_line(f"{type(problem).__name__}: {problem} ({tries})")
        keep_exhausted(services, step.name, delivery.id, message, reason, attempts)
        services.telemetry.count("imaginem.poisoned", step=step.name, reason="exhausted")
        outcome = Outcome("failed", reason=reason)
    except StorageUnavailable:
        raise
    except Exception as problem:  # a defect: the host redelivers, and poisons in the end
        if delivery.dequeue_count >= services.core_settings.max_dequeue_count:
            _record_defect(message, claim, services, problem)
        raise
    try:
        return record_and_advance(step, message, claim, outcome, services, registry)
    except InvalidMessage as problem:  # it would not fit the next queue
        keep_invalid(services, step.name, delivery.id, delivery.body, one_line(str(problem)))
        _record_defect(message, claim, services, problem)
        return Transition("invalid")


def _cancel(message: JobMessage, claim: Claim, services: Services) -> Transition:
    """End a job of a cancelled batch here; what its steps have found so far stays in the log."""
    name = property_name(message.current)
    record_step(
        services.log,
        claim,
        {
            name: f"step {message.job_definition.processing_step}: skipped",
            f"{name}_exception": "the batch was cancelled",
            "job_state": "cancelled",
        },
    )
    services.telemetry.count("imaginem.jobs", state="cancelled")
    return Transition("cancelled")


def load(step: Step[Any], delivery: Delivery, services: Services) -> JobMessage:
    """Decode and check a message.

    Raises:
        InvalidMessage: it is no job for this step.
    """
    message = decode_message(delivery.body, services.core_settings.default_pipeline)
    definition = message.job_definition
    if message.current != step.name:
        raise InvalidMessage(
            f"the message lies on the queue {step.name!r}, but "
            f"processing_pipeline[{definition.processing_step}] is {message.current!r}: put it on "
            "that queue, or correct processing_step"
        )
    kept = definition.bookkeeping
    if kept.run and kept.fence:
        return message
    earlier = definition.processing_pipeline[: definition.processing_step]
    unsuccessful = [name for name in kept.unsuccessful if name in earlier]
    return message.noting(
        run="",
        fence="",
        attempt=0,
        waits=0,
        traceparent="",
        image_error="",
        unsuccessful=unsuccessful,
    )


def _opening(message: JobMessage) -> dict[str, Any]:
    """Return the properties that a run of a job starts with."""
    definition = message.job_definition
    index = definition.processing_step
    return {
        "image_url": without_query(definition.input.image_url),
        "job_state": "running",
        "processing_pipeline": ",".join(definition.processing_pipeline),
        property_name(message.current): f"step {index}: processing",
    }


def _run(step: Step[Any], message: JobMessage, services: Services) -> Outcome:
    """Run the step; what cannot be mended by trying again becomes an outcome."""
    unsuccessful = message.job_definition.bookkeeping.unsuccessful
    lacking = [needed.name for needed in step.requires if needed.name in unsuccessful]
    if lacking:
        reason = f"needs {' and '.join(lacking)}, which did not succeed"
        return Outcome("skipped", reason=reason)
    try:
        output = step(JobContext(message, services))
    except (PermanentError, InvalidMessage) as problem:
        return Outcome("failed", reason=one_line(f"PermanentError: {problem}"))
    return Outcome("success", output=output.model_dump(mode="json", exclude_none=True))


def _retry(
    message: JobMessage, claim: Claim, services: Services, problem: RetryableError
) -> Transition:
    """Record that the step is retried, and put a delayed copy on its queue."""
    definition = message.job_definition
    name = property_name(message.current)
    attempt, waits = definition.bookkeeping.attempt, definition.bookkeeping.waits
    if isinstance(problem, Busy):
        waits += 1
        told, pause = f"wait {waits} of {services.core_settings.max_waits}", waits
    else:
        attempt += 1
        told, pause = f"try {attempt} of {services.core_settings.max_attempts}", attempt
    reason = one_line(f"{type(problem).__name__}: {problem}")
    claim, verdict = record_step(
        services.log,
        claim,
        {
            name: f"step {definition.processing_step}: retrying",
            f"{name}_exception": f"{reason} ({told})",
        },
    )
    if verdict is Verdict.RESEND:  # concluded by us, not sent on, and the output is not at hand
        raise problem
    if verdict is Verdict.DROP:
        return Transition("dropped")
    message = message.noting(run=claim.run, fence=claim.fence, attempt=attempt, waits=waits)
    copy = fit(message, services.blobs)
    base = services.core_settings.retry_seconds
    if isinstance(problem, Busy):
        delay = busy_delay(pause, base, problem.retry_after)
    else:
        delay = retry_delay(pause, base, problem.retry_after)
    return Transition("retrying", Outgoing(message.current, copy.encode(), delay))


def retry_delay(attempt: int, base: float, at_least: float | None) -> float:
    """Return the seconds to wait before a try: doubling, jittered, never under Retry-After."""
    growing: float = min(base * 2 ** min(attempt - 1, 20), _LONGEST_DELAY)
    jittered = growing * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
    return max(jittered, min(at_least or 0.0, _LONGEST_RETRY_AFTER))


def busy_delay(waits: int, base: float, at_least: float | None) -> float:
    """Return the seconds to wait for a turn: growing slowly, so that old jobs aren't outrun."""
    growing: float = min(max(base, at_least or 0.0) * 1.2 ** (waits - 1), _LONGEST_WAIT)
    jittered = growing * random.uniform(1.0, 1.5)  # noqa: S311 - spreads load, guards nothing
    return max(jittered, min(at_least or 0.0, _LONGEST_RETRY_AFTER))


def _record_defect(
    message: JobMessage, claim: Claim, services: Services, problem: Exception
) -> None:
    """On the last try of a defective step, say so in the log before the host poisons it."""
    name = property_name(message.current)
    known = isinstance(problem, ImaginemError)
    text = str(problem) if known else "a defect in the step; the host's log has the details"
    record_step(
        services.log,
        claim,
        {
            name: f"step {message.job_definition.processing_step}: failed",
            f"{name}_exception": one_line(f"{type(problem).__name__}: {text}"),
            "job_state": "failed",
        },
    )
