"""Execute steps for one delivered message: load, run, record, advance.

`transition` is the whole of it for one step, but the sending: message in, next message out.
Delivery is at least once, so every line is repeatable: deterministic ids and names, merges and
upserts. `process_step` is what a queue trigger calls: it goes on with the steps that follow, as
`imaginem.pipeline.fused` says.
"""

import time
from collections.abc import Callable
from typing import Any

from imaginem.errors import InvalidMessage, RetryableError
from imaginem.message import JobMessage
from imaginem.pipeline.advance import Transition, record_and_advance, send_again
from imaginem.pipeline.barred import PhotoBarred
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.erased_faces import without_erased_faces
from imaginem.pipeline.failing import (
    end_barred,
    end_cancelled,
    end_invalid,
    give_up,
    note_problem,
    retry,
    try_apart,
)
from imaginem.pipeline.fence import AlreadyConcluded, claim_step
from imaginem.pipeline.fused import BUDGET_SECONDS, FusedRun
from imaginem.pipeline.group_steps import join, resume
from imaginem.pipeline.loading import Delivery as Delivery
from imaginem.pipeline.loading import going_on, load, of_new_run
from imaginem.pipeline.openings import opening_of
from imaginem.pipeline.outcomes import outcome_of
from imaginem.pipeline.pausing import is_gathering, may_wait, wait_between, wait_if_paused
from imaginem.pipeline.poison import keep_invalid, keep_lost
from imaginem.pipeline.progress_row import RowChange, current_step
from imaginem.pipeline.resending import authority_of
from imaginem.pipeline.retries import is_last_try, may_retry
from imaginem.pipeline.source import ingest
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry, Step
from imaginem.pipeline.stopping import dropped, is_erased, is_erased_body, stop_erased
from imaginem.ports import JobErased, Services
from imaginem.ports.log_lines import label, working_on
from imaginem.ports.metering import count_run, forget_job, metered, work_on
from imaginem.redaction import one_line

PipelineStep = Step[JobContext, Any]
"""A step that sees one job at a time."""


def process_step(
    step: PipelineStep,
    delivery: Delivery,
    services: Services,
    registry: Registry,
    *,
    clock: Callable[[], float] | None = None,
) -> Transition:
    """Run a step for a delivered message, and those that follow it in a fused run; send the job on.

    Args:
        step: whose queue the message was on.
        delivery: of the message.
        services: that steps can reach.
        registry: of the steps.
        clock: returns seconds since any fixed moment; the machine's by default.

    Returns:
        The transition of the last step that ran.

    Raises:
        Exception: a defect in the step, or storage is down; the host redelivers.
    """
    clock = clock or time.monotonic
    step, registry = _as_set(step, registry, services)
    run = FusedRun(delivery, services, registry, clock, clock() + BUDGET_SECONDS)
    with (
        working_on(step=step.name),
        metered(services.ledger, step.name, executes=True),
    ):
        try:
            moved = _first(step, run)
            while moved.onward is not None:
                moved = _next(registry.get(moved.onward.current), moved.onward, run)
        finally:
            run.end()
        if moved.outgoing is not None:
            sent = moved.outgoing
            services.queues.send(sent.queue, sent.body, delay=sent.delay)
        return moved


def transition(
    step: PipelineStep, delivery: Delivery, services: Services, registry: Registry
) -> Transition:
    """Execute one step for a delivered message; what to send is returned, not sent."""
    step, registry = _as_set(step, registry, services)
    return _first(step, FusedRun(delivery, services, registry, time.monotonic))


def _as_set(
    step: PipelineStep, registry: Registry, services: Services
) -> tuple[PipelineStep, Registry]:
    """Return the step, and all others, as the settings want them."""
    settings = services.core_settings
    return step.as_set(settings), registry.as_set(settings)


def _first(step: PipelineStep, run: FusedRun) -> Transition:
    """Execute the step that a message was delivered for."""
    delivery, services = run.delivery, run.services
    try:
        message = load(step, delivery, services)
    except InvalidMessage as problem:
        if is_erased_body(services, delivery.body, delivery):
            return dropped(step.name, services)
        keep_invalid(services, step.name, delivery.id, delivery.body, one_line(str(problem)))
        return Transition("invalid")
    return _watched(step, message, run, _resume_or_claim if step.group else _claim_and_perform)


def _next(step: PipelineStep, message: JobMessage, run: FusedRun) -> Transition:
    """Execute a step in the delivery of the one before it."""
    return _watched(step, message, run, _go_on)


_Execution = Callable[[PipelineStep, JobMessage, FusedRun], Transition]


def _watched(
    step: PipelineStep, message: JobMessage, run: FusedRun, execute: _Execution
) -> Transition:
    """Execute a step under a span of its own, and measure it."""
    services, definition = run.services, message.job_definition
    labels = {"batch_id": definition.batch_id, "job_id": definition.id, "step": step.name}
    parent, started = definition.bookkeeping.traceparent, time.perf_counter()
    label(**labels)  # of what comes afterwards, too: the sending
    work_on(definition.batch_id, definition.id, step.name)
    with (
        working_on(**labels),
        services.telemetry.span(step.name, parent=parent, kind="consumer", **labels) as span,
    ):
        if span.traceparent != parent:
            message = message.noting(traceparent=span.traceparent)
        run.message = run.message or message
        moved = _execute_once(step, message, run, execute)
        span.note(state=moved.state)
        if moved.state in ("failed", "invalid"):
            span.fail(moved.state)
    seconds = time.perf_counter() - started
    count_run(seconds)
    services.telemetry.measure("imaginem.step.seconds", seconds, step=step.name, state=moved.state)
    return moved


