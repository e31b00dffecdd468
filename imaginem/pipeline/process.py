"""Execute one step for one delivered message: load, run, record, advance.

`transition` is the whole of it but the sending: message in, next message out. Delivery
is at least once, so every line is repeatable: deterministic ids and names, merges and
upserts. `process_step` is what a queue trigger calls.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from imaginem.errors import (
    Busy,
    ImaginemError,
    InvalidMessage,
    PermanentError,
    RetryableError,
    StorageUnavailable,
)
from imaginem.message import Bookkeeping, JobMessage, decode_message
from imaginem.pipeline.advance import Outcome, Outgoing, Transition, record_and_advance
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.fence import Claim, Verdict, claim_step, record_step
from imaginem.pipeline.offload import fit
from imaginem.pipeline.openings import run_begins
from imaginem.pipeline.poison import keep_exhausted, keep_invalid, keep_lost
from imaginem.pipeline.progress_row import RowChange, current_step
from imaginem.pipeline.resending import authority_of
from imaginem.pipeline.resuming import photo_property
from imaginem.pipeline.retries import is_last_try, may_retry, next_try
from imaginem.pipeline.source import ingest
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry, Step
from imaginem.ports import Services
from imaginem.ports.drops import run_of_drop
from imaginem.redaction import one_line

PipelineStep = Step[JobContext, Any]
"""A step that sees one job at a time."""


@dataclass(frozen=True)
class Delivery:
    """A queue message as the host hands it over."""

    body: str
    id: str
    dequeue_count: int = 1


def process_step(
    step: PipelineStep, delivery: Delivery, services: Services, registry: Registry
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
    step: PipelineStep, delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Execute a step for a delivered message; what to send is returned, not sent."""
    try:
        message = load(step, delivery, services)
    except InvalidMessage as problem:
        keep_invalid(services, step.name, delivery.id, delivery.body, one_line(str(problem)))
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
    step: PipelineStep,
    message: JobMessage,
    delivery: Delivery,
    services: Services,
    registry: Registry,
) -> Transition:
    """Execute a step for a decoded message."""
    kept = message.job_definition.bookkeeping
    again = delivery.dequeue_count > 1 or kept.attempt > 0 or kept.waits > 0 or kept.look
    authority = authority_of(message, services)
    claim = claim_step(
        services.log,
        message,
        delivery.id,
        lambda: run_begins(message, services.blobs),
        look_first=again or bool(kept.ends),
        authorised=authority.replaces,
    )
    if claim is None:
        return Transition("dropped")
    message = _going_on(message, claim)
    if services.cancellations.is_cancelled(message.job_definition.batch_id):
        return _cancel(message, claim, services)
    if authority.ends:
        return _end_lost(message, claim, kept.ends, services)
    try:
        message = ingest(message, services, last_try=is_last_try(kept, services.core_settings))
        outcome = _run(step, message, services)
    except RetryableError as problem:
        if may_retry(problem, kept, services.core_settings):
            return _retry(message, claim, services, problem)
        outcome = _give_up(message, delivery, services, problem)
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


def _going_on(message: JobMessage, claim: Claim) -> JobMessage:
    """Return the message as it goes on from here: that it was sent again is settled."""
    kept = message.job_definition.bookkeeping
    if kept.look or kept.replaces or kept.ends:
        return message.noting(run=claim.run, look=False, replaces="", ends="")
    return message.noting(run=claim.run)


def _cancel(message: JobMessage, claim: Claim, services: Services) -> Transition:
    """End a job of a cancelled batch here; what its steps have found so far stays in the log."""
    skipped = current_step(message, StepState.SKIPPED, "the batch was cancelled")
    change = RowChange(steps=(skipped,), job_state=JobState.CANCELLED)
    record_step(services.log, claim, change)
    services.telemetry.count("imaginem.jobs", state=str(JobState.CANCELLED))
    return Transition("cancelled")


