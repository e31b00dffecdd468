"""Pausing a batch, and letting it go on."""

from datetime import UTC, datetime

from imaginem.errors import NotFound, PermanentError
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed, Pause
from imaginem.redaction import one_line, redact
from imaginem.usecases.access import absence
from imaginem.usecases.audit.acting import note, who_acts
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


def resume_batch(services: DashboardServices, batch_id: str) -> bool:
    """Let a paused batch's jobs go on; return whether it was paused.

    One that its budget has paused has no budget from then on.

    Raises:
        NotFound: there is no such batch.
    """
    check_batch(services, batch_id)
    note(services, AuditDeed.RESUMED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.RESUME, batch_id)
    pause = services.pauses.pause_of(batch_id)
    if pause is not None and pause.of_budget:
        services.budgets.set(batch_id, None)  # or it would be paused again at once
    services.pauses.resume(batch_id)
    services.open_batches.note(batch_id, surely=True)  # jobs whose message was lost meanwhile
    return pause is not None


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
