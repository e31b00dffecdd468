"""What a function is called with, built as the Functions worker builds it."""

import io
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
from azure.functions.blob import InputStream
from azure.functions.queue import QueueMessage
from azure.functions.timer import TimerRequest


def argument_of(message: dict[str, Any]) -> Any:
    """Return the trigger's argument.

    Args:
        message: the invocation, as the host writes it.
    """
    if message["kind"] == "timer":
        timer: func.TimerRequest = TimerRequest(past_due=bool(message.get("past_due")))
        return timer
    if message["kind"] == "blob":
        return BlobOnDemand(message)
    inserted = message.get("inserted")
    return QueueMessage(  # type: ignore[no-untyped-call]  # the SDK has no annotations here
        id=message["message_id"],
        body=message["body"].encode("utf-8", "surrogatepass"),
        dequeue_count=message["dequeue_count"],
        insertion_time=datetime.fromisoformat(inserted) if inserted else datetime.now(UTC),
        pop_receipt=message["receipt"],
    )


class BlobOnDemand(InputStream):
    """A blob that is read when the function asks for its bytes; Azure reads it beforehand."""

    def __init__(self, message: dict[str, Any]) -> None:
        super().__init__(
            data=b"",
            name=message["path"],
            uri=message["uri"],
            length=message["length"],
            blob_properties={"ETag": message["etag"], "ContentLength": message["length"]},
            metadata=message["metadata"],
        )
        self._message = message
        self._bytes: io.BytesIO | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes of the blob."""
        if self._bytes is None:
            from imaginem.runtime import default_runtime

            container, _, name = self._message["path"].partition("/")
            length, etag = self._message["length"], self._message["etag"]
            data = default_runtime().blobs.get(container, name, length, etag=etag)
            self._bytes = io.BytesIO(data)
        return self._bytes.read(size)

    read1 = read
