"""What a batch is expected to take, by what this installation has measured, or by the model."""

from collections import Counter
from datetime import UTC, datetime

import pytest

import steps  # noqa: F401 - registers them
from imaginem import JobContext, StepOutput, step
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.errors import InvalidMessage
from imaginem.memory.database import MemoryDatabase
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.ports import (
    Amount,
    BatchInfo,
    CoreSettings,
    Fusion,
    LedgerEntry,
    LedgerItem,
    Price,
    PriceList,
)
from imaginem.testing import MemoryServices
from imaginem.usecases.cost_words import forecast_words, sums_of
from imaginem.usecases.costs import by_service
from imaginem.usecases.forecast import ENOUGH, Forecast, forecast

AZURE = "vision=azure ocr=azure faces=azure prints=azure"
FUSED, UNFUSED = f"{AZURE} fused", f"{AZURE} unfused"
PRICES = PriceList([Price("vision", "*", "billed", 1, 1.0), Price("face", "*", "billed", 1, 1.0)])


def services_of(setup: str = FUSED, **more: object) -> MemoryServices:
    fusion = Fusion(every=not setup.endswith("unfused"))
    core = CoreSettings(default_pipeline=DEFAULT_PIPELINE, fusion=fusion)
    return MemoryServices(setup=setup, prices=PRICES, core_settings=core, **more)  # type: ignore[arg-type]


def items(amounts: object) -> dict[str, int]:
    return {
        f"{line.item.service} {line.item.operation}": line.amount.calls
        for line in amounts  # type: ignore[attr-defined]
    }


def test_without_measurements_the_calls_are_those_of_the_documentation() -> None:
    found = forecast(services_of(), default_registry, 1000, faces=1)
    assert (
        found.expected.calls["vision"] - items(found.expected.lines)["vision read result"] == 2000
    )
    assert found.expected.calls["face"] == 3000
    assert found.expected.usd == 7000 + 1000 + 3000
    assert found.expected.executions == 1000
    assert found.measured == []
    assert list(found.assumed) == list(DEFAULT_PIPELINE)


def test_unfused_each_step_is_an_execution_and_a_message() -> None:
    found = forecast(services_of(UNFUSED), default_registry, 100)
    assert found.expected.executions == 700
    queued = [line for line in found.expected.lines if line.item.operation == "queue write"]
    assert sum(line.amount.calls for line in queued) == 700  # one is the sending


def test_the_fewer_faces_the_fewer_calls() -> None:
    found = forecast(services_of(), default_registry, 1000)
    assert (found.faces.fewest, found.faces.expected, found.faces.most) == (0, 1, 3)
    assert not found.faces.known
    assert [costs.calls["face"] for costs in (found.least, found.expected, found.most)] == [
        1000,
        3000,
        7000,
    ]


