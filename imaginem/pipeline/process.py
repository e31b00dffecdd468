"""Execute one step for one delivered message: load, run, record, advance.

`transition` is the whole of it but the sending: message in, next message out. Delivery
is at least once, so every line is repeatable: deterministic ids and names, merges and
upserts. `process_step` is what a queue trigger calls.
"""

import time
from typing import Any

from imaginem.errors import InvalidMessage, PermanentError, RetryableError, disk_full
from imaginem.message import JobMessage
from imaginem.pipeline.advance import Outcome, Transition, record_and_advance, send_again
from imaginem.pipeline.barred import PhotoBarred
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.erased_faces import without_erased_faces, without_erased_in
from imaginem.pipeline.failing import end_barred, end_invalid, give_up, note_problem, retry
from imaginem.pipeline.fence import AlreadyConcluded, Claim, claim_step, record_step
from imaginem.pipeline.loading import Delivery as Delivery
from imaginem.pipeline.loading import going_on, load
from imaginem.pipeline.openings import run_begins
from imaginem.pipeline.poison import keep_invalid, keep_lost
from imaginem.pipeline.progress_row import RowChange, current_step
from imaginem.pipeline.resending import authority_of
from imaginem.pipeline.retries import is_last_try, may_retry
from imaginem.pipeline.run_results import RunResults
from imaginem.pipeline.source import ingest
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry, Step
from imaginem.pipeline.stopping import dropped, is_erased, is_erased_body, stop_erased
from imaginem.ports import JobErased, Services
from imaginem.ports.log_lines import label, working_on
from imaginem.redaction import one_line

PipelineStep = Step[JobContext, Any]
"""A step that sees one job at a time."""


