"""Jobs a second of seven trivial steps, against the same functions as a Celery chain on Redis.

Beside them, the storage calls of a job whose steps run one by one, made by the bare SDKs.
"""

import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import fusion
from benchmarks.deliveries import Delivered, deliver, without_polls
from benchmarks.installation import ROOT, Installation, installed
from benchmarks.options import Options, read_options
from benchmarks.result import Result, missing
from benchmarks.rivals.environment import Missing, run_script
from benchmarks.rivals.redis_server import redis_server
from benchmarks.throughput import await_jobs, in_turn
from benchmarks.trivial.bare_calls import calls_of, jobs_a_second
from benchmarks.trivial.steps import make_registry
from benchmarks.trivial.work import NAMES
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.runtime import Runtime
from imaginem.testing import message_for, photo_bytes

PIPELINE = ",".join(NAMES)
_SECONDS_A_JOB = 5.0
_MOST_CALLS = 5
_TIMES_BARE = 1.3
_CELERY = "Celery chain on Redis"
_CELERY_KEPT = "Celery chain on Redis, results kept"


def measure_calls(settings: dict[str, str]) -> Delivered:
    """Return what the second job of a fresh account takes."""
    with tempfile.TemporaryDirectory() as home, Emulator(None, EmulatorPorts.free()) as emulator:
        own = {"AzureWebJobsStorage": emulator.connection_string, "IMAGINEM_HOME": home}
        own |= {"PIPELINE_DEFINITION": PIPELINE, **settings}
        runtime = without_polls(Runtime(read_settings(own)))
        url = runtime.blobs.put("inputimages", "bench/photo", photo_bytes(), "image/png")
        try:
            for job in ("warm-up", "measured"):
                message = message_for(url, NAMES, job_id=job)
                taken = deliver(runtime, make_registry(), emulator.ports, message)
        finally:
            runtime.database.close()
    return taken


@contextmanager
def trivial_app() -> Iterator[Path]:
    """Yield a folder with the function app of the trivial steps."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(Path(__file__).with_name("function_app.py"), folder)
        shutil.copy(ROOT / "host.json", folder)
        yield Path(folder)


def run_jobs(installation: Installation, jobs: int) -> float:
    """Return the jobs a second of an installation, which stands still before and after."""
    installation.go_on()
    time.sleep(1)  # listeners look once a second: let them be awake
    runtime, batch = installation.runtime, uuid.uuid4().hex[:8]
    url = runtime.blobs.address("inputimages", "bench/photo")
    begun = time.time()
    for number in range(jobs):
        message = message_for(url, NAMES, batch_id=batch, job_id=str(number))
        runtime.queues.send(NAMES[0], message.encode())
    seconds = await_jobs(runtime, batch, jobs, 60 + _SECONDS_A_JOB * jobs) - begun
    installation.pause()
    return jobs / seconds


def run(options: Options | None = None) -> list[Result]:
    """Return jobs a second and ratios, all measured in the same rounds."""
    options = options or read_options()
    calls = {name: measure_calls(settings) for name, settings in fusion.modes().items()}
    unfused = next(iter(calls))
    with ExitStack() as stack:
        app = stack.enter_context(trivial_app())
        systems: dict[str, Callable[[], float]] = {}
        for name, settings in fusion.modes().items():
            own = {"PIPELINE_DEFINITION": PIPELINE, **settings}
            installation = stack.enter_context(installed(settings=own, app=app))
            prepare(installation, options.jobs)
            systems[name] = partial(run_jobs, installation, options.jobs)
        emulator = stack.enter_context(Emulator(Path(app) / "storage", EmulatorPorts.free()))
        systems["bare SDK calls"] = partial(
            _bare, emulator.connection_string, calls_of(calls[unfused]), options.jobs
        )
        results = []
        try:
            address = stack.enter_context(redis_server())
            chain = partial(_celery, address, options.jobs)
            chain()
            systems[_CELERY] = chain
            systems[_CELERY_KEPT] = partial(_celery, address, options.jobs, results=address)
        except Missing as reason:
            results.append(missing(f"{_CELERY}: jobs/s of seven trivial tasks", str(reason)))
        rounds = in_turn(systems, options.rounds)
    return [*_summary(rounds, calls, unfused), *results]


def prepare(installation: Installation, jobs: int = 10) -> None:
    """Put the photo where jobs say that it is, and warm workers and storage up.

    Celery and Redis are warmed up with as many jobs, too.
    """
    photo = photo_bytes()
    installation.runtime.blobs.put("inputimages", "bench/photo", photo, "image/png")
    run_jobs(installation, jobs)


def _bare(connection: str, calls: list[str], jobs: int) -> float:
    return jobs_a_second(connection, calls, jobs, uuid.uuid4().hex[:8])


def _celery(address: str, jobs: int, results: str = "") -> float:
    """Return the jobs a second of a chain; `results` is where each task's result is kept."""
    environment = {"BENCH_REDIS": address, "BENCH_RESULTS": results}
    done: float = run_script("celery_chain", str(jobs), environment=environment)
    return done


def _summary(
    rounds: list[dict[str, float]], calls: dict[str, Delivered], unfused: str
) -> list[Result]:
    results = [
        Result(
            f"seven trivial steps: {name}",
            statistics.median(one[name] for one in rounds),
            f"{statistics.median(one[name] for one in rounds):.1f} jobs/s",
            key="trivial",
            label=name,
        )
        for name in rounds[0]
    ]
    times = statistics.median(one["bare SDK calls"] / one[unfused] for one in rounds)
    label = f"trivial steps, {unfused}: time / that of the bare SDK calls"
    results.append(Result(label, times, f"{times:.2f}", f"<= {_TIMES_BARE}", times <= _TIMES_BARE))
    if "fused" in calls:
        count = calls["fused"].counts().total()
        name, kept = "storage calls of a trivial fused job", count <= _MOST_CALLS
        results.append(Result(name, count, str(count), f"<= {_MOST_CALLS}", kept))
    best = "fused" if "fused" in calls else unfused
    if _CELERY in rounds[0]:
        ratio = statistics.median(one[best] / one[_CELERY] for one in rounds)
        name = f"trivial steps, {best} / {_CELERY}"
        of_keeping = statistics.median(one[best] / one[_CELERY_KEPT] for one in rounds)
        shown = f"{ratio:.2f} ({of_keeping:.2f} of one that keeps results)"
        results.append(Result(name, ratio, shown, ">= 1", ratio >= 1))
    return results
