"""Cancelled batches are known everywhere soon, at no cost for each message."""

import json
import re
import time

import pytest

from imaginem import JobContext
from imaginem.errors import Conflict, StorageUnavailable
from imaginem.pipeline.cancelling import ENTRY, FRESH_SECONDS, CancelledBatches
from imaginem.testing import MemorySharedState
from tests.workbench import Bench, Found


class Counting(MemorySharedState):
    """SharedState that count how often they are read."""

    reads = 0
    away = False

    def read(self, name: str) -> tuple[str, str] | None:
        self.reads += 1
        if self.away:
            raise StorageUnavailable("away")
        return super().read(name)


class Racing(MemorySharedState):
    """SharedState that somebody else changes just before we write, once."""

    raced = False

    def write(self, name: str, text: str, fence: str) -> str:
        if not self.raced:
            self.raced = True
            CancelledBatches(self).cancel("other")
            raise Conflict("somebody was quicker")
        return super().write(name, text, fence)


def test_a_thousand_questions_cost_one_read() -> None:
    shared_state, now = Counting(), [0.0]
    known = CancelledBatches(shared_state, lambda: now[0])
    assert not any(known.is_cancelled(f"{number}") for number in range(1000))
    assert shared_state.reads == 1


def test_another_process_knows_within_seconds() -> None:
    shared_state, now = MemorySharedState(), [0.0]
    here, there = CancelledBatches(shared_state), CancelledBatches(shared_state, lambda: now[0])
    assert not there.is_cancelled("b")
    here.cancel("b")
    assert here.is_cancelled("b")
    now[0] += FRESH_SECONDS
    assert there.is_cancelled("b")
    assert not there.is_cancelled("c")
    here.reopen("b")
    now[0] += FRESH_SECONDS
    assert not there.is_cancelled("b")


def test_two_who_cancel_at_once_both_succeed() -> None:
    shared_state = Racing()
    CancelledBatches(shared_state).cancel("mine")
    known = CancelledBatches(shared_state)
    assert known.is_cancelled("mine")
    assert known.is_cancelled("other")


def test_storage_that_is_away_stops_nothing() -> None:
    shared_state, now = Counting(), [0.0]
    known = CancelledBatches(shared_state, lambda: now[0])
    known.cancel("b")
    assert known.is_cancelled("b")
    shared_state.away = True
    now[0] += FRESH_SECONDS
    assert known.is_cancelled("b")
    assert not known.is_cancelled("c")


def test_the_list_stays_short_and_nonsense_in_it_counts_as_nothing() -> None:
    shared_state = MemorySharedState()
    known = CancelledBatches(shared_state)
    for number in range(600):
        known.cancel(f"batch-{number}" * 20)
    found = shared_state.read(ENTRY)
    assert found is not None
    assert len(found[0]) < 30_000  # a table's property holds 32 Ki characters
    assert known.is_cancelled("batch-599" * 20)
    shared_state.write(ENTRY, "nonsense", found[1])
    assert not CancelledBatches(shared_state).is_cancelled("batch-599" * 20)


def test_a_job_of_a_cancelled_batch_stops_at_its_next_step(bench: Bench) -> None:
    ran: list[str] = []

    def note(job: JobContext) -> Found:
        ran.append(job.job_id)
        return Found(what="two")

    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.second_does = note
    bench.services.cancellations.cancel("batch-1")
    moved = bench.transition(bench.second, second, "m2")

    assert (moved.state, moved.outgoing, ran) == ("cancelled", None, [])
    assert bench.states("first", "second", "report") == ["success", "skipped", "waiting"]
    assert bench.entry.properties["second"] == "step 1: skipped"
    assert bench.entry.properties["second_exception"] == "the batch was cancelled"
    assert bench.entry.properties["job_state"] == "cancelled"
    assert bench.entry.properties["first_output"] == '{"what":"one"}'
    assert bench.telemetry.times("imaginem.jobs", state="cancelled") == 1


def test_a_job_of_another_batch_goes_on(bench: Bench) -> None:
    bench.services.cancellations.cancel("batch-2")
    bench.drop()
    bench.run()

    assert bench.entry.properties["job_state"] == "succeeded"


def test_who_is_always_too_late_to_change_the_list_is_told_to_try_again() -> None:
    class Contested(MemorySharedState):
        tries = 0

        def write(self, name: str, text: str, fence: str) -> str:
            self.tries += 1
            raise Conflict("somebody was quicker")

    shared_state = Contested()
    with pytest.raises(StorageUnavailable, match=r"^the list of cancelled batches keeps"):
        CancelledBatches(shared_state).cancel("b")
    assert shared_state.tries == 20


def test_of_too_many_cancelled_batches_the_oldest_are_forgotten() -> None:
    shared_state = MemorySharedState()
    known = CancelledBatches(shared_state)
    known.cancel("oldest")
    found = shared_state.read(ENTRY)
    assert found is not None
    ((name, at),) = json.loads(found[0]).items()
    assert re.fullmatch("[0-9a-f]{24}", name)
    assert 0 <= time.time() - at < 60
    others = {f"other-{number}": at + 1 + number for number in range(499)}
    shared_state.write(ENTRY, json.dumps({name: at, **others}), found[1])
    assert known.is_cancelled("oldest")
    known.cancel("newest")

    assert known.is_cancelled("newest")
    assert not known.is_cancelled("oldest")


@pytest.mark.parametrize("nonsense", ["nonsense", "[]", "7", '{"a": "b"}', '{"a": null}'])
def test_nonsense_in_the_list_can_be_written_over(nonsense: str) -> None:
    shared_state = MemorySharedState()
    shared_state.write(ENTRY, nonsense, "")
    known = CancelledBatches(shared_state)
    assert not known.is_cancelled("a")
    known.cancel("b")
    assert known.is_cancelled("b")


def test_an_id_that_is_no_text_of_unicode_can_be_cancelled() -> None:
    known = CancelledBatches(MemorySharedState())
    known.cancel("\ud800")
    assert known.is_cancelled("\ud800")


def test_who_cancels_knows_it_at_once() -> None:
    now = [0.0]
    known = CancelledBatches(MemorySharedState(), lambda: now[0])
    assert not known.is_cancelled("b")
    known.cancel("b")
    assert known.is_cancelled("b")
    known.reopen("b")
    assert not known.is_cancelled("b")


def test_what_another_process_does_is_seen_after_three_seconds_and_not_before() -> None:
    shared_state, now = Counting(), [100.0]
    here, there = CancelledBatches(shared_state), CancelledBatches(shared_state, lambda: now[0])
    assert not there.is_cancelled("b")
    here.cancel("b")
    now[0] += 2.99
    assert not there.is_cancelled("b")
    now[0] += 0.01
    assert there.is_cancelled("b")