def process_step(
    step: PipelineStep, delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Run a step for a delivered message and send the job on.

    Raises:
        Exception: a defect in the step, or storage is down; the host redelivers.
    """
    with working_on(step=step.name):
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
        if is_erased_body(services, delivery.body, delivery):
            return dropped(step.name, services)
        keep_invalid(services, step.name, delivery.id, delivery.body, one_line(str(problem)))
        return Transition("invalid")
    definition = message.job_definition
    labels = {"batch_id": definition.batch_id, "job_id": definition.id, "step": step.name}
    parent, started = definition.bookkeeping.traceparent, time.perf_counter()
    label(**labels)  # of what comes afterwards, too: the sending
    with (
        working_on(**labels),
        services.telemetry.span(step.name, parent=parent, kind="consumer", **labels) as span,
    ):
        if span.traceparent != parent:
            message = message.noting(traceparent=span.traceparent)
        moved = _execute_once(step, message, delivery, services, registry)
        span.note(state=moved.state)
        if moved.state in ("failed", "invalid"):
            span.fail(moved.state)
    seconds = time.perf_counter() - started
    services.telemetry.measure("imaginem.step.seconds", seconds, step=step.name, state=moved.state)
    return moved


def _execute_once(
    step: PipelineStep,
    message: JobMessage,
    delivery: Delivery,
    services: Services,
    registry: Registry,
) -> Transition:
    """Execute a step for a decoded message, or find that this has been done before."""
    try:
        return _execute(step, message, delivery, services, registry)
    except AlreadyConcluded as found:
        if found.row is None:
            return Transition("dropped")
        return send_again(message, found.row, services)
    except JobErased:
        return stop_erased(message, delivery, services)


def _execute(
    step: PipelineStep,
    message: JobMessage,
    delivery: Delivery,
    services: Services,
    registry: Registry,
) -> Transition:
    """Execute a step for a decoded message.

    Raises:
        AlreadyConcluded: the step is recorded already.
    """
    kept = message.job_definition.bookkeeping
    again = delivery.dequeue_count > 1 or kept.attempt > 0 or kept.waits > 0 or kept.look
    authority, asked = authority_of(message, services), message
    claim = claim_step(
        services.log,
        message,
        delivery.id,
        lambda: _opening(message, services),
        look_first=again or bool(kept.ends),
        authorised=authority.replaces,
        is_erased=lambda: is_erased(services, asked, delivery),
    )
    message = going_on(message).noting(run=claim.run)
    if services.cancellations.is_cancelled(message.job_definition.batch_id):
        return _cancel(message, claim, services)
    if authority.ends:
        return _end_lost(message, claim, kept.ends, services)
    return _perform(step, message, delivery, claim, services, registry)


def _perform(
    step: PipelineStep,
    message: JobMessage,
    delivery: Delivery,
    claim: Claim,
    services: Services,
    registry: Registry,
) -> Transition:
    """Fetch the photo, run the step, record it.

    Raises:
        AlreadyConcluded: the step is recorded already.
    """
    results = RunResults(services.results, services.log, claim)
    kept = message.job_definition.bookkeeping
    try:
        try:
            message = ingest(message, services, last_try=is_last_try(kept, services.core_settings))
            message = without_erased_faces(message, services)
            outcome = _run(step, message, services, results)
        except (AlreadyConcluded, JobErased):
            raise
        except PhotoBarred as problem:
            return end_barred(message, results.claim, services, problem)
        except RetryableError as problem:
            if may_retry(problem, kept, services.core_settings):
                return retry(message, results.claim, services, problem)
            outcome = give_up(message, delivery, services, problem)
        except Exception as problem:  # a defect, or storage is down: the host delivers again
            note_problem(message, results.claim, delivery, services, problem)
            raise
        try:
            return record_and_advance(step, message, results, outcome, services, registry)
        except InvalidMessage as problem:  # it would not fit the next queue
            return end_invalid(message, results.claim, delivery, services, problem)
    except JobErased:  # by now the message may name a photo that was fetched
        return stop_erased(message, delivery, services)


def _opening(message: JobMessage, services: Services) -> RowChange:
    """Return what a run of the job starts with, once the watchdog is sure to look at its batch."""
    services.open_batches.note(message.job_definition.batch_id)
    return run_begins(message, services.blobs)


def _cancel(message: JobMessage, claim: Claim, services: Services) -> Transition:
    """End a job of a cancelled batch here; what its steps have found so far stays in the log."""
    skipped = current_step(message, StepState.SKIPPED, "the batch was cancelled")
    change = RowChange(steps=(skipped,), job_state=JobState.CANCELLED)
    record_step(services.log, claim, change)
    services.telemetry.count("imaginem.jobs", state=str(JobState.CANCELLED))
    return Transition("cancelled")


def _end_lost(message: JobMessage, claim: Claim, reason: str, services: Services) -> Transition:
    """End a job whose message was lost too often; a copy is kept that can be replayed.

    The copy is kept first: a delivery that dies in between comes again and replaces it.
    """
    failed = current_step(message, StepState.FAILED, reason)
    change = RowChange(steps=(failed,), job_state=JobState.FAILED, not_before="")
    keep_lost(services, claim.delivery, message, reason)
    try:
        record_step(services.log, claim, change)
    except AlreadyConcluded as found:
        if found.row is None:  # the job has gone on: the message was late, not lost
            services.poison.drop(message.current, claim.delivery)
        raise
    services.telemetry.count("imaginem.jobs", state=str(JobState.FAILED))
    return Transition("failed")


def _run(
    step: PipelineStep, message: JobMessage, services: Services, results: RunResults
) -> Outcome:
    """Run the step; what cannot be mended by trying again becomes an outcome."""
    unsuccessful = message.job_definition.bookkeeping.unsuccessful
    lacking = [needed.name for needed in step.requires if needed.name in unsuccessful]
    if lacking:
        reason = f"needs {' and '.join(lacking)}, which did not succeed"
        return Outcome(StepState.SKIPPED, reason=reason)
    job = JobContext(message, services, results)
    try:
        found = step(job)
    except (PermanentError, InvalidMessage) as problem:
        return Outcome(StepState.FAILED, reason=one_line(f"PermanentError: {problem}"))
    except OSError as problem:
        if (full := disk_full(problem)) is not None:
            raise full from None
        raise
    output = found.model_dump(mode="json", exclude_none=True)
    output = without_erased_in(output, step.name, message, services, job.photo_digest)
    return Outcome(StepState.SUCCESS, output=output)
