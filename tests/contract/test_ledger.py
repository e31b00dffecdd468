"""The ledger: in memory, on SQLite and on PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from imaginem.ports import Amount, Ledger, LedgerEntry, LedgerItem
from tests.contract.rows import ONE, THREE, TWO
from tests.stores import Stores

READ = LedgerItem("ocr", "vision", "read")
WRITE = LedgerItem("ocr", "storage", "table write")


@pytest.fixture
def ledger(stores: Stores) -> Ledger:
    return stores.ledger


def entry(key: tuple[str, str] = ONE, calls: int = 1, **more: object) -> LedgerEntry:
    amounts = {READ: Amount(calls, calls, 0.5, 7, 3)}
    return replace(LedgerEntry(*key, amounts, "2026-11", "fused"), **more)  # type: ignore[arg-type]


def test_what_executions_took_is_summed(ledger: Ledger) -> None:
    ledger.add([entry(), entry(calls=2), entry(TWO)])
    ledger.add([entry(ONE, 4, amounts={WRITE: Amount(4)})])
    assert ledger.sums(batch_id="b") == {READ: Amount(4, 4, 1.5, 21, 9), WRITE: Amount(4)}
    assert ledger.of_job(ONE) == {READ: Amount(3, 3, 1.0, 14, 6), WRITE: Amount(4)}
    assert ledger.by_job("b")["two"] == {READ: Amount(1, 1, 0.5, 7, 3)}
    assert ledger.sums(batch_id="c") == {}
    assert ledger.of_job(THREE) == {}


def test_sums_are_told_apart_by_batch_month_and_setup(ledger: Ledger) -> None:
    ledger.add([entry(), entry(THREE, 2, month="2026-12"), entry(THREE, 4, setup="unfused")])
    assert ledger.sums()[READ].calls == 7
    assert ledger.sums(setup="unfused")[READ].calls == 4
    assert {month: sums[READ].calls for month, sums in ledger.by_month().items()} == {
        "2026-11": 5,
        "2026-12": 2,
    }
    by_batch = ledger.by_batch(["b", "c", "none"])
    assert {batch: sums[READ].calls for batch, sums in by_batch.items()} == {"b": 1, "c": 6}


def test_an_entry_that_comes_again_is_added_once(ledger: Ledger) -> None:
    again = entry()
    ledger.add([again])
    ledger.add([again, entry()])
    assert ledger.sums()[READ].calls == 2
    assert ledger.of_job(ONE)[READ].calls == 2


def test_an_erased_job_leaves_its_sums_alone(ledger: Ledger) -> None:
    ledger.add([entry(), entry(TWO)])
    for _ in range(2):
        ledger.erase(ONE)
    assert list(ledger.by_job("b")) == ["two"]
    assert ledger.sums(batch_id="b")[READ].calls == 2


def test_an_erased_batch_leaves_sums_that_name_no_batch(ledger: Ledger) -> None:
    ledger.add([entry(), entry(THREE, 2), entry(("", ""), 4)])
    for _ in range(2):
        ledger.erase_batch("b", [])
    assert ledger.by_job("b") == {}
    assert ledger.sums(batch_id="b") == {}
    assert ledger.sums(batch_id="")[READ].calls == 5
    assert ledger.sums()[READ].calls == 7


def test_processes_add_to_the_same_sums_at_once(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ledger.add([entry(), entry(THREE)]), range(20)))
    assert ledger.sums()[READ].calls == 40
