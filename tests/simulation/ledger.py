"""What a run must answer for at its end: accepted jobs, erased ones, recorded steps."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from imaginem.message import ids_in
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import CONCLUDED, ENDED, StepState
from imaginem.ports import JobKey, LogEntry


class BrokenInvariant(BaseException):
    """Something came about that must not; nothing that is simulated may handle it."""


class Ledger:
    """Keeps account while a run goes on.

    Attributes:
        accepted: jobs that somebody was told were accepted.
        touched: jobs that somebody began to erase.
        erased: jobs that were erased when no message of them was on its way, and nobody else
            was doing anything.
        busy: how many people are doing something.
        begun: how many things people have begun to do.
        happened: what a run's summary counts.
    """

    def __init__(self, on_the_way: Callable[[], set[JobKey]]) -> None:
        self._on_the_way = on_the_way
        self.accepted: set[JobKey] = set()
        self.touched: set[JobKey] = set()
        self.erased: set[JobKey] = set()
        self.busy = 0
        self.begun = 0
        self.happened: Counter[str] = Counter()
        self._runs: dict[str, str] = {}

    @contextmanager
    def erasing(self, keys: set[JobKey]) -> Iterator[None]:
        """Note that jobs are erased, and which of them must be gone from then on."""
        self.touched |= keys
        gone = keys - self._on_the_way() if self.busy == 1 else set()
        self.erased |= gone
        begun = self.begun
        try:
            yield
        except BaseException:
            self.erased -= gone
            raise
        if self.begun > begun:
            self.erased -= gone

    def sent(self, message_id: str, body: str) -> None:
        """Note that a message was sent: a job that was erased may come back with it."""
        self._runs[message_id] = _run_in(body)
        if self.erased:
            self.erased.discard(ids_in(body))

    def fell_back(self) -> None:
        """Note that storage forgot its last seconds: erased jobs may be on their way again."""
        self.erased -= self._on_the_way()

    def changed(self, before: LogEntry | None, after: LogEntry) -> None:
        """Check a change of a job's row: within a run, what is recorded stays as it is.

        Raises:
            BrokenInvariant: it does not.
        """
        if before is None:
            self.happened["runs begun"] += 1
            return
        old, new = ProgressRow(before), ProgressRow(after)
        if old.run != new.run:
            self.happened["runs begun"] += 1
            self._begins(old, new)
            return
        for name in old.pipeline:
            if old.state_of(name) is StepState.SUCCESS:
                self._stays(name, old, new)
        if old.job_output and (old.job_output, old.job_state) != (new.job_output, new.job_state):
            raise BrokenInvariant(f"{new.key}: the job ended twice in the run {new.run}")
        if new.job_state in ENDED and not old.job_output and new.job_output:
            self.happened[f"jobs {new.job_state}"] += 1

    def _begins(self, old: ProgressRow, new: ProgressRow) -> None:
        """Check that a run was not begun by a message of a run that the row knows."""
        run = self._runs.get(new.run)
        forgot = self.happened["emulator died"] or new.key in self.touched
        if run and run in old.runs and not forgot:
            raise BrokenInvariant(f"{new.key}: a copy of the run {run} began a run of its own")

    def _stays(self, name: str, old: ProgressRow, new: ProgressRow) -> None:
        if new.state_of(name) is not StepState.SUCCESS:
            raise BrokenInvariant(
                f"{new.key}: {name} lost its success in the run {new.run}: {new.state_of(name)}"
            )
        if old.step_properties([name]) != new.step_properties([name]):
            raise BrokenInvariant(f"{new.key}: {name} was recorded twice in the run {new.run}")


def concluded(row: ProgressRow) -> bool:
    """Tell whether no step of a job is left to do."""
    return all(row.state_of(name) in CONCLUDED for name in row.pipeline)


def _run_in(body: str) -> str:
    """Return the run that a message says it is of; empty for a first message."""
    kept = json.loads(body)["job_definition"].get("_imaginem", {})
    return str(kept.get("run", "")) if kept.get("fence") else ""
