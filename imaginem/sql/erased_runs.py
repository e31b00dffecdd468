"""Runs that were erased, told within the transactions in which their steps write.

Who erases lays the marks first and deletes afterwards. Who writes for a run looks for its mark, and
holds off the laying of marks until the transaction ends. So what was written without a mark is
committed before the deletion begins, which finds it; and whoever looks later finds the mark.

SQLite has one writer at a time anyway (`BEGIN IMMEDIATE`). PostgreSQL takes a lock of its own for
that, which writers share. SQL Server locks the place that the mark has, or would have.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from imaginem.ports import JobErased, JobKey
from imaginem.sql.database import Database
from imaginem.sql.removal import LOCK
from imaginem.sql.schema import ErasedRunRow, now
from imaginem.sql.types import portions

_SHARED = "WITH (HOLDLOCK)"  # T-SQL: nobody inserts what this has looked for
_POSTGRESQL_LOCK = 0x65726173  # any number that no other program uses in this database


class SqlErasedRuns:
    """The table `erased_run` of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._any = False

    def lay(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Commit runs of a batch's jobs as erased."""
        marks = sorted(
            {
                self._of((batch_id, job_id), run)
                for job_id, known in runs.items()
                for run in known
                if run
            }
        )
        self.restore(marks)

    def all(self) -> list[str]:
        """Return the marks of all runs."""
        with self._database.session(reading=True) as session:
            return list(session.scalars(select(ErasedRunRow.mark)))

    def restore(self, marks: Iterable[str]) -> None:
        """Insert marks that are not there."""
        for portion in portions(sorted(set(marks))):
            with self._database.session() as session:
                _lock_out_writers(session)
                query = select(ErasedRunRow.mark).where(ErasedRunRow.mark.in_(portion))
                there = set(session.scalars(query.with_hint(ErasedRunRow, LOCK, "mssql")))
                if new := [{"mark": mark, "since": now()} for mark in portion if mark not in there]:
                    session.execute(insert(ErasedRunRow), new)

    @contextmanager
    def writing(self, key: JobKey, run: str) -> Iterator[Session]:
        """Open a transaction in which a run writes; no run, and it is not looked for.

        Raises:
            JobErased: the run was erased.
        """
        mark = self._of(key, run) if run and self._any else ""
        with ExitStack() as held:
            session = held.enter_context(self._database.session())
            if run and not mark and _first_mark(session) is not None:
                self._any = True
                held.close()  # the key may have to be read from storage: not while others wait
                mark = self._of(key, run)
                session = held.enter_context(self._database.session())
            if mark and _has(session, mark):
                raise JobErased
            yield session

    def _of(self, key: JobKey, run: str) -> str:
        return self._database.mark("run", *key, run)


def _first_mark(session: Session) -> str | None:
    """Return any mark; if there is none, there will be none until the transaction ends."""
    _hold_off_marks(session)
    query = select(ErasedRunRow.mark).limit(1).with_hint(ErasedRunRow, _SHARED, "mssql")
    return session.scalar(query)


def _has(session: Session, mark: str) -> bool:
    """Tell whether there is a mark; if not, it will not be until the transaction ends."""
    _hold_off_marks(session)
    query = select(ErasedRunRow.mark).where(ErasedRunRow.mark == mark)
    return session.scalar(query.with_hint(ErasedRunRow, _SHARED, "mssql")) is not None


def _hold_off_marks(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(_POSTGRESQL_LOCK)))


def _lock_out_writers(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
