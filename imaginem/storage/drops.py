"""The table `pipelinedrops` on Azure Table Storage: which job each dropped photo started."""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from imaginem.errors import Conflict, NotFound
from imaginem.names import table_key
from imaginem.ports import Drop
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table

DROP_TABLE = "pipelinedrops"


class AzureDrops:
    """`pipelinedrops`; a fence is an entity's ETag."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table: TableClient = service.get_table_client(DROP_TABLE)

    def read(self, batch_id: str, blob: str) -> Drop | None:
        """Return the record of a blob."""
        keys = _keys(batch_id, blob)
        try:
            with storage_errors(f"table {DROP_TABLE}"):
                return _drop(self._table.get_entity(*keys))
        except NotFound:
            return None

    def write(self, drop: Drop) -> Drop:
        """Write a record; on a missing table make it and write again."""
        entity = _entity(drop)
        with storage_errors(f"table {DROP_TABLE}"):
            try:
                if drop.fence:
                    written = self._table.update_entity(
                        entity,
                        mode=UpdateMode.REPLACE,
                        etag=drop.fence,
                        match_condition=MatchConditions.IfNotModified,
                    )
                else:
                    written = self._insert(entity)
            except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
                raise Conflict(f"the record of {drop.blob} has changed") from None
        return replace(drop, fence=str(written["etag"]))

    def _insert(self, entity: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._table.create_entity(entity))
        except ResourceNotFoundError:
            create_table(self._table)
            return dict(self._table.create_entity(entity))

    def of_batch(self, batch_id: str) -> list[Drop]:
        """Return the records of a batch."""
        values = {"batch": table_key(batch_id, "batch_id")}
        try:
            with storage_errors(f"table {DROP_TABLE}"):
                found = self._table.query_entities("PartitionKey eq @batch", parameters=values)
                return [_drop(entity) for entity in found]
        except NotFound:
            return []

    def remove(self, drop: Drop) -> None:
        """Remove a record, unless it was written again."""
        with storage_errors(f"table {DROP_TABLE}"):
            try:
                self._table.delete_entity(
                    *_keys(drop.batch_id, drop.blob),
                    etag=drop.fence,
                    match_condition=MatchConditions.IfNotModified,
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                return


def _keys(batch_id: str, blob: str) -> tuple[str, str]:
    # A blob's name may be longer than a key, and hold what keys forbid.
    name = hashlib.sha256(blob.encode("utf-8", "surrogatepass")).hexdigest()
    return table_key(batch_id, "batch_id"), name


def _entity(drop: Drop) -> dict[str, Any]:
    keys = _keys(drop.batch_id, drop.blob)
    job, etag = drop.replaced or ("", "")
    return {
        "PartitionKey": keys[0],
        "RowKey": keys[1],
        "blob": drop.blob,
        "etag": drop.etag,
        "job_id": drop.job_id,
        "sha256": drop.sha256,
        "size": str(drop.size),  # a number of a table has 32 bits
        "sent": drop.sent,
        "replaced_job": job,
        "replaced_etag": etag,
    }


def _drop(entity: TableEntity) -> Drop:
    replaced = (str(entity["replaced_job"]), str(entity["replaced_etag"]))
    return Drop(
        batch_id=unquote(str(entity["PartitionKey"])),
        blob=str(entity["blob"]),
        etag=str(entity["etag"]),
        job_id=str(entity["job_id"]),
        sha256=str(entity["sha256"]),
        size=int(entity["size"]),
        sent=bool(entity["sent"]),
        replaced=replaced if replaced[0] else None,
        fence=str(entity.metadata["etag"]),
    )
