"""What comes after a step has run: its outcome goes into the log, and the job goes on."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json

from imaginem.message import JobMessage
from imaginem.pipeline.fence import call_off
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.loading import Delivery, going_on
from imaginem.pipeline.offload import as_property, fit
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange
from imaginem.pipeline.resuming import SHARES, photo_property, with_photo, without_secrets
from imaginem.pipeline.seals import with_sealed_output
from imaginem.pipeline.states import CONCLUDED, ENDED, JobState, StepState
from imaginem.pipeline.steps import Registry, Step
from imaginem.ports import Services
from imaginem.ports.ledger import STEP
from imaginem.ports.metering import count
from imaginem.redaction import without_query

_logger = logging.getLogger("imaginem.process")


@dataclass(frozen=True)
class Outgoing:
    """A message to put on a queue, `delay` seconds from now."""

    queue: str
    body: str
    delay: float = 0


@dataclass(frozen=True)
class Transition:
    """The result of a step execution.

    Attributes:
        state: `success`, `failed`, `skipped`, `retrying`, `paused`, `cancelled`, `dropped` or
            `invalid`.
        outgoing: what to send; None when the job ended or goes on elsewhere.
        onward: the message of the next step, if it runs in the same delivery.
    """

    state: str
    outgoing: Outgoing | None = None
    onward: JobMessage | None = None


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        state: `SUCCESS` with an output, or `FAILED` or `SKIPPED` with a reason.
        output: a JSON value.
        reason: one line that a person can act on.
        made: what the output was made of, if it may be reused; see `imaginem.pipeline.reuse`.
        reused: it is the output of an earlier run.
    """

    state: StepState
    output: Any = None
    reason: str = ""
    made: str = ""
    reused: bool = False


def record_and_advance(
    step: Step[Any, Any],
    message: JobMessage,
    outcome: Outcome,
    run: FusedRun,
) -> Transition:
    """Write the outcome into the log, or keep it for a moment, and make the next message.

    Args:
        step: that has run.
        message: that it ran for.
        outcome: of the step.
        run: what the delivery's steps have in common.

    Raises:
        InvalidMessage: it would not fit the next queue.
        AlreadyConcluded: another execution was quicker.
    """
    services, registry = run.services, run.registry
    index = message.job_definition.processing_step
    kept = message.job_definition.bookkeeping
    message = _with_outcome(message, step.name, outcome)
    if outcome.made:
        message = with_sealed_output(message, step.name, outcome.made, outcome.output, services)
    if outcome.reused:
        message = message.noting(reused=[*kept.reused, step.name])
    message = fit(message.noting(attempt=0, waits=0, fence=""), services.blobs)
    concluded = StepChange(step.name, index, outcome.state, reason=outcome.reason)
    if outcome.state is StepState.SUCCESS:
        output = message.job_output[step.name]  # linked already when it is large
        concluded = replace(concluded, output=_as_property(step.name, output, message, services))
    following = message.following
    if following is None:
        change = _ending(message, concluded, services, registry)
    else:
        change = _handing_on(following, index + 1, concluded, registry)
        message = message.at_step(index + 1)
    delayed = kept.attempt > 0 or kept.waits > 0 or step.group > 0
    change = replace(change, photo=photo_property(message), not_before="" if delayed else None)
    if outcome.reused:
        change = replace(change, reused=message.job_definition.bookkeeping.reused)
    if following is not None and run.goes_on(step, following):
        onward = run.keep(step, change, message)
        _tell(step.name, outcome, message)
        return Transition(outcome.state, onward=onward)
    claim = run.recorder.write(change)
    _tell(step.name, outcome, message)
    if following is None:
        services.telemetry.count("imaginem.jobs", state=str(change.job_state))
        return Transition(outcome.state)
    sent = message.noting(run=claim.run, fence=claim.fence)
    return Transition(outcome.state, Outgoing(following, sent.encode()))


def _tell(name: str, outcome: Outcome, message: JobMessage) -> None:
    """Log how a step ended, and count that it did."""
    count(STEP, "end")
    ids = dict(zip(("batch_id", "job_id"), message.key, strict=True))
    if outcome.reason:
        _logger.warning("%s: %s: %s", name, outcome.state, outcome.reason, extra=ids)
    else:
        _logger.info("%s: %s", name, outcome.state, extra=ids)


