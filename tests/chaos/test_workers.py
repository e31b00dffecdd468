"""Workers that die, stop or don't answer are replaced, whatever the host was doing with them."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError
from imaginem.host.environment import worker_environment
from imaginem.host.leases import Unbegun
from imaginem.host.pool import WorkerDied, WorkerPool
from imaginem.host.session import HostOptions, Session
from imaginem.host.worker_process import Sent, WorkerOptions
from imaginem.memory.storage import MemoryBlobs, MemoryQueues
from imaginem.ports import QueueItem
from tests.waiting import PATIENCE, until

APP = """
import os, signal, time
import azure.functions as func

from imaginem.ports.sends import note_send

app = func.FunctionApp()


@app.function_name("work")
@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    if text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if text == "wait":
        time.sleep(30)
    if text == "fail":
        raise ValueError("no")
    if text == "fork":
        if os.fork() == 0:  # the child holds the pipes of its worker
            time.sleep(60)
            os._exit(0)
    if text == "send":
        note_send("next")
"""
WITH_NEXT = f"""{APP}
@app.function_name("next")
@app.queue_trigger(arg_name="message", queue_name="next", connection="AzureWebJobsStorage")
def following(message: func.QueueMessage) -> None:
    pass
"""
DIES_AT_FIRST = """
import os, signal
from pathlib import Path

for number in range(3):
    try:
        (Path(__file__).parent / f"death-{number}").touch(exist_ok=False)
    except FileExistsError:
        continue
    os.kill(os.getpid(), signal.SIGKILL)
"""
LARGE = "x" * 40_000  # a pipe holds 64 KiB: the second of them has to wait for its reader

SILENCE = 60.0
"""Seconds after which a worker that says nothing is replaced, where no test says otherwise."""

Pool = Callable[..., WorkerPool]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Make a pool of workers for an app; it is closed after the test."""
    pools: list[WorkerPool] = []

    def make(
        app: str = APP, count: int = 2, timeout: float = 60, silence: float = SILENCE
    ) -> WorkerPool:
        (tmp_path / "function_app.py").write_text(app)
        options = WorkerOptions(tmp_path, 2, worker_environment({}), log)
        pools.append(WorkerPool(options, count, timeout, silence=silence))
        return pools[-1]

    with (tmp_path / "log").open("wb") as log:
        yield make
        for process in _children():  # stopped ones would outlive a failed test
            os.kill(process, signal.SIGCONT)
        for each in pools:
            each.close(5)


def _children() -> list[int]:
    """Return the processes that this one has started and that run."""
    numbers = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            numbers += [int(number) for number in task.read_text().split()]
    return numbers


def submit(pool: WorkerPool, body: str) -> "Future[Sent]":
    return pool.submit(
        "work", kind="queue", message_id="1", body=body, dequeue_count=1, receipt="r", inserted=None
    )


def submit_large(pool: WorkerPool, count: int) -> "list[Future[Sent]]":
    """Submit messages of 40 KB, and see that nobody has to wait for a worker that reads none."""
    futures: list[Future[Sent]] = []

    def submit_all() -> None:
        futures.extend(submit(pool, LARGE) for _ in range(count))

    submitting = threading.Thread(target=submit_all, daemon=True)
    submitting.start()
    submitting.join(SILENCE / 2)
    assert len(futures) == count
    return futures


def test_workers_that_die_while_they_are_given_work_are_replaced(pool: Pool) -> None:
    workers = pool()
    workers.start()
    one = submit(workers, "die")
    with pytest.raises(WorkerDied):
        one.result(PATIENCE)
    for pid in workers.pids:  # dead before anything is written to them
        os.kill(pid, signal.SIGKILL)
    futures = [submit(workers, "well") for _ in range(20)]
    for future in futures:
        with suppress(WorkerDied):
            future.result(PATIENCE)
    assert submit(workers, "well").result(PATIENCE) == []
    with pytest.raises(RuntimeError, match="ValueError: no"):
        submit(workers, "fail").result(PATIENCE)
    until(lambda: len(workers.pids) == 2)


def test_a_stopped_worker_holds_up_nobody_and_is_replaced(pool: Pool) -> None:
    workers = pool(count=3, silence=2)
    workers.start()
    victim = workers.pids[0]
    os.kill(victim, signal.SIGSTOP)
    futures = submit_large(workers, 60)
    until(lambda: sum(future.done() for future in futures) >= 58)  # its two messages wait
    until(lambda: victim not in workers.pids)
    outcomes = [future.exception(PATIENCE) for future in futures]
    assert [type(each) for each in outcomes if each] == [WorkerDied] * 2
    until(lambda: len(workers.pids) == 3)
    assert submit(workers, LARGE).result(PATIENCE) == []


