"""The seven trivial functions as Celery tasks, one queue each, acknowledged late."""

import os
from typing import Any

import redis
from celery import Celery, chain

from benchmarks.trivial.work import NAMES, work

ADDRESS = os.environ["BENCH_REDIS"]
DONE = "bench-done"

app = Celery("trivial", broker=ADDRESS, backend=os.environ.get("BENCH_RESULTS") or None)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=not os.environ.get("BENCH_RESULTS"),
    task_routes={name: {"queue": name} for name in NAMES},
    broker_connection_retry_on_startup=True,
)
counter = redis.Redis.from_url(ADDRESS)


def _task(name: str) -> Any:
    def run(outputs: dict[str, Any]) -> dict[str, Any]:
        outputs = {**outputs, name: {"text": work(name)}}
        if name == NAMES[-1]:
            counter.incr(DONE)
        return outputs

    return app.task(name=name)(run)


TASKS = [_task(name) for name in NAMES]


def job() -> Any:
    """Return the chain of one job."""
    first, *rest = TASKS
    return chain(first.s({}), *(task.s() for task in rest))
