"""The budget of a batch: given by a person, seen by everybody, used up by the pipeline."""

import math
from dataclasses import dataclass

from imaginem.errors import InvalidMessage
from imaginem.pipeline.budgets import spent_of
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, Deed
from imaginem.usecases.audit.acting import note
from imaginem.usecases.landing import decide

_MOST = 1_000_000_000.0


@dataclass(frozen=True)
class BudgetView:
    """A batch's budget and what is spent of it, in US dollars by the price list."""

    usd: float
    spent: float


def set_budget(services: DashboardServices, batch_id: str, usd: float | None) -> bool:
    """Give a batch a budget, or none; one that waits since its budget was used up may go on.

    The batch need not be there yet.

    Args:
        services: where it is noted.
        batch_id: of the batch.
        usd: US dollars; None for no budget.

    Returns:
        Whether a batch that its budget had paused goes on now.

    Raises:
        InvalidMessage: it is no amount of money.
        PermanentError: too many batches have a budget.
    """
    if usd is not None and not (math.isfinite(usd) and 0 < usd <= _MOST):
        raise InvalidMessage("budget: give an amount of US dollars above 0, such as 5.00")
    note(services, AuditDeed.BUDGETED, AuditSubject.BATCH, batch_id)
    decide(services, Deed.BUDGET, batch_id, usd=usd)
    services.budgets.set(batch_id, usd)
    pause = services.pauses.pause_of(batch_id)
    if pause is None or not pause.of_budget:
        return False
    if usd is not None and spent_of(services, batch_id) >= usd:
        return False
    decide(services, Deed.RESUME, batch_id)
    services.pauses.resume(batch_id)
    services.open_batches.note(batch_id, surely=True)  # jobs whose message was lost meanwhile
    return True


def begin_budget(services: DashboardServices, batch_id: str, usd: float | None) -> None:
    """Give a batch the budget that its sender wishes, unless it has one. Raises as `set_budget`."""
    if usd is not None and services.budgets.of(batch_id) is None:
        set_budget(services, batch_id, usd)


def budget_of(services: DashboardServices, batch_id: str) -> BudgetView | None:
    """Return a batch's budget and what is spent of it; None if it has none."""
    usd = services.budgets.of(batch_id)
    return None if usd is None else BudgetView(usd, spent_of(services, batch_id))
