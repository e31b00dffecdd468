"""A bench with a clock that a test moves, and a watchdog over its jobs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from imaginem.memory.database import MemoryDatabase
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.process import Delivery, process_step
from imaginem.testing import MemoryLog, MemoryQueues, MemoryServices, MemoryTombstones, message_for
from imaginem.usecases.submit import send_message
from imaginem.usecases.watchdog import Watchdog
from tests.workbench import Bench, Found

PERIOD = timedelta(minutes=5)
ROUND = timedelta(minutes=6)


class Clock:
    """A moment that a test moves; storage, SQL and the watchdog look at the same one."""

    def __init__(self) -> None:
        # Ahead of the real clock, which tells the age of what the other fakes keep.
        self.moment = datetime(2100, 11, 27, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def move(self, by: timedelta) -> None:
        self.moment += by


class Yard(Bench):
    """A bench with a clock and a watchdog."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.clock = Clock()
        self.services = MemoryServices(
            core_settings=self.services.core_settings,
            telemetry=self.telemetry,
            blobs=self.services.blobs,
            queues=MemoryQueues(self.clock.seconds, self.clock.now),
            log=MemoryLog(self.clock.now),
            database=MemoryDatabase(now=self.clock.now),
            tombstones=MemoryTombstones(self.clock.now),
        )
        noted = NotedBatches(self.services.shared_state, self.clock.seconds)
        self.services.open_batches = self.noted = noted
        self.executed: list[str] = []
        self.first_does = self._does("first", "one")
        self.second_does = self._does("second", "two")
        self.report_does = self._does("report", "reported")

    def _does(self, name: str, what: str) -> Callable[[Any], Found]:
        def do(job: Any) -> Found:
            self.executed.append(name)
            return Found(what=what)

        return do

    def watchdog(self, served: tuple[str, ...] = ()) -> Watchdog:
        return Watchdog(self.services, self.noted, PERIOD, served, self.clock.now)

    def watch(self, by: timedelta = ROUND) -> None:
        """Let a while pass, then look."""
        self.clock.move(by)
        self.watchdog().watch()

    def submit(self) -> str:
        return send_message(self.services, message_for(self.url, self.names))

    def lose(self, queue: str) -> str:
        """Remove the only message of a queue behind our back; return it."""
        (item,) = self.services.queues.receive(queue, 32, 30)
        self.services.queues.clear(queue)
        return item.body

    def bookkeeping_on(self, queue: str) -> list[dict[str, Any]]:
        """Return the bookkeeping of a queue's messages, which stay there."""
        items = self.services.queues.receive(queue, 32, 0)
        return [json.loads(item.body)["job_definition"]["_imaginem"] for item in items]

    def stuck_at_second(self) -> str:
        """Bring the job to its second step, and lose its message; return that."""
        self.submit()
        self.run_one("first")
        return self.lose("second")

    def run_one(self, queue: str) -> None:
        (item,) = self.services.queues.receive(queue, 1, 30)
        step = self.registry.get(queue)
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        process_step(step, delivery, self.services, self.registry)
        self.services.queues.delete(queue, item)

    @property
    def state(self) -> str:
        return str(self.entry.properties["job_state"])
