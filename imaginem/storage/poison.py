"""The table `pipelinepoison` on Azure Table Storage."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableEntity, TableServiceClient, UpdateMode

from imaginem.errors import NotFound
from imaginem.names import blob_segment
from imaginem.ports import Blobs, PoisonEntry, PoisonFilter, PoisonPage
from imaginem.ports.cursors import cursor_after, read_names
from imaginem.storage.account import Account, storage_errors
from imaginem.storage.table import create_table, utc

POISON_TABLE = "pipelinepoison"
_POISON_CONTAINER = "largemessages"
_BODY_LIMIT = 30_000  # UTF-16 units; a property holds 32 Ki of them
_BODY_BYTES = 1024 * 1024
_HEAD = [
    "PartitionKey",
    "RowKey",
    "Timestamp",
    "reason",
    "attempts",
    "batch_id",
    "job_id",
    "kind",
]


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
            "kind": entry.kind,
        }
        if _is_large(entry.body):
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

    def correct(self, entry: PoisonEntry) -> None:
        """Keep an entry with another body; its blob goes if it needs none any more."""
        if self.read(entry.queue, entry.id) is None:
            return
        self.add(entry)
        if not _is_large(entry.body):
            self._blobs.delete(_POISON_CONTAINER, _body_name(entry.queue, entry.id))

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """Return the entries with their bodies."""
        entities = self._query(PoisonFilter(queue=queue or ""))
        return [self._read(entity) for entity in entities]

    def page(self, wanted: PoisonFilter, cursor: str = "", limit: int = 100) -> PoisonPage:
        """Return some entries without bodies, which the table service does not send then."""
        after = read_names(cursor, 2) if cursor else None
        entities = self._query(wanted, after, heads=True)
        found = (entry for entry in map(_head, entities) if wanted.fits(entry))
        shown = list(islice(found, limit))
        more = next(found, None) is not None
        return PoisonPage(shown, cursor_after(shown[-1].queue, shown[-1].id) if more else "")

    def count(self, wanted: PoisonFilter, most: int) -> int:
        """Count the entries, as the service sends them: a thousand at a time."""
        entities = self._query(wanted, heads=True)
        return sum(1 for _ in islice((e for e in entities if wanted.fits(_head(e))), most))

    def _query(
        self,
        wanted: PoisonFilter,
        after: tuple[str, ...] | None = None,
        *,
        heads: bool = False,
    ) -> Iterator[TableEntity]:
        """Return entities by queue and id, a page at a time; reason and time are not looked at."""
        query, values = _conditions(wanted, after)
        fields = _HEAD if heads else None
        try:
            with storage_errors(f"table {POISON_TABLE}"):
                yield from self._table.query_entities(query, parameters=values, select=fields)
        except NotFound:
            return

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
        head = _head(entity)
        body = entity.get("body")
        if body is None:
            try:
                name = _body_name(head.queue, head.id)
                body = self._blobs.get(_POISON_CONTAINER, name, _BODY_BYTES).decode()
            except NotFound:
                body = ""  # the blob was removed by hand; the reason is still worth reading
        return replace(head, body=str(body))


def _is_large(body: str) -> bool:
    return len(body.encode("utf-16-le", "replace")) // 2 > _BODY_LIMIT


def _conditions(wanted: PoisonFilter, after: tuple[str, ...] | None) -> tuple[str, dict[str, str]]:
    """Return a query of the table service, and its parameters."""
    given = {
        "PartitionKey": wanted.queue,
        "batch_id": wanted.batch_id,
        "job_id": wanted.job_id,
        "kind": wanted.kind,
    }
    values = {name: value for name, value in given.items() if value}
    parts = [f"{name} eq @{name}" for name in values]
    if after is not None:
        # The SDK finds a parameter by the spaces around it.
        later = "( PartitionKey gt @after_queue or RowKey gt @after_id )"
        parts.append(f"PartitionKey ge @after_queue and {later}")
        values |= {"after_queue": after[0], "after_id": after[1]}
    return " and ".join(parts), values


def _head(entity: TableEntity) -> PoisonEntry:
    """Return an entry without its body."""
    return PoisonEntry(
        queue=str(entity["PartitionKey"]),
        id=str(entity["RowKey"]),
        reason=str(entity.get("reason") or ""),
        body="",
        attempts=int(entity.get("attempts") or 1),
        batch_id=str(entity.get("batch_id") or ""),
        job_id=str(entity.get("job_id") or ""),
        at=utc(entity.metadata.get("timestamp")),
        kind=str(entity.get("kind") or ""),
    )


def _body_name(queue: str, message_id: str) -> str:
    # A batch's folder never begins with an exclamation mark: `blob_segment` encodes it.
    return f"!poison/{queue}/{blob_segment(message_id)}"
