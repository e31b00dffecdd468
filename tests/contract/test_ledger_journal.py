"""What a process counted that died is entered once, by whoever comes next."""

import subprocess
import sys
from pathlib import Path

import pytest

from imaginem.errors import RetryableError
from imaginem.memory.alarms import MemoryAlarms
from imaginem.memory.ledger import MemoryLedger
from imaginem.pipeline.buffered_ledger import BufferedLedger
from imaginem.ports import Amount, LedgerEntry, LedgerItem
from imaginem.ports.metering import count, metered, work_on
from imaginem.sql import LedgerJournal

READ = LedgerItem("ocr", "vision", "read")
RUN = LedgerItem("ocr", "functions", "execution")
DIES = """
import os, sys
from pathlib import Path
from imaginem.memory.alarms import MemoryAlarms
from imaginem.memory.ledger import MemoryLedger
from imaginem.pipeline.buffered_ledger import BufferedLedger
from imaginem.ports.metering import count, metered, work_on
from imaginem.sql import LedgerJournal

ledger = BufferedLedger(
    MemoryLedger(), MemoryAlarms(), "fused", LedgerJournal(Path(sys.argv[1]))
)
with metered(ledger, "ocr", executes=True):
    work_on("b", "written", "ocr")
    count("vision", "read", billed=1)
ledger.settle()
with metered(ledger, "ocr", executes=True):
    work_on("b", "waits", "ocr")
    count("vision", "read", billed=1)
with metered(ledger, "ocr", executes=True):
    work_on("b", "goes on", "ocr")
    count("vision", "read", billed=1)
    os._exit(1)
"""


def buffered(folder: Path, ledger: MemoryLedger) -> BufferedLedger:
    return BufferedLedger(ledger, MemoryAlarms(), "", LedgerJournal(folder))


def die(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False, timeout=60)


def test_what_a_dead_process_counted_is_entered_once(tmp_path: Path) -> None:
    die(tmp_path)
    ledger = MemoryLedger()
    for _ in range(2):
        sums = buffered(tmp_path, ledger).sums(setup="fused")
        assert sums[READ] == Amount(2, 2)  # what was written before is not entered again
        assert sums[RUN] == Amount(2, 2, 2.0)
    assert set(ledger.by_job("b")) == {"waits", "goes on"}
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_process_at_work_is_left_alone(tmp_path: Path) -> None:
    own, ledger = buffered(tmp_path, MemoryLedger()), MemoryLedger()
    with metered(own, "ocr"):
        work_on("b", "one")
        count("vision", "read")
        assert buffered(tmp_path, ledger).sums() == {}
    assert own.sums()[READ].calls == 1
    own.settle_at_exit()
    assert list(tmp_path.iterdir()) == []


def test_a_file_stays_as_long_as_the_database_is_down(tmp_path: Path) -> None:
    die(tmp_path)
    ledger = MemoryLedger()

    def down(entries: list[LedgerEntry]) -> None:
        raise RetryableError("the database is busy")

    with pytest.raises(RetryableError):
        LedgerJournal(tmp_path).recover(down)
    assert buffered(tmp_path, ledger).sums()[READ].calls == 2


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    die(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b'{"id": "cut')
    assert buffered(tmp_path, MemoryLedger()).sums()[READ].calls == 2
