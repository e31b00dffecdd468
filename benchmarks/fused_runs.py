"""What fused runs save: seven trivial steps on the storage emulator, fused and not, in one run."""

import statistics
import time

from benchmarks.result import Result
from benchmarks.step_execution import counted
from imaginem import JobContext, StepOutput, step
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import Registry
from imaginem.runtime import Runtime
from imaginem.testing import message_for, photo_bytes

_STEPS = tuple(f"trivial{number}" for number in range(7))
_JOBS = 20
_ROUNDS = 5
_MOST_CALLS = 5


class Small(StepOutput):
    """An output of the usual size."""

    text: str


def _pipeline() -> Registry:
    registry = Registry()
    for name in _STEPS:

        def trivial(job: JobContext) -> Small:
            return Small(text="x" * 200)

        trivial.__name__ = name
        step(registry=registry)(trivial)
    return registry


class _Worker:
    """Takes messages, runs what they are for, and deletes them, as a host with one worker does.

    Args:
        emulator: of storage.
        fusion: the setting `PIPELINE_FUSION`.
    """

    def __init__(self, emulator: Emulator, fusion: str) -> None:
        settings = {
            "AzureWebJobsStorage": emulator.connection_string,
            "PIPELINE_FUSION": fusion,
            "PIPELINE_DEFINITION": ",".join(_STEPS),
        }
        self._runtime, self._registry = Runtime(read_settings(settings)), _pipeline()
        self._ports, self._fusion, self._sent = emulator.ports, fusion, 0
        photo = photo_bytes()
        self._url = self._runtime.blobs.put("inputimages", "bench/photo", photo, "image/png")

    def send(self, jobs: int) -> None:
        """Put jobs on the first queue."""
        for _ in range(jobs):
            self._sent += 1
            name = f"{self._fusion}-{self._sent}"
            message = message_for(self._url, _STEPS, job_id=name)
            self._runtime.queues.send(_STEPS[0], message.encode())

    def work(self) -> tuple[float, int]:
        """Work until nothing is left; return the seconds, and the calls of step executions."""
        begun, calls, queues = time.perf_counter(), 0, self._runtime.queues
        for name in _STEPS:
            queues.create(name)
            while items := queues.receive(name, 32, 60):
                for item in items:
                    delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
                    with counted(self._ports) as counts:
                        process_step(
                            self._registry.get(name), delivery, self._runtime, self._registry
                        )
                    calls += counts.total()
                    queues.delete(name, item)
        return time.perf_counter() - begun, calls


def run() -> list[Result]:
    """Return jobs a second and storage calls a job, medians of interleaved rounds."""
    with Emulator(None, EmulatorPorts.free()) as emulator:
        workers = {"fused": _Worker(emulator, "auto"), "unfused": _Worker(emulator, "off")}
        seconds: dict[str, list[float]] = {how: [] for how in workers}
        calls: dict[str, float] = {}
        for number in range(_ROUNDS + 1):
            for how, worker in workers.items():
                worker.send(_JOBS)
                lasted, made = worker.work()
                if number:  # the first round makes queues and tables
                    seconds[how].append(lasted)
                    calls[how] = made / _JOBS
    rates = {how: _JOBS / statistics.median(lasted) for how, lasted in seconds.items()}
    ratio = rates["fused"] / rates["unfused"]
    return [
        *(
            Result(f"seven trivial steps, {how}: jobs/s, one worker", rate, f"{rate:.1f}")
            for how, rate in rates.items()
        ),
        Result("seven trivial steps: fused against unfused", ratio, f"{ratio:.1f} times"),
        *(
            Result(
                f"seven trivial steps, {how}: storage calls a job",
                made,
                f"{made:.1f} (and {'2' if how == 'fused' else '14'} of the host)",
                f"<= {_MOST_CALLS}" if how == "fused" else "-",
                made <= _MOST_CALLS if how == "fused" else None,
            )
            for how, made in calls.items()
        ),
    ]
