"""Pausing a batch, and letting it go on."""

from dataclasses import dataclass
from datetime import UTC, datetime

from imaginem.errors import NotFound, PermanentError
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed, Pause
from imaginem.redaction import one_line, redact
from imaginem.usecases.access import absence
from imaginem.usecases.audit.acting import note, who_acts
from imaginem.usecases.cost_words import usd
from imaginem.usecases.landing import decide

REASON_LIMIT = 200
"""Most characters that are kept of a reason."""


def pause_batch(services: DashboardServices, batch_id: str, because: str = "") -> Pause:
    """Let a batch's jobs wait before their next step, and new ones too; return the pause.

    A step that runs ends. A batch that is paused already stays so, for the reason that it has.

    Args:
        services: where it is noted.
        batch_id: of the batch.
        because: why, for the people who see it.

    Raises:
        NotFound: there is no such batch.
        PermanentError: it was cancelled, or too many batches are paused.
    """
    check_batch(services, batch_id)
    if services.cancellations.is_cancelled(batch_id):
        raise PermanentError(f"batch {batch_id} was cancelled: its jobs stop, and can't wait")
    if (pause := services.pauses.pause_of(batch_id)) is not None:
        return pause
    note(services, AuditDeed.PAUSED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.PAUSE, batch_id)
    pause = Pause(datetime.now(UTC), who_acts(), one_line(redact(because.strip()), REASON_LIMIT))
    services.pauses.pause(batch_id, pause)
    return pause


@dataclass(frozen=True)
class Resumed:
    """That a batch goes on which was paused.

    Attributes:
        spent_budget: US dollars of the budget that had paused it and is used up: from now on it has
            none. None if a person had paused it.
    """

    spent_budget: float | None = None


def resume_batch(services: DashboardServices, batch_id: str) -> Resumed | None:
    """Let a paused batch's jobs go on; return how, or None if it was not paused.

    One that its budget has paused has no budget from then on.

    Raises:
        NotFound: there is no such batch.
    """
    check_batch(services, batch_id)
    note(services, AuditDeed.RESUMED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.RESUME, batch_id)
    pause = services.pauses.pause_of(batch_id)
    budget = None
    if pause is not None and pause.of_budget:
        budget = services.budgets.of(batch_id, anew=True)
        decide(services, Deed.BUDGET, batch_id)
        services.budgets.set(batch_id, None)  # or it would be paused again at once
    services.pauses.resume(batch_id)
    services.open_batches.note(batch_id, surely=True)  # jobs whose message was lost meanwhile
    return None if pause is None else Resumed(budget)


def told_resumed(resumed: Resumed) -> str:
    """Return in one sentence what became of a budget; empty if there was none."""
    if resumed.spent_budget is None:
        return ""
    return f"its budget of {usd(resumed.spent_budget)} is used up, so it has no budget from now on"


def told(pause: Pause) -> str:
    """Return since when, by whom and why a batch is paused, as one line."""
    since = f"{pause.since:%Y-%m-%d %H:%M} UTC"
    by = "its budget" if pause.of_budget else pause.by
    return f"paused by {by} since {since}" + (f" because {pause.because}" if pause.because else "")


def check_batch(services: DashboardServices, batch_id: str) -> None:
    """Check that there is a batch.

    Raises:
        NotFound: there is none.
    """
    if problem := absence(services, batch_id):
        raise NotFound(problem)
