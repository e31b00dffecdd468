"""What comes after a step has run: its outcome goes into the log, and the job goes on."""

import logging
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json

from imaginem.message import JobMessage
from imaginem.pipeline.fence import record_step
from imaginem.pipeline.loading import going_on
from imaginem.pipeline.offload import as_property, fit
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange
from imaginem.pipeline.resuming import SHARES, photo_property, with_photo, without_secrets
from imaginem.pipeline.run_results import RunResults
from imaginem.pipeline.states import ENDED, JobState, StepState
from imaginem.pipeline.steps import Registry, Step
from imaginem.ports import Services
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
        state: `success`, `failed`, `skipped`, `retrying`, `cancelled`, `dropped` or `invalid`.
        outgoing: what to send; None when the job ended or goes on elsewhere.
    """

    state: str
    outgoing: Outgoing | None = None


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        state: `SUCCESS` with an output, or `FAILED` or `SKIPPED` with a reason.
        output: a JSON value.
        reason: one line that a person can act on.
    """

    state: StepState
    output: Any = None
    reason: str = ""


def record_and_advance(
    step: Step[Any, Any],
    message: JobMessage,
    results: RunResults,
    outcome: Outcome,
    services: Services,
    registry: Registry,
) -> Transition:
    """Write the outcome into the log and make the next message.

    Args:
        step: that has run.
        message: that it ran for.
        results: what it wrote into SQL, with the claim of its delivery.
        outcome: of the step.
        services: where to write.
        registry: of the steps.

    Raises:
        InvalidMessage: it would not fit the next queue.
        AlreadyConcluded: another execution was quicker.
    """
    index = message.job_definition.processing_step
    kept = message.job_definition.bookkeeping
    message = _with_outcome(message, step.name, outcome)
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
    delayed = kept.attempt > 0 or kept.waits > 0
    change = replace(change, photo=photo_property(message), not_before="" if delayed else None)
    claim = record_step(services.log, results.claim, change, results.begun_anew)
    ids = dict(zip(("batch_id", "job_id"), claim.key, strict=True))
    if outcome.reason:
        _logger.warning("%s: %s: %s", step.name, outcome.state, outcome.reason, extra=ids)
    else:
        _logger.info("%s: %s", step.name, outcome.state, extra=ids)
    if following is None:
        services.telemetry.count("imaginem.jobs", state=str(change.job_state))
        return Transition(outcome.state)
    sent = message.noting(run=claim.run, fence=claim.fence)
    return Transition(outcome.state, Outgoing(following, sent.encode()))


def send_again(message: JobMessage, row: ProgressRow, services: Services) -> Transition:
    """Send the job on as the row has it: this delivery recorded it, and may have died then.

    If it has sent the job on before, there are two messages now: this one looks first.
    """
    state = row.state_of(message.current)
    if message.following is None or row.job_state in ENDED - {JobState.HANDED_OVER}:
        cancelled = row.job_state is JobState.CANCELLED
        return Transition(JobState.CANCELLED if cancelled else state)
    sent = next_message(message, row, services).noting(look=True)
    return Transition(state, Outgoing(sent.current, sent.encode()))


def next_message(message: JobMessage, row: ProgressRow, services: Services) -> JobMessage:
    """Return the message that follows a step's, made of what the row has of the step."""
    message = with_photo(row, message)
    kept, url = message.job_definition.bookkeeping, message.job_definition.input.image_url
    if kept.image or kept.image_error or services.blobs.locate(url) is not None:
        message = message.with_image_url(without_query(url))  # it is not fetched again
    output = row.output_of(message.current)
    outcome = Outcome(row.state_of(message.current), from_json(output) if output else None)
    message = _with_outcome(message, message.current, outcome)
    message = going_on(message).noting(attempt=0, waits=0, run=row.run, fence=row.fence)
    message = fit(message, services.blobs)
    return message.at_step(message.job_definition.processing_step + 1)


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
