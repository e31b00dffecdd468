"""How costs and forecasts are said to people."""

from collections.abc import Sequence
from typing import Any

from imaginem.ports import PriceList
from imaginem.usecases.costs import Costs
from imaginem.usecases.forecast import ENOUGH, Forecast

_WHERE = {"storage": "storage", "functions": "the function app", "openai": "the language model"}
_CENT = 0.01


NOT_KNOWN = "not known yet"
"""What is said in place of a sum that nobody can tell."""


def usd(amount: float | None) -> str:
    """Return US dollars: whole cents, or more places for less than one; None is not known yet."""
    if amount is None:
        return NOT_KNOWN
    if 0 < amount < _CENT:
        return f"${amount:.4f}"
    return f"${amount:,.2f}"


def unknown_note(unknown: Sequence[str]) -> str:
    """Return what is said of services without a price."""
    return (
        f"No price is known for {', '.join(unknown)}, so it is in no sum. Say it in a file "
        "that PRICES names."
    )


def rounded(amount: float | None) -> float | None:
    """Return US dollars as JSON has them; null where they are not known yet."""
    return None if amount is None else round(amount, 6)


def sums_of(costs: Costs) -> dict[str, Any]:
    """Return costs as the API and `--json` say them, without the lines that they are made of."""
    return {
        "usd": rounded(costs.usd),
        "unknown": list(costs.unknown),
        "calls": costs.ai_calls,
        "storage_operations": costs.storage,
        "executions": costs.executions,
        "seconds": round(costs.seconds, 3),
        "tokens_in": costs.tokens_in,
        "tokens_out": costs.tokens_out,
    }


def notes_of(costs: Costs, prices: PriceList) -> list[str]:
    """Return what is to be said under costs."""
    unknown = [unknown_note(costs.unknown)] if costs.unknown else []
    return [*unknown, *filter(None, [price_note(prices)])]


def forecast_words(found: Forecast) -> str:
    """Return a forecast as a sentence or two."""
    unknown = ", ".join(found.unknown_steps)
    no_figures = (
        f" No figures of {unknown}: only executions and storage operations are in it."
        if unknown
        else ""
    )
    calls = f"{found.expected.ai_calls:,} calls to AI services"
    photos, are, cost = f"{found.photos:,} photos", "are", "cost"
    if found.photos == 1:
        photos, are, cost = "1 photo", "is", "costs"
    if not (found.most.usd != 0 or found.expected.unknown or found.expected.ai_calls):
        words = f"{photos} {cost} nothing: no service that is paid for is called."
        return words + no_figures
    if found.expected.usd is None:
        words = (
            f"What {photos} {cost} is {NOT_KNOWN}, since nobody knows how many tokens a "
            f"photo takes before {ENOUGH} of them were processed here: {calls}."
        )
    else:
        words = f"{photos} {are} expected to cost {_sum(found)}: {calls}."
    if found.assumed:
        words += f" Not measured here yet, so assumed: {', '.join(found.assumed)}."
    return words + no_figures


def _sum(found: Forecast) -> str:
    unsure = "what has no known price" if found.expected.unknown else ""
    if unsure and not found.most.usd:
        return unsure
    words = " and ".join(filter(None, [usd(found.expected.usd), unsure]))
    if found.least.usd != found.most.usd:
        words += f", from {usd(found.least.usd)} to {usd(found.most.usd)}, by how many faces show"
    return words


def price_note(prices: PriceList) -> str:
    """Return where the prices are from, and what costs nothing here; empty without a list."""
    notes = []
    if prices.source:
        notes.append(f"Prices: {prices.source} (checked {prices.checked}).")
    free = [_WHERE.get(service, service) for service in sorted(prices.free_here)]
    if free:
        listed = " and ".join(filter(None, [", ".join(free[:-1]), free[-1]]))
        notes.append(f"On this machine {listed} cost{'s' * (len(free) == 1)} nothing.")
    return " ".join(notes)
