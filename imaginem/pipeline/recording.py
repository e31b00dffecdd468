"""Writes what the steps of one delivery came to into the job's row: at once, or several together.

In a fused run an outcome may be kept back while the next step runs, 0.8 seconds at most. No
step reads an output that is not recorded: before it does, what was kept back is written. So of two
deliveries of one message, the slower one stops before it has an effect that is made of what only
itself has found, as if each step had had a delivery of its own.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from imaginem.errors import StorageUnavailable
from imaginem.pipeline.fence import Claim, record_step
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.run_results import RunResults
from imaginem.ports import Alarm, Services

RECORD_WITHIN = 0.8
"""Seconds for which an outcome is kept back at most: whoever looks on sees it within a second."""


class Recorder:
    """Holds a delivery's claim on its job's row, and what was not written yet.

    A step may read outputs in threads of its own, and an alarm writes beside the step.

    Args:
        claim: of the delivery.
        services: where the row and the results are.
        at_once: whether nothing is kept back.
        clock: returns seconds since any fixed moment.

    Attributes:
        results: the SQL results, as this delivery may write them.
        proven: when storage showed last that the job was not erased.
    """

    def __init__(
        self,
        claim: Claim,
        services: Services,
        *,
        at_once: bool = False,
        clock: Callable[[], float],
    ) -> None:
        self._log, self._alarms, self._clock = services.log, services.alarms, clock
        self.results = RunResults(services.results, services.log, claim)
        self._at_once = at_once
        self._kept: list[RowChange] = []
        self._names: set[str] = set()
        self._since = self.proven = clock()
        self._next: Claim | None = None
        self._alarm: Alarm | None = None
        self._problem: Exception | None = None
        self._lock = threading.Lock()

    @property
    def claim(self) -> Claim:
        """The delivery's right to write the row; of the first step that is not recorded."""
        return self.results.claim

    def write(self, change: RowChange) -> Claim:
        """Write a change together with what was kept back.

        Raises:
            AlreadyConcluded: another execution was quicker; nothing was written.
            JobErased: the job was erased; nothing was written.
        """
        with self._alone():
            self._write(change)
            return self.claim

    def keep(self, name: str, change: RowChange, following: Claim) -> None:
        """Keep back how a step ended, until something is written or `RECORD_WITHIN` is over.

        Args:
            name: of the step.
            change: of the row.
            following: a claim that names the next step, and what a new run of the job would start
                with there; the rest of it is not looked at.

        Raises:
            AlreadyConcluded, JobErased: as `write`, if it is written at once.
        """
        if self._kept_more(name, change, following):
            return
        with self._alone():
            self._since = self._since if self._kept else self._clock()
            self._add(name, change, following)
            left = RECORD_WITHIN - (self._clock() - self._since)
            if self._at_once or left <= 0:
                self._write()
            else:
                self._alarm = self._alarms.after(left, self._overdue)

    def _kept_more(self, name: str, change: RowChange, following: Claim) -> bool:
        """Keep back one more outcome if the alarm of the first one will do for it."""
        if self._alarm is None or not self._lock.acquire(blocking=False):
            return False
        try:
            left = RECORD_WITHIN - (self._clock() - self._since)
            if not self._kept or self._problem is not None or left <= 0:
                return False
            self._add(name, change, following)
            return True
        finally:
            self._lock.release()

    def _add(self, name: str, change: RowChange, following: Claim) -> None:
        self._kept.append(change)
        self._names.add(name)
        self._next = following

    def settle(self, name: str = "") -> None:
        """Write what was kept back before a step reads an output; any, if none is named.

        Raises:
            AlreadyConcluded, JobErased: as `write`.
        """
        if self._problem is None and (name not in self._names if name else not self._names):
            return
        with self._alone():
            self._write()

    def end(self) -> None:
        """Write nothing more by itself: the delivery is over."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.stop()

    def _write(self, *changes: RowChange) -> None:
        """Write what is not written, and hold the claim of what comes next."""
        todo = [*self._kept, *changes]
        if not todo:
            return
        claim = record_step(self._log, self.claim, joined(todo), self.results.begun_anew)
        self.proven = self._clock()
        if self._next is not None:
            claim = replace(
                claim,
                step=self._next.step,
                opening=self._next.opening,
                behind=(),
                chained=True,
            )
        self.results.claim = claim
        self._kept, self._names, self._next = [], set(), None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else write meanwhile; raise what went wrong beside the step."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.stop()  # before the lock is taken: it may be writing
        with self._lock:
            if self._problem is not None:
                raise self._problem
            yield

    def _overdue(self) -> None:
        """Write what was kept back long enough, unless somebody is about to."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._write()
        except StorageUnavailable:  # it is written when the step has ended
            pass
        except Exception as problem:  # whoever holds the recorder is told
            self._problem = problem
        finally:
            self._lock.release()


def joined(changes: Sequence[RowChange]) -> RowChange:
    """Return several changes as one; of what each sets, the last one counts."""
    values: dict[str, Any] = {}
    for change in changes:
        given = {field.name: getattr(change, field.name) for field in fields(change)}
        values |= {name: value for name, value in given.items() if value is not None}
    return RowChange(**{**values, "steps": tuple(s for change in changes for s in change.steps)})
