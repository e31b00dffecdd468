"""Which jobs have not ended: told by the progress table, and by what was sent and has not begun."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from imaginem.pipeline.progress_row import ProgressRow
from imaginem.ports import DashboardServices, JobResult, Submission

_LOST_AFTER = timedelta(days=7)
"""Age from which a job without a row no longer counts as waiting: its message must be lost."""


def is_at_work(row: ProgressRow | None, sent: Submission | None) -> bool:
    """Tell whether a job has not ended, or a newer run of it waits for its first step."""
    if row is not None and not row.has_ended:
        return True
    return sent is not None and _waits(row, sent)


def is_lost(row: ProgressRow | None, sent: Submission, result: JobResult | None) -> bool:
    """Tell whether a job that was sent long ago never began: its message must be lost."""
    return row is None and result is None and not _waits(row, sent)


def _waits(row: ProgressRow | None, sent: Submission) -> bool:
    """Tell whether the latest run of a job waits for its first step."""
    if row is None:
        return datetime.now(UTC) - sent.since < _LOST_AFTER
    if not row.run:  # poisoned before its first step; waits if it was replayed afterwards
        return row.updated is not None and sent.since > row.updated
    return bool(sent.run) and not row.has_begun(sent.run)


def at_work(
    services: DashboardServices, batch_id: str, rows: Iterable[ProgressRow]
) -> dict[str, str]:
    """Return the state of each of a batch's jobs that has not ended, by job id.

    Args:
        services: keep the submissions.
        batch_id: of the batch.
        rows: the batch's rows; a job whose latest run is not in its row is `queued`.
    """
    known = {row.job_id: row for row in rows}
    working = {name: str(row.job_state) for name, row in known.items() if not row.has_ended}
    for name, sent in services.submissions.submissions(batch_id).items():
        if _waits(known.get(name), sent):
            working[name] = "queued"
    return working
