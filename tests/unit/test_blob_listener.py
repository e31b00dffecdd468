"""The local host's blob trigger: each version of a blob once, across restarts."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from imaginem.errors import StorageUnavailable
from imaginem.host.arguments import argument_of
from imaginem.host.blobs import BlobListener
from imaginem.host.config import HostConfig
from imaginem.host.triggers import Trigger
from imaginem.memory.storage import MemoryBlobs, MemoryQueues
from imaginem.names import own_photo_metadata
from imaginem.ports import BlobInfo

RULES = HostConfig(max_blobs=2, poison_blob_threshold=3, visibility_timeout=0)


class Pool:
    """A fake of the workers: the test ends each call itself."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], Future[None]]] = []
        self.has_room = True

    def submit(self, function: str, **message: Any) -> "Future[None]":
        future: Future[None] = Future()
        self.calls.append((message, future))
        return future

    def cancel_pending(self) -> None:
        pass

    @property
    def paths(self) -> list[str]:
        return [message["path"] for message, _ in self.calls]


@dataclass
class Host:
    """A host that can be restarted; its loop is the test's."""

    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    pool: Pool = field(default_factory=Pool)
    pattern: str = "photos/{name}"

    sent: list[str] = field(default_factory=list)

    def start(self, function: str = "f") -> BlobListener:
        trigger = Trigger(function, "blob", "blob", path=self.pattern)
        parts = (self.blobs, self.queues, self.pool, RULES, self.sent.extend)
        listener = BlobListener(trigger, *parts)  # type: ignore[arg-type]
        listener._thread = Idle()  # type: ignore[assignment]
        listener.start()
        return listener

    def put(self, name: str, data: bytes = b"x") -> None:
        self.blobs.put("photos", name, data, "image/png", metadata={"kind": "test"})


class Idle:
    """A thread that does nothing."""

    def start(self) -> None:
        pass

    def join(self, seconds: float) -> bool:
        return True


def look(listener: BlobListener, *, thoroughly: bool = True) -> None:
    listener._next_look = 0
    listener._next_scan = 0 if thoroughly else math.inf
    listener.poll()


def stop(listener: BlobListener) -> None:
    listener.cease()
    assert listener.join(1)


@pytest.fixture
def host() -> Host:
    return Host()


def never(container: str) -> Iterator[BlobInfo]:
    raise AssertionError("the container was scanned")


def test_a_new_blob_runs_the_function_once(host: Host) -> None:
    listener = host.start()
    host.put("a/b c.png", b"12345")
    look(listener)
    look(listener)

    ((message, future),) = host.pool.calls
    assert (message["kind"], message["path"]) == ("blob", "photos/a/b c.png")
    assert (message["length"], message["metadata"]) == (5, {"kind": "test"})
    assert host.blobs.locate(message["uri"]) == ("photos", "a/b c.png")
    future.set_result(None)
    look(listener)
    assert len(host.pool.calls) == 1


def test_the_container_is_there_for_whoever_drops_the_first_blob(host: Host) -> None:
    host.start()
    assert "photos" in host.blobs.containers


def test_a_blob_that_is_written_again_runs_it_again(host: Host) -> None:
    listener = host.start()
    for _ in range(2):
        host.put("a.png")
        look(listener)
        host.pool.calls[-1][1].set_result(None)
    assert host.pool.paths == ["photos/a.png"] * 2


def test_blobs_from_before_the_first_start_run_nothing(host: Host) -> None:
    host.put("old.png")
    listener = host.start()
    host.put("new.png")
    look(listener)
    assert host.pool.paths == ["photos/new.png"]


def test_a_restart_repeats_nothing_and_misses_nothing(host: Host) -> None:
    listener = host.start()
    host.put("a.png")
    look(listener)
    host.pool.calls[0][1].set_result(None)
    stop(listener)
    host.put("b.png")
    look(host.start())
    assert host.pool.paths == ["photos/a.png", "photos/b.png"]


def test_a_host_that_dies_runs_the_function_again_rather_than_never(host: Host) -> None:
    listener = host.start()
    host.put("a.png")
    look(listener)
    host.pool.calls[0][1].set_result(None)
    look(host.start())  # the receipt was not kept yet
    assert host.pool.paths == ["photos/a.png"] * 2


def test_new_names_are_found_without_a_scan(host: Host) -> None:
    listener = host.start()
    look(listener)
    host.blobs.scan = never  # type: ignore[method-assign]
    host.put("a.png")
    look(listener, thoroughly=False)
    host.pool.calls[0][1].set_result(None)
    host.put("b.png")
    look(listener, thoroughly=False)
    assert host.pool.paths == ["photos/a.png", "photos/b.png"]


@pytest.mark.parametrize("names", [["a//b.png"], [f"{n}.png" for n in range(60)]])
def test_many_or_odd_new_names_are_scanned_for(host: Host, names: list[str]) -> None:
    listener = host.start()
    look(listener)
    for name in names:
        host.put(name)
    look(listener, thoroughly=False)
    assert len(listener._waiting) == len(names)


def test_no_worker_is_asked_for_a_photo_that_the_app_keeps_itself(host: Host) -> None:
    listener = host.start("photo_dropped")
    metadata = own_photo_metadata("photos", "own.png")
    host.blobs.put("photos", "own.png", b"x", "image/png", metadata=metadata)
    host.blobs.put("photos", "copy.png", b"x", "image/png", metadata=metadata)
    look(listener)
    assert host.pool.paths == ["photos/copy.png"]
    host.pool.calls[0][1].set_result(None)
    stop(listener)
    look(host.start("photo_dropped"))
    assert host.pool.paths == ["photos/copy.png"]


