"""Cancelled batches are known everywhere soon, at no cost for each message."""

from imaginem.cancelling import FRESH_SECONDS, REGISTER, CancelledBatches
from imaginem.errors import FenceLost, StorageUnavailable
from imaginem.testing import MemoryRegisters


class Counting(MemoryRegisters):
    """Registers that count how often they are read."""

    reads = 0
    away = False

    def read(self, name: str) -> tuple[str, str] | None:
        self.reads += 1
        if self.away:
            raise StorageUnavailable("away")
        return super().read(name)


class Racing(MemoryRegisters):
    """Registers that somebody else changes just before we write, once."""

    raced = False

    def write(self, name: str, text: str, fence: str) -> str:
        if not self.raced:
            self.raced = True
            CancelledBatches(self).cancel("other")
            raise FenceLost("somebody was quicker")
        return super().write(name, text, fence)


def test_a_thousand_questions_cost_one_read() -> None:
    registers, now = Counting(), [0.0]
    known = CancelledBatches(registers, lambda: now[0])
    assert not any(known.is_cancelled(f"{number}") for number in range(1000))
    assert registers.reads == 1


def test_another_process_knows_within_seconds() -> None:
    registers, now = MemoryRegisters(), [0.0]
    here, there = CancelledBatches(registers), CancelledBatches(registers, lambda: now[0])
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
    registers = Racing()
    CancelledBatches(registers).cancel("mine")
    known = CancelledBatches(registers)
    assert known.is_cancelled("mine")
    assert known.is_cancelled("other")


def test_storage_that_is_away_stops_nothing() -> None:
    registers, now = Counting(), [0.0]
    known = CancelledBatches(registers, lambda: now[0])
    known.cancel("b")
    assert known.is_cancelled("b")
    registers.away = True
    now[0] += FRESH_SECONDS
    assert known.is_cancelled("b")
    assert not known.is_cancelled("c")


def test_the_list_stays_short_and_nonsense_in_it_counts_as_nothing() -> None:
    registers = MemoryRegisters()
    known = CancelledBatches(registers)
    for number in range(600):
        known.cancel(f"batch-{number}" * 20)
    found = registers.read(REGISTER)
    assert found is not None
    assert len(found[0]) < 30_000  # a table's property holds 32 Ki characters
    assert known.is_cancelled("batch-599" * 20)
    registers.write(REGISTER, "nonsense", found[1])
    assert not CancelledBatches(registers).is_cancelled("batch-599" * 20)