def measured(photos: int, setup: str = FUSED) -> LedgerEntry:
    """Return what so many photos took that were analysed twice each, and had half a face."""

    def item(step: str, service: str, operation: str) -> LedgerItem:
        return LedgerItem(step, service, operation)

    return LedgerEntry(
        "b",
        "",
        {
            item("generalclassification", "vision", "analyze"): Amount(2 * photos, 7 * photos),
            item("generalclassification", "step", "end"): Amount(photos),
            item("faceprint", "face", "add face"): Amount(photos // 2, photos // 2),
            item("faceprint", "step", "end"): Amount(photos),
            item("facematch", "face", "find similar in list"): Amount(photos, photos),
            item("facematch", "step", "end"): Amount(photos),
        },
        setup=setup,
    )


def test_what_was_measured_here_counts_instead_of_the_model() -> None:
    services = services_of()
    services.ledger.add([measured(100)])
    found = forecast(services, default_registry, 1000, faces=1)
    calls = items(found.expected.lines)
    assert calls["vision analyze"] == 2000
    assert calls["face add face"] == 1000  # twice as many faces as were measured
    assert calls["face find similar in list"] == 2000
    assert found.measured == ["generalclassification", "faceprint", "facematch"]


@pytest.mark.parametrize("entry", [measured(ENOUGH - 1), measured(100, UNFUSED)])
def test_too_few_photos_or_another_setup_tell_nothing(entry: LedgerEntry) -> None:
    services = services_of()
    services.ledger.add([entry])
    assert forecast(services, default_registry, 10).measured == []


def test_the_range_of_faces_is_that_of_earlier_batches() -> None:
    database = MemoryDatabase()
    services = services_of(database=database)

    class Batches:
        def batches(self, groups: object, cursor: str = "", limit: int = 50) -> object:
            since = datetime.now(UTC)
            counted = [(100, 20), (100, 180), (ENOUGH - 1, 500)]
            infos = [
                BatchInfo(f"b{n}", "", since, done=done, faces=faces)
                for n, (done, faces) in enumerate(counted)
            ]
            return type("Page", (), {"batches": infos})

    services.batches = Batches()  # type: ignore[assignment]
    faces = forecast(services, default_registry, 10).faces
    assert (faces.fewest, faces.expected, faces.most, faces.known) == (0.2, 1.0, 1.8, True)


def test_a_step_of_ones_own_is_said_to_have_no_figures() -> None:
    found = forecast(services_of(), own_steps(), 10, ["ocr", "plain", "pipelineoutput"])
    assert found.unknown_steps == ["plain"]
    assert found.expected.executions == 10


def own_steps() -> Registry:
    """Return steps of one's own: one as usual, one that stands alone, one over nine photos."""
    registry = Registry()

    @step(registry=registry)
    def plain(job: JobContext) -> StepOutput:
        return StepOutput()

    @step(registry=registry, alone=True)
    def lonely(job: JobContext) -> StepOutput:
        return StepOutput()

    @step(registry=registry, group=9, within="30s")
    def sheet(jobs: list[JobContext]) -> list[StepOutput]:
        return [StepOutput() for _ in jobs]

    for name in ("ocr", "pipelineoutput"):
        registry.add(default_registry.get(name))
    return registry


def storage(found: Forecast) -> Counter[str]:
    counted = Counter[str]()
    for line in found.expected.lines:
        if line.item.service == "storage":
            counted[line.item.operation] += line.amount.calls
    return counted


def test_steps_that_stand_alone_or_gather_photos_have_deliveries_of_their_own() -> None:
    found = forecast(services_of(), own_steps(), 20, ["plain", "lonely", "sheet", "pipelineoutput"])
    # A photo joins its sheet in one delivery; the message that held it there is another one.
    assert found.expected.executions == 20 * (1 + 1 + 2 + 1)
    assert storage(found)["queue host"] == 2 * found.expected.executions
    # Sent, then to each of the next three; and one holds the photo while it waits.
    assert storage(found)["queue write"] == 20 * (1 + 3 + 1)


def test_a_step_over_several_photos_is_billed_for_the_sheets_that_it_gets() -> None:
    few, many = (forecast(services_of(), own_steps(), n, ["sheet"]) for n in (1, 9))
    writes = [storage(found)["table write"] for found in (few, many)]
    assert writes == [4 + 2, 9 * 4 + 2]


def test_steps_that_were_measured_in_another_place_have_the_deliveries_of_this_one() -> None:
    services = services_of()
    began = {
        LedgerItem("plain", "functions", "execution"): Amount(100, 100, 100),
        LedgerItem("plain", "storage", "queue host"): Amount(200),
    }
    seen = {"plain": began, "pipelineoutput": {}, "sheet": {}}
    for name, items in seen.items():
        amounts = {LedgerItem(name, "step", "end"): Amount(100), **items}
        services.ledger.add([LedgerEntry("b", "", amounts, setup=FUSED)])

    def executions(*pipeline: str) -> int:
        return forecast(services, own_steps(), 100, pipeline).expected.executions

    assert executions("plain", "pipelineoutput") == 100
    assert executions("ocr", "plain", "pipelineoutput") == 100
    assert executions("lonely", "pipelineoutput") == 200
    assert forecast(services, own_steps(), 10, ["sheet"]).measured == []  # it was no group step


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidMessage, match="photos: "):
        forecast(services_of(), default_registry, -1)
    with pytest.raises(InvalidMessage, match="faces: "):
        forecast(services_of(), default_registry, 1, faces=float("nan"))


LAPTOP = frozenset({"functions", "storage"})


def test_a_language_model_is_called_and_its_tokens_are_not_known_before() -> None:
    setup = "vision=openai ocr=openai faces=local prints=local fused"

    def told(*prices: Price, free: frozenset[str] = LAPTOP) -> Forecast:
        services = MemoryServices(setup=setup, prices=PriceList(prices, free_here=free))
        return forecast(services, default_registry, 10, DEFAULT_PIPELINE)

    found = told()
    assert found.expected.calls["openai"] == 20
    assert found.expected.unknown == ["openai photo", "openai text"]
    assert found.unknown_steps == []
    found = told(Price("openai", "*", "tokens_in", 1, 1.0))
    assert (found.expected.usd, found.least.usd, found.most.usd) == (None, None, None)
    words = forecast_words(found)
    assert words.startswith("What 10 photos cost is not known yet, since nobody knows how many")
    assert "20 calls to AI services" in words
    assert "$" not in words
    assert sums_of(found.expected)["usd"] is None
    lines = by_service(found.expected, PriceList(free_here=LAPTOP))
    assert {name: part.usd for name, part in lines.items() if part.usd != 0} == {
        "openai photo": None,
        "openai text": None,
    }

    free = told(free=LAPTOP | {"openai"})  # a model on this machine
    assert free.expected.usd == 0


def test_a_price_that_is_not_known_is_no_zero_either() -> None:
    services = MemoryServices(setup=AZURE, prices=PriceList(free_here=LAPTOP))
    words = forecast_words(forecast(services, default_registry, 10, ["ocr"]))
    assert words.startswith("10 photos are expected to cost what has no known price: 20 calls")


def test_steps_without_figures_are_named_even_where_nothing_is_paid() -> None:
    services = MemoryServices(prices=PriceList(free_here=LAPTOP))
    words = forecast_words(forecast(services, default_registry, 10, ["ask", "pipelineoutput"]))
    assert words.startswith("10 photos cost nothing")
    assert "No figures of ask: only executions and storage operations are in it." in words


def test_one_photo_is_told_as_one() -> None:
    def words(prices: PriceList, names: list[str]) -> str:
        services = MemoryServices(setup=AZURE, prices=prices)
        return forecast_words(forecast(services, default_registry, 1, names))

    priced = PriceList([Price("vision", "*", "billed", 1, 0.5)], free_here=LAPTOP)
    assert words(priced, ["ocr"]).startswith("1 photo is expected to cost")
    assert words(PriceList(free_here=LAPTOP), ["pipelineoutput"]).startswith(
        "1 photo costs nothing"
    )
