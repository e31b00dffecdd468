"""In-memory fake of the ledger."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import JobKey
from imaginem.ports.ledger import Amounts, LedgerEntry, added


class MemoryLedger:
    """`ledger_sum` and `ledger_job` in memory: the entries, of which erased ones lose their ids."""

    holds = ("ledger_job",)

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Add entries."""
        with self._database.lock:
            known = {entry.id for entry in self._database.ledger if entry.job_id}
            new = [entry for entry in entries if entry.amounts and entry.id not in known]
            self._database.ledger += new

    def note(self, entry: LedgerEntry) -> None:
        """Do nothing: who dies has used nothing here."""

    def sums(self, *, batch_id: str | None = None, setup: str | None = None) -> Amounts:
        """Return what was taken altogether."""
        return added(
            *(
                entry.amounts
                for entry in self._database.ledger
                if batch_id in (None, entry.batch_id) and setup in (None, entry.setup)
            )
        )

    def by_batch(self, batch_ids: Collection[str]) -> Mapping[str, Amounts]:
        """Return what was taken for each batch."""
        found = {batch_id: self.sums(batch_id=batch_id) for batch_id in batch_ids}
        return {batch_id: amounts for batch_id, amounts in found.items() if amounts}

    def by_month(self) -> Mapping[str, Amounts]:
        """Return what was taken in each month."""
        months: dict[str, list[Amounts]] = defaultdict(list)
        for entry in self._database.ledger:
            months[entry.month].append(entry.amounts)
        return {month: added(*amounts) for month, amounts in months.items()}

    def of_job(self, key: JobKey) -> Amounts:
        """Return what was taken for a job."""
        return self.by_job(key[0]).get(key[1], {})

    def by_job(self, batch_id: str) -> Mapping[str, Amounts]:
        """Return what was taken for each job."""
        jobs: dict[str, list[Amounts]] = defaultdict(list)
        for entry in self._database.ledger:
            if entry.batch_id == batch_id and entry.job_id:
                jobs[entry.job_id].append(entry.amounts)
        return {job_id: added(*amounts) for job_id, amounts in jobs.items()}

    def settle(self) -> None:
        """Do nothing: nothing waits."""

    def recover(self) -> None:
        """Do nothing: nothing waits."""

    def erase(self, key: JobKey) -> None:
        """Take a job's id away."""
        with self._database.lock:
            self._database.ledger[:] = [
                replace(entry, job_id="") if (entry.batch_id, entry.job_id) == key else entry
                for entry in self._database.ledger
            ]

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Take a batch's id away."""
        with self._database.lock:
            self._database.ledger[:] = [
                replace(entry, batch_id="", job_id="") if entry.batch_id == batch_id else entry
                for entry in self._database.ledger
            ]