def _execute_once(
    step: PipelineStep, message: JobMessage, run: FusedRun, execute: _Execution
) -> Transition:
    """Execute a step for a decoded message, or find that this has been done before."""
    try:
        try:
            return execute(step, message, run)
        except AlreadyConcluded as found:
            if found.row is None:
                return Transition("dropped")
            return send_again(run.message or message, found.row, run.delivery, run.services)
    except AlreadyConcluded:
        return Transition("dropped")
    except JobErased:
        forget_job()
        return stop_erased(message, run.delivery, run.services)


def _resume_or_claim(step: PipelineStep, message: JobMessage, run: FusedRun) -> Transition:
    """Go on with a job that waits at a group step, or execute the step as any other.

    Raises:
        AlreadyConcluded: the step is recorded already.
        JobErased: the job was erased.
    """
    if is_gathering(message) and (waits := wait_if_paused(message, run)):
        return waits
    return resume(step, message, run) or _claim_and_perform(step, message, run)


def _claim_and_perform(step: PipelineStep, message: JobMessage, run: FusedRun) -> Transition:
    """Claim the job, then run the step that the message was delivered for.

    Raises:
        AlreadyConcluded: the step is recorded already.
        JobErased: the job was erased.
    """
    delivery, services = run.delivery, run.services
    kept = message.job_definition.bookkeeping
    again = delivery.dequeue_count > 1 or kept.attempt > 0 or kept.waits > 0 or kept.look
    again = again or bool(kept.gathering)
    if may_wait(message, delivery) and (waits := wait_if_paused(message, run)):
        return waits
    authority, asked = authority_of(message, services), message
    claim = claim_step(
        services.log,
        message,
        delivery.id,
        lambda: opening_of(message, services, delivery.put),
        look_first=again or bool(kept.ends),
        authorised=authority.replaces,
        is_erased=lambda: is_erased(services, asked, delivery),
    )
    if claim.run != kept.run:
        message = of_new_run(message)
    message = going_on(message).noting(run=claim.run)
    run.hold(claim, proven=claim.fence != kept.fence or again)
    if services.cancellations.is_cancelled(message.job_definition.batch_id):
        return end_cancelled(message, run.recorder, run.services)
    if authority.ends:
        return _end_lost(message, kept.ends, run)
    return wait_if_paused(message, run, claim) or _perform(step, message, run)


def _go_on(step: PipelineStep, message: JobMessage, run: FusedRun) -> Transition:
    """Run a step in the delivery of the one before it, if the job is still to go on.

    Raises:
        AlreadyConcluded: another execution was quicker.
        JobErased: the job was erased.
    """
    if run.is_erased():
        raise JobErased
    if run.services.cancellations.is_cancelled(message.job_definition.batch_id):
        return end_cancelled(message, run.recorder, run.services)
    return wait_between(message, run) or _perform(step, message, run)


def _perform(step: PipelineStep, message: JobMessage, run: FusedRun) -> Transition:
    """Fetch the photo, run the step, record it.

    Raises:
        AlreadyConcluded: the step is recorded already.
    """
    delivery, services, recorder = run.delivery, run.services, run.recorder
    kept = message.job_definition.bookkeeping
    try:
        try:
            message = ingest(message, services, last_try=is_last_try(kept, services.core_settings))
            message = without_erased_faces(message, services)
            outcome = outcome_of(step, message, run)
        except (AlreadyConcluded, JobErased):
            raise
        except PhotoBarred as problem:
            return end_barred(message, recorder, services, problem)
        except RetryableError as problem:
            if may_retry(problem, kept, services.core_settings):
                return retry(message, recorder, services, problem)
            outcome = give_up(message, delivery, services, problem)
        except Exception as problem:  # a defect, or storage is down: the host delivers again
            if run.is_onward(step):
                return try_apart(message, recorder, services, problem)
            note_problem(message, recorder, delivery, services, problem)
            raise
        try:
            if outcome is None:
                return join(step, message, run)
            return record_and_advance(step, message, outcome, run)
        except InvalidMessage as problem:  # it would not fit the next queue
            return end_invalid(message, recorder, delivery, services, problem)
    except JobErased:  # by now the message may name a photo that was fetched
        return stop_erased(message, delivery, services)


def _end_lost(message: JobMessage, reason: str, run: FusedRun) -> Transition:
    """End a job whose message was lost too often; a copy is kept that can be replayed.

    The copy is kept first: a delivery that dies in between comes again and replaces it.
    """
    services, delivery = run.services, run.delivery
    failed = current_step(message, StepState.FAILED, reason)
    change = RowChange(steps=(failed,), job_state=JobState.FAILED, not_before="")
    keep_lost(services, delivery.id, message, reason)
    try:
        run.recorder.write(change)
    except AlreadyConcluded as found:
        if found.row is None:  # the job has gone on: the message was late, not lost
            services.poison.drop(message.current, delivery.id)
        raise
    services.telemetry.count("imaginem.jobs", state=str(JobState.FAILED))
    return Transition("failed")
