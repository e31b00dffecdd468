"""Jobs a second of a Celery chain: `celery_chain.py JOBS`; prints them as JSON.

The first jobs only warm the workers up.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WARM_UP = 10
WORKERS = 2


def main(jobs: int) -> None:
    """Start two worker processes, run the jobs, and stop the workers."""
    import celery_tasks

    queues = ",".join(celery_tasks.NAMES)
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-Q", queues]
    command += ["--concurrency", str(WORKERS), "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = subprocess.Popen(
        command, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _run(celery_tasks, WARM_UP)
        begun = time.perf_counter()
        _run(celery_tasks, jobs)
        seconds = time.perf_counter() - begun
    finally:
        worker.terminate()
        worker.wait(60)
    print(json.dumps(jobs / seconds))


def _run(tasks: Any, jobs: int) -> None:
    tasks.counter.set(tasks.DONE, 0)
    for _ in range(jobs):
        tasks.job().apply_async()
    deadline = time.monotonic() + 60 + jobs
    while int(tasks.counter.get(tasks.DONE)) < jobs:
        if time.monotonic() > deadline:
            raise TimeoutError("the Celery jobs do not end")
        time.sleep(0.02)


if __name__ == "__main__":
    main(int(sys.argv[1]))
