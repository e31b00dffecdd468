"""Small texts that all instances share, on Azure Table Storage."""

from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableServiceClient, UpdateMode

from imaginem.errors import Conflict, NotFound
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table

STATE_TABLE = "pipelinestate"
_PARTITION = "register"


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

    def remove(self, name: str) -> None:
        """Remove an entry; for one that is missing the SDK raises nothing."""
        with storage_errors(f"table {STATE_TABLE}"):
            self._table.delete_entity(_PARTITION, name)

    def _insert(self, entity: dict[str, str]) -> dict[str, str]:
        try:
            return dict(self._table.create_entity(entity))
        except ResourceNotFoundError:
            create_table(self._table)
            return dict(self._table.create_entity(entity))
