"""What a job's row starts with, what only its first message knows included."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from imaginem.message import JobMessage
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange, current_step
from imaginem.pipeline.resuming import message_property
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import Blobs
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
        steps=(StepChange(message.current, definition.processing_step, StepState.PROCESSING),),
    )


def never_began(message: JobMessage, reason: str, blobs: Blobs) -> RowChange:
    """Return the row of a job whose message was poisoned before any step could open it."""
    definition = message.job_definition
    return RowChange(
        image_url=without_query(definition.input.image_url),
        job_state=JobState.FAILED,
        pipeline=definition.processing_pipeline,
        dropped=definition.bookkeeping.dropped,
        message=message_property(message, blobs),
        run="",
        previous_runs=(),
        steps=(current_step(message, StepState.POISONED, reason),),
    )


def new_run(row: ProgressRow, opening: RowChange, earlier: Iterable[str]) -> Mapping[str, Any]:
    """Return all properties of a row that a new run takes over.

    Args:
        row: of the run before.
        opening: what the new run starts with.
        earlier: queues of the pipeline whose results the new run builds upon.
    """
    kept = row.step_properties(earlier)
    return {**kept, **replace(opening, previous_runs=row.runs).properties()}
