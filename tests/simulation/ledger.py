"""What a run must answer for at its end: accepted jobs, erased ones, recorded steps."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import CONCLUDED, ENDED, StepState
from imaginem.ports import JobKey, LogEntry


class BrokenInvariant(BaseException):
    """Something came about that must not; nothing that is simulated may handle it."""


class Ledger:
    """Keeps account while a run goes on.

    Attributes:
        accepted: jobs that somebody was told were accepted.
        touched: jobs that somebody began to erase, and that were not sent again since.
        erased: jobs of which nothing may be left: they were erased, and not sent since.
        busy: how many people are doing something.
        happened: what a run's summary counts.
    """

    def __init__(self) -> None:
        self.accepted: set[JobKey] = set()
        self.touched: set[JobKey] = set()
        self.erased: set[JobKey] = set()
        self.busy = 0
        self.happened: Counter[str] = Counter()
        self._runs: dict[str, str] = {}
        self._sending: Counter[JobKey] = Counter()
        self._sent: Counter[JobKey] = Counter()
        self._erasing: Counter[JobKey] = Counter()
        self._erasures: Counter[JobKey] = Counter()

    @contextmanager
    def erasing(self, keys: set[JobKey]) -> Iterator[None]:
        """Note that jobs are erased: they are gone then, unless somebody sent them meanwhile."""
        self.touched |= keys
        self._erasing.update(keys)  # an erasure that failed is never over: it may be completed
        self._erasures.update(keys)
        before = Counter(self._sent)
        sending = {key for key in keys if self._sending[key]}
        try:
            yield
        except NotFound:
            self._erasing.subtract(keys)
            raise
        self._erasing.subtract(keys)
        gone = {key for key in keys - sending if self._sent[key] == before[key]}
        self.erased |= gone
        self.happened["jobs erased"] += len(gone)

    @contextmanager
    def sending(self, key: JobKey) -> Iterator[None]:
        """Note that somebody sends a job: it is accepted then, and whole unless it is erased."""
        erasures, erasing = self._erasures[key], self._erasing[key]
        self.is_sent(key)
        self._sending[key] += 1
        try:
            yield
        finally:
            self._sending[key] -= 1
        self.accepted.add(key)
        if self._erasures[key] == erasures and not erasing:
            self.touched.discard(key)

    def is_sent(self, key: JobKey) -> None:
        """Note that a job may be there from now on."""
        self._sent[key] += 1
        self.erased.discard(key)

    def sent(self, message_id: str, body: str) -> None:
        """Note of which run a message is."""
        self._runs[message_id] = _run_in(body)

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
        recorded = [name for name in new.pipeline if new.state_of(name) in CONCLUDED]
        if sum(old.state_of(name) not in CONCLUDED for name in recorded) > 1:
            self.happened["outcomes of several steps recorded together"] += 1
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
