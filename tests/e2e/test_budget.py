"""A budget of half a batch, on the whole app and Azure engines: it stops there, and goes on."""

import time
from pathlib import Path

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.host import Emulator
from imaginem.pipeline.budgets import LOOK_SECONDS
from imaginem.pipeline.buffered_ledger import WRITE_WITHIN
from imaginem.usecases.batches import batch_overview
from imaginem.usecases.budgets import budget_of, set_budget
from tests.ai_emulator import ColorEngines, portrait
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import Installation
from tests.waiting import until

PHOTOS = 60
STEPS = ("generalclassification", "pipelineoutput")
A_PHOTO = 7.0  # seven features of an analysis, each billed as a call of a dollar
WORKERS, THREADS, RATE = 2, 2, 10


def test_a_budget_of_half_a_batch_stops_it_there_and_nothing_is_lost(
    own_azurite: Emulator, tmp_path: Path, batch: str
) -> None:
    engines = ColorEngines()
    with AiEmulatorServer(AiEmulator(engines)) as server:
        running = Installation(
            ROOT,
            tmp_path / "home",
            own_azurite.connection_string,
            workers=WORKERS,
            environment={
                **azure_settings(server.address),
                "VISION_PRICE": "1000",
                "VISION_CALLS_PER_SECOND": str(RATE),
            },
        )
        running.start()
        try:
            set_budget(running.runtime, batch, PHOTOS / 2 * A_PHOTO)
            url = running.upload(portrait("ann"))
            for number in range(PHOTOS):
                running.job(url, STEPS, batch=batch, job=f"{number:02}")
            until(
                lambda: running.runtime.pauses.pause_of(batch) is not None,
                told=lambda: running.log_text[-3000:],
            )
            time.sleep(WRITE_WITHIN + 1)  # the ledger knows all by then
            stopped_at = len(engines.looked_at)
            budget = budget_of(running.runtime, batch)
            assert budget is not None
            print(f"stopped at {stopped_at} of {PHOTOS} photos, ${budget.spent:.2f}")
            assert budget.spent >= budget.usd
            between_looks, under_way = RATE * LOOK_SECONDS, WORKERS * THREADS
            assert PHOTOS / 2 <= stopped_at <= PHOTOS / 2 + between_looks + under_way

            assert set_budget(running.runtime, batch, 10 * PHOTOS * A_PHOTO)
            running.wait(batch, [f"{number:02}" for number in range(PHOTOS)], seconds=120)
            states = batch_overview(running.runtime, batch).jobs.values()
            assert (set(states), len(states)) == ({"succeeded"}, PHOTOS)
            assert len(engines.looked_at) == PHOTOS
        finally:
            running.stop()