def test_a_worker_that_stopped_for_a_moment_goes_on(pool: Pool) -> None:
    workers = pool(count=1)
    workers.start()
    (pid,) = workers.pids
    os.kill(pid, signal.SIGSTOP)
    futures = submit_large(workers, 6)
    time.sleep(1.5)  # the pipe is full by now
    os.kill(pid, signal.SIGCONT)
    assert [future.result(PATIENCE) for future in futures] == [[]] * 6
    assert workers.pids == [pid]


def test_the_host_stops_in_time_although_a_worker_does_not_read(pool: Pool) -> None:
    workers = pool(count=1)
    workers.start()
    os.kill(workers.pids[0], signal.SIGSTOP)
    futures = submit_large(workers, 6)
    begun = time.monotonic()
    workers.close(1)
    assert time.monotonic() - begun < SILENCE / 2
    until(lambda: all(future.done() for future in futures))
    assert workers.pids == []


def test_a_stopped_function_is_ended_by_function_timeout(pool: Pool) -> None:
    workers = pool(count=1, timeout=2)
    workers.start()
    with pytest.raises(WorkerDied):
        submit(workers, "stop").result(SILENCE / 2)
    assert submit(workers, "well").result(PATIENCE) == []


def test_a_process_that_a_function_started_does_not_hide_its_workers_death(pool: Pool) -> None:
    workers = pool(count=1)
    workers.start()
    submit(workers, "fork").result(PATIENCE)
    with pytest.raises(WorkerDied):
        submit(workers, "die").result(SILENCE / 2)
    assert submit(workers, "well").result(PATIENCE) == []


def test_workers_killed_while_they_start_are_started_again(pool: Pool) -> None:
    workers = pool(DIES_AT_FIRST + APP)
    assert [trigger.function for trigger in workers.start()] == ["work"]
    assert len(workers.pids) == 2
    assert submit(workers, "well").result(PATIENCE) == []


def test_workers_that_die_at_every_start_end_it_with_the_reason(pool: Pool) -> None:
    workers = pool("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", count=1)
    with pytest.raises(ConfigurationError, match=r"ended 5 times while it started.*code -9"):
        workers.start()
    assert workers.pids == []


def test_an_app_that_says_why_it_cannot_be_loaded_ends_the_start_at_once(pool: Pool) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be loaded: .*line 1: ZeroDiv"):
        pool("1 / 0").start()


def test_a_host_that_kills_its_workers_takes_no_tries_from_the_messages_that_wait(
    tmp_path: Path,
) -> None:
    (tmp_path / "function_app.py").write_text(APP)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    queues = MemoryQueues()
    for _ in range(100):
        queues.send("work", "wait")
    with (tmp_path / "log").open("wb") as log:
        options = HostOptions(tmp_path, workers=1, port=0, log=log)
        session = Session(options, queues, MemoryBlobs(), None, Unbegun())
        until(lambda: session.pool.waiting("steps") >= session.pool.at_once)
        session.close(kill=True)  # as when the storage emulator has died
    waiting = queues.receive("work", 100, 1)

    assert len(waiting) >= 90
    assert {item.dequeue_count for item in waiting} <= {1, 2}


class CountingQueues(MemoryQueues):
    """Queues that know how often each was looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: Counter[str] = Counter()

    def receive(self, queue: str, count: int, lease: float) -> list[QueueItem]:
        """Take messages."""
        self.looks[queue] += 1
        return super().receive(queue, count, lease)


@pytest.mark.parametrize(("text", "looks"), [("nothing", (0, 4)), ("send", (5, 30))])
def test_the_next_queue_is_looked_into_when_a_function_has_sent_to_it(
    tmp_path: Path, text: str, looks: tuple[int, int]
) -> None:
    (tmp_path / "function_app.py").write_text(WITH_NEXT)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')  # polls once a minute
    queues = CountingQueues()
    with (tmp_path / "log").open("wb") as log:
        options = HostOptions(tmp_path, workers=1, port=0, log=log, order=["work", "next"])
        session = Session(options, queues, MemoryBlobs(), None, Unbegun())
        until(lambda: queues.looks["next"])
        before = queues.looks["next"]
        for _ in range(10):  # one after the other: a look answers for all that wait
            queues.send("work", text)
            until(lambda: queues.count("work") == 0)
        session.close()

    least, most = looks
    assert least <= queues.looks["next"] - before <= most
