"""The table `pipelinetombstones` on Azure Table Storage."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableEntity, TableServiceClient, TransactionOperation, UpdateMode

from imaginem.errors import NotFound
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table, utc

TOMBSTONE_TABLE = "pipelinetombstones"
T = TypeVar("T", str, tuple[str, datetime])
_ASKED = 14
"""Marks that a query may ask for: of 15 comparisons one is of the batch."""
_PORTION = 100
"""Operations that a transaction may have."""
_SETTLED_SECONDS = 1.5
"""Queues tell the time of a message in whole seconds; and a bit, for clocks that differ."""


class AzureTombstones:
    """`pipelinetombstones`; the service itself notes when a mark was laid."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table = service.get_table_client(TOMBSTONE_TABLE)
        self._settled = 0.0

    def lay(self, batch: str, marks: Collection[str]) -> None:
        """Write marks, a hundred with each call; on a missing table make it and write again."""
        with storage_errors(f"table {TOMBSTONE_TABLE}"):
            for portion in _portions(marks):
                self._write([{"PartitionKey": batch, "RowKey": mark} for mark in portion])
        self._settled = time.monotonic() + _SETTLED_SECONDS

    def _write(self, entities: Sequence[dict[str, Any]]) -> None:
        """Write up to a hundred entities of a batch, in place of those that are there."""
        how = {"mode": UpdateMode.REPLACE}  # a mark that was restored has a time of its own
        operations = [(TransactionOperation.UPSERT, entity, how) for entity in entities]
        try:
            self._table.submit_transaction(operations)
        except HttpResponseError as problem:
            if getattr(problem, "error_code", "") != "TableNotFound":
                raise
            create_table(self._table)
            self._table.submit_transaction(operations)

    def all(self) -> Iterator[tuple[str, str, datetime]]:
        """Read all marks, a thousand with each call."""
        try:
            with storage_errors(f"table {TOMBSTONE_TABLE}"):
                for entity in self._table.list_entities():
                    yield str(entity["PartitionKey"]), str(entity["RowKey"]), _laid(entity)
        except NotFound:
            return

    def restore(self, marks: Iterable[tuple[str, str, datetime]]) -> None:
        """Write marks with their times as a property, a hundred of a batch with each call."""
        for batch, own in groupby(marks, itemgetter(0)):
            for portion in _portions({mark: laid for _, mark, laid in own}.items()):
                self._restore(batch, dict(portion))

    def _restore(self, batch: str, laid: Mapping[str, datetime]) -> None:
        there: dict[str, datetime] = {}
        names = sorted(laid)
        for start in range(0, len(names), _ASKED):
            there.update(self.find(batch, names[start : start + _ASKED]))
        entities = [
            {"PartitionKey": batch, "RowKey": mark, "laid": at.isoformat()}
            for mark, at in laid.items()
            if mark not in there or there[mark] < at
        ]
        if entities:
            with storage_errors(f"table {TOMBSTONE_TABLE}"):
                self._write(entities)

    def lift(self, batch: str, marks: Collection[str]) -> None:
        """Remove marks; for one that is missing the SDK raises nothing."""
        with storage_errors(f"table {TOMBSTONE_TABLE}"):
            for mark in marks:
                self._table.delete_entity(batch, mark)

    def find(self, batch: str, marks: Collection[str]) -> Mapping[str, datetime]:
        """Find marks with one query."""
        names = sorted(marks)
        wanted = " or ".join(f"RowKey eq @m{number}" for number in range(len(names)))
        values: dict[str, Any] = {f"m{number}": name for number, name in enumerate(names)}
        query = f"PartitionKey eq @batch and ( {wanted} )"  # the SDK splits it at spaces
        try:
            with storage_errors(f"table {TOMBSTONE_TABLE}"):
                entities = self._table.query_entities(query, parameters={**values, "batch": batch})
                return {str(entity["RowKey"]): _laid(entity) for entity in entities}
        except NotFound:
            return {}

    def settle(self) -> None:
        """Sleep until no message can bear the second in which the last mark was laid."""
        time.sleep(max(0.0, self._settled - time.monotonic()))


def _laid(entity: TableEntity) -> datetime:
    """Return when a mark was laid: the service's own time, or the one that was restored."""
    if "laid" in entity:
        return datetime.fromisoformat(str(entity["laid"]))
    return utc(entity.metadata.get("timestamp")) or datetime.max.replace(tzinfo=UTC)


def _portions(marks: Iterable[T]) -> Iterator[list[T]]:
    names = sorted(marks)
    for start in range(0, len(names), _PORTION):
        yield names[start : start + _PORTION]
