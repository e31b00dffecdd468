"""What an execution takes is counted, and entered into the ledger once it has ended."""

import threading
from collections.abc import Iterator, Mapping

import pytest

from imaginem import JobContext, StepOutput, step
from imaginem.errors import RetryableError
from imaginem.memory.alarms import MemoryAlarms
from imaginem.memory.ledger import MemoryLedger
from imaginem.pipeline.alarms import ThreadAlarms
from imaginem.pipeline.buffered_ledger import BufferedLedger
from imaginem.pipeline.steps import Registry
from imaginem.ports import Amount, Amounts, LedgerEntry, LedgerItem
from imaginem.ports.metering import count, metered, work_on
from imaginem.testing import MemoryQueues, MemoryServices, message_for, run_all


class Nothing(StepOutput):
    pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    yield Registry()


def calls(amounts: Amounts) -> Mapping[str, int]:
    return {f"{i.step}: {i.service} {i.operation}": a.calls for i, a in amounts.items()}


def test_each_step_of_a_delivery_has_what_it_took(registry: Registry) -> None:
    @step(registry=registry)
    def one(job: JobContext) -> Nothing:
        count("vision", "analyze", billed=7)
        return Nothing()

    @step(registry=registry)
    def two(job: JobContext) -> Nothing:
        count("face", "detect", billed=1)
        return Nothing()

    services = MemoryServices()
    services.queues.send("one", message_for("https://x.test/a.jpg", ["one", "two"]).encode())
    run_all(services, registry)
    amounts = services.ledger.of_job(("batch-1", "job-1"))
    assert amounts[LedgerItem("one", "vision", "analyze")] == Amount(1, 7)
    assert calls(amounts) == {
        "one: vision analyze": 1,
        "two: face detect": 1,
        "one: step run": 1,
        "one: step end": 1,
        "two: step run": 1,
        "two: step end": 1,
        "one: functions execution": 1,
        "one: storage queue host": 2,
    }
    assert amounts[LedgerItem("one", "functions", "execution")].seconds >= 1.0


def test_a_try_that_fails_counts_as_well_as_the_one_that_succeeds(registry: Registry) -> None:
    tries: list[int] = []

    @step(registry=registry)
    def one(job: JobContext) -> Nothing:
        count("vision", "analyze", billed=7)
        tries.append(1)
        if len(tries) == 1:
            raise RetryableError("busy", retry_after=0)
        if len(tries) == 2:
            raise ZeroDivisionError
        return Nothing()

    hours = iter(range(0, 10**9, 3600))  # each look at a queue finds what was delayed or leased
    services = MemoryServices(queues=MemoryQueues(clock=lambda: next(hours)))
    services.queues.send("one", message_for("https://x.test/a.jpg", ["one"]).encode())
    with pytest.raises(ZeroDivisionError):
        run_all(services, registry)
    run_all(services, registry)
    found = calls(services.ledger.of_job(("batch-1", "job-1")))
    assert len(tries) == found["one: vision analyze"] == 3
    assert found["one: functions execution"] == found["one: step run"] + 1 == 3
    assert found["one: step end"] == 1


def test_what_a_step_writes_a_moment_later_is_still_the_steps() -> None:
    ledger, done = MemoryLedger(), threading.Event()
    with metered(ledger, "ocr", "b"):
        work_on("b", "one")

        def write() -> None:
            count("storage", "table write")
            done.set()

        ThreadAlarms().after(0, write)
        assert done.wait(5)
    assert calls(ledger.of_job(("b", "one"))) == {"ocr: storage table write": 1}


def test_nothing_is_counted_outside_of_an_execution() -> None:
    count("storage", "table write")


class Down(MemoryLedger):
    """Can't be reached at first."""

    down = True

    def add(self, entries: object) -> None:
        if self.down:
            raise RetryableError("the database is busy")
        super().add(entries)  # type: ignore[arg-type]


def entry(calls: int = 1) -> LedgerEntry:
    return LedgerEntry("b", "one", {LedgerItem("ocr", "vision", "read"): Amount(calls)})


def test_entries_wait_for_a_moment_and_are_written_together() -> None:
    ledger, alarms = MemoryLedger(), MemoryAlarms()
    buffered = BufferedLedger(ledger, alarms, "fused")
    buffered.add([entry()])
    buffered.add([entry()])
    assert ledger.sums() == {}
    assert len(alarms.set) == 1
    assert calls(buffered.sums(setup="fused")) == {"ocr: vision read": 2}


def test_entries_outlast_a_database_that_is_down() -> None:
    ledger = Down()
    buffered = BufferedLedger(ledger, MemoryAlarms())
    buffered.add([entry()])
    with pytest.raises(RetryableError):
        buffered.settle()
    ledger.down = False
    buffered.add([entry()])
    assert calls(buffered.sums()) == {"ocr: vision read": 2}
