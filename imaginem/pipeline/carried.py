"""What a message says of the steps before its own.

A run may begin in the middle, and storage that was restored or restarted may have lost a row's
newest changes: then the row learns from the message how its earlier steps stand.
"""

from imaginem.message import JobMessage
from imaginem.pipeline.offload import as_property
from imaginem.pipeline.progress_row import StepChange
from imaginem.pipeline.resuming import SHARES
from imaginem.pipeline.states import StepState
from imaginem.ports import Blobs


def carried_steps(message: JobMessage, blobs: Blobs) -> tuple[StepChange, ...]:
    """Return how the steps before the message's own stand, as far as it tells, in their order."""
    definition = message.job_definition
    given = {name.lower(): output for name, output in message.job_output.items()}
    shares = len(definition.processing_pipeline) + SHARES
    known: list[StepChange] = []
    for index, name in enumerate(definition.processing_pipeline[: definition.processing_step]):
        if name in given:
            output = as_property(name, given[name], message.key, blobs, shares=shares)
            known.append(StepChange(name, index, StepState.SUCCESS, reason="", output=output))
        elif name in definition.bookkeeping.unsuccessful:
            known.append(StepChange(name, index, StepState.FAILED))
    return tuple(known)
