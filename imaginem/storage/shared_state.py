"""Small texts that all instances share, on Azure Table Storage."""

from collections.abc import Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableServiceClient, TableTransactionError, UpdateMode

from imaginem.errors import Conflict, NotFound
from imaginem.ports import StateChange
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table

STATE_TABLE = "pipelinestate"
_PARTITION = "register"
_CHANGED = (404, 409, 412)
"""What the service answers where an entry is missing, is there already, or has another ETag."""


class AzureSharedState:
    """`pipelinestate`; a fence is an entity's ETag."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table = service.get_table_client(STATE_TABLE)

    def read(self, name: str) -> tuple[str, str] | None:
        """Return an entry's text and fence."""
        try:
            with storage_errors(f"table {STATE_TABLE}"):
                entity = self._table.get_entity(_PARTITION, name)
        except NotFound:
            return None
        return str(entity["text"]), str(entity.metadata["etag"])

    def write(self, name: str, text: str, fence: str) -> str:
        """Change an entry if nobody else has; on a missing table make it and write again."""
        entity = {"PartitionKey": _PARTITION, "RowKey": name, "text": text}
        with storage_errors(f"table {STATE_TABLE}"):
            try:
                if fence:
                    changed = self._table.update_entity(
                        entity,
                        mode=UpdateMode.REPLACE,
                        etag=fence,
                        match_condition=MatchConditions.IfNotModified,
                    )
                else:
                    changed = self._insert(entity)
            except (ResourceExistsError, ResourceModifiedError):
                raise Conflict(f"the shared entry {name} has changed") from None
            except ResourceNotFoundError:
                raise Conflict(f"the shared entry {name} was removed") from None
        return str(changed["etag"])

    def list(self, prefix: str) -> dict[str, tuple[str, str]]:
        """Return text and fence of entries by name; keys sort as text, so a range has them all."""
        found: dict[str, tuple[str, str]] = {}
        query = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @beyond"
        beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        values = {"partition": _PARTITION, "first": prefix, "beyond": beyond}
        try:
            with storage_errors(f"table {STATE_TABLE}"):
                for entity in self._table.query_entities(query, parameters=values):
                    kept = str(entity["text"]), str(entity.metadata["etag"])
                    found[str(entity["RowKey"])] = kept
        except NotFound:
            return {}
        return found

    def remove(self, name: str, fence: str = "") -> None:
        """Remove an entry; for one that is missing the SDK raises nothing."""
        unchanged: dict[str, Any] = {
            "etag": fence,
            "match_condition": MatchConditions.IfNotModified,
        }
        with storage_errors(f"table {STATE_TABLE}"):
            try:
                self._table.delete_entity(_PARTITION, name, **(unchanged if fence else {}))
            except ResourceModifiedError:
                return

    def change(self, changes: Sequence[StateChange]) -> Sequence[str]:
        """Change entries in one transaction; on a missing table make it and do so again."""
        operations = [_operation(change) for change in changes]
        with storage_errors(f"table {STATE_TABLE}"):
            try:
                try:
                    done = self._table.submit_transaction(operations)
                except (TableTransactionError, ResourceNotFoundError) as problem:
                    if getattr(problem, "error_code", "") != "TableNotFound":
                        raise
                    create_table(self._table)
                    done = self._table.submit_transaction(operations)
            except TableTransactionError as problem:
                if problem.status_code not in _CHANGED:
                    raise
                raise Conflict("a shared entry has changed") from None
        pairs = zip(changes, done, strict=True)
        return ["" if change.text is None else str(made["etag"]) for change, made in pairs]

    def _insert(self, entity: dict[str, str]) -> dict[str, str]:
        try:
            return dict(self._table.create_entity(entity))
        except ResourceNotFoundError:
            create_table(self._table)
            return dict(self._table.create_entity(entity))


def _operation(change: StateChange) -> Any:
    """Return a change as the SDK takes it in a transaction."""
    entity = {"PartitionKey": _PARTITION, "RowKey": change.name}
    unchanged = {"etag": change.fence, "match_condition": MatchConditions.IfNotModified}
    if change.text is None:
        return "delete", entity, unchanged
    entity["text"] = change.text
    if not change.fence:
        return "create", entity
    return "update", entity, {**unchanged, "mode": UpdateMode.REPLACE}
