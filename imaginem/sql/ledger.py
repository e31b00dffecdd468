"""The ledger in SQL: sums that only grow, and a row for each execution that worked for a job.

Sums are changed by adding, so processes need not know of each other; in a fixed order, so that
they don't wait for each other in a circle.
"""

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from imaginem.ports import JobKey
from imaginem.ports.ledger import Amount, Amounts, LedgerEntry, LedgerItem, added
from imaginem.sql.database import Database
from imaginem.sql.schema import LedgerJobRow, LedgerSumRow
from imaginem.sql.types import job_number, portions

_NUMBERS = ("calls", "billed", "seconds", "tokens_in", "tokens_out")
_ITEM = (LedgerSumRow.step, LedgerSumRow.service, LedgerSumRow.operation)
_TOTALS = tuple(func.sum(getattr(LedgerSumRow, name)) for name in _NUMBERS)
_Place = tuple[str, str, str, str, str, str]
"""Batch, month, setup, step, service, operation."""
_PLACE = ("batch_id", "month", "setup", "step", "service", "operation")
_SUMS = cast("Table", LedgerSumRow.__table__)
# Every two seconds each worker changes some thirty sums. So these two statements are made once, and
# are the table's, not the row class's: SQLAlchemy takes a tenth of the time for them.
_ADD = (
    update(_SUMS)
    .where(_SUMS.c.number == bindparam("of"))
    .values({name: _SUMS.c[name] + bindparam(f"more_{name}") for name in _NUMBERS})
)
_BEGIN = insert(_SUMS)


class SqlLedger:
    """The tables `ledger_sum` and `ledger_job` of a database."""

    holds = (LedgerJobRow.__tablename__,)

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Add entries in one transaction.

        Raises:
            RetryableError: the database is down or busy; nothing was added.
        """
        with self._database.session() as session:
            new = _without_known(session, [entry for entry in entries if entry.amounts])
            if rows := [_job_row(entry) for entry in new if entry.job_id]:
                session.execute(insert(LedgerJobRow), rows)
            _add_to_sums(session, new)

    def note(self, entry: LedgerEntry) -> None:
        """Do nothing: who dies has used nothing here."""

    def sums(self, *, batch_id: str | None = None, setup: str | None = None) -> Amounts:
        """Return what was taken altogether."""
        query = select(*_ITEM, *_TOTALS).group_by(*_ITEM)
        if batch_id is not None:
            query = query.where(LedgerSumRow.batch_id == batch_id)
        if setup is not None:
            query = query.where(LedgerSumRow.setup == setup)
        with self._database.session(reading=True) as session:
            return dict(_read(row) for row in session.execute(query))

    def by_batch(self, batch_ids: Collection[str]) -> Mapping[str, Amounts]:
        """Return what was taken for each batch."""
        of = LedgerSumRow.batch_id
        query = select(of, *_ITEM, *_TOTALS).group_by(of, *_ITEM)
        found: dict[str, dict[LedgerItem, Amount]] = defaultdict(dict)
        with self._database.session(reading=True) as session:
            for portion in portions(sorted(batch_ids)):
                for row in session.execute(query.where(of.in_(portion))):
                    item, amount = _read(row[1:])
                    found[row[0]][item] = amount
        return found

    def by_month(self) -> Mapping[str, Amounts]:
        """Return what was taken in each month."""
        of = LedgerSumRow.month
        found: dict[str, dict[LedgerItem, Amount]] = defaultdict(dict)
        with self._database.session(reading=True) as session:
            for row in session.execute(select(of, *_ITEM, *_TOTALS).group_by(of, *_ITEM)):
                item, amount = _read(row[1:])
                found[row[0]][item] = amount
        return found

    def of_job(self, key: JobKey) -> Amounts:
        """Return what was taken for a job."""
        query = select(LedgerJobRow.amounts).where(LedgerJobRow.job == job_number(*key))
        with self._database.session(reading=True) as session:
            return added(*map(_from_json, session.scalars(query)))

    def by_job(self, batch_id: str) -> Mapping[str, Amounts]:
        """Return what was taken for each job of a batch."""
        query = select(LedgerJobRow.id, LedgerJobRow.amounts)
        found: dict[str, Amounts] = {}
        with self._database.session(reading=True) as session:
            for job_id, text in session.execute(query.where(LedgerJobRow.batch_id == batch_id)):
                found[job_id] = added(found.get(job_id, {}), _from_json(text))
        return found

    def settle(self) -> None:
        """Do nothing: nothing waits."""

    def recover(self) -> None:
        """Do nothing: nothing waits."""

    def erase(self, key: JobKey) -> None:
        """Remove what each execution took for a job; the sums stay."""
        with self._database.session() as session:
            own = LedgerJobRow.job == job_number(*key)
            session.execute(delete(LedgerJobRow).where(own))

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's jobs, and take its id from its sums."""
        own = LedgerSumRow.batch_id == batch_id
        with self._database.session() as session:
            session.execute(delete(LedgerJobRow).where(LedgerJobRow.batch_id == batch_id))
            rows = session.scalars(select(LedgerSumRow).where(own)).all() if batch_id else ()
            sums = {("", *_place(row)[1:]): _amount(row) for row in rows}
            session.execute(delete(LedgerSumRow).where(own, LedgerSumRow.batch_id != ""))
            for place in sorted(sums):
                _add(session, place, sums[place])


