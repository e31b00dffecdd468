"""What comes after a step has run: its outcome goes into the log, and the job goes on."""

import logging
from dataclasses import dataclass
from typing import Any

from imaginem.message import JobMessage
from imaginem.names import property_name
from imaginem.pipeline.fence import Claim, Verdict, record_step
from imaginem.pipeline.offload import as_property, fit
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
    """What came of a hop.

    Attributes:
        state: `success`, `failed`, `skipped`, `retrying`, `dropped` or `invalid`.
        outgoing: what to send; None when the job ended or goes on elsewhere.
    """

    state: str
    outgoing: Outgoing | None = None


@dataclass(frozen=True)
class Outcome:
    """How a step ended: `success` with its output, or `failed` or `skipped` with a reason."""

    state: str
    output: Any = None
    reason: str = ""


def record_and_advance(
    step: Step[Any],
    message: JobMessage,
    claim: Claim,
    outcome: Outcome,
    services: Services,
    registry: Registry,
) -> Transition:
    """Write the outcome into the log and make the next message.

    Raises:
        InvalidMessage: it would not fit the next queue.
    """
    definition = message.job_definition
    index, key, name = definition.processing_step, claim.key, property_name(step.name)
    shares = len(definition.processing_pipeline) + 2
    properties: dict[str, Any] = {name: f"step {index}: {outcome.state}"}
    if outcome.state == "success":
        message = message.with_outputs({**message.job_output, step.name: outcome.output})
        properties[f"{name}_exception"] = ""
    else:
        properties[f"{name}_exception"] = outcome.reason
        unsuccessful = [*definition.bookkeeping.unsuccessful, step.name]
        message = message.noting(unsuccessful=unsuccessful)
    following = message.following
    message = fit(message.noting(attempt=0, waits=0, fence=""), services.blobs)
    if outcome.state == "success":
        output = message.job_output[step.name]  # linked already when it is large
        properties[f"{name}_output"] = as_property(
            step.name, output, key, services.blobs, shares=shares
        )
    if following is None:
        properties |= _ending(message, services, registry, shares)
    else:
        properties |= _handing_on(following, index + 1, registry)
        message = message.at_step(index + 1)
    claim, verdict = record_step(services.log, claim, properties)
    if verdict is Verdict.DROP:
        return Transition("dropped")
    _logger.info("%s: %s", step.name, outcome.state, extra={"batch_id": key[0], "job_id": key[1]})
    if following is None:
        services.telemetry.count("imaginem.jobs", state=properties["job_state"])
        return Transition(outcome.state)
    sent = message.noting(run=claim.run, fence=claim.fence)
    return Transition(outcome.state, Outgoing(following, sent.encode()))


def _handing_on(following: str, index: int, registry: Registry) -> dict[str, Any]:
    """Return the properties that say whose turn it is next."""
    name = property_name(following)
    properties: dict[str, Any] = {name: f"step {index}: processing", "job_state": "running"}
    if following not in registry:
        properties["job_state"] = "handed_over"
        properties[f"{name}_exception"] = (
            f"handed over to the queue {following}: no step here serves it"
            f"{registry.suggestion(following)}"
        )
    return properties


def _ending(
    message: JobMessage, services: Services, registry: Registry, shares: int
) -> dict[str, Any]:
    """Return the properties that end a job."""
    definition = message.job_definition
    key = (definition.batch_id, definition.id)
    url = without_query(definition.input.image_url)
    final = message.with_image_url(url).model_dump(mode="json", by_alias=True, exclude_unset=True)
    final["job_definition"].pop("_imaginem", None)
    return {
        "job_state": job_state(message, registry),
        "job_output": as_property("job_output", final, key, services.blobs, shares=shares),
    }


def job_state(message: JobMessage, registry: Registry) -> str:
    """Return how a job ended: finalizer steps count only if there is nothing else."""
    definition = message.job_definition
    unsuccessful = set(definition.bookkeeping.unsuccessful)
    if not unsuccessful:
        return "succeeded"
    ran = definition.processing_pipeline
    told = [name for name in ran if not (name in registry and registry.get(name).finalizer)] or ran
    got = [name for name in told if name not in unsuccessful and name in message.job_output]
    return "partial" if got else "failed"
