"""The table `pipelinelogs` on Azure Table Storage."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from imaginem.errors import Conflict, NotFound
from imaginem.names import table_key
from imaginem.ports import JobKey, LogEntry
from imaginem.storage.account import Account, storage_errors

LOG_TABLE = "pipelinelogs"
_NOTHING = "return-no-content"
"""Has the service answer with the ETag alone, and not with the entity that it was sent."""
_ETAG = re.compile(r'(W/)?"[^"]+"')
# What Azure and Azurite answer to an ETag of another shape than their own.
_NO_ETAG = ("InvalidInput", "InvalidHeaderValue", "InvalidOperation")


def _keys(key: JobKey) -> tuple[str, str]:
    return table_key(key[0], "batch_id"), table_key(key[1], "id")


def create_table(table: TableClient) -> None:
    """Make a table unless it exists."""
    try:
        table.create_table()
    except ResourceExistsError:
        return


class AzureJobLog:
    """`pipelinelogs`; a fence is an entity's ETag."""

    def __init__(self, account: Account) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table = service.get_table_client(LOG_TABLE)

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create the entity; on a missing table make it and create again."""
        entity = _entity(_keys(key), properties)
        with storage_errors(f"table {LOG_TABLE}"):
            try:
                try:
                    return str(
                        self._table.create_entity(entity, response_preference=_NOTHING)["etag"]
                    )
                except ResourceNotFoundError:
                    create_table(self._table)
                    return str(
                        self._table.create_entity(entity, response_preference=_NOTHING)["etag"]
                    )
            except ResourceExistsError:
                raise Conflict(f"the log entity of {key} exists") from None

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change some properties."""
        return self._update(key, properties, fence, UpdateMode.MERGE)

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set all properties."""
        return self._update(key, properties, fence, UpdateMode.REPLACE)

    def _update(
        self, key: JobKey, properties: Mapping[str, Any], fence: str, mode: UpdateMode
    ) -> str:
        if not _ETAG.fullmatch(fence):  # forged; `*` would even match everything
            raise Conflict(f"{fence[:40]!r} is not a valid fence")
        with storage_errors(f"table {LOG_TABLE}"):
            try:
                changed = self._table.update_entity(
                    _entity(_keys(key), properties),
                    mode=mode,
                    etag=fence,
                    match_condition=MatchConditions.IfNotModified,
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                raise Conflict(f"the log entity of {key} has changed") from None
            except HttpResponseError as problem:
                if getattr(problem, "error_code", "") in _NO_ETAG:
                    raise Conflict(f"{fence[:40]!r} is not a valid fence") from None
                raise
            return str(changed["etag"])

    def read(self, key: JobKey) -> LogEntry | None:
        """Return a job's entity."""
        try:
            with storage_errors(f"table {LOG_TABLE}"):
                return _log_entry(self._table.get_entity(*_keys(key)))
        except NotFound:
            return None

    def batch(self, batch_id: str, *, only: Sequence[str] = ()) -> Iterator[LogEntry]:
        """Return a batch's entities, a page at a time."""
        wanted = ["PartitionKey", "RowKey", "Timestamp", *only] if only else None
        try:
            with storage_errors(f"table {LOG_TABLE}"):
                for entity in self._table.query_entities(
                    "PartitionKey eq @batch",
                    parameters={"batch": table_key(batch_id, "batch_id")},
                    select=wanted,
                ):
                    yield _log_entry(entity)
        except NotFound:
            return

    def keys(self) -> Iterator[JobKey]:
        """Return the keys of all jobs, a page at a time."""
        try:
            with storage_errors(f"table {LOG_TABLE}"):
                for entity in self._table.list_entities(select=["PartitionKey", "RowKey"]):
                    yield unquote(str(entity["PartitionKey"])), unquote(str(entity["RowKey"]))
        except NotFound:
            return

    def delete(self, key: JobKey, fence: str = "") -> None:
        """Remove a job's entity; for one that is missing the SDK raises nothing."""
        batch, job = _keys(key)
        with storage_errors(f"table {LOG_TABLE}"), suppress(ResourceModifiedError):
            self._table.delete_entity(
                batch,
                job,
                etag=fence or None,
                match_condition=MatchConditions.IfNotModified if fence else None,
            )


def _entity(keys: tuple[str, str], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"PartitionKey": keys[0], "RowKey": keys[1], **properties}


def _log_entry(entity: TableEntity) -> LogEntry:
    properties = {
        name: value
        for name, value in entity.items()
        if value is not None and name not in ("PartitionKey", "RowKey")
    }
    return LogEntry(
        batch_id=unquote(str(entity["PartitionKey"])),
        job_id=unquote(str(entity["RowKey"])),
        properties=properties,
        fence=str(entity.metadata["etag"]),
        updated=utc(entity.metadata.get("timestamp")),
    )


def utc(value: object) -> datetime | None:
    """Return a time as the SDK gives it, in UTC; None if there is none."""
    return value.astimezone(UTC) if isinstance(value, datetime) else None
