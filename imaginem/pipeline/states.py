"""The words that say how a job and its steps stand."""

from enum import StrEnum


class StepState(StrEnum):
    """How a step of a job stands.

    `WAITING` is not written: the row has nothing of the step yet. `GATHERING` is a group step's:
    the job waits for others, or is worked on together with them.
    """

    WAITING = "waiting"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    RETRYING = "retrying"
    GATHERING = "gathering"
    POISONED = "poisoned"


AT_WORK = frozenset({StepState.PROCESSING, StepState.RETRYING, StepState.GATHERING})
"""States of the step whose turn it is."""
CONCLUDED = frozenset({StepState.SUCCESS, StepState.FAILED, StepState.SKIPPED})
"""States of a step that will not run again in this run of the job."""


class JobState(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    HANDED_OVER = "handed_over"
    CANCELLED = "cancelled"


ENDED = frozenset(JobState) - {JobState.RUNNING}
"""States of a job that has no message on any of our queues."""
