"""What services cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, Amount, LedgerItem

ANY = "*"
Measure = Literal["calls", "billed", "seconds", "tokens_in", "tokens_out"]


@dataclass(frozen=True)
class Price:
    """The price of something.

    Attributes:
        service: whose.
        operation: of the service; `ANY` for all that have no price of their own.
        of: which number of an `Amount` it is for.
        per: for how many of it.
        usd: the price, in US dollars.
    """

    service: str
    operation: str
    of: Measure
    per: float
    usd: float


@dataclass(frozen=True)
class PriceList:
    """Prices, and where they are from.

    Attributes:
        prices: of all that has one; of two for the same, the later one counts.
        source: says whose prices they are, in words.
        checked: when somebody looked at them last, as `2026-11-27`.
        free_here: services that cost nothing where this app runs.
    """

    prices: Sequence[Price] = ()
    source: str = ""
    checked: str = ""
    free_here: frozenset[str] = frozenset()

    def cost(self, item: LedgerItem, amount: Amount) -> float | None:
        """Return US dollars; None if the price is not known."""
        if item.service == STEP or item.service in self.free_here:
            return 0.0
        own = [price for price in self.prices if price.service == item.service]
        named = [price for price in own if price.operation == item.operation]
        by_measure = {
            price.of: price for price in named or own if price.operation in (item.operation, ANY)
        }
        if not by_measure:
            is_used = amount.billed or amount.tokens_in or amount.tokens_out
            return None if is_used or item.service in (STORAGE, FUNCTIONS) else 0.0
        return sum(
            float(getattr(amount, measure)) * price.usd / price.per
            for measure, price in by_measure.items()
        )
