"""A batch's state, stopping its jobs, and letting it take photos again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imaginem.errors import NotFound
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import ENDED
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed, Pause
from imaginem.usecases.at_work import at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.budgets import BudgetView, budget_of
from imaginem.usecases.landing import decide
from imaginem.usecases.progress import read_batch, summarise


@dataclass(frozen=True)
class StepProblem:
    """A step that failed or was skipped, and why."""

    job_id: str
    step: str
    reason: str


@dataclass(frozen=True)
class BatchOverview:
    """A batch's state, including the jobs that wait for their first step.

    Attributes:
        cancelled: it takes no photos, and its jobs stop.
        paused: its jobs wait before their next step; None if they don't.
        budget: how much may be spent, and is; None if it has none.
        jobs: state of each job; `queued` before its first step.
        steps: counts of states by step.
        problems: of the jobs' latest runs.
        begun: number of jobs that have begun: of others it is not known which steps they have.
    """

    batch_id: str
    cancelled: bool
    jobs: Mapping[str, str]
    steps: Mapping[str, Mapping[str, int]]
    problems: Sequence[StepProblem]
    paused: Pause | None = None
    budget: BudgetView | None = None
    begun: int = 0

    @property
    def ended(self) -> int:
        """Jobs that have ended."""
        return sum(state in ENDED for state in self.jobs.values())


def view_batch(services: DashboardServices, batch_id: str) -> BatchOverview:
    """Return a batch's state to somebody who looks at it, which is recorded.

    Raises:
        NotFound: there is no such batch.
    """
    overview = batch_overview(services, batch_id)
    note(services, AuditDeed.VIEWED, AuditSubject.BATCH, batch_id)
    return overview


def batch_overview(services: DashboardServices, batch_id: str) -> BatchOverview:
    """Return a batch's state.

    Raises:
        NotFound: there is no such batch.
    """
    known = services.batches.batch(batch_id)
    rows = _rows(services, batch_id)
    summary = summarise(batch_id, rows)
    working = at_work(services, batch_id, rows)
    if known is None and not summary.jobs and not working:
        raise NotFound(f"there is no batch {batch_id}")
    return BatchOverview(
        batch_id=batch_id,
        cancelled=services.cancellations.is_cancelled(batch_id),
        jobs={**summary.jobs, **working},
        steps={
            step.name: {str(state): count for state, count in step.states.items()}
            for step in summary.steps
        },
        problems=[
            StepProblem(job, step, reason)
            for job, step, reason in summary.problems
            if working.get(job) != "queued"  # its next run waits: this is from its last one
        ],
        paused=services.pauses.pause_of(batch_id),
        budget=budget_of(services, batch_id),
        begun=summary.begun,
    )


def cancel_batch(services: DashboardServices, batch_id: str) -> int:
    """Stop a batch's jobs before their next step; it takes no more photos.

    Returns:
        How many jobs have begun and not ended.

    Raises:
        NotFound: there is no such batch.
    """
    rows = _rows_or_not_found(services, batch_id)
    note(services, AuditDeed.CANCELLED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.CANCEL, batch_id)
    services.cancellations.cancel(batch_id)
    services.pauses.resume(batch_id)  # its jobs are to end, not to wait
    services.open_batches.note(batch_id, surely=True)  # jobs that stand still must end, too
    return sum(not row.has_ended for row in rows)


def reopen_batch(services: DashboardServices, batch_id: str) -> None:
    """Let a cancelled batch take photos again; jobs that were stopped stay so.

    Raises:
        NotFound: there is no such batch.
    """
    _rows_or_not_found(services, batch_id)
    note(services, AuditDeed.REOPENED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.REOPEN, batch_id)
    services.cancellations.reopen(batch_id)


def _rows(services: DashboardServices, batch_id: str) -> list[ProgressRow]:
    return read_batch(services.log, batch_id, set(services.core_settings.default_pipeline))


def _rows_or_not_found(services: DashboardServices, batch_id: str) -> list[ProgressRow]:
    """Return a batch's rows; no row means that its jobs wait for their first step.

    Raises:
        NotFound: there is no such batch.
    """
    rows = _rows(services, batch_id)
    known = services.batches.batch(batch_id)
    if not rows and known is None and not services.submissions.submissions(batch_id):
        raise NotFound(f"there is no batch {batch_id}")
    return rows
