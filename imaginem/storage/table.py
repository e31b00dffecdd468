"""The tables `pipelinelogs` and `pipelinepoison` on Azure Table Storage."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
from imaginem.names import blob_segment, table_key
from imaginem.ports import Blobs, JobKey, LogEntry, PoisonEntry
from imaginem.storage.account import Account, storage_errors

LOG_TABLE = "pipelinelogs"
POISON_TABLE = "pipelinepoison"
_POISON_CONTAINER = "largemessages"
_BODY_LIMIT = 30_000  # UTF-16 units; a property holds 32 Ki of them
_ETAG = re.compile(r'(W/)?"[^"]+"')
# What Azure and Azurite answer to an ETag of another shape than their own.
_NO_ETAG = ("InvalidInput", "InvalidHeaderValue", "InvalidOperation")
_BODY_BYTES = 1024 * 1024


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
                    return str(self._table.create_entity(entity)["etag"])
                except ResourceNotFoundError:
                    create_table(self._table)
                    return str(self._table.create_entity(entity)["etag"])
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

    def delete(self, key: JobKey) -> None:
        """Remove a job's entity; for one that is missing the SDK raises nothing."""
        with storage_errors(f"table {LOG_TABLE}"):
            self._table.delete_entity(*_keys(key))


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
        updated=_utc(entity.metadata.get("timestamp")),
    )


def _utc(value: object) -> datetime | None:
    return value.astimezone(UTC) if isinstance(value, datetime) else None


class AzurePoisonLog:
    """`pipelinepoison`; a large body lies in a private blob."""

    def __init__(self, account: Account, blobs: Blobs) -> None:
        service: TableServiceClient = account.client(TableServiceClient, "table")
        self._table = service.get_table_client(POISON_TABLE)
        self._blobs = blobs

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry."""
        entity: dict[str, Any] = {
            "PartitionKey": entry.queue,
            "RowKey": entry.id,
            "reason": entry.reason,
            "batch_id": entry.batch_id,
            "job_id": entry.job_id,
            "attempts": entry.attempts,
        }
        if len(entry.body.encode("utf-16-le", "replace")) // 2 > _BODY_LIMIT:
            name = _body_name(entry.queue, entry.id)
            data = entry.body.encode("utf-8", "replace")
            entity["body_url"] = self._blobs.put(_POISON_CONTAINER, name, data, "text/plain")
        else:
            entity["body"] = entry.body
        with storage_errors(f"table {POISON_TABLE}"):
            try:
                self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)
            except ResourceNotFoundError:
                create_table(self._table)
                self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """Return the entries."""
        query, values = ("PartitionKey eq @queue", {"queue": queue}) if queue else ("", {})
        try:
            with storage_errors(f"table {POISON_TABLE}"):
                entities = list(self._table.query_entities(query, parameters=values))
        except NotFound:
            return []
        return [self._read(entity) for entity in entities]

    def read(self, queue: str, message_id: str) -> PoisonEntry | None:
        """Return one entry."""
        try:
            with storage_errors(f"table {POISON_TABLE}"):
                entity = self._table.get_entity(queue, message_id)
        except NotFound:
            return None
        return self._read(entity)

    def drop(self, queue: str, message_id: str) -> None:
        """Remove an entry; its blob first, since it could not be found without the entry."""
        self._blobs.delete(_POISON_CONTAINER, _body_name(queue, message_id))
        with storage_errors(f"table {POISON_TABLE}"):
            self._table.delete_entity(queue, message_id)

    def _read(self, entity: TableEntity) -> PoisonEntry:
        queue, message_id = str(entity["PartitionKey"]), str(entity["RowKey"])
        body = entity.get("body")
        if body is None:
            try:
                name = _body_name(queue, message_id)
                body = self._blobs.get(_POISON_CONTAINER, name, _BODY_BYTES).decode()
            except NotFound:
                body = ""  # the blob was removed by hand; the reason is still worth reading
        return PoisonEntry(
            queue=queue,
            id=message_id,
            reason=str(entity.get("reason", "")),
            body=str(body),
            attempts=int(entity.get("attempts", 1)),
            batch_id=str(entity.get("batch_id", "")),
            job_id=str(entity.get("job_id", "")),
            at=_utc(entity.metadata.get("timestamp")),
        )


def _body_name(queue: str, message_id: str) -> str:
    # A batch's folder never begins with an exclamation mark: `blob_segment` encodes it.
    return f"!poison/{queue}/{blob_segment(message_id)}"
