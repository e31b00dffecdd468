"""A job's row in `pipelinelogs`: every property, typed for writing and reading.

`RowChange` is what one write sets, `ProgressRow` what a read gives. The storage port below
carries plain properties; nothing but this module writes and reads them by their names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from imaginem.message import DroppedPhoto, JobMessage
from imaginem.names import property_name, step_properties
from imaginem.pipeline import row_names
from imaginem.pipeline.states import AT_WORK, ENDED, JobState, StepState
from imaginem.ports import JobKey, JobLog, LogEntry

_RUNS_REMEMBERED = 20

StateT = TypeVar("StateT", bound=StrEnum)


@dataclass(frozen=True)
class StepChange:
    """What a write sets of one step.

    Attributes:
        queue: the step's name, or an outside consumer's queue.
        index: its place in the pipeline, from 0.
        reason: one line on why it is in this state; "" clears it, None leaves it as it is.
        output: its output as JSON text; None leaves it as it is.
    """

    queue: str
    index: int
    state: StepState
    reason: str | None = None
    output: str | None = None

    def properties(self) -> dict[str, str]:
        """Return it as properties of the row."""
        changed = {property_name(self.queue): f"step {self.index}: {self.state}"}
        if self.reason is not None:
            changed[row_names.reason_property(self.queue)] = self.reason
        if self.output is not None:
            changed[row_names.output_property(self.queue)] = self.output
        return changed


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """What one write sets of a row; what is None stays as it is.

    Attributes:
        pipeline: names of the job's queues, in order.
        job_output: the final message as JSON text.
        run: id of the queue message that started the run; "" for a job that never began.
        delivery: id of the queue message whose holder writes.
        previous_runs: earlier runs of the job, the latest first.
        dropped: the photo, if somebody dropped it in the input container.
        replaced: when the photo was found to be replaced by another one (ISO 8601).
        message: what only the run's first message knew, as `resuming` writes it.
        photo: where a photo from elsewhere is kept, or why it is not, as `resuming` writes it.
        not_before: when a delayed message comes (ISO 8601); "" clears it.
        put: when the run's first message was put on its queue (ISO 8601); "" if nobody knows.
        reused: steps whose output is that of an earlier run.
    """

    steps: tuple[StepChange, ...] = ()
    job_state: JobState | None = None
    image_url: str | None = None
    pipeline: Sequence[str] | None = None
    job_output: str | None = None
    run: str | None = None
    delivery: str | None = None
    previous_runs: Sequence[str] | None = None
    dropped: DroppedPhoto | None = None
    replaced: str | None = None
    message: str | None = None
    photo: str | None = None
    not_before: str | None = None
    put: str | None = None
    reused: Sequence[str] | None = None

    def properties(self) -> dict[str, str]:
        """Return it as properties of the row."""
        earlier = None if self.previous_runs is None else " ".join(self.previous_runs)
        values = {
            row_names.IMAGE_URL: self.image_url,
            row_names.PIPELINE: None if self.pipeline is None else ",".join(self.pipeline),
            row_names.JOB_STATE: None if self.job_state is None else str(self.job_state),
            row_names.JOB_OUTPUT: self.job_output,
            row_names.RUN: self.run,
            row_names.DELIVERY: self.delivery,
            row_names.PREVIOUS_RUNS: earlier,
            row_names.SOURCE: self.dropped.source if self.dropped else None,
            row_names.ETAG: self.dropped.etag if self.dropped else None,
            row_names.SHA256: self.dropped.sha256 if self.dropped else None,
            row_names.REPLACED: self.replaced,
            row_names.MESSAGE: self.message,
            row_names.PHOTO: self.photo,
            row_names.NOT_BEFORE: self.not_before,
            row_names.PUT: self.put,
            row_names.REUSED: None if self.reused is None else ",".join(self.reused),
        }
        changed = {name: value for name, value in values.items() if value is not None}
        for step in self.steps:
            changed |= step.properties()
        return changed


def current_step(message: JobMessage, state: StepState, reason: str | None = None) -> StepChange:
    """Return a change of the step whose turn it is."""
    return StepChange(message.current, message.job_definition.processing_step, state, reason)


class ProgressRow:
    """A job's row as it was read."""

    def __init__(self, entry: LogEntry) -> None:
        self._entry = entry

    @property
    def key(self) -> JobKey:
        """Batch id and job id."""
        return self._entry.batch_id, self._entry.job_id

    @property
    def job_id(self) -> str:
        """The job's id, unique in its batch."""
        return self._entry.job_id

    @property
    def fence(self) -> str:
        """ETag of the row: the next write names it, and fails if another one came between."""
        return self._entry.fence

    def at_fence(self, fence: str) -> "ProgressRow":
        """Return the row after a write that changed nothing of it."""
        return ProgressRow(replace(self._entry, fence=fence))

    @property
    def updated(self) -> datetime | None:
        """When the row was written last, by the storage service's clock."""
        return self._entry.updated

    @property
    def job_state(self) -> JobState:
        """How the job stands; a word that we don't know, written by hand, counts as running."""
        return _known(JobState, self._text(row_names.JOB_STATE), JobState.RUNNING)

    @property
    def has_ended(self) -> bool:
        """Whether the job has no message on any of our queues."""
        return self.job_state in ENDED

    @property
    def image_url(self) -> str:
        """Address of the photo, without its query."""
        return self._text(row_names.IMAGE_URL)

    @property
    def dropped(self) -> DroppedPhoto | None:
        """The photo as it was dropped; None for one that was sent in another way."""
        source, etag = self._text(row_names.SOURCE), self._text(row_names.ETAG)
        if not (source and etag):
            return None
        return DroppedPhoto(source=source, etag=etag, sha256=self._text(row_names.SHA256))

    @property
    def replaced(self) -> str:
        """When the photo was found to be replaced by another one; empty if it was not."""
        return self._text(row_names.REPLACED)

    @property
    def pipeline(self) -> list[str]:
        """Names of the job's queues, in order."""
        return [name for name in self._text(row_names.PIPELINE).split(",") if name]

    @property
    def job_output(self) -> str:
        """The final message as JSON text, or a link to it; empty as long as there is none."""
        return self._text(row_names.JOB_OUTPUT)

    @property
    def run(self) -> str:
        """Id of the queue message that started the run; empty for a job that never began."""
        return self._text(row_names.RUN)

    @property
    def delivery(self) -> str:
        """Id of the queue message whose holder wrote last."""
        return self._text(row_names.DELIVERY)

    @property
    def put(self) -> datetime | None:
        """When the run's first message was put on its queue, if that is known."""
        text = self._text(row_names.PUT)
        return datetime.fromisoformat(text) if text else None

    @property
    def reused(self) -> list[str]:
        """Steps whose output is that of an earlier run."""
        return [name for name in self._text(row_names.REUSED).split(",") if name]

    @property
    def previous_runs(self) -> list[str]:
        """Earlier runs of the job, the latest first."""
        return self._text(row_names.PREVIOUS_RUNS).split()

    @property
    def message(self) -> str:
        """What only the run's first message knew, as `resuming` wrote it; empty in old rows."""
        return self._text(row_names.MESSAGE)

    @property
    def photo(self) -> str:
        """Where a photo from elsewhere is kept, as `resuming` wrote it; empty for other photos."""
        return self._text(row_names.PHOTO)

    @property
    def not_before(self) -> datetime | None:
        """When the message of a delayed retry comes; None if none is known to be delayed."""
        try:
            moment = datetime.fromisoformat(self._text(row_names.NOT_BEFORE))
        except ValueError:
            return None
        return moment if moment.tzinfo else None

    @property
    def current(self) -> str:
        """Queue whose turn it is; empty if the row names none."""
        return next((name for name in self.pipeline if self.state_of(name) in AT_WORK), "")

    @property
    def runs(self) -> list[str]:
        """The run and those before it, the latest first, as many as a row remembers."""
        return [run for run in (self.run, *self.previous_runs) if run][:_RUNS_REMEMBERED]

    def state_of(self, queue: str) -> StepState:
        """Return how a step stands."""
        word = self._text(property_name(queue)).partition(": ")[2]
        return _known(StepState, word, StepState.WAITING)

    def reason_of(self, queue: str) -> str:
        """Return why a step stands so, in one line; empty when there is nothing to say."""
        return self._text(row_names.reason_property(queue))

    def problems(self) -> list[tuple[str, str]]:
        """Return the steps that have a reason, in the pipeline's order, each with it."""
        return [(name, reason) for name in self.pipeline if (reason := self.reason_of(name))]

    def has_begun(self, run: str) -> bool:
        """Tell whether the row is of this run of the job, or of a later one."""
        if not self.run:  # it was poisoned before it could begin
            return True
        return run in (self.run, *self.previous_runs)

    def output_of(self, queue: str) -> str:
        """Return a step's output as JSON text, or a link to it; empty if it has none."""
        return self._text(row_names.output_property(queue))

    def as_json(self) -> dict[str, Any]:
        """Return ids and every property, as the table has them."""
        return {
            "batch_id": self._entry.batch_id,
            "job_id": self._entry.job_id,
            **self._entry.properties,
        }

    def step_properties(self, queues: Iterable[str]) -> dict[str, Any]:
        """Return all that the row has of these steps, to be taken into a new run."""
        wanted = {name for queue in queues for name in step_properties(queue)}
        return {name: value for name, value in self._entry.properties.items() if name in wanted}

    def _text(self, name: str) -> str:
        return str(self._entry.properties.get(name, ""))


def read_row(log: JobLog, key: JobKey) -> ProgressRow | None:
    """Return a job's row; None if there is none."""
    entry = log.read(key)
    return None if entry is None else ProgressRow(entry)


def progress_properties(queues: Iterable[str]) -> list[str]:
    """Return the properties to ask for when outputs aren't wanted, which can be large."""
    names = [name for q in queues for name in (property_name(q), row_names.reason_property(q))]
    return [*row_names.PROGRESS_PROPERTIES, *names]


def _known(kind: type[StateT], word: str, otherwise: StateT) -> StateT:
    try:
        return kind(word)
    except ValueError:
        return otherwise