def test_somebody_elses_function_is_run_for_every_photo(host: Host) -> None:
    listener = host.start("f")
    metadata = own_photo_metadata("photos", "own.png")
    host.blobs.put("photos", "own.png", b"x", "image/png", metadata=metadata)
    look(listener)
    assert host.pool.paths == ["photos/own.png"]


def test_only_some_blobs_are_handled_at_once(host: Host) -> None:
    listener = host.start()
    for number in range(5):
        host.put(f"{number}.png")
    look(listener)
    assert len(host.pool.calls) == RULES.max_blobs
    host.pool.calls[0][1].set_result(None)
    look(listener)
    assert len(host.pool.calls) == RULES.max_blobs + 1
    host.pool.has_room = False
    host.pool.calls[1][1].set_result(None)
    look(listener)
    assert len(host.pool.calls) == RULES.max_blobs + 1


def test_a_blob_whose_function_always_fails_is_reported_in_the_end(host: Host) -> None:
    listener = host.start()
    host.put("a.png")
    for _ in range(RULES.poison_blob_threshold):
        look(listener)
        host.pool.calls[-1][1].set_exception(RuntimeError("no"))
    look(listener)

    assert len(host.pool.calls) == RULES.poison_blob_threshold
    (item,) = host.queues.receive("webjobs-blobtrigger-poison", 32, 60)
    report = json.loads(item.body)
    assert (report["ContainerName"], report["BlobName"]) == ("photos", "a.png")
    assert report["ETag"] == host.blobs.stat("photos", "a.png").etag
    assert host.sent == ["webjobs-blobtrigger-poison"], "who listens there looks at once"


def test_only_names_of_the_triggers_pattern_count(host: Host) -> None:
    host.pattern = "photos/in/{name}.png"
    for number in range(60):
        host.put(f"out/{number}.png")
    listener = host.start()
    look(listener)
    host.blobs.scan = never  # type: ignore[method-assign]
    for name in ("in/a.png", "in/a.txt", "a.png", "in/b/c.png"):
        host.put(name)
    look(listener, thoroughly=False)
    assert host.pool.paths == ["photos/in/a.png", "photos/in/b/c.png"]


def test_the_receipts_of_blobs_that_are_gone_are_not_kept(host: Host) -> None:
    listener = host.start()
    host.put("a.png")
    look(listener)
    host.pool.calls[0][1].set_result(None)
    host.blobs.delete("photos", "a.png")
    look(listener)
    stop(listener)
    (name,) = host.blobs.list("azure-webjobs-hosts", "")
    assert host.blobs.get("azure-webjobs-hosts", name, 1000) == b""


def test_a_function_gets_name_and_size_as_on_azure(host: Host) -> None:
    listener = host.start()
    host.put("a.png", b"12345")
    look(listener)
    blob = argument_of(host.pool.calls[0][0])
    assert (blob.name, blob.length, blob.metadata) == ("photos/a.png", 5, {"kind": "test"})


def refusing(host: Host, problem: Exception, bad: str) -> None:
    """Make every list that would hold one name fail, as the storage emulator's does."""
    listed, scanned = host.blobs.list, host.blobs.scan

    def names(container: str, prefix: str) -> list[str]:
        if bad.startswith(prefix):
            raise problem
        return listed(container, prefix)

    def scan(container: str) -> Iterator[BlobInfo]:
        if container == "photos":
            raise problem
        return scanned(container)

    host.blobs.list = names  # type: ignore[method-assign]
    host.blobs.scan = scan  # type: ignore[method-assign]


def test_a_name_that_stops_the_list_hides_only_its_neighbours(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.put("old/before.png")
    listener = host.start()
    refusing(host, StorageUnavailable("container photos: 500"), "bad/\x01.png")
    for name in ("bad/\x01.png", "old/a.png", "new/b.png", "c.png"):
        host.put(name)
    for _ in range(3):
        look(listener, thoroughly=False)
        for _, future in host.pool.calls:
            if not future.done():
                future.set_result(None)
    look(listener, thoroughly=False)

    assert sorted(host.pool.paths) == ["photos/c.png", "photos/new/b.png", "photos/old/a.png"]
    assert "the container photos can't be listed: container photos: 500" in caplog.text
    assert "a name that begins with 'bad/" in caplog.text


def test_an_unexpected_error_of_a_list_is_logged_and_the_listener_goes_on(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    listener = host.start()
    list_names, scan = host.blobs.list, host.blobs.scan
    refusing(host, ValueError("XML is invalid"), "")
    look(listener)
    host.blobs.list, host.blobs.scan = list_names, scan  # type: ignore[method-assign]
    host.put("a.png")
    look(listener)

    assert host.pool.paths == ["photos/a.png"]
    assert "ValueError: XML is invalid" in caplog.text


def test_a_blob_whose_poisoning_fails_unexpectedly_is_tried_again(host: Host) -> None:
    def refuse(queue: str, body: str, *, delay: float = 0) -> str:
        raise OSError("no more files")

    listener, send = host.start(), host.queues.send
    host.queues.send = refuse  # type: ignore[method-assign]
    host.put("a.png")
    for _ in range(RULES.poison_blob_threshold + 1):
        look(listener)
        host.pool.calls[-1][1].set_exception(RuntimeError("no"))
    host.queues.send = send  # type: ignore[method-assign]
    look(listener)
    host.pool.calls[-1][1].set_exception(RuntimeError("no"))
    assert host.queues.count("webjobs-blobtrigger-poison") == 1
