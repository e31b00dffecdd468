"""Delivers a job's messages to the functions of an app, in this process, and counts."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import azure.functions as func

from benchmarks.step_execution import recorded
from imaginem.functions import add_steps
from imaginem.host import EmulatorPorts
from imaginem.images.photo_cache import PhotoCache
from imaginem.message import JobMessage
from imaginem.pipeline.cancelling import CancelledBatches
from imaginem.pipeline.steps import Registry
from imaginem.ports import QueueItem
from imaginem.runtime import Runtime

_LEASE = 600.0
HOST_CALLS = 2
"""Of a Functions host for each delivery: it takes the message, and deletes it."""


@dataclass
class Delivered:
    """What a job took.

    Attributes:
        deliveries: of each delivered message the storage requests of the app's own code, in
            their order, as `METHOD service`.
    """

    deliveries: list[list[str]] = field(default_factory=list)

    @property
    def executions(self) -> int:
        """How often a function ran; each is billed."""
        return len(self.deliveries)

    @property
    def operations(self) -> int:
        """All storage operations, the host's too, but no polls that find nothing."""
        return self.counts().total() + HOST_CALLS * self.executions

    def counts(self) -> Counter[str]:
        """Return the number of each request of the app's own code."""
        return Counter(call for delivery in self.deliveries for call in delivery)


def without_polls(runtime: Runtime) -> Runtime:
    """Let a runtime read the list of cancelled batches once, not again every three seconds."""
    runtime.cancellations = CancelledBatches(runtime.shared_state, clock=lambda: 0.0)
    return runtime


def deliver(
    runtime: Runtime,
    registry: Registry,
    ports: EmulatorPorts,
    message: JobMessage,
    workers: int = 0,
) -> Delivered:
    """Send a job and deliver its messages until none is left.

    Args:
        runtime: of the app.
        registry: of its steps.
        ports: of the storage emulator.
        message: of the job.
        workers: take the deliveries in turn; each remembers the photo that it has decoded. With 0
            each delivery is on an instance of its own.
    """
    caches = cycle([PhotoCache() for _ in range(workers)])
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    add_steps(app, registry, lambda: runtime)
    functions: dict[str, Any] = {
        str(function.get_function_name()): function.get_user_function()
        for function in app.get_functions()
    }
    taken = Delivered()
    order = registry.names()
    runtime.queues.send(message.job_definition.processing_pipeline[0], message.encode())
    while (found := _next(runtime, order)) is not None:
        queue, item = found
        runtime.photos = next(caches, None) or PhotoCache()
        with recorded(ports) as calls:
            functions[queue](func.QueueMessage(id=item.id, body=item.body))
        taken.deliveries.append([call for call in calls if not call.endswith("other")])
        runtime.queues.delete(queue, item)
    return taken


def _next(runtime: Runtime, order: list[str]) -> tuple[str, QueueItem] | None:
    for queue in order:
        runtime.queues.create(queue)
        for item in runtime.queues.receive(queue, 1, _LEASE):
            return queue, item
    return None
