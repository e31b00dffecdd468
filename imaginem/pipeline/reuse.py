"""Outputs of pure steps, taken from an earlier job of the same photo instead of made again.

Nothing is kept for it but a hash beside a job's result in SQL: of all that an output was made of.
The output itself is that of the result. So an erasure, retention, or a face that was erased from
the photo leave nothing to reuse. Only jobs of the same access group share.
"""

import hashlib
import logging
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from imaginem.errors import ConfigurationError, ImaginemError
from imaginem.message import JobMessage
from imaginem.outputs import StepOutput
from imaginem.pipeline.advance import Outcome
from imaginem.pipeline.brought import installed_versions
from imaginem.pipeline.context import JobContext, SharedPhoto
from imaginem.pipeline.erased_faces import without_erased_in
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.json_outputs import json_of
from imaginem.pipeline.means import read_settings_of
from imaginem.pipeline.offload import is_linked
from imaginem.pipeline.source import photo_sha256
from imaginem.pipeline.states import StepState
from imaginem.pipeline.step_sources import sources_of
from imaginem.pipeline.steps import AnyStep
from imaginem.ports import Services

TOLD = "reused from an earlier run"
"""What is said of a step whose output was not made again."""
_logger = logging.getLogger("imaginem.process")


def made_of(step: AnyStep, message: JobMessage, services: Services, photo: SharedPhoto) -> str:
    """Return a hash of all that a step's output depends on; empty if it may not be reused.

    Args:
        step: that is to run.
        message: that it runs for.
        services: where the photo and the settings are.
        photo: the job's, as far as it was read; keeps the hash of its bytes.
    """
    engines, kept = services.core_settings.reuse, message.job_definition.bookkeeping
    if not (step.pure and engines) or kept.engines:
        return ""
    needed = {each.name: message.job_output.get(each.name) for each in step.requires}
    if any(output is None or is_linked(output) for output in needed.values()):
        return ""
    if kept.unsuccessful and not needed.keys().isdisjoint(kept.unsuccessful):
        return ""
    digest = photo.photo.sha256 if photo.photo else photo.sha256
    digest = photo.sha256 = digest or photo_sha256(message, services)
    code = sources_of(step.file)
    if not (digest and code):
        return ""
    try:
        parts = [
            digest,
            step.name,
            code,
            repr(step.weights),
            installed_versions(step.requirements),
            step.made_with,
            engines,
            _settings(step, services),
            message.job_definition.step_parameters.get(step.name) or {},
            needed,
        ]
    except ConfigurationError:  # the step says so itself
        return ""
    return hashlib.sha256(to_json(parts)).hexdigest()


def reused(
    step: AnyStep, made: str, job: JobContext, message: JobMessage, services: Services
) -> StepOutput | None:
    """Return the output that an earlier run has made of the same, as the job's own; or None."""
    kept = message.job_definition.bookkeeping
    if not made or kept.anew:
        return None
    try:
        found = services.results.reusable(job.batch_id, step.name, made)
        if found is None:
            return None
        output: StepOutput = step.output_type.model_validate(found)
        output = output if step.adopt is None else step.adopt(job, output)
        json_of(step.name, output)  # an earlier version kept NaN
    except (ImaginemError, ValidationError) as problem:  # then it is made again
        _logger.warning("%s: nothing is reused: %s", step.name, type(problem).__name__)
        return None
    services.telemetry.count("imaginem.reused", step=step.name)
    return output


def succeeded(
    step: AnyStep, found: StepOutput, message: JobMessage, run: FusedRun, made: str
) -> Outcome:
    """Return the outcome of a step that has an output, without the faces that were erased.

    Args:
        step: that has it.
        found: the output.
        message: that the step ran for.
        run: of the delivery.
        made: what the output was made of; empty if it may not be reused.

    Raises:
        PermanentError: the output can't be written as JSON.
    """
    photo = run.photo.photo
    digest = photo.sha256 if photo else run.photo.sha256
    output = json_of(step.name, found)
    kept = without_erased_in(output, step.name, message, run.services, digest)
    # Without its erased faces it is not what would be made of the photo elsewhere.
    return Outcome(StepState.SUCCESS, output=kept, made=made if kept == output else "")


def _settings(step: AnyStep, services: Services) -> Any:
    if step.settings is None:
        return None
    return read_settings_of(step.name, step.settings, services.environment).model_dump(mode="json")
