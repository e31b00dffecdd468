"""Keeps entries of the ledger for a moment, so that many are written in one transaction.

An execution must not wait for its own bookkeeping, nor fail by it.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from imaginem.errors import ImaginemError
from imaginem.ports import Alarms, JobKey, Ledger
from imaginem.ports.ledger import Amounts, LedgerEntry

WRITE_WITHIN = 2.0
"""Seconds until an entry is written: what others know of a process's work is so old at most."""
_MOST = 20_000
"""Entries that are kept while SQL can't be reached; more would fill the memory."""
_logger = logging.getLogger("imaginem.ledger")


class Journal(Protocol):
    """Outlasts the process; see `imaginem.sql.ledger_journal`."""

    def note(self, entry: LedgerEntry) -> None:
        """Note a part of an entry. Raises nothing."""

    def forget(self, ids: Collection[uuid.UUID]) -> None:
        """Forget entries: they are in the ledger now."""

    def recover(self, enter: Callable[[list[LedgerEntry]], None]) -> None:
        """Enter what processes noted that died."""

    def close(self) -> None:
        """End it, if all in it was entered."""


class NoJournal:
    """Keeps nothing: what a process counts is lost with it."""

    def note(self, entry: LedgerEntry) -> None:
        """Do nothing."""

    def forget(self, ids: Collection[uuid.UUID]) -> None:
        """Do nothing."""

    def recover(self, enter: Callable[[list[LedgerEntry]], None]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class BufferedLedger:
    """A ledger that is written every two seconds.

    Args:
        ledger: to write into.
        alarms: do it later.
        setup: says which engines the app has, and whether steps run fused.
        journal: keeps what was not written yet, should the process die.
        now: returns the current moment.
    """

    def __init__(
        self,
        ledger: Ledger,
        alarms: Alarms,
        setup: str = "",
        journal: Journal | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._alarms, self._setup, self._now = ledger, alarms, setup, now
        self._journal = journal or NoJournal()
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
        new = [self._stamped(entry) for entry in entries if entry.amounts]
        with self._lock:
            self._waiting += new
            begins = bool(new) and not self._has_alarm
            self._has_alarm = self._has_alarm or begins
        if begins:
            self._alarms.after(WRITE_WITHIN, self._write_due)

    def note(self, entry: LedgerEntry) -> None:
        """Note a part of an entry, should this process die before the whole is written."""
        self._journal.note(self._stamped(entry))

    def _stamped(self, entry: LedgerEntry) -> LedgerEntry:
        month = entry.month or f"{self._now():%Y-%m}"
        return replace(entry, month=month, setup=entry.setup or self._setup)

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
            self._journal.forget([entry.id for entry in entries])

    def recover(self) -> None:
        """Write what waits, also of processes of this machine that died.

        Raises:
            RetryableError: SQL can't be reached; nothing is lost.
        """
        self.settle()
        self._journal.recover(self._ledger.add)

    def settle_at_exit(self) -> None:
        """Write what waits, before the process ends or its connections are closed."""
        with suppress(Exception):
            self.settle()
            self._journal.close()

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
        self.recover()
        return self._ledger.sums(batch_id=batch_id, setup=setup)

    def by_batch(self, batch_ids: Collection[str]) -> Mapping[str, Amounts]:
        """Return what was taken for each batch."""
        self.recover()
        return self._ledger.by_batch(batch_ids)

    def by_month(self) -> Mapping[str, Amounts]:
        """Return what was taken in each month."""
        self.recover()
        return self._ledger.by_month()

    def of_job(self, key: JobKey) -> Amounts:
        """Return what was taken for a job."""
        self.recover()
        return self._ledger.of_job(key)

    def by_job(self, batch_id: str) -> Mapping[str, Amounts]:
        """Return what was taken for each job of a batch."""
        self.recover()
        return self._ledger.by_job(batch_id)

    def erase(self, key: JobKey) -> None:
        """Take a job's id away."""
        self.settle()
        self._ledger.erase(key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Take a batch's id away."""
        self.settle()
        self._ledger.erase_batch(batch_id, job_ids)
