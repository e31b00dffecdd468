"""A pipeline in memory whose workers, host and people can be stopped at any call of a port.

`World` plays the queues' host: it delivers messages one by one, again after a lease has run out,
moves those that failed too often to the poison queue, and lets people replay them. A `Stop` kills
whoever makes the n-th call of a port, or lets that call fail, before or after it has its effect.
"""

import contextlib
import re
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imaginem import JobContext, JobResult, step
from imaginem.errors import StorageUnavailable
from imaginem.memory.storage import MemoryQueues
from imaginem.pipeline.cancelling import FRESH_SECONDS, CancelledBatches
from imaginem.pipeline.erased import NotedErasures
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import CONCLUDED, JobState
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, EnrolledFace, Fusion, Pause, QueueItem
from imaginem.testing import MemoryServices, message_for, photo_bytes
from imaginem.usecases.erase import forget_job
from imaginem.usecases.poison import replay_job
from tests.workbench import KEY, Found

STEPS = ("find", "keep", "report")
TRIES = 5
PORTS = (
    "queues",
    "log",
    "blobs",
    "poison",
    "results",
    "gallery",
    "shared_state",
    "tombstones",
    "batches",
    "submissions",
    "earlier_outputs",
    "remains",
    "barred",
)
LEASE = 30.0
PHOTO = "https://93.184.216.34/photo.png?sig=secret"
Body = Callable[[JobContext], None]


class Killed(BaseException):
    """The process ends here: no handler of the pipeline sees it."""


@dataclass(frozen=True)
class Stop:
    """Where somebody is stopped: at which call, before or after its effect, and how."""

    call: int
    after: bool
    dies: bool


