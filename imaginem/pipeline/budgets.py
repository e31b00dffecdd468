"""Budgets of batches: whoever works on a batch looks what it has spent, and pauses it in time.

All budgets are one entry of the shared state. That there are any stands in the list of cancelled
batches, which each process reads anyway, so a budget costs nothing where no batch has one.

Looking is a query in SQL, so each process that works on the batch looks every `LOOK_SECONDS`. The
nearer the budget is, by how fast money was spent since the look before, the sooner is the next one;
`_LEAST_SECONDS` go by at least. A look writes what the process itself has used, and so does the
ledger every two seconds (`buffered_ledger.py`). So a batch spends above its budget at most what is
used in `LOOK_SECONDS`, and what the deliveries that are under way use until their next step.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from imaginem.errors import Conflict, ImaginemError, PermanentError, StorageUnavailable
from imaginem.pipeline.cancelling import FRESH_SECONDS, OTHER, CancelledBatches, hash_of_batch
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.ports import Pause, Services, SharedState
from imaginem.ports.ledger import Amounts, added
from imaginem.ports.metering import under_way

LOOK_SECONDS = 2.0
"""Seconds between two looks at most."""
ENTRY = "budgets"
MOST = 500
"""Batches that may have a budget at the same time: an entry holds 32 Ki characters.

The budget of a batch whose photos have ended stays, for photos that are added, until another batch
needs its place.
"""
_LEAST_SECONDS = 0.1
_SOONER = 4  # looks until the budget is used up, at the rate of the time before
_LISTED = f"b{OTHER}any"
_TRIES = 20


@dataclass(frozen=True)
class _Look:
    """When a process looked, what had been spent then, and when it looks again."""

    at: float
    spent: float
    again: float


class NotedBudgets:
    """Reads and writes the budgets of batches.

    Args:
        stopped: the list that is read by every step execution.
        shared_state: where the budgets are.
        clock: returns seconds since any fixed moment.
    """

    def __init__(
        self,
        stopped: CancelledBatches,
        shared_state: SharedState,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stopped, self._shared_state, self._clock = stopped, shared_state, clock
        self._lock = threading.Lock()
        self._known: Mapping[str, float] = {}
        self._fresh_until = 0.0
        self._looks: dict[str, _Look] = {}

    def of(self, batch_id: str, *, anew: bool = False) -> float | None:
        """Return a batch's budget, read again with `anew`; None if it has none."""
        if self._stopped.noted(_LISTED) is None:
            return None
        now = self._clock()
        with self._lock:
            if anew or now >= self._fresh_until:
                with suppress(StorageUnavailable):  # then what was read last is used
                    self._known = self._read()[0]
                self._fresh_until = now + FRESH_SECONDS
            return self._known.get(hash_of_batch(batch_id))

    def set(self, batch_id: str, usd: float | None) -> None:
        """Give a batch a budget, or none."""
        name = hash_of_batch(batch_id)
        for _ in range(_TRIES):
            budgets, fence = self._read()
            changed = {other: value for other, value in budgets.items() if other != name}
            if usd is not None:
                changed = self._with_room(changed)
                if len(changed) >= MOST:
                    raise PermanentError(
                        f"{MOST} batches have a budget: take it from one of them first, with "
                        "`imaginem budget BATCH none`"
                    )
                changed[name] = usd
            try:
                if changed != budgets:
                    self._shared_state.write(ENTRY, json.dumps(changed), fence)
            except Conflict:
                continue
            break
        else:
            raise StorageUnavailable("the list of budgets keeps changing: try again")
        if usd is not None:
            self._stopped.change(lambda noted: {**noted, _LISTED: 1.0})
        with self._lock:
            self._fresh_until = 0.0
            self._looks.pop(name, None)

    def _with_room(self, budgets: dict[str, float]) -> dict[str, float]:
        """Return the budgets with room for one more: those of batches at rest go, oldest first."""
        too_many = len(budgets) + 1 - MOST
        if too_many <= 0:
            return budgets
        at_work = {hash_of_batch(noted) for noted in NotedBatches(self._shared_state).noted()}
        gone = set([name for name in budgets if name not in at_work][:too_many])
        return {name: usd for name, usd in budgets.items() if name not in gone}

    def is_due(self, batch_id: str) -> bool:
        """Tell whether this process is to look now; of threads that ask at once, one is."""
        name, now = hash_of_batch(batch_id), self._clock()
        with self._lock:
            look = self._looks.get(name)
            if look is not None and now < look.again:
                return False
            before = look or _Look(now, 0.0, now)
            self._looks[name] = _Look(before.at, before.spent, now + LOOK_SECONDS)
            return True

    def looked(self, batch_id: str, usd: float, spent: float) -> None:
        """Note what a batch has spent; the nearer to its budget, the sooner is the next look."""
        name, now = hash_of_batch(batch_id), self._clock()
        with self._lock:
            before = self._looks.get(name)
            seconds = now - before.at if before else 0.0
            rate = (spent - before.spent) / seconds if before and seconds > 0 else 0.0
            left = (usd - spent) / rate / _SOONER if rate > 0 else _LEAST_SECONDS
            wait = min(max(left, _LEAST_SECONDS), LOOK_SECONDS)
            self._looks[name] = _Look(now, spent, now + wait)

    def _read(self) -> tuple[dict[str, float], str]:
        entry = self._shared_state.read(ENTRY)
        if entry is None:
            return {}, ""
        try:
            return {str(name): float(usd) for name, usd in json.loads(entry[0]).items()}, entry[1]
        except (ValueError, AttributeError, TypeError):  # the table was edited by hand
            return {}, entry[1]


def pause_if_used_up(services: Services, batch_id: str) -> None:
    """Pause a batch whose budget is used up, if it is time to look.

    What can't be read now is looked at again: a batch does not stand still since SQL is away.
    """
    usd = services.budgets.of(batch_id)
    if usd is None or not services.budgets.is_due(batch_id):
        return
    try:
        spent = spent_of(services, batch_id)
    except ImaginemError:
        return
    services.budgets.looked(batch_id, usd, spent)
    if spent < usd:
        return
    usd = services.budgets.of(batch_id, anew=True)  # somebody may have raised it just now
    if usd is not None and spent >= usd:
        because = f"its budget of ${usd:,.2f} is used up"
        services.pauses.pause(batch_id, Pause(datetime.now(UTC), because=because))


def spent_of(services: Services, batch_id: str) -> float:
    """Return what a batch has spent, in US dollars; what has no known price is not in it.

    Raises:
        RetryableError: the ledger can't be read.
    """
    known = services.ledger.sums(batch_id=batch_id)
    return _priced(added(known, under_way(batch_id)), services)


def _priced(amounts: Amounts, services: Services) -> float:
    return sum(services.prices.cost(item, amount) or 0.0 for item, amount in amounts.items())
