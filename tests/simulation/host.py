"""An instance of the host with its worker: takes messages as `host/listener.py` does."""

import random
from dataclasses import replace
from typing import Protocol

from imaginem.errors import ImaginemError, NotFound, StorageUnavailable
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.ports import Fusion, QueueItem
from tests.simulation.faults import WorkerDied
from tests.simulation.plan import Plan
from tests.simulation.scheduler import Scheduler
from tests.simulation.services import SETTINGS, SimulatedServices
from tests.simulation.steps import DefectError, Pipeline
from tests.simulation.stores import LooseQueues
from tests.simulation.tracing import Trace

POISON = "-poison"
LEASE_SECONDS = 60.0
VISIBILITY_SECONDS = 30.0
_PAUSE = 1.0


class Surroundings(Protocol):
    """What an instance needs of the run."""

    plan: Plan
    scheduler: Scheduler
    chance: random.Random
    queues: LooseQueues
    pipeline: Pipeline
    services: SimulatedServices
    trace: Trace

    def fusion_of(self, instance: str) -> Fusion:
        """Return which steps share a delivery on an instance."""

    def ended(self, queue: str, outcome: str) -> None:
        """Note how a delivery ended."""


class Instance:
    """Takes messages, one after the other, until it dies.

    Attributes:
        in_hand: the message that is being processed; None between messages.
    """

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name, self.around = name, around
        self.fusion = around.fusion_of(name)
        self.services = self._born()
        self.in_hand: QueueItem | None = None

    def _born(self) -> SimulatedServices:
        """Return the services of a process that has just begun."""
        services = self.around.services.restarted()
        services.core_settings = replace(
            SETTINGS, fusion=self.fusion, reuse="engines" if self.around.plan.reuses else ""
        )
        return services

    def live(self) -> None:
        """Take messages."""
        try:
            self._live()
        finally:
            self.services.alarms.end()

    def _live(self) -> None:
        around = self.around
        while True:
            ready = [name for name in around.queues.ready() if self.serves(name)]
            if not ready:
                around.scheduler.await_message()
                continue
            queue = ready[around.chance.randrange(len(ready))] if len(ready) > 1 else ready[0]
            try:
                items = self.services.queues.receive(queue, 1, LEASE_SECONDS)
            except (StorageUnavailable, NotFound, WorkerDied):
                around.scheduler.pause(_PAUSE)
                continue
            for item in items:
                self.in_hand = item
                self.handle(queue, item)
                self.in_hand = None

    def serves(self, queue: str) -> bool:
        """Tell whether a function of the app has this queue."""
        return queue.removesuffix(POISON) in self.around.pipeline.registry

    def handle(self, queue: str, item: QueueItem) -> None:
        """Run the function of a message, and end the message."""
        too_often = item.dequeue_count > SETTINGS.max_dequeue_count
        if too_often and not queue.endswith(POISON):
            self.end(queue, item, well=False)
            return
        well = False
        try:
            outcome = self.run(queue, item)
            well = True
        except WorkerDied:
            outcome = "worker died"
            self.services.alarms.end()
            self.services = self._born()
        except (ImaginemError, DefectError) as problem:
            outcome = type(problem).__name__
        self.around.ended(queue, outcome)
        self.around.trace.note(self.name, f"{queue} {item.id}: {outcome}")
        self.end(queue, item, well=well)

    def run(self, queue: str, item: QueueItem) -> str:
        """Do what the function of a queue does; return how it went."""
        if queue.endswith(POISON):
            bury(self.services, queue.removesuffix(POISON), item.id, item.body, item.inserted)
            return "buried"
        step = self.around.pipeline.registry.get(queue)
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        registry = self.around.pipeline.registry
        return process_step(step, delivery, self.services, registry).state

    def end(self, queue: str, item: QueueItem, *, well: bool) -> None:
        """Delete a message that succeeded; release or poison one that failed."""
        queues = self.services.queues
        try:
            if well:
                queues.delete(queue, item)
            elif queue.endswith(POISON):
                pass  # it has no poison queue; it returns when its lease ends
            elif item.dequeue_count >= SETTINGS.max_dequeue_count:
                queues.send(f"{queue}{POISON}", item.body)
                queues.delete(queue, item)
            else:
                queues.extend(queue, item, VISIBILITY_SECONDS)
        except (NotFound, StorageUnavailable, WorkerDied):
            pass  # its lease ends by itself
