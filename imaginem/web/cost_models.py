"""Models of the API's answers on costs, which the pages show too."""

from collections.abc import Mapping

from pydantic import Field

from imaginem.ports import PriceList
from imaginem.usecases import forecast as forecasts
from imaginem.usecases.cost_words import forecast_words, notes_of, sums_of
from imaginem.usecases.costs import Costs as Taken
from imaginem.usecases.costs import by_service, by_step
from imaginem.web.models import Answer


class CostSums(Answer):
    """What was used, and what it costs in US dollars.

    `usd` leaves out what `unknown` names, which has no known price; in a forecast it is null where
    nobody knows yet how many tokens a language model takes. `calls` are those to AI
    services, `seconds` those for which steps ran.
    """

    usd: float | None = Field(examples=[1.25])
    unknown: list[str] = Field(default_factory=list)
    calls: int
    storage_operations: int
    executions: int
    seconds: float
    tokens_in: int = 0
    tokens_out: int = 0


class Costs(CostSums):
    """Sums, and the same by step, by service and operation; `notes` say whose prices they are."""

    by_step: dict[str, CostSums]
    by_service: dict[str, CostSums]
    notes: list[str]


class AllCosts(Costs):
    """What everything has cost since the ledger was begun; by month, too."""

    by_month: dict[str, CostSums]


class FacesAssumed(Answer):
    """Faces of a photo, on average; `known` is false where they are only assumed."""

    expected: float
    fewest: float
    most: float
    known: bool


class Forecast(Answer):
    """What photos would take: with as many faces as expected, with the fewest, with the most.

    `measured` are the steps whose figures are this installation's own, `assumed` those of which
    they are not, `unknown_steps` those without figures. `words` says it in a sentence.
    """

    photos: int
    pipeline: list[str]
    faces: FacesAssumed
    expected: CostSums
    least: CostSums
    most: CostSums
    by_service: dict[str, CostSums]
    measured: list[str]
    assumed: list[str]
    unknown_steps: list[str]
    words: str
    notes: list[str]


def present_sums(costs: Taken) -> CostSums:
    """Return sums."""
    return CostSums(**sums_of(costs))


def present_costs(costs: Taken, prices: PriceList) -> Costs:
    """Return what was used, and its parts."""
    return Costs(
        **sums_of(costs),
        by_step=_parts(by_step(costs, prices)),
        by_service=_parts(by_service(costs, prices)),
        notes=notes_of(costs, prices),
    )


def present_all(costs: Taken, months: Mapping[str, Taken], prices: PriceList) -> AllCosts:
    """Return what everything has cost."""
    whole = present_costs(costs, prices)
    return AllCosts(**dict(whole), by_month=_parts(months))


def present_forecast(found: forecasts.Forecast, prices: PriceList) -> Forecast:
    """Return a forecast."""
    return Forecast(
        photos=found.photos,
        pipeline=list(found.pipeline),
        faces=FacesAssumed.model_validate(found.faces),
        expected=present_sums(found.expected),
        least=present_sums(found.least),
        most=present_sums(found.most),
        by_service=_parts(by_service(found.expected, prices)),
        measured=list(found.measured),
        assumed=list(found.assumed),
        unknown_steps=list(found.unknown_steps),
        words=forecast_words(found),
        notes=notes_of(found.expected, prices),
    )


def _parts(parts: Mapping[str, Taken]) -> dict[str, CostSums]:
    return {name: present_sums(costs) for name, costs in parts.items()}
