"""`imaginem costs` and `forecast`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from imaginem.cli.intake import whole_pipeline
from imaginem.cli.shared import (
    App,
    Json,
    exit_on_error,
    fail,
    load_registry,
    make_runtime,
    out,
    print_json,
)
from imaginem.cli.sources import FoundSources, find_sources
from imaginem.pipeline.steps import Registry
from imaginem.ports import PriceList
from imaginem.runtime import Runtime
from imaginem.usecases.cost_words import forecast_words, notes_of, rounded, sums_of, usd
from imaginem.usecases.costs import (
    Costs,
    by_service,
    by_step,
    cost_by_batch,
    cost_by_job,
    cost_by_month,
    cost_of,
    cost_of_all,
)
from imaginem.usecases.forecast import Forecast, forecast


class By(StrEnum):
    """How costs are split."""

    STEP = "step"
    SERVICE = "service"
    JOB = "job"
    BATCH = "batch"
    MONTH = "month"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("costs")(costs)
    app.command("forecast")(forecast_of)


def costs(
    batch: Annotated[str, typer.Option("--batch", help="Of this batch; else of all.")] = "",
    by: Annotated[By, typer.Option("--by", help="What each line is of.")] = By.SERVICE,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Tell which calls, storage operations and seconds were used, and what they cost."""
    if by is By.JOB and not batch:
        raise typer.BadParameter("--by job needs --batch")
    if by in (By.BATCH, By.MONTH) and batch:
        raise typer.BadParameter(f"--by {by} is of all batches: leave --batch out")
    with exit_on_error():
        runtime = make_runtime(app)
        whole = cost_of(runtime, batch) if batch else cost_of_all(runtime)
        if batch and not whole.lines:
            fail(f"the ledger has nothing of batch {batch}")
        lines = _split(runtime, whole, by, batch)
        if as_json:
            print_json(
                {
                    **_as_json(whole),
                    "by": by.value,
                    "lines": {name: _as_json(one) for name, one in lines.items()},
                    "prices": _prices_as_json(runtime.prices),
                }
            )
            return
        out.print(_table(by, lines, whole))
        _tell_notes(runtime.prices, whole)


def _split(runtime: Runtime, whole: Costs, by: By, batch: str) -> Mapping[str, Costs]:
    if by is By.STEP:
        return by_step(whole, runtime.prices)
    if by is By.JOB:
        return cost_by_job(runtime, batch)
    if by is By.BATCH:
        return cost_by_batch(runtime)
    if by is By.MONTH:
        return cost_by_month(runtime)
    return by_service(whole, runtime.prices)


def forecast_of(
    photos: Annotated[
        list[str] | None, typer.Argument(help="Photos as for `submit`; nothing is sent.")
    ] = None,
    number: Annotated[int, typer.Option("--photos", min=0, help="Their number instead.")] = 0,
    faces: Annotated[
        float | None, typer.Option("--faces", min=0, help="Faces of a photo, on average.")
    ] = None,
    pipeline: Annotated[
        str, typer.Option("--pipeline", help="Steps, with commas; the default pipeline if empty.")
    ] = "",
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Tell what photos would take and cost, before they are sent."""
    if bool(photos) == bool(number):
        raise typer.BadParameter("give photos, or their number with --photos")
    with exit_on_error():
        found = find_sources(photos) if photos else None
        if found:
            found.tell()
        runtime, registry = make_runtime(app), load_registry(app)
        wanted = [name for part in pipeline.split(",") if (name := part.strip())]
        names = whole_pipeline(wanted, registry) if wanted else ()
        tell_forecast(runtime, registry, found or number, names, faces=faces, as_json=as_json)


def tell_forecast(
    runtime: Runtime,
    registry: Registry,
    photos: FoundSources | int,
    pipeline: Sequence[str],
    *,
    faces: float | None = None,
    as_json: bool = False,
) -> None:
    """Print what these photos, or so many, would take and cost."""
    count = photos if isinstance(photos, int) else len(photos.photos)
    found = forecast(runtime, registry, count, pipeline, faces=faces)
    if as_json:
        not_sent = {} if isinstance(photos, int) else photos.as_json()
        print_json({**_forecast_as_json(found, runtime.prices), **not_sent})
    else:
        _show_forecast(found, runtime.prices)


def _show_forecast(found: Forecast, prices: PriceList) -> None:
    costs = by_service(found.expected, prices)
    out.print(_table(By.SERVICE, costs, found.expected))
    _say(forecast_words(found))
    faces = found.faces
    source = "as in earlier batches or as said" if faces.known else "assumed: say --faces"
    if faces.fewest == faces.most:
        _say(f"faces of a photo: {faces.expected:.2g}")
    else:
        _say(
            f"faces of a photo: {faces.expected:.2g}, from {faces.fewest:.2g} to {faces.most:.2g} "
            f"({source})"
        )
    if found.measured:
        _say(f"measured here: {', '.join(found.measured)}")
    _tell_notes(prices, found.expected)


def _tell_notes(prices: PriceList, whole: Costs) -> None:
    for note in notes_of(whole, prices):
        _say(note)


def _say(line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(by: By, lines: Mapping[str, Costs], whole: Costs) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column(by.value, overflow="fold")
    for name in ("AI calls", "storage", "runs", "seconds", "tokens", "USD"):
        table.add_column(name, justify="right")
    for name, costs in [*lines.items(), ("together", whole)]:
        table.add_row(name or "-", *_cells(costs))
    return table


def _cells(costs: Costs) -> list[str]:
    price = usd(costs.usd).removeprefix("$")
    if costs.unknown and costs.usd is not None:
        price = f"{price} + ?" if costs.usd else "?"
    return [
        f"{costs.ai_calls:,}",
        f"{costs.storage:,}",
        f"{costs.executions:,}",
        f"{costs.seconds:,.0f}",
        f"{costs.tokens:,}" if costs.tokens else "",
        price,
    ]


def _as_json(costs: Costs) -> dict[str, Any]:
    return {
        **sums_of(costs),
        "items": [
            {
                "step": line.item.step,
                "service": line.item.service,
                "operation": line.item.operation,
                "calls": line.amount.calls,
                "billed": line.amount.billed,
                "seconds": round(line.amount.seconds, 3),
                "tokens_in": line.amount.tokens_in,
                "tokens_out": line.amount.tokens_out,
                "usd": rounded(line.usd),
            }
            for line in costs.lines
        ],
    }


def _prices_as_json(prices: PriceList) -> dict[str, Any]:
    return {
        "source": prices.source,
        "checked": prices.checked,
        "currency": "USD",
        "free_here": sorted(prices.free_here),
    }


def _forecast_as_json(found: Forecast, prices: PriceList) -> dict[str, Any]:
    return {
        "photos": found.photos,
        "pipeline": list(found.pipeline),
        "faces": {
            "expected": found.faces.expected,
            "fewest": found.faces.fewest,
            "most": found.faces.most,
            "known": found.faces.known,
        },
        "usd": {
            "expected": rounded(found.expected.usd),
            "least": rounded(found.least.usd),
            "most": rounded(found.most.usd),
        },
        "measured": list(found.measured),
        "assumed": list(found.assumed),
        "unknown_steps": list(found.unknown_steps),
        "expected": _as_json(found.expected),
        "prices": _prices_as_json(prices),
    }
