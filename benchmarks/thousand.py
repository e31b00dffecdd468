"""What 1,000 photos cost, by the ledger, sent once or again, and how near a forecast comes to it.

Azure engines, against the emulator of the AI services, whose answers come sooner than Azure's.
Prices are those of the list that comes along, as on Azure.
"""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace

from PIL import Image

import steps  # noqa: F401 - registers them
from benchmarks.cost import _SamePerson
from benchmarks.installation import running
from benchmarks.operations import ORIGINAL
from benchmarks.options import read_options
from benchmarks.result import Result
from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, Rectangle
from imaginem.pipeline.buffered_ledger import WRITE_WITHIN
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext
from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, Amount, LedgerItem
from imaginem.runtime import Runtime
from imaginem.testing import FakeFaces, FakeOcr, FakeVision
from imaginem.usecases.costs import Costs, cost_of, priced
from imaginem.usecases.forecast import Forecast, forecast
from imaginem.usecases.submit import submit_photo

_FACES = ((1, 0, 2), (2, 1, 0, 1))
"""Faces of the photos of the first batch and of the second, in turn; one on average."""
_WIDTH = 480
_WHITE, _SMALLEST = 200, 30
_WITHIN = 0.10
_SECONDS = 600.0


class _WhiteSquares(FakeFaces):
    """Takes white squares for faces, wherever they are: in photos, parts of them, and grids."""

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return the squares."""
        import cv2
        import numpy as np

        white = (np.asarray(photo.pil).min(axis=2) > _WHITE).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(white)
        return [
            Face(
                face_rectangle=Rectangle(left=left, top=top, width=width, height=height),
                detection_confidence=1.0,
            )
            for left, top, width, height, _ in stats[1:].tolist()
            if min(width, height) >= _SMALLEST
        ]


def _photo(number: int, faces: int) -> bytes:
    """Return a photo with so many white squares."""
    picture = Image.new("RGB", (_WIDTH, 400), (number % 200, number // 200 % 200, 90))
    for place in range(faces):
        picture.paste("white", (40 + 200 * place, 120, 200 + 200 * place, 280))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Measured:
    """What a batch was expected to take, and what it took."""

    photos: int
    expected: Forecast
    took: Costs


def measure(fusion: str, photos: int, grid: str = "off") -> Measured:
    """Run two batches of so many photos each; the second one is forecast from the first."""
    with _app({"PIPELINE_FUSION": fusion, "FACE_GRID": grid, "FACE_GRID_SECONDS": "10"}) as runtime:
        _run_batch(runtime, "first", _FACES[0], photos)
        expected = forecast(runtime, default_registry, photos)
        _run_batch(runtime, "second", _FACES[1], photos)
        return Measured(photos, expected, cost_of(runtime, "second"))


def measure_reuse(photos: int) -> Costs:
    """Run the same photos in two batches, fused; return what the second one took."""
    with _app({"PIPELINE_FUSION": "auto", "REUSE_OUTPUTS": "on"}) as runtime:
        _run_batch(runtime, "first", _FACES[1], photos)
        _run_batch(runtime, "again", _FACES[1], photos)
        return cost_of(runtime, "again")


@contextmanager
def _app(settings: dict[str, str]) -> Iterator[Runtime]:
    """Run the app with Azure engines, on an emulator of the AI services of its own."""
    engines = SimpleNamespace(
        vision=FakeVision(), ocr=FakeOcr(), faces=_WhiteSquares(), embedder=_SamePerson()
    )
    ai = AiEmulator(engines)
    with AiEmulatorServer(ai) as server:
        settings = {**settings, "DROPPED_PHOTOS": "off"}
        for account in ("VISION", "FACE"):
            settings |= {
                f"{account}_ENGINE": "azure",
                f"{account}_ENDPOINT": server.address,
                f"{account}_API_KEY": ai.key,
            }
        with running(settings, in_memory=True) as (_, runtime):
            runtime.prices = replace(runtime.prices, free_here=frozenset())
            yield runtime


def _run_batch(runtime: Runtime, batch: str, faces: Sequence[int], photos: int) -> None:
    for number in range(photos):
        photo = _photo(number, faces[number % len(faces)])
        pipeline = runtime.settings.pipeline
        submit_photo(runtime, (batch, str(number)), f"{number}.png", photo, pipeline)
    deadline = time.monotonic() + _SECONDS
    while len(list(runtime.results.finished(batch))) < photos:
        if time.monotonic() > deadline:
            raise RuntimeError(f"batch {batch} has not ended within {_SECONDS:.0f} s")
        time.sleep(0.5)
    time.sleep(WRITE_WITHIN + 2)  # until what the workers counted is in the ledger


def original(took: Costs, runtime_prices: object, photos: int) -> Costs:
    """Return what the original's protocol takes: the same calls to AI, its own operations."""
    amounts = {
        line.item: line.amount
        for line in took.lines
        if line.item.service not in (STORAGE, FUNCTIONS, STEP)
    }
    amounts[LedgerItem("all", STORAGE, "operations")] = Amount(sum(ORIGINAL.values()) * photos)
    executions = 7 * photos
    amounts[LedgerItem("all", FUNCTIONS, "execution")] = Amount(executions, executions, executions)
    return priced(amounts, runtime_prices)  # type: ignore[arg-type]


def run() -> list[Result]:
    """Return the cost of 1,000 photos in each way, and how far the forecasts were off."""
    from imaginem.config.prices import price_list
    from imaginem.config.settings import read_settings

    photos = max(read_options().photos, 60)
    prices = replace(price_list(read_settings({})), free_here=frozenset())
    fused, unfused = measure("auto", photos), measure("off", photos)
    gridded = measure("auto", photos, "3x3")
    ways = {
        "the original's protocol, the same AI calls": original(unfused.took, prices, photos),
        "unfused": unfused.took,
        "fused": fused.took,
        "fused, FACE_GRID=3x3": gridded.took,
        "fused, the same photos again, REUSE_OUTPUTS=on": measure_reuse(photos),
    }
    results = [_cost(name, costs, photos) for name, costs in ways.items()]
    compared = {"fused": fused, "unfused": unfused, "grid": gridded}
    return [*results, *(row for name, one in compared.items() for row in _compared(name, one))]


def _cost(name: str, costs: Costs, photos: int) -> Result:
    whole, usd = 1000 / photos, costs.usd or 0.0
    shown = (
        f"{usd * whole:.2f} USD: {costs.ai_calls * whole:,.0f} AI calls, "
        f"{costs.storage * whole:,.0f} storage operations, {costs.executions * whole:,.0f} "
        "executions"
    )
    return Result(f"cost of 1,000 photos: {name}", usd * whole, shown)


def _compared(name: str, measured: Measured) -> list[Result]:
    expected, took = measured.expected.expected, measured.took
    pairs = {
        "AI calls": (expected.ai_calls, took.ai_calls),
        "storage operations": (expected.storage, took.storage),
        "executions": (expected.executions, took.executions),
        "seconds of steps": (expected.seconds, took.seconds),
        "USD": (expected.usd or 0.0, took.usd or 0.0),
    }
    results = []
    for what, (said, was) in pairs.items():
        off = said / was - 1
        kept = None if what.startswith("seconds") else abs(off) <= _WITHIN
        results.append(
            Result(
                f"forecast of {measured.photos} photos, {name}: {what}",
                off,
                f"{said:,.2f}, then {was:,.2f} ({off:+.1%})",
                "-" if kept is None else "within 10 %",
                kept,
            )
        )
    return results
