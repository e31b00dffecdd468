"""What work has cost: the ledger's amounts, with their prices."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from imaginem.errors import NotFound
from imaginem.ports import DashboardServices, JobKey, PriceList, Services
from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, Amount, Amounts, LedgerItem
from imaginem.usecases.access import no_batch


@dataclass(frozen=True)
class CostLine:
    """One thing that was taken.

    Attributes:
        item: what it is.
        amount: how much of it.
        usd: US dollars; None if its price is not known.
    """

    item: LedgerItem
    amount: Amount
    usd: float | None


NOTHING_UNMEASURED: frozenset[LedgerItem] = frozenset()


@dataclass(frozen=True)
class Costs:
    """What was taken, and what it costs.

    Attributes:
        lines: by step, service and operation.
        usd: US dollars, without what has no known price, or None; see `unmeasured`.
        unknown: services and operations without a known price.
        seconds: for which steps ran.
        unmeasured: calls of which nobody knows how much they take, such as tokens, in a forecast.
            A sum that leaves them out would be false, so there is none.
    """

    lines: Sequence[CostLine]
    usd: float | None
    unknown: Sequence[str]
    seconds: float
    unmeasured: frozenset[LedgerItem] = NOTHING_UNMEASURED

    @property
    def calls(self) -> Mapping[str, int]:
        """Return the number of calls to each service; of steps how often they were begun."""
        counts: dict[str, int] = defaultdict(int)
        for line in self.lines:
            counts[line.item.service] += line.amount.calls
        return dict(counts)

    @property
    def ai_calls(self) -> int:
        """Return the number of calls to AI services."""
        none = (STORAGE, FUNCTIONS, STEP)
        return sum(count for service, count in self.calls.items() if service not in none)

    @property
    def storage(self) -> int:
        """Return the number of storage operations."""
        return self.calls.get(STORAGE, 0)

    @property
    def executions(self) -> int:
        """Return the number of executions of the function app."""
        return self.calls.get(FUNCTIONS, 0)

    @property
    def tokens_in(self) -> int:
        """Return the tokens that language models read."""
        return sum(line.amount.tokens_in for line in self.lines)

    @property
    def tokens_out(self) -> int:
        """Return the tokens that language models wrote."""
        return sum(line.amount.tokens_out for line in self.lines)

    @property
    def tokens(self) -> int:
        """Return the tokens of language models, read and written."""
        return self.tokens_in + self.tokens_out


def priced(
    amounts: Amounts,
    prices: PriceList,
    *,
    unmeasured: frozenset[LedgerItem] = NOTHING_UNMEASURED,
) -> Costs:
    """Return what amounts cost; in a forecast without a sum where some are `unmeasured`."""
    missing = unmeasured & amounts.keys()
    lines = [
        CostLine(item, amount, None if item in missing else prices.cost(item, amount))
        for item, amount in sorted(amounts.items())
    ]
    unknown = {
        f"{item.service} {item.operation}"
        for item, amount in amounts.items()
        if prices.cost(item, amount) is None
    }
    seconds = sum(line.amount.seconds for line in lines if line.item.service == STEP)
    whole = None if missing else sum(line.usd or 0.0 for line in lines)
    return Costs(lines, whole, sorted(unknown), seconds, missing)


def cost_of(services: Services, batch_id: str) -> Costs:
    """Return what a batch has cost so far.

    What other processes do shows after `imaginem.pipeline.buffered_ledger.WRITE_WITHIN` seconds.
    """
    return priced(services.ledger.sums(batch_id=batch_id), services.prices)


def batch_costs(services: DashboardServices, batch_id: str) -> Costs:
    """Return what a batch has cost so far.

    Raises:
        NotFound: there is no such batch.
    """
    costs = cost_of(services, batch_id) if batch_id else None
    if costs is None or (not costs.lines and services.batches.batch(batch_id) is None):
        raise NotFound(no_batch(batch_id))
    return costs


def cost_of_job(services: Services, key: JobKey) -> Costs:
    """Return what a job has cost so far."""
    return priced(services.ledger.of_job(key), services.prices)


def cost_of_all(services: Services) -> Costs:
    """Return what everything has cost since the ledger was begun."""
    return priced(services.ledger.sums(), services.prices)


def cost_by_job(services: Services, batch_id: str) -> Mapping[str, Costs]:
    """Return what each job of a batch has cost, by job id."""
    jobs = services.ledger.by_job(batch_id)
    return {job_id: priced(amounts, services.prices) for job_id, amounts in sorted(jobs.items())}


def cost_by_month(services: Services) -> Mapping[str, Costs]:
    """Return what each month has cost, the latest one first."""
    months = services.ledger.by_month()
    return {month: priced(months[month], services.prices) for month in sorted(months, reverse=True)}


def cost_by_batch(services: DashboardServices, limit: int = 50) -> Mapping[str, Costs]:
    """Return what each of the newest batches has cost; of erased ones nothing tells."""
    page = services.batches.batches(None, "", limit)
    names = [batch.batch_id for batch in page.batches]
    sums = services.ledger.by_batch(names)
    return {name: priced(sums[name], services.prices) for name in names if name in sums}


def by_step(costs: Costs, prices: PriceList) -> Mapping[str, Costs]:
    """Return costs by step."""
    return _split(costs, prices, lambda item: item.step)


def by_service(costs: Costs, prices: PriceList) -> Mapping[str, Costs]:
    """Return costs by service and operation, without the steps' own figures."""
    parts = _split(costs, prices, lambda item: f"{item.service} {item.operation}")
    return {name: part for name, part in parts.items() if set(part.calls) != {STEP}}


def _split(
    costs: Costs, prices: PriceList, named: Callable[[LedgerItem], str]
) -> Mapping[str, Costs]:
    parts: dict[str, dict[LedgerItem, Amount]] = defaultdict(dict)
    for line in costs.lines:
        parts[named(line.item)][line.item] = line.amount
    return {
        name: priced(parts[name], prices, unmeasured=costs.unmeasured) for name in sorted(parts)
    }
