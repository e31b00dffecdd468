"""Keeps entries of the ledger for a moment, so that many are written in one transaction.

An execution must not wait for its own bookkeeping, nor fail by it.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from imaginem.errors import ImaginemError
from imaginem.ports import Alarms, JobKey, Ledger
from imaginem.ports.ledger import Amounts, LedgerEntry

WRITE_WITHIN = 2.0
"""Seconds until an entry is written: what others know of a process's work is so old at most."""
_MOST = 20_000
"""Entries that are kept while SQL can't be reached; more would fill the memory."""
_logger = logging.getLogger("imaginem.ledger")


class BufferedLedger:
    """A ledger that is written every two seconds.

    Args:
        ledger: to write into.
        alarms: do it later.
        setup: says which engines the app has, and whether steps run fused.
        now: returns the current moment.
    """

    def __init__(
        self,
        ledger: Ledger,
        alarms: Alarms,
        setup: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._alarms, self._setup, self._now = ledger, alarms, setup, now
        self._waiting: list[LedgerEntry] = []
        self._has_alarm = False
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    @property
    def holds(self) -> Sequence[str]:
        """Return the tables from which this erases a job's data."""
        return self._ledger.holds

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Keep entries until the next time of writing."""
        month = f"{self._now():%Y-%m}"
        new = [
            replace(entry, month=entry.month or month, setup=entry.setup or self._setup)
            for entry in entries
            if entry.amounts
        ]
        with self._lock:
            self._waiting += new
            begins = bool(new) and not self._has_alarm
            self._has_alarm = self._has_alarm or begins
        if begins:
            self._alarms.after(WRITE_WITHIN, self._write_due)

    def settle(self) -> None:
        """Write what waits to be written.

        Raises:
            RetryableError: SQL can't be reached; nothing is lost.
        """
        with self._writing:
            with self._lock:
                entries, self._waiting = self._waiting, []
            if not entries:
                return
            try:
                self._ledger.add(entries)
            except BaseException:
                with self._lock:
                    self._waiting = [*entries, *self._waiting][-_MOST:]
                raise

    def settle_at_exit(self) -> None:
        """Write what waits, before the process ends or its connections are closed."""
        with suppress(Exception):
            self.settle()

    def _write_due(self) -> None:
        with self._lock:
            self._has_alarm = False
        try:
            self.settle()
        except ImaginemError as problem:
            _logger.warning("the ledger could not be written, and will be: %s", problem)
        except Exception as problem:
            _logger.error("the ledger could not be written: %s", type(problem).__name__)

    def sums(self, *, batch_id: str | None = None, setup: str | None = None) -> Amounts:
        """Return what was taken altogether."""
        self.settle()
        return self._ledger.sums(batch_id=batch_id, setup=setup)

    def by_batch(self, batch_ids: Collection[str]) -> Mapping[str, Amounts]:
        """Return what was taken for each batch."""
        self.settle()
        return self._ledger.by_batch(batch_ids)

    def by_month(self) -> Mapping[str, Amounts]:
        """Return what was taken in each month."""
        self.settle()
        return self._ledger.by_month()

    def of_job(self, key: JobKey) -> Amounts:
        """Return what was taken for a job."""
        self.settle()
        return self._ledger.of_job(key)

    def by_job(self, batch_id: str) -> Mapping[str, Amounts]:
        """Return what was taken for each job of a batch."""
        self.settle()
        return self._ledger.by_job(batch_id)

    def erase(self, key: JobKey) -> None:
        """Take a job's id away."""
        self.settle()
        self._ledger.erase(key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Take a batch's id away."""
        self.settle()
        self._ledger.erase_batch(batch_id, job_ids)
