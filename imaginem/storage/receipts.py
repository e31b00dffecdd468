"""The table `pipelinereceipts` on Azure Table Storage."""

from collections.abc import Sequence

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient, UpdateMode

from imaginem.errors import NotFound
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table

RECEIPT_TABLE = "pipelinereceipts"
_PARTITION = "receipts"


class AzureReceipts:
    """`pipelinereceipts`; an entity holds a receipt as one text, as it was signed."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table = service.get_table_client(RECEIPT_TABLE)

    def keep(self, receipt_id: str, text: str) -> None:
        """Write a receipt; on a missing table make it and write again."""
        entity = {"PartitionKey": _PARTITION, "RowKey": receipt_id, "text": text}
        with storage_errors(f"table {RECEIPT_TABLE}"):
            try:
                self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)
            except ResourceNotFoundError:
                create_table(self._table)
                self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    def read(self, receipt_id: str) -> str | None:
        """Read a receipt."""
        try:
            with storage_errors(f"table {RECEIPT_TABLE}"):
                return str(self._table.get_entity(_PARTITION, receipt_id)["text"])
        except NotFound:
            return None

    def all(self) -> Sequence[str]:
        """Read all receipts, a page at a time."""
        try:
            with storage_errors(f"table {RECEIPT_TABLE}"):
                return [str(entity["text"]) for entity in self._table.list_entities()]
        except NotFound:
            return []
