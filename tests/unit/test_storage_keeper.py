"""An emulator that hangs is ended, so that whoever waits for its answer goes on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.host import Emulator, Host, HostOptions
from imaginem.host.storage_keeper import StorageKeeper
from imaginem.testing import MemoryBlobs, MemoryQueues
from tests.waiting import PATIENCE


class HangingEmulator(Emulator):
    """Its first process hangs: stopped by a signal, or silent; each has a number as its pid."""

    def __init__(self, *, stopped: bool) -> None:
        super().__init__(None)
        self._stopped = stopped
        self.starts = 0
        self.was_ended = threading.Event()

    def start(self) -> None:
        self.starts += 1

    def end(self) -> None:
        self.was_ended.set()

    def stop(self) -> bool:
        return True

    @property
    def pid(self) -> int:
        return self.starts

    @property
    def hangs(self) -> bool:
        return self.starts == 1

    @property
    def ended(self) -> bool:
        return self.hangs and self.was_ended.is_set()

    @property
    def last_words(self) -> str:
        return "exit code 0"

    @property
    def is_stopped(self) -> bool:
        return self.hangs and self._stopped

    def answers(self, seconds: float) -> bool:
        return not self.hangs


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look often, and wait for little."""
    for name in ("_PROBE_EVERY", "_LOOK_AGAIN", "_FIRST_DELAY"):
        monkeypatch.setattr(f"imaginem.host.storage_keeper.{name}", 0.01)
    for name in ("_LONGEST_STOPPED", "_LONGEST_SILENCE"):
        monkeypatch.setattr(f"imaginem.host.storage_keeper.{name}", 0.03)
    yield


@pytest.mark.parametrize("stopped", [True, False])
def test_a_start_goes_on_though_the_emulator_stops_answering_while_storage_is_prepared(
    tmp_path: Path, stopped: bool
) -> None:
    emulator = HangingEmulator(stopped=stopped)

    def prepare() -> None:
        if emulator.hangs:
            assert emulator.was_ended.wait(PATIENCE), "this call waits for an answer for ever"
            raise StorageUnavailable("tables: storage did not answer")
        raise ConfigurationError("far enough")

    host = Host(
        HostOptions(tmp_path, port=0, prepare=prepare), MemoryQueues(), MemoryBlobs(), emulator
    )
    with pytest.raises(ConfigurationError, match="far enough"):
        host.start()
    assert emulator.starts == 2


@pytest.mark.parametrize(
    ("stopped", "reason"), [(True, "was stopped by a signal"), (False, "has not answered for 0 s")]
)
def test_why_it_was_ended_is_told_until_it_runs_again(stopped: bool, reason: str) -> None:
    emulator = HangingEmulator(stopped=stopped)
    keeper = StorageKeeper(emulator)
    keeper.start()
    assert emulator.was_ended.wait(PATIENCE)
    assert keeper.problem == f"the storage emulator {reason}"
    keeper.restart(threading.Event())
    assert keeper.problem == ""
    keeper.stop()
