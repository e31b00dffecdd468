"""The table `pipelinetombstones` on Azure Table Storage."""

import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient, TransactionOperation

from imaginem.errors import NotFound
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table, utc

TOMBSTONE_TABLE = "pipelinetombstones"
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
                entities = [{"PartitionKey": batch, "RowKey": mark} for mark in portion]
                operations = [(TransactionOperation.UPSERT, entity) for entity in entities]
                try:
                    self._table.submit_transaction(operations)
                except HttpResponseError as problem:
                    if getattr(problem, "error_code", "") != "TableNotFound":
                        raise
                    create_table(self._table)
                    self._table.submit_transaction(operations)
        self._settled = time.monotonic() + _SETTLED_SECONDS

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
                return {
                    str(entity["RowKey"]): utc(entity.metadata.get("timestamp"))
                    or datetime.max.replace(tzinfo=UTC)
                    for entity in entities
                }
        except NotFound:
            return {}

    def settle(self) -> None:
        """Sleep until no message can bear the second in which the last mark was laid."""
        time.sleep(max(0.0, self._settled - time.monotonic()))


def _portions(marks: Collection[str]) -> Iterator[list[str]]:
    names = sorted(marks)
    for start in range(0, len(names), _PORTION):
        yield names[start : start + _PORTION]
