"""The table `pipelineaudit` on Azure Table Storage: one partition a chain, one entity an entry."""

from collections.abc import Iterator, Sequence
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import (
    TableClient,
    TableEntity,
    TableServiceClient,
    TableTransactionError,
)

from imaginem.errors import Conflict, NotFound
from imaginem.ports.audit import AuditEntry
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table

AUDIT_TABLE = "pipelineaudit"
_AT_ONCE = 100  # operations of one transaction
_TEXTS = ("at", "who", "deed", "kind", "subject", "batch", "purpose", "previous", "digest")


class AzureAuditTrail:
    """`pipelineaudit`; entries are inserted and never updated."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table: TableClient = service.get_table_client(AUDIT_TABLE)

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries in one transaction; on a missing table make it and insert again."""
        entities = [_entity(entry) for entry in entries]
        with storage_errors(f"table {AUDIT_TABLE}"):
            try:
                try:
                    self._insert(entities)
                except ResourceNotFoundError:
                    create_table(self._table)
                    self._insert(entities)
            except ResourceExistsError:
                raise Conflict(f"the chain {entries[0].chain} has grown") from None

    def _insert(self, entities: Sequence[dict[str, Any]]) -> None:
        if len(entities) == 1:  # half as long as a transaction of one
            self._table.create_entity(entities[0])
            return
        try:
            self._table.submit_transaction([("create", entity) for entity in entities])
        except TableTransactionError as problem:
            if problem.status_code == 404:
                raise ResourceNotFoundError(problem.message) from None
            if problem.status_code == 409:
                raise ResourceExistsError(problem.message) from None
            raise

    def read(self, since: str = "", until: str = "") -> Iterator[AuditEntry]:
        """Return entries; keys sort as text, and numbers have leading zeros."""
        given = {"since": ("ge", since), "until": ("lt", until)}
        values = {name: bound for name, (_, bound) in given.items() if bound}
        query = " and ".join(f"PartitionKey {given[name][0]} @{name}" for name in values)
        try:
            with storage_errors(f"table {AUDIT_TABLE}"):
                for entity in self._table.query_entities(query, parameters=values):
                    yield _entry(entity)
        except NotFound:
            return

    def remove_chain(self, chain: str) -> None:
        """Remove a chain's entities, a transaction at a time."""
        found = self._table.query_entities(
            "PartitionKey eq @chain", parameters={"chain": chain}, select=["PartitionKey", "RowKey"]
        )
        try:
            with storage_errors(f"table {AUDIT_TABLE}"):
                keys = [dict(entity) for entity in found]
                for start in range(0, len(keys), _AT_ONCE):
                    some = keys[start : start + _AT_ONCE]
                    self._table.submit_transaction([("delete", entity) for entity in some])
        except NotFound:
            return


def _entity(entry: AuditEntry) -> dict[str, Any]:
    texts = {name: getattr(entry, name) for name in _TEXTS}
    return {"PartitionKey": entry.chain, "RowKey": f"{entry.number:010}", **texts}


def _entry(entity: TableEntity) -> AuditEntry:
    row = str(entity["RowKey"])
    return AuditEntry(
        chain=str(entity["PartitionKey"]),
        number=int(row) if row.isdecimal() else 0,  # 0 is in no chain: somebody else wrote it
        **{name: str(entity.get(name) or "") for name in _TEXTS},
    )
