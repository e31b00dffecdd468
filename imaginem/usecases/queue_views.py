"""What can be seen of queues without taking a message."""

from dataclasses import dataclass
from datetime import datetime

from imaginem.ports import Queues


@dataclass(frozen=True)
class QueueView:
    """What can be seen of a queue: when its oldest message was put there, and if any is hidden."""

    oldest: datetime | None
    hidden: bool


class QueueViews:
    """Queues as one look sees them: each is asked once."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._seen: dict[str, QueueView] = {}

    def view(self, queue: str) -> QueueView:
        """Return what can be seen of a queue."""
        if queue not in self._seen:
            oldest = self._queues.oldest(queue)
            count = self._queues.count(queue)
            # Only the front is looked at: where something waits there, anything may be hidden.
            self._seen[queue] = QueueView(oldest, bool(count))
        return self._seen[queue]
