"""Cancelled batches are known everywhere soon, at no cost for each message."""

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.pipeline.cancelling import ENTRY, FRESH_SECONDS, CancelledBatches
from imaginem.testing import MemorySharedState


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
