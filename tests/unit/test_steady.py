"""Threads and timers of the host go on, whatever happens to them; kinds of calls take turns."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from imaginem.host import steady
from imaginem.host.lanes import Waiting
from imaginem.host.listener import QueueListener
from imaginem.host.poller import Poller
from imaginem.host.steady import Crew, SteadyThread
from imaginem.host.timers import Timer
from imaginem.host.triggers import Trigger
from imaginem.host.turns import Turns
from imaginem.host.worker_process import Invocation
from imaginem.testing import MemoryQueues
from tests.listening import Pool, eventually, listening, stop


def test_a_thread_goes_on_after_an_error_and_says_what_it_was(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steady, "_FIRST_PAUSE", 0.001)
    begun = []

    def work() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise KeyError("a defect")

    thread = SteadyThread("leases", work, threading.Event())
    thread.start()
    assert thread.join(5)
    assert (len(begun), thread.lost) == (3, "")
    assert "leases: an unexpected error" in caplog.text
    assert "KeyError: 'a defect'" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_cannot_go_on_is_noticed() -> None:
    def work() -> None:
        raise GeneratorExit

    thread = SteadyThread("leases", work, threading.Event())
    assert thread.lost == ""
    thread.start()
    assert thread.join(5)
    assert thread.lost == "leases"


def test_an_error_of_one_call_keeps_nobody_from_the_next() -> None:
    crew, done = Crew("test", 1), threading.Event()
    crew.submit(lambda: 1 / 0)
    crew.submit(done.set)
    assert done.wait(5)
    crew.dismiss()


def test_a_queue_that_raises_unexpectedly_keeps_nobody_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steady, "_FIRST_PAUSE", 60)
    queues = MemoryQueues()
    queues.send("well", "body")
    (ill, pool), (well, _) = listening(queues, "ill"), listening(queues, "well")
    well._lane = pool  # type: ignore[assignment]
    poll = QueueListener._receive

    def receive(listener: QueueListener) -> object:
        if listener.queue == "ill":
            raise ValueError("no XML")
        return poll(listener)

    monkeypatch.setattr(QueueListener, "_receive", receive)
    poller = Poller("test", [ill, well], pool, Turns(["ill", "well"]))  # type: ignore[arg-type]
    poller.start()
    eventually(lambda: pool.calls)
    queues.send("well", "body")
    well.wake()
    eventually(lambda: len(pool.calls) == 2)
    stop(poller)
    assert isinstance(pool, Pool)


def test_lanes_take_turns_however_many_calls_wait_on_one() -> None:
    waiting = Waiting()
    for number in range(50):
        waiting.add("poison", Invocation({"id": f"poison-{number}"}))
    for lane in ("steps", "blobs", "timers", "steps"):
        waiting.add(lane, Invocation({"id": lane}))
    taken = [waiting.take().message["id"] for _ in range(6)]
    assert taken == ["poison-0", "steps", "blobs", "timers", "poison-1", "steps"]
    assert len(list(waiting.clear())) == 48
    assert not waiting


class Clock:
    """A time of day that is set by hand, and a timer that looks at it."""

    def __init__(self, schedule: str) -> None:
        self.time = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
        self.runs: list[datetime] = []
        trigger = Trigger("maintenance", "timer", "timer", schedule=schedule)
        self.timer = Timer(trigger, lambda _: self.runs.append(self.time), lambda: self.time)

    def set_to(self, time: datetime) -> float:
        self.time = time
        return self.timer.look()

    def let_pass(self, seconds: float) -> None:
        end = self.time + timedelta(seconds=seconds)
        while self.time < end:
            self.time += timedelta(seconds=min(self.timer.look(), 5.0))
        self.timer.look()


def test_a_timer_runs_at_the_times_of_its_schedule() -> None:
    clock = Clock("0 */5 * * * *")
    clock.let_pass(900)
    assert [time.minute for time in clock.runs] == [5, 10, 15]


def test_a_timer_runs_soon_after_the_machine_slept() -> None:
    clock = Clock("0 0 3 * * *")
    clock.set_to(datetime(2026, 1, 2, 7, 0, tzinfo=UTC))
    assert len(clock.runs) == 1
    clock.let_pass(3600)
    assert len(clock.runs) == 1


def test_a_timer_goes_on_after_the_clock_was_set_back() -> None:
    clock = Clock("0 */5 * * * *")
    clock.let_pass(300)
    assert clock.set_to(clock.time - timedelta(days=30)) <= 5
    before = len(clock.runs)
    clock.let_pass(900)
    assert len(clock.runs) == before + 3