@dataclass
class Journal:
    """The calls of ports that are watched, in order; one may be the last of its process.

    Attributes:
        stop: the call that is stopped, if any.
        ambush: name of a call that kills whoever makes it, and how many times.
        actor: who makes the calls: the worker, the host, its poison trigger, or a person.
    """

    stop: Stop | None = None
    watching: bool = False
    calls: list[str] = field(default_factory=list)
    ambush: tuple[str, int] = ("", 0)
    actor: str = ""

    def call(self, name: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        ambushed, times = self.ambush
        if name == ambushed and times:
            self.ambush = (name, times - 1)
            raise Killed
        if not self.watching:
            return method(*given, **named)
        host = name.startswith("host.")
        self.calls.append(f"{'host' if host else self.actor}: {name.removeprefix('host.')}")
        stop = self.stop if self.stop and self.stop.call == len(self.calls) else None
        if stop and not stop.after:
            self._end(stop, name)
        result = method(*given, **named)
        if stop:
            self._end(stop, name)
        return result

    def _end(self, stop: Stop, name: str) -> None:
        raise Killed if stop.dies else StorageUnavailable(f"{name}: no answer")


class Noted:
    """A port whose calls are noted in a journal under a name."""

    def __init__(self, port: Any, name: str, journal: Journal) -> None:
        self._port, self._name, self._journal = port, name, journal

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if name in ("locate", "address") or not callable(value):  # they reach nothing
            return value

        def call(*given: Any, **named: Any) -> Any:
            label = f"{self._name}.{name}{_sort(name, given, named)}"
            return self._journal.call(label, value, *given, **named)

        return call


def _sort(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Return what tells calls of one name apart: what a write says of a step, and a delay."""
    if name == "merge":
        words = re.findall(r"step \d+: (\w+)", " ".join(map(str, given[1].values())))
        return " " + next((word for word in words if word != "processing"), "delivery")
    return " delayed" if named.get("delay") else ""


@dataclass(frozen=True)
class End:
    """All that is left of a job when nothing moves any more."""

    job_state: str
    steps: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    faces: int = 0
    messages: tuple[str, ...] = ()
    poison: tuple[tuple[str, str], ...] = ()


class World:
    """One job, from its first message to its end."""

    def __init__(self, stop: Stop | None = None, *, grouped: bool = False, **settings: Any) -> None:
        self.journal = Journal(stop)
        self.now = 0.0
        self.watched = 0
        self.is_erased = False
        self.executions: Counter[str] = Counter()
        self.repeated: list[str] = []
        self.acts: dict[str, Body] = {"find": self._find, "keep": self._keep, "report": self._save}
        chosen = CoreSettings(
            **{
                "retry_seconds": 0,
                "max_dequeue_count": TRIES,
                "default_pipeline": STEPS,
                "fusion": Fusion(),
                **settings,
            }
        )
        self.services = MemoryServices(core_settings=chosen)
        self.raw_queues = self.services.queues = MemoryQueues(lambda: self.now)
        self.raw_log, self.raw_poison = self.services.log, self.services.poison
        self.raw_results, self.raw_gallery = self.services.results, self.services.gallery
        for name in PORTS:
            port = Noted(getattr(self.services, name), name, self.journal)
            setattr(self.services, name, port)
        self.services.erased = NotedErasures(
            self.services.tombstones, self.services.shared_state, self.services.erased_runs
        )
        self.services.fetch = lambda url: self.journal.call("fetch", photo_bytes)
        self.services.cancellations = CancelledBatches(self.services.shared_state, lambda: self.now)
        self.host = Noted(self.raw_queues, "host", self.journal)
        self.registry = Registry()
        for name in STEPS:
            if grouped and name == "find":
                self._declare_group(name)
            else:
                self._declare(name)

    def _declare_group(self, name: str) -> None:
        def function(jobs: list[JobContext]) -> list[Found]:
            return [self._execute(job, name) for job in jobs]

        function.__name__ = name
        step(registry=self.registry, group=2, within="5m")(function)

    def _declare(self, name: str) -> None:
        def function(job: JobContext) -> Found:
            return self._execute(job, name)

        function.__name__ = name
        needs = [self.registry.get("find")] if name == "keep" else []
        step(registry=self.registry, requires=needs, finalizer=name == "report")(function)

    def _execute(self, job: JobContext, name: str) -> Found:
        self.executions[name] += 1
        row = read_row(self.raw_log, job.key)
        if row is not None and row.state_of(name) in CONCLUDED:
            self.repeated.append(name)
        self.acts[name](job)
        return Found(what=f"{name} of {job.job_id}")

    def _find(self, job: JobContext) -> None:
        assert job.image.width

    def _keep(self, job: JobContext) -> None:
        face = uuid.uuid5(uuid.NAMESPACE_URL, "/".join(job.key))
        faces = [EnrolledFace(face, "model", b"", 1.0, (0, 0, 1, 1))]
        self.services.gallery.enrol(job.key, faces, run=job.call.run)

    def _save(self, job: JobContext) -> None:
        job.results.save(JobResult(*job.key, job.pipeline, job.image_url, None, dict(job.outputs)))

    def erase(self) -> None:
        """Erase the job once, at this moment; nobody is stopped meanwhile."""
        if self.is_erased:
            return
        self.is_erased, watching = True, self.journal.watching
        self.journal.watching = False
        forget_job(self.services, KEY)
        self.journal.watching = watching

    def pause(self, *, resume: bool = False) -> None:
        """Pause the job's batch, or let it go on; nobody is stopped meanwhile."""
        watching, self.journal.watching = self.journal.watching, False
        if resume:
            self.services.pauses.resume(KEY[0])
        else:
            self.services.pauses.pause(KEY[0], Pause(datetime.now(UTC), "Ana"))
        self.journal.watching = watching

    def blobs(self) -> list[str]:
        """Return everything that is kept as a blob."""
        return sorted(f"{place}/{name}" for place, name in self.services.blobs._blobs)

    def send(self, *pipeline: str, **given: Any) -> None:
        """Send the job, as any other program does."""
        body = message_for(PHOTO, pipeline or STEPS, **given).encode()
        self.raw_queues.send((pipeline or STEPS)[0], body)

    def watch(self, deliveries: int) -> None:
        """Note the calls of so many deliveries from now on, and stop one of them."""
        self.watched, self.journal.watching = deliveries, True

    def ambush(self, call: str, times: int = 1) -> None:
        """Kill whoever makes a call, before its effect, and play so far."""
        self.journal.ambush = (call, times)
        for _ in range(60):
            if not self.journal.ambush[1]:
                return
            self.deliver_all()
        raise AssertionError(f"{call} was not called {times} times")

    def play(self) -> None:
        """Deliver messages until none is left."""
        for _ in range(60):
            if not self._waiting():
                return
            self.deliver_all()
        raise AssertionError("the messages do not come to an end")

    def deliver_all(self) -> None:
        """Deliver each message that is visible, and let the leases of the others run out."""
        for queue in self._queues():
            if self.raw_queues.count(queue):
                for item in self.raw_queues.receive(queue, 1, LEASE):
                    self._deliver(queue, item)
        self.now += LEASE + 1

    def _queues(self) -> list[str]:
        return [*STEPS, *(f"{name}-poison" for name in STEPS)]

    def _waiting(self) -> int:
        return sum(self.raw_queues.count(queue) or 0 for queue in self._queues())

    def _deliver(self, queue: str, item: QueueItem) -> None:
        """Do what a host does with a message; one whose worker died stays until its lease ends."""
        self.now += FRESH_SECONDS + 1  # each worker looks whether the batch was cancelled
        self.journal.actor = "trigger" if queue.endswith("-poison") else "worker"
        with contextlib.suppress(Killed, StorageUnavailable):
            if queue.endswith("-poison"):
                bury(
                    self.services, queue.removesuffix("-poison"), item.id, item.body, item.inserted
                )
            elif item.dequeue_count > TRIES or not self._succeeds(queue, item):
                self.host.send(f"{queue}-poison", item.body)
            self.host.delete(queue, item)
        if self.journal.watching:
            self.watched -= 1
            self.journal.watching = self.watched > 0

    def _succeeds(self, queue: str, item: QueueItem) -> bool:
        """Call the step's function; after the last try an error is no reason to wait."""
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        try:
            process_step(self.registry.get(queue), delivery, self.services, self.registry)
        except Exception:
            if item.dequeue_count < TRIES:
                raise Killed from None  # the message waits for its next delivery
            return False
        return True

    def replay_all(self, times: int = 3) -> None:
        """Put back every message that is poisoned; a person tries again until none is left."""
        for _ in range(times):
            for entry in self.raw_poison.list():
                self.journal.actor = "person"
                with contextlib.suppress(Killed, StorageUnavailable):
                    replay_job(self.services, entry.queue, entry.id)
            self.journal.watching = False
            self.play()

    def mend(self) -> None:
        """Let every step work from now on."""
        self.acts = {"find": self._find, "keep": self._keep, "report": self._save}

    def unsuccessful_neighbours(self) -> list[str]:
        """Return the other jobs that did not end well."""
        rows = [ProgressRow(entry) for entry in self.raw_log.batch(KEY[0])]
        well = JobState.SUCCEEDED
        return [row.job_id for row in rows if row.key != KEY and row.job_state is not well]

    def end(self) -> End:
        """Return what is left of the job."""
        row, result = read_row(self.raw_log, KEY), self.raw_results.read(KEY)
        poison = [(e.queue, re.split(r"[:,]| \(", e.reason)[0]) for e in self.raw_poison.list()]
        return End(
            job_state=str(row.job_state) if row else "",
            steps=tuple(str(row.state_of(name)) for name in STEPS) if row else (),
            outputs=tuple(name for name in STEPS if row and row.output_of(name)),
            result=("row", *sorted(result.job_output)) if result else (),
            faces=len(self.raw_gallery.faces_of(KEY)),
            messages=tuple(n for n in self.raw_queues.names() if self.raw_queues.count(n)),
            poison=tuple(sorted(poison)),
        )


def once(problem: Exception, act: Body) -> Body:
    """Return an act that fails the first time."""
    left = [problem]

    def do(job: JobContext) -> None:
        if left:
            raise left.pop()
        act(job)

    return do


def always(problem: BaseException) -> Body:
    """Return an act that fails every time."""

    def do(job: JobContext) -> None:
        raise problem

    return do