def send_again(
    message: JobMessage, row: ProgressRow, delivery: Delivery, services: Services
) -> Transition:
    """Send the job on as the row has it: this delivery recorded it, and may have died then.

    The message is for the first step without an outcome, and goes through that step's queue, which
    counts its tries. If the job was sent on before, there are two messages now: this one looks
    first. An execution of the same delivery that is still at work records nothing more.

    Raises:
        AlreadyConcluded: by now, another delivery carries the job on.
    """
    state = row.state_of(message.current)
    place = awaited(row, message)
    if place is None or row.job_state in ENDED - {JobState.HANDED_OVER}:
        cancelled = row.job_state is JobState.CANCELLED
        return Transition(JobState.CANCELLED if cancelled else state)
    if delivery.dequeue_count > 1 and not services.core_settings.fusion.is_off:
        row = call_off(services.log, row, delivery.id)
    sent = later_message(message, place, row, services).noting(look=True)
    return Transition(state, Outgoing(sent.current, sent.encode()))


def awaited(row: ProgressRow, message: JobMessage) -> int | None:
    """Return the place of the first step, from the message's own on, that has no outcome."""
    names = message.job_definition.processing_pipeline
    places = range(message.job_definition.processing_step, len(names))
    return next((at for at in places if row.state_of(names[at]) not in CONCLUDED), None)


def later_message(
    message: JobMessage, place: int, row: ProgressRow, services: Services
) -> JobMessage:
    """Return the message of a later step, made of what the row has of the steps before it.

    Args:
        message: of a step that has an outcome.
        place: of the later step in the pipeline; those between have outcomes, too.
        row: of the message's run.
        services: where large outputs are kept.
    """
    message = with_photo(row, message)
    kept, url = message.job_definition.bookkeeping, message.job_definition.input.image_url
    if kept.image or kept.image_error or services.blobs.locate(url) is not None:
        message = message.with_image_url(without_query(url))  # it is not fetched again
    definition = message.job_definition
    for name in definition.processing_pipeline[definition.processing_step : place]:
        output = row.output_of(name)
        outcome = Outcome(row.state_of(name), from_json(output) if output else None)
        message = _with_outcome(message, name, outcome)
    message = going_on(message).noting(attempt=0, waits=0, run=row.run, fence=row.fence)
    return fit(message, services.blobs).at_step(place)


def _with_outcome(message: JobMessage, name: str, outcome: Outcome) -> JobMessage:
    """Return the message with the step's output, or with the step among the unsuccessful ones."""
    if outcome.state is StepState.SUCCESS:
        return message.with_outputs({**message.job_output, name: outcome.output})
    unsuccessful = [*message.job_definition.bookkeeping.unsuccessful, name]
    return message.noting(unsuccessful=unsuccessful)


def _as_property(name: str, value: Any, message: JobMessage, services: Services) -> str:
    """Return a value as the text of a property."""
    shares = len(message.job_definition.processing_pipeline) + SHARES
    return as_property(name, value, message.key, services.blobs, shares=shares)


def _handing_on(following: str, index: int, concluded: StepChange, registry: Registry) -> RowChange:
    """Return the change that says whose turn it is next."""
    turn = StepChange(following, index, StepState.PROCESSING)
    if following in registry:
        return RowChange(steps=(concluded, turn), job_state=JobState.RUNNING)
    reason = (
        f"handed over to the queue {following}: no step here serves it"
        f"{registry.suggestion(following)}"
    )
    turn = replace(turn, reason=reason)
    return RowChange(steps=(concluded, turn), job_state=JobState.HANDED_OVER)


def _ending(
    message: JobMessage, concluded: StepChange, services: Services, registry: Registry
) -> RowChange:
    """Return the change that ends a job."""
    url = without_query(message.job_definition.input.image_url)
    final = without_secrets(message.with_image_url(url))
    final["job_definition"].pop("_imaginem", None)
    return RowChange(
        steps=(concluded,),
        job_state=final_state(message, registry),
        job_output=_as_property("job_output", final, message, services),
    )


def final_state(message: JobMessage, registry: Registry) -> JobState:
    """Return how a job ended: finalizers count only if there is nothing else."""
    definition = message.job_definition
    unsuccessful = set(definition.bookkeeping.unsuccessful)
    if not unsuccessful:
        return JobState.SUCCEEDED
    pipeline = definition.processing_pipeline
    finalizers = {name for name in pipeline if name in registry and registry.get(name).finalizer}
    counted = [name for name in pipeline if name not in finalizers] or pipeline
    successful = [n for n in counted if n not in unsuccessful and n in message.job_output]
    return JobState.PARTIAL if successful else JobState.FAILED
