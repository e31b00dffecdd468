"""Freed memory goes back to the system now and then, and not after each photo."""

import ctypes
import io
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from imaginem.host.freed_memory import FreedMemory, give_back_memory
from imaginem.host.worker import Worker


class Counted:
    """Counts how often memory was given back."""

    def __init__(self) -> None:
        self.times = 0
        self.done = threading.Semaphore(0)

    def __call__(self) -> None:
        self.times += 1
        self.done.release()


def test_many_photos_in_a_moment_give_memory_back_once() -> None:
    given = Counted()
    memory = FreedMemory(given, every=0.5)
    memory.start()
    for _ in range(20):
        memory.note()
        time.sleep(0.005)
    assert given.done.acquire(timeout=5)
    time.sleep(0.6)
    assert given.times <= 2


def test_a_photo_that_comes_later_gives_its_memory_back_too() -> None:
    given = Counted()
    memory = FreedMemory(given, every=0.01)
    memory.start()
    for _ in range(2):
        memory.note()
        assert given.done.acquire(timeout=5)


def test_it_goes_on_after_an_error() -> None:
    done = threading.Semaphore(0)

    def fails() -> None:
        done.release()
        raise OSError

    memory = FreedMemory(fails, every=0.01)
    memory.start()
    for _ in range(2):
        memory.note()
        assert done.acquire(timeout=5)


def test_a_worker_notes_the_end_of_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[FreedMemory] = []
    monkeypatch.setattr(FreedMemory, "note", lambda memory: noted.append(memory))
    worker = Worker([], 1, io.StringIO())
    future: Future[list[str]] = Future()
    future.set_result([])
    worker._report({"id": "call"}, future)
    assert len(noted) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what was freed")
def test_what_was_freed_goes_back_to_the_system() -> None:
    if getattr(ctypes.CDLL(None), "malloc_trim", None) is None:
        pytest.skip("another C library")
    blocks = [bytes(50_000) for _ in range(2_000)]
    blocks = blocks[::100]  # what is left keeps the heap from shrinking by itself
    before = _resident()
    give_back_memory(above=0)
    assert _resident() < before - 50 * 2**20
    assert len(blocks) == 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