def _without_known(session: Session, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Leave out the entries that were added before."""
    known: set[uuid.UUID] = set()
    for portion in portions([entry.id for entry in entries if entry.job_id]):
        query = select(LedgerJobRow.number).where(LedgerJobRow.number.in_(portion))
        known |= set(session.scalars(query))
    return [entry for entry in entries if entry.id not in known]


def _add_to_sums(session: Session, entries: Iterable[LedgerEntry]) -> None:
    sums: dict[_Place, Amount] = {}
    for entry in entries:
        for item, amount in entry.amounts.items():
            named = (item.step, item.service, item.operation)
            place = (entry.batch_id, entry.month, entry.setup, *named)
            sums[place] = sums.get(place, Amount()) + amount
    for place in sorted(sums):
        _add(session, place, sums[place])


def _add(session: Session, place: _Place, amount: Amount) -> None:
    """Add to a sum, or begin it."""
    numbers = dict(zip(_NUMBERS, astuple(amount), strict=True))
    number = _number(place)
    more = {f"more_{name}": value for name, value in numbers.items()}
    connection = session.connection()
    if connection.execute(_ADD, {"of": number, **more}).rowcount:
        return
    columns = dict(zip(_PLACE, place, strict=True))
    try:
        with connection.begin_nested():
            connection.execute(_BEGIN, {"number": number, **columns, **numbers})
    except IntegrityError:  # another process has begun it meanwhile
        connection.execute(_ADD, {"of": number, **more})


def _number(place: _Place) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(json.dumps(place).encode("ascii")).digest()[:16])


def _place(row: LedgerSumRow) -> _Place:
    return (row.batch_id, row.month, row.setup, row.step, row.service, row.operation)


def _amount(row: LedgerSumRow) -> Amount:
    return Amount(row.calls, row.billed, row.seconds, row.tokens_in, row.tokens_out)


def _read(row: Sequence[Any]) -> tuple[LedgerItem, Amount]:
    """Return the item and the amount of a row; servers sum whole numbers as decimals."""
    calls, billed, seconds, tokens_in, tokens_out = row[3:]
    amount = Amount(int(calls), int(billed), float(seconds), int(tokens_in), int(tokens_out))
    return LedgerItem(*row[:3]), amount


def _job_row(entry: LedgerEntry) -> dict[str, Any]:
    amounts = [
        [item.step, item.service, item.operation, *astuple(amount)]
        for item, amount in sorted(entry.amounts.items())
    ]
    return {
        "number": entry.id,
        "job": job_number(entry.batch_id, entry.job_id),
        "batch_id": entry.batch_id,
        "id": entry.job_id,
        "amounts": json.dumps(amounts),
    }


def _from_json(text: str) -> Amounts:
    return {LedgerItem(*line[:3]): Amount(*line[3:]) for line in json.loads(text)}
