"""Workers that die are replaced, whatever the host was doing with them."""

import os
import signal
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest

from imaginem.host.environment import worker_environment
from imaginem.host.pool import WorkerDied, WorkerPool

APP = """
import os, signal, time
import azure.functions as func

app = func.FunctionApp()


@app.function_name("work")
@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    if text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "fail":
        raise ValueError("no")
"""


def test_workers_that_die_while_they_are_given_work_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(APP)
    with (tmp_path / "log").open("wb") as log:
        pool = WorkerPool(tmp_path, 2, 2, worker_environment({}), log, 60)
        pool.start()
        try:
            one = submit(pool, "die")
            with pytest.raises(WorkerDied):
                one.result(10)
            for pid in pool.pids:  # dead before anything is written to them
                os.kill(pid, signal.SIGKILL)
            futures = [submit(pool, "well") for _ in range(20)]
            for future in futures:
                with suppress(WorkerDied):
                    future.result(20)
            assert submit(pool, "well").result(20) is None
            with pytest.raises(RuntimeError, match="ValueError: no"):
                submit(pool, "fail").result(20)
            deadline = time.monotonic() + 5
            while len(pool.pids) != 2:
                assert time.monotonic() < deadline
                time.sleep(0.002)
        finally:
            pool.close()


def submit(pool: WorkerPool, body: str) -> "Future[None]":
    return pool.submit(
        "work", kind="queue", message_id="1", body=body, dequeue_count=1, receipt="r", inserted=None
    )
