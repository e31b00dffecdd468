"""What a job's row starts with, what only its first message knows included."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from imaginem.message import JobMessage
from imaginem.pipeline.carried import carried_steps
from imaginem.pipeline.progress_row import ProgressRow, RowChange, current_step
from imaginem.pipeline.resuming import message_property
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import Blobs, Services
from imaginem.redaction import without_query


def run_begins(message: JobMessage, blobs: Blobs) -> RowChange:
    """Return what a run of a job starts with: its first step is being processed."""
    definition = message.job_definition
    return RowChange(
        image_url=without_query(definition.input.image_url),
        job_state=JobState.RUNNING,
        pipeline=definition.processing_pipeline,
        dropped=definition.bookkeeping.dropped,
        message=message_property(message, blobs),
        steps=(*carried_steps(message, blobs), current_step(message, StepState.PROCESSING)),
    )


def opening_of(message: JobMessage, services: Services, put: datetime | None = None) -> RowChange:
    """Return what a run of a job starts with, once the watchdog is sure to look at its batch.

    When its message was put on its queue tells later whether it was erased before.
    """
    services.open_batches.note(message.job_definition.batch_id)
    opening = run_begins(message, services.blobs)
    return replace(opening, put=put.isoformat() if put is not None else "")


def never_began(message: JobMessage, reason: str, blobs: Blobs) -> RowChange:
    """Return the row of a job whose message was poisoned before any step could open it."""
    poisoned = current_step(message, StepState.POISONED, reason)
    opening = run_begins(message, blobs)
    return replace(
        opening,
        job_state=JobState.FAILED,
        run="",
        previous_runs=(),
        steps=(*opening.steps[:-1], poisoned),
    )


def new_run(row: ProgressRow, opening: RowChange) -> Mapping[str, Any]:
    """Return all properties of a row that a new run takes over.

    Args:
        row: of the run before; it may know why an earlier step did not succeed.
        opening: what the new run starts with.
    """
    unsuccessful = (StepState.FAILED, StepState.SKIPPED)
    failed = [step.queue for step in opening.steps if step.state is StepState.FAILED]
    known = row.step_properties(name for name in failed if row.state_of(name) in unsuccessful)
    return {**replace(opening, previous_runs=row.runs).properties(), **known}
