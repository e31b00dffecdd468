"""The simulator: what it plays holds, and what is broken on purpose is found."""

import os
import random
import subprocess
import sys

import pytest

from imaginem.usecases import submit
from tests.simulation.broken import (
    BROKEN,
    BROKEN_WHEN_FUSED,
    BROKEN_WHEN_GROUPED,
    NO_MARKS_IN_SQL,
    NO_TOMBSTONES,
    STALE_SEARCH,
    WITHOUT_WATCHDOG,
)
from tests.simulation.campaign import cores, play, play_all
from tests.simulation.crowd import LONGEST_WAIT, play_crowd
from tests.simulation.machine import Variant
from tests.simulation.plan import Event, Fault
from tests.simulation.services import BUDGET_USED_UP
from tests.simulation.world import AS_IT_IS, run

SEEDS = 1000
"""Even seeds play a delivery for each step, odd ones fused runs."""
WITHIN = 500
RARE = 120
"""Where what only few seeds show is looked for: none before shows it, and that takes time."""
ERASING = 150
GROUPED = 100


def test_every_invariant_holds_in_a_thousand_runs() -> None:
    campaign = play_all(0, SEEDS, cores(), lambda part: None)
    broken = {report.seed: report.broken for report in campaign.broken}
    assert not broken, f"see one with `make simulate SEED={min(broken)}`: {broken}"
    assert campaign.seeds == SEEDS
    known = sum(times for what, times in campaign.happened.items() if "known fault" in what)
    assert known <= SEEDS / 100, "known faults must not hide others"
    for fault in Fault:
        assert campaign.happened[fault] > SEEDS / 10, f"hardly ever came: {fault}"
    assert campaign.happened["poison entries replayed to success"] > SEEDS / 10
    assert campaign.happened["outcomes of several steps recorded together"] > SEEDS / 10
    assert campaign.happened["deliveries: paused"] > SEEDS / 10
    assert campaign.happened[BUDGET_USED_UP] > SEEDS / 20
    again = campaign.happened["executions of recorded steps"]
    assert again < 0.015 * campaign.happened["step executions"]


def test_every_invariant_holds_without_a_watchdog_that_mends() -> None:
    broken = {seed: run(seed, WITHOUT_WATCHDOG).broken for seed in range(WITHIN)}
    assert not {seed: why for seed, why in broken.items() if why}


def test_nothing_that_was_erased_comes_back() -> None:
    campaign = play(range(ERASING), erasing=True)
    broken = {report.seed: report.broken for report in campaign.broken}
    assert not broken, f"see one with `make simulate SEED={min(broken)} ERASING=1`: {broken}"
    assert campaign.happened["jobs erased"] > ERASING / 2
    assert campaign.happened["answers to searches that something had been erased before"] > ERASING
    for event in (Event.IMPORT_AGAIN, Event.IMPORT_ELSEWHERE, Event.COPY, Event.REPLAY):
        assert campaign.happened[event] > ERASING / 10, f"hardly ever came: {event}"
    assert campaign.happened["deliveries: erased"] > ERASING / 2


@pytest.mark.parametrize("erasing", [False, True], ids=["", "erasing"])
def test_every_invariant_holds_where_steps_work_on_several_photos(erasing: bool) -> None:
    campaign = play(range(GROUPED), grouped=True, erasing=erasing)
    broken = {report.seed: report.broken for report in campaign.broken}
    assert not broken, f"see one with `make simulate SEED={min(broken)} GROUPED=1`: {broken}"
    assert campaign.happened["calls for several photos"] > GROUPED / 2
    assert campaign.happened["steps: a step over several photos"] > GROUPED
    again = campaign.happened["executions of recorded steps"]
    assert again < 0.015 * campaign.happened["step executions"]


def test_900_photos_in_groups_of_nine_end_once_and_none_waits_too_long_though_workers_die() -> None:
    account = play_crowd(seed=0)
    assert len(account.waits) == 900
    met_two_deaths = [key for key, wait in account.waits.items() if wait > LONGEST_WAIT]
    assert len(met_two_deaths) <= 3
    assert sum(account.happened.values()) > 50, "hardly anybody died"
    assert account.calls[9] > 90


@pytest.mark.parametrize("variant", BROKEN_WHEN_GROUPED, ids=lambda given: str(given.name))
def test_a_broken_way_of_gathering_is_found(variant: Variant) -> None:
    found = next((s for s in range(WITHIN) if run(s, variant, grouped=True).broken), None)
    assert found is not None
    assert not run(found, WITHOUT_WATCHDOG, grouped=True).broken


def test_workers_that_look_for_no_tombstone_are_found() -> None:
    broken = (run(seed, NO_TOMBSTONES, erasing=True).broken for seed in range(ERASING))
    assert any("was erased, but " in why for why in broken)


@pytest.mark.parametrize(
    ("variant", "told"),
    [
        (NO_MARKS_IN_SQL, "a step that was at work wrote into SQL"),
        (STALE_SEARCH, "a search for photos shows it"),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_what_shows_or_writes_erased_jobs_is_found(variant: Variant, told: str) -> None:
    broken = (run(seed, variant, erasing=True).broken for seed in range(WITHIN))
    assert any(told in why for why in broken)


@pytest.mark.parametrize(
    ("variant", "fused"),
    [
        *((variant, fused) for variant in BROKEN for fused in (False, True)),
        *((variant, True) for variant in BROKEN_WHEN_FUSED),
    ],
    ids=lambda given: getattr(given, "name", "fused" if given is True else "unfused"),
)
def test_a_broken_protocol_is_found(variant: Variant, fused: bool) -> None:
    first = 0 if variant.settles else RARE
    found = next((s for s in range(first, WITHIN) if run(s, variant, fused=fused).broken), None)
    assert found is not None
    intact = WITHOUT_WATCHDOG if variant.watchdog is None else AS_IT_IS
    broken = run(found, intact, fused=fused).broken
    assert not broken, "the seed says nothing of what was broken on purpose"


def test_a_seed_replays_exactly_in_another_process() -> None:
    traces = {_trace_of(seed=1, hashing=hashing) for hashing in ("1", "2")}
    assert len(traces) == 1
    assert "step 0: success" in traces.pop()


def test_a_run_leaves_the_real_time_as_it_was() -> None:
    before = dict(vars(submit)), random.getstate()
    run(0)
    assert (dict(vars(submit)), random.getstate()) == before


def _trace_of(*, seed: int, hashing: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hashing}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ).stdout
