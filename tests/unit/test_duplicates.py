"""Copies of messages: dropped when the first one was seen through, else they get their chance."""

import base64
import json
from typing import Any

import pytest

from imaginem.errors import NotFound, StorageUnavailable
from imaginem.host.duplicates import SeenThrough, place_of
from imaginem.host.leases import redelivery_delay
from imaginem.host.listener import QueueListener
from imaginem.host.surroundings import Surroundings
from imaginem.pipeline.retries import failed_try
from imaginem.ports import QueueItem
from imaginem.ports.log_lines import LabelledLines
from imaginem.testing import MemoryQueues
from tests.listening import Pool, listening, look


def message(**changes: Any) -> str:
    """Return the second step's message of a job, with other bookkeeping if that is asked for."""
    definition = {
        "id": "job-1",
        "batch_id": "b",
        "input": {"image_url": "https://memory.test/inputimages/1.png"},
        "processing_pipeline": ["ocr", "work", "pipelineoutput"],
        "processing_step": 1,
        "_imaginem": {"run": "r1", "fence": "f1", "attempt": 0, "traceparent": "t"} | changes,
    }
    return json.dumps({"job_definition": definition, "job_output": {"ocr": {}}})


class Bench:
    """One listener, with what it remembers, on a queue whose clock stands still until moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queues = MemoryQueues(lambda: self.now)
        self.queues.create("work")
        self.seen = SeenThrough()
        self.listener, self.pool = self._listening()

    def _listening(self) -> tuple[QueueListener, Pool]:
        around = Surroundings(seen=self.seen)
        return listening(self.queues, "work", around, visibility_timeout=30.0)

    def send(self, body: str) -> None:
        self.queues.send("work", body)
        self.look()

    def look(self) -> None:
        self.listener.wake()
        look(self.listener)

    def end(self, number: int, problem: Exception | None = None) -> None:
        future = self.pool.calls[number][1]
        future.set_exception(problem) if problem else future.set_result(None)

    @property
    def started(self) -> int:
        return len(self.pool.calls)

    @property
    def left(self) -> int | None:
        return self.queues.count("work")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_copy_of_a_message_that_was_seen_through_is_dropped_without_a_call(bench: Bench) -> None:
    bench.send(message())
    bench.end(0)
    for _ in range(3):
        bench.send(message())
    bench.send(message(traceparent="another"))

    assert (bench.started, bench.left, bench.seen.dropped) == (1, 0, 4)


def test_a_copy_in_base64_is_a_copy_too(bench: Bench) -> None:
    bench.send(message())
    bench.end(0)
    bench.send(base64.b64encode(message().encode()).decode())
    assert (bench.started, bench.left) == (1, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"fence": "f2"},
        {"run": "r2"},
        {"attempt": 1},
        {"waits": 1},
        {"look": True},
        {"ends": "queue cleared"},
        {"replaces": "r0"},
        {"run": ""},
        {"fence": ""},
    ],
    ids=str,
)
def test_a_message_with_other_bookkeeping_always_reaches_a_worker(
    bench: Bench, other: dict[str, Any]
) -> None:
    bench.send(message())
    bench.end(0)
    bench.send(message(**other))
    bench.end(1)
    assert (bench.started, bench.left) == (2, 0)


@pytest.mark.parametrize("field", ["look", "ends", "replaces"])
def test_a_message_that_was_sent_again_on_purpose_is_never_dropped(
    bench: Bench, field: str
) -> None:
    for number in range(3):
        bench.send(message(**{field: "yes"}))
        bench.end(number)
    assert (bench.started, bench.left) == (3, 0)
    assert place_of("work", "id", message(**{field: "yes"})).run == "r1"


@pytest.mark.parametrize("field", ["id", "batch_id", "processing_step", "processing_pipeline"])
def test_the_bookkeeping_of_one_job_drops_no_other(bench: Bench, field: str) -> None:
    """A forged run and fence, copied from a message that was seen through, lose no job."""
    bench.send(message())
    bench.end(0)
    value = json.loads(message())
    value["job_definition"][field] = {"processing_step": 2}.get(field, ["work"])
    bench.send(json.dumps(value))
    assert bench.started == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "7",
        '{"job_definition": []}',
        '{"job_definition": {"_imaginem": 5}}',
        '{"job_definition": {"_imaginem": {"run": [1], "fence": {}}}}',
        "[" * 5000,
        "\ud800",
    ],
)
def test_whatever_a_message_holds_it_reaches_a_worker_each_time(bench: Bench, body: str) -> None:
    for number in range(2):
        bench.send(body)
        bench.end(number)
    assert (bench.started, bench.left) == (2, 0)


def test_a_message_whose_function_failed_is_not_taken_for_seen_through(bench: Bench) -> None:
    bench.send(message())
    bench.end(0, RuntimeError("no"))
    bench.now += redelivery_delay(1, 30)
    bench.look()
    bench.send(message())
    assert bench.started == 2
    bench.end(1)
    assert bench.left == 0


def test_what_the_host_says_of_a_message_ends_with_its_batch_and_job(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(message())
    bench.end(0, RuntimeError("no"))
    bench.now += redelivery_delay(1, 30)
    bench.look()
    bench.queues.clear("work")
    bench.end(1)
    bench.send("no message of a job")
    bench.end(2, RuntimeError("no"))

    shown = [LabelledLines().format(record).partition(": ")[2] for record in caplog.records]
    told = f"work: a message comes again in 1 s, {failed_try(1, 5)}: no"
    assert shown[0] == f"{told} batch=b job=job-1"
    assert shown[1].startswith("work: a message was not ended: ")
    assert shown[1].endswith(" batch=b job=job-1")
    assert shown[2] == told


def test_a_copy_waits_while_the_first_one_runs_and_goes_with_it(bench: Bench) -> None:
    for _ in range(12):
        bench.send(message())
    assert (bench.started, bench.left) == (1, 12)
    bench.send(message(run="r2"))  # copies that wait take no room from others
    assert bench.started == 2
    bench.end(0)
    assert (bench.started, bench.left) == (2, 1)
    bench.end(1)
    assert bench.listener.join(0)


def test_a_copy_gets_its_chance_when_the_first_one_failed(bench: Bench) -> None:
    bench.send(message())
    bench.send(message())
    bench.end(0, RuntimeError("the worker process ended"))
    bench.now += redelivery_delay(1, 30)
    bench.look()
    assert bench.started == 2
    bench.end(1)
    assert bench.left == 0


def test_copies_beyond_a_number_return_to_the_queue_for_a_while(bench: Bench) -> None:
    for _ in range(40):
        bench.send(message())
    bench.end(0)
    assert bench.left == 40 - 33
    bench.now += 31
    bench.look()
    assert (bench.started, bench.left) == (1, 0)


def test_copies_that_wait_return_to_the_queue_when_the_host_stops(bench: Bench) -> None:
    bench.send(message())
    bench.send(message())
    bench.listener.release_held()
    assert len(bench.queues.receive("work", 5, 60)) == 1


def test_a_message_that_comes_again_while_it_runs_is_no_copy(bench: Bench) -> None:
    bench.send(message())
    bench.now += 61  # its lease was not renewed in time
    bench.look()
    assert bench.started == 1
    bench.end(0)
    assert bench.left == 0


def test_nothing_is_dropped_after_storage_was_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.send(message())
    bench.end(0)
    receive = bench.queues.receive

    def away(queue: str, count: int, lease: float) -> list[QueueItem]:
        raise StorageUnavailable("away")

    monkeypatch.setattr(bench.queues, "receive", away)
    bench.look()
    monkeypatch.setattr(bench.queues, "receive", receive)
    bench.send(message())
    assert bench.started == 2


def test_only_the_latest_messages_are_remembered() -> None:
    seen = SeenThrough(2)
    for key in (b"1", b"2", b"3", b""):
        seen.add(key)
    assert [key in seen for key in (b"1", b"2", b"3", b"")] == [False, True, True, False]


@pytest.mark.parametrize("problem", [StorageUnavailable("away"), NotFound("lost"), OSError("?")])
def test_whatever_storage_raises_no_lease_is_kept_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise problem

    for name in ("delete", "extend"):
        monkeypatch.setattr(bench.queues, name, refuse)
    for number in range(8):
        bench.send(message(run=f"r{number}"))
        bench.end(number, RuntimeError("no") if number % 2 else None)
        bench.listener.renew()
    assert bench.started == 8
    assert bench.listener.join(0)


def test_a_call_that_cannot_be_made_keeps_no_lease(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more threads")

    monkeypatch.setattr(bench.pool, "submit", refuse)
    with pytest.raises(OSError, match="no more threads"):
        bench.send(message())
    assert bench.listener.join(0)


def test_a_failed_message_comes_back_soon_at_first() -> None:
    assert [redelivery_delay(count, 30.0) for count in (1, 2, 3, 4, 400)] == [1, 4, 16, 30, 30]
    assert redelivery_delay(1, 0.0) == 0
