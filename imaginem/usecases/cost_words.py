"""How costs and forecasts are said to people."""

from collections.abc import Sequence
from typing import Any

from imaginem.ports import PriceList
from imaginem.usecases.costs import Costs
from imaginem.usecases.forecast import Forecast

_WHERE = {"storage": "storage", "functions": "the function app", "openai": "the language model"}
_CENT = 0.01


def usd(amount: float) -> str:
    """Return US dollars: whole cents, or more places for less than one."""
    if 0 < amount < _CENT:
        return f"${amount:.4f}"
    return f"${amount:,.2f}"


def unknown_note(unknown: Sequence[str]) -> str:
    """Return what is said of services without a price."""
    return (
        f"No price is known for {', '.join(unknown)}: that is not in the sum. Say it in a file "
        "that PRICES names."
    )


def sums_of(costs: Costs) -> dict[str, Any]:
    """Return costs as the API and `--json` say them, without the lines that they are made of."""
    return {
        "usd": round(costs.usd, 6),
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
    no_figures = f" No figures of {unknown}: only executions are in it." if unknown else ""
    if not (found.most.usd or found.expected.unknown or found.expected.ai_calls):
        words = f"{found.photos} photos cost nothing: no service that is paid for is called."
        return words + no_figures
    unsure = " and what has no known price" if found.expected.unknown else ""
    words = f"{found.photos} photos are expected to cost {usd(found.expected.usd)}{unsure}"
    if found.least.usd != found.most.usd:
        words += f", from {usd(found.least.usd)} to {usd(found.most.usd)}, by how many faces show"
    words += f": {found.expected.ai_calls:,} calls to AI services."
    if found.assumed:
        words += f" Not measured here yet, so assumed: {', '.join(found.assumed)}."
    if any(line.item.service == "openai" for line in found.expected.lines) and (
        not found.expected.tokens
    ):
        words += " How many tokens a photo takes is not known yet: they are not in the sum."
    return words + no_figures


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
