"""The in-memory fakes as a run needs them: queues without order, and a log that is watched."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from imaginem.errors import NotFound
from imaginem.memory.landing import MemoryLanding
from imaginem.memory.storage import MemoryLog, MemoryQueues
from imaginem.ports import JobKey, LogEntry, QueueItem
from tests.simulation.clock import Clock


class LooseQueues(MemoryQueues):
    """Queues that deliver in any order, and remember all that was ever sent.

    Attributes:
        sent: queue and body of each message, in order.
        on_send: told id and body of each message.
        loses: tells whether a message is lost as soon as it was sent.
    """

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        super().__init__(clock.read)
        self._time, self._chance = clock, chance
        self._receipts = 0
        self.sent: list[tuple[str, str]] = []
        self.on_send: Callable[[str, str], None] = lambda message_id, body: None
        self.loses: Callable[[], bool] = lambda: False

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message."""
        self.sent.append((queue, body))
        message_id = super().send(queue, body, delay=delay)
        self.on_send(message_id, body)
        if self.loses():
            del self._queues[queue][message_id]
        return message_id

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take messages, whichever."""
        if queue not in self._queues:
            raise NotFound(f"no queue {queue}")
        now = self._time.seconds
        visible = [stored for stored in self._queues[queue].values() if stored.visible_at <= now]
        if len(visible) > 1:
            self._chance.shuffle(visible)
        for stored in visible[:count]:
            self._receipts += 1
            stored.item = replace(
                stored.item,
                dequeue_count=stored.item.dequeue_count + 1,
                receipt=f"receipt-{self._receipts}",
            )
            stored.visible_at = now + lease
        return [stored.item for stored in visible[:count]]

    def lose(self, *, one: bool) -> None:
        """Lose a message, or all of a queue. Raises NotFound when there is none."""
        queues = [name for name, messages in self._queues.items() if messages]
        if not queues:
            raise NotFound("there is no message to lose")
        queue = self._chance.choice(queues)
        messages = list(self._queues[queue])
        for message in [self._chance.choice(messages)] if one else messages:
            del self._queues[queue][message]

    def next_visible(self) -> float:
        """Return when the next message can be received; infinite if there is none."""
        soonest = math.inf
        for messages in self._queues.values():
            for stored in messages.values():
                if stored.visible_at < soonest:
                    soonest = stored.visible_at
        return soonest

    def ready(self) -> list[str]:
        """Return the queues that have a message to receive."""
        now = self._time.seconds
        return [
            name
            for name, messages in self._queues.items()
            if any(stored.visible_at <= now for stored in messages.values())
        ]

    def left(self) -> list[tuple[str, str]]:
        """Return queue and body of every message."""
        return [
            (name, stored.item.body)
            for name, messages in self._queues.items()
            for stored in messages.values()
        ]


class WatchedLog(MemoryLog):
    """Tells of every change of a row.

    Attributes:
        on_change: told the row before and after a change.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_change: Callable[[LogEntry | None, LogEntry], None] = lambda before, after: None

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        """Create a row."""
        fence = super().insert(key, properties)
        self.on_change(None, self._entries[key])
        return fence

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change properties."""
        before = self._entries.get(key)
        made = super().merge(key, properties, fence)
        self.on_change(before, self._entries[key])
        return made

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set properties."""
        before = self._entries.get(key)
        made = super().replace(key, properties, fence)
        self.on_change(before, self._entries[key])
        return made

    def rows(self) -> list[LogEntry]:
        """Return every row."""
        return [self._entries[key] for key in sorted(self._entries)]


class MarkedLanding(MemoryLanding):
    """A landing that knows what was saved by marks which it leaves in storage.

    Attributes:
        mark: the latest mark and when it was left; None if storage has none.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda: datetime.fromtimestamp(clock.storage(), UTC))
        self._time = clock
        self.mark: tuple[float, datetime] | None = None

    def ask_storage(self) -> None:
        """Leave a mark."""
        self.mark = (self._time.seconds, self._clock())
