"""Queues on Azure Queue Storage."""

import math
import threading
from datetime import datetime

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from imaginem.errors import NotFound
from imaginem.ports import QueueItem
from imaginem.ports.sends import note_send
from imaginem.storage.account import Account, storage_errors

_NEVER = -1  # time to live; the SDK's own default drops messages after seven days
_RECEIVE_LIMIT = 32  # Azure's, per call


class AzureQueues:
    """Queues of one storage account."""

    def __init__(self, account: Account) -> None:
        self._service: QueueServiceClient = account.client(QueueServiceClient, "queue")
        self._clients: dict[str, QueueClient] = {}
        self._lock = threading.Lock()

    def _client(self, queue: str) -> QueueClient:
        with self._lock:
            if queue not in self._clients:
                self._clients[queue] = self._service.get_queue_client(queue)
            return self._clients[queue]

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message that never expires; on 404 make the queue and put it again."""
        client = self._client(queue)
        with storage_errors(f"queue {queue}"):
            try:
                sent = self._put(client, body, delay)
            except ResourceNotFoundError:
                self.create(queue)
                sent = self._put(client, body, delay)
        if not delay:
            note_send(queue)
        return sent

    @staticmethod
    def _put(client: QueueClient, body: str, delay: float) -> str:
        sent = client.send_message(body, visibility_timeout=math.ceil(delay), time_to_live=_NEVER)
        return str(sent.id)

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take messages. Raises NotFound if there is no such queue."""
        with storage_errors(f"queue {queue}"):
            pages = self._client(queue).receive_messages(
                max_messages=min(count, _RECEIVE_LIMIT),
                messages_per_page=min(count, _RECEIVE_LIMIT),
                visibility_timeout=math.ceil(lease),
            )
            return [_item(message) for message in pages]

    def extend(self, queue: str, item: QueueItem, lease: float) -> QueueItem:
        """Hide a message for `lease` seconds from now; its body stays as it is."""
        with storage_errors(f"message {item.id} of {queue}"):
            changed = self._client(queue).update_message(
                item.id, item.receipt, visibility_timeout=math.ceil(lease)
            )
            return QueueItem(
                item.id, item.body, item.dequeue_count, str(changed.pop_receipt), item.inserted
            )

    def delete(self, queue: str, item: QueueItem) -> None:
        """Remove a message that is done."""
        with storage_errors(f"message {item.id} of {queue}"):
            self._client(queue).delete_message(item.id, item.receipt)

    def create(self, queue: str) -> None:
        """Make a queue unless it exists."""
        with storage_errors(f"queue {queue}"):
            try:
                self._client(queue).create_queue()
            except ResourceExistsError:
                return

    def count(self, queue: str) -> int | None:
        """Return about how many messages there are."""
        try:
            with storage_errors(f"queue {queue}"):
                return self._client(queue).get_queue_properties().approximate_message_count
        except NotFound:
            return None

    def oldest(self, queue: str) -> datetime | None:
        """Return when the oldest of the messages at the front was put on the queue."""
        try:
            with storage_errors(f"queue {queue}"):
                front = self._client(queue).peek_messages(max_messages=_RECEIVE_LIMIT)
        except NotFound:
            return None
        put = [message.inserted_on for message in front if message.inserted_on is not None]
        return min(put, default=None)

    def clear(self, queue: str) -> None:
        """Remove every message."""
        with storage_errors(f"queue {queue}"):
            self._client(queue).clear_messages()

    def names(self) -> list[str]:
        """Return the queues' names."""
        with storage_errors("the list of queues"):
            return sorted(str(queue.name) for queue in self._service.list_queues())


def _item(message: QueueMessage) -> QueueItem:
    return QueueItem(
        id=str(message.id),
        body=str(message.content),
        dequeue_count=int(message.dequeue_count or 1),
        receipt=str(message.pop_receipt),
        inserted=message.inserted_on,
    )