def _end_lost(message: JobMessage, claim: Claim, reason: str, services: Services) -> Transition:
    """End a job whose message was lost too often; a copy is kept that can be replayed.

    A delivery that dies after the row was written finds its own writing, and keeps the copy then.
    """
    failed = current_step(message, StepState.FAILED, reason)
    change = RowChange(steps=(failed,), job_state=JobState.FAILED, not_before="")
    _, verdict = record_step(services.log, claim, change)
    if verdict is Verdict.DROP:
        return Transition("dropped")
    keep_lost(services, claim.delivery, message, reason)
    services.telemetry.count("imaginem.jobs", state=str(JobState.FAILED))
    return Transition("failed")


def load(step: PipelineStep, delivery: Delivery, services: Services) -> JobMessage:
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
    if kept.drop and not _is_run_of_photo(kept):
        message = message.noting(drop="")  # a sender made it up: two messages would be one run
    if kept.run and kept.fence:
        return message.noting(replaces="") if kept.replaces else message
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


def _is_run_of_photo(kept: Bookkeeping) -> bool:
    """Tell whether the run that a drop starts follows from the photo that was dropped."""
    if kept.dropped is None:
        return False
    blob = kept.dropped.source.partition("/")[2]
    return kept.drop == run_of_drop(blob, kept.dropped.etag)


def _run(step: PipelineStep, message: JobMessage, services: Services) -> Outcome:
    """Run the step; what cannot be mended by trying again becomes an outcome."""
    unsuccessful = message.job_definition.bookkeeping.unsuccessful
    lacking = [needed.name for needed in step.requires if needed.name in unsuccessful]
    if lacking:
        reason = f"needs {' and '.join(lacking)}, which did not succeed"
        return Outcome(StepState.SKIPPED, reason=reason)
    try:
        output = step(JobContext(message, services))
    except (PermanentError, InvalidMessage) as problem:
        return Outcome(StepState.FAILED, reason=one_line(f"PermanentError: {problem}"))
    return Outcome(StepState.SUCCESS, output=output.model_dump(mode="json", exclude_none=True))


def _retry(
    message: JobMessage, claim: Claim, services: Services, problem: RetryableError
) -> Transition:
    """Record that the step is retried, and put a delayed copy on its queue."""
    kept = message.job_definition.bookkeeping
    why = "busy" if isinstance(problem, Busy) else "error"
    services.telemetry.count("imaginem.retries", step=message.current, reason=why)
    kept, delay, count = next_try(problem, kept, services.core_settings)
    reason = f"{one_line(f'{type(problem).__name__}: {problem}')} ({count})"
    change = RowChange(
        steps=(current_step(message, StepState.RETRYING, reason),),
        photo=photo_property(message),
        not_before=(datetime.now(UTC) + timedelta(seconds=delay)).isoformat(timespec="seconds"),
    )
    claim, verdict = record_step(services.log, claim, change)
    if verdict is Verdict.RESEND:  # concluded by us, not sent on, and the output is not at hand
        raise problem
    if verdict is Verdict.DROP:
        return Transition("dropped")
    message = message.noting(
        run=claim.run, fence=claim.fence, attempt=kept.attempt, waits=kept.waits
    )
    copy = fit(message, services.blobs)
    return Transition("retrying", Outgoing(message.current, copy.encode(), delay))


def _give_up(
    message: JobMessage, delivery: Delivery, services: Services, problem: RetryableError
) -> Outcome:
    """Keep a copy that can be replayed; for the job, the step has failed."""
    kept = message.job_definition.bookkeeping
    attempts = kept.attempt + 1
    busy = isinstance(problem, Busy)
    tries = f"waited {kept.waits} times" if busy else f"tried {attempts} times"
    reason = one_line(f"{type(problem).__name__}: {problem} ({tries})")
    keep_exhausted(services, message.current, delivery.id, message, reason, attempts)
    return Outcome(StepState.FAILED, reason=reason)


def _record_defect(
    message: JobMessage, claim: Claim, services: Services, problem: Exception
) -> None:
    """On the last try of a defective step, say so in the log before the host poisons it."""
    known = isinstance(problem, ImaginemError)
    text = str(problem) if known else "a defect in the step; the host's log has the details"
    failed = current_step(message, StepState.FAILED, one_line(f"{type(problem).__name__}: {text}"))
    record_step(services.log, claim, RowChange(steps=(failed,), job_state=JobState.FAILED))
