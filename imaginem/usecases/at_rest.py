"""Bringing erasures to their end while nothing is at work: when a laptop stops, or starts."""

from collections.abc import Collection

from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.progress_row import progress_properties
from imaginem.ports import DashboardServices
from imaginem.usecases.final_sweep import sweep_finally
from imaginem.usecases.forget_face import finish_faces


def finish_erasures(services: DashboardServices, queues: Collection[str]) -> None:
    """Make receipts final, and forget the ids of erased jobs and faces, if no message waits.

    Args:
        services: where they are erased; nothing may be at work.
        queues: of the steps.
    """
    if any(services.queues.count(queue) for queue in queues):
        return
    sweep_finally(services, queues, at_rest=True)
    finish_faces(services, at_rest=True)
    _forget_empty_batches(services)


def _forget_empty_batches(services: DashboardServices) -> None:
    """Forget the ids of batches at which the watchdog would look, and of which nothing is left."""
    noted = NotedBatches(services.shared_state)
    for batch_id in noted.noted():
        jobs = services.log.batch(batch_id, only=progress_properties(()))
        if next(iter(jobs), None) is None and not services.submissions.submissions(batch_id):
            noted.forget(batch_id)
