"""Images a second of the whole pipeline, against a bare loop that calls the same models.

`PHOTOS=112` takes more photos; `BASELINE=fd1fef0` measures that commit in the same rounds. What
is not measured at the moment stands still, so that it takes nothing from what is.
"""

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psutil

from benchmarks import bare_loop
from benchmarks.baseline import checked_out
from benchmarks.installation import Installation, installed
from benchmarks.options import Options, read_options
from benchmarks.result import Result
from imaginem.config.settings import read_settings
from imaginem.engines.local.runtimes.choices import HAVE_BF16
from imaginem.engines.local.runtimes.on_openvino import processor
from imaginem.names import own_photo_metadata
from imaginem.pipeline.states import ENDED
from imaginem.runtime import Runtime
from imaginem.testing import message_for
from imaginem.usecases.progress import read_batch

_MEGABYTES = 1536
_BARE_SHARE = 0.9
_TIMES_BASELINE = {True: 3, False: 2}
"""With arithmetic in bf16, and without."""
_SECONDS_A_PHOTO = 60.0
"""After which a round counts as stuck."""


@contextmanager
def _peak_memory(installation: Installation) -> Iterator[dict[str, float]]:
    """Measure the peak memory of the host and its workers; shared pages count once."""
    peak = {"megabytes": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.25):
            total = 0.0
            for process in installation.processes:
                try:
                    if "imaginem.host.http" in process.cmdline():
                        continue  # it serves pages, and does not process photos
                    memory = process.memory_full_info()
                except psutil.Error:
                    continue
                total += getattr(memory, "pss", memory.rss)
            peak["megabytes"] = max(peak["megabytes"], total / 2**20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def send_photos(runtime: Runtime, photos: list[bytes]) -> float:
    """Send photos through a running pipeline; return the seconds until all have ended.

    Raises:
        RuntimeError: a job did not succeed, or the jobs do not end.
    """
    batch = uuid.uuid4().hex[:8]
    pipeline = runtime.settings.pipeline
    messages = []
    for number, data in enumerate(photos):
        place = ("inputimages", f"{batch}/{number}")
        url = runtime.blobs.put(*place, data, "image/jpeg", metadata=own_photo_metadata(*place))
        messages.append(message_for(url, pipeline, batch_id=batch, job_id=str(number)))
    begun = time.time()
    for message in messages:
        runtime.queues.send(pipeline[0], message.encode())
    return await_jobs(runtime, batch, len(photos), _SECONDS_A_PHOTO * (len(photos) + 1)) - begun


def await_jobs(runtime: Runtime, batch: str, count: int, most_seconds: float) -> float:
    """Wait until a batch has this many jobs and all have succeeded; return when the last did.

    The time, in seconds since 1970, is the storage's own. Looking takes a hundredth of the
    machine's time at most, for it takes from what is measured.

    Raises:
        RuntimeError: one ended otherwise, or they do not end in time.
    """
    deadline = time.monotonic() + most_seconds
    while True:
        begun = time.monotonic()
        rows = read_batch(runtime.log, batch, set())
        states = [row.job_state for row in rows]
        if len(states) >= count and ENDED.issuperset(states):
            break
        if begun > deadline:
            raise RuntimeError(f"of {count} jobs of the benchmark, {len(states)} have begun")
        time.sleep(max(0.1, 50 * (time.monotonic() - begun)))
    if set(states) != {"succeeded"}:
        raise RuntimeError(f"jobs of the benchmark ended as {set(states)}")
    return max(row.updated.timestamp() for row in rows if row.updated)


def in_turn(systems: dict[str, Callable[[], float]], rounds: int) -> list[dict[str, float]]:
    """Measure all systems in each round, every second round in the opposite order."""
    taken = []
    for number in range(rounds):
        names = list(systems) if number % 2 == 0 else list(reversed(systems))
        taken.append({name: systems[name]() for name in names})
    return taken


def run(options: Options | None = None) -> list[Result]:
    """Return ratios, shares of time, and memory."""
    options = options or read_options()
    photos = bare_loop.photos(read_settings(), options.photos)  # one may be missing: say so at once
    with ExitStack() as stack:
        ours = stack.enter_context(installed())
        first_photo = send_photos(ours.runtime, photos[:1])
        stack.enter_context(_standing_by(ours, photos))
        peak = stack.enter_context(_peak_memory(ours))
        spent: dict[str, list[float]] = {"ours": [], "before": []}
        systems = {
            "bare": lambda: bare_loop.images_a_second(ours.runtime.settings, photos),
            "ours": lambda: _measured(ours, photos, spent["ours"]),
        }
        if options.baseline:
            tree = stack.enter_context(checked_out(options.baseline))
            before = stack.enter_context(installed(tree))
            stack.enter_context(_standing_by(before, photos))
            systems["before"] = lambda: _measured(before, photos, spent["before"])
        rounds = in_turn(systems, options.rounds)
        seconds = bare_loop.shares(ours.runtime.settings, photos[: len(bare_loop.PHOTOS)])
        some = min(len(photos), len(bare_loop.PHOTOS))
    shown = f"{ours.ready_seconds:.1f} s; its first photo then {first_photo:.1f} s"
    return [
        *_speeds(rounds, options),
        *_processor_time(spent, options),
        *_parts(seconds, some),
        _memory(peak["megabytes"]),
        Result("`imaginem start` until it is ready", ours.ready_seconds, shown),
    ]


@contextmanager
def _standing_by(installation: Installation, photos: list[bytes]) -> Iterator[None]:
    """Load all models in all workers, then let the installation stand still."""
    send_photos(installation.runtime, photos[: len(bare_loop.PHOTOS)])
    installation.pause()
    yield


def _measured(installation: Installation, photos: list[bytes], spent: list[float]) -> float:
    """Return the images a second; note the processor seconds of a photo in `spent`."""
    installation.go_on()
    time.sleep(1)  # listeners look once a second: let them be awake
    before = installation.processor_seconds()
    try:
        speed = len(photos) / send_photos(installation.runtime, photos)
        spent.append((installation.processor_seconds() - before) / len(photos))
    finally:
        installation.pause()
    return speed


def _speeds(rounds: list[dict[str, float]], options: Options) -> list[Result]:
    def median(name: str) -> float:
        return statistics.median(one[name] for one in rounds)

    def ratio(name: str) -> float:
        return statistics.median(one["ours"] / one[name] for one in rounds)

    bare, piped = median("bare"), median("ours")
    label = f"{options.photos} mixed photos, {options.rounds} rounds"
    results = [
        Result(f"bare loop, 2 processes ({label})", bare, f"{bare:.2f} images/s", key="bare"),
        Result("whole pipeline, 2 workers", piped, f"{piped:.2f} images/s", key="pipeline"),
        Result(
            "pipeline / bare loop",
            ratio("bare"),
            f"{ratio('bare'):.2f}",
            f">= {_BARE_SHARE}",
            ratio("bare") >= _BARE_SHARE,
        ),
    ]
    if options.baseline:
        before, times = median("before"), ratio("before")
        wanted = _TIMES_BASELINE[processor() in HAVE_BF16]
        name = f"whole pipeline of {options.baseline}, 2 workers"
        results += [
            Result(name, before, f"{before:.2f} images/s", key="baseline"),
            Result(
                f"pipeline / pipeline of {options.baseline}",
                times,
                f"{times:.2f}",
                f">= {wanted}",
                times >= wanted,
            ),
        ]
    return results


def _processor_time(spent: dict[str, list[float]], options: Options) -> list[Result]:
    """Return the processor time of a photo, storage emulator left out."""
    ours = statistics.median(spent["ours"])
    shown = f"{ours:.2f} s"
    if spent["before"]:
        before = statistics.median(spent["before"])
        shown += f" ({before:.2f} s in {options.baseline}: {before / ours:.2f} times as much)"
    return [Result("processor time of a photo, host and workers", ours, shown)]


def _parts(seconds: Mapping[str, float], photos: int) -> list[Result]:
    """Return where the time of a photo goes."""
    total = sum(seconds.values())
    return [
        Result(
            f"a photo's time in the bare loop: {part}",
            seconds[part] / total,
            f"{seconds[part] / total:.0%} ({seconds[part] / photos * 1000:.0f} ms)",
            key="share",
            label=part,
        )
        for part in bare_loop.PARTS
    ]


def _memory(megabytes: float) -> Result:
    kept = megabytes <= _MEGABYTES
    shown, budget = f"{megabytes:.0f} MB", f"<= {_MEGABYTES} MB"
    return Result("peak memory, host and 2 workers", megabytes, shown, budget, kept)
