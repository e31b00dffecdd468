"""What of a batch is not there yet: jobs before their first step, photos without a result."""

from collections.abc import Collection

from imaginem.ports import DashboardServices
from imaginem.usecases.at_work import at_work
from imaginem.usecases.progress import BatchProgress, read_batch, summarise, with_waiting


def progress_of(services: DashboardServices, batch_id: str) -> BatchProgress:
    """Return the progress of a batch, with the jobs that wait for their first step."""
    rows = read_batch(services.log, batch_id, set(services.core_settings.default_pipeline))
    return with_waiting(summarise(batch_id, rows), at_work(services, batch_id, rows))


def without_result(services: DashboardServices, batch_id: str, having: Collection[str]) -> set[str]:
    """Return the jobs of a batch, by their ids, that are not among those that have a result."""
    return set(progress_of(services, batch_id).jobs).difference(having)
