"""What people and the world do while jobs are worked on."""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from imaginem.errors import ImaginemError, NotFound
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.ports import JobKey
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.clearing import clear_queue
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.pausing import pause_batch, resume_batch
from imaginem.usecases.poison import replay_job
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from imaginem.usecases.submit import run_again, submit_photo
from tests.simulation.clock import Clock
from tests.simulation.faults import WorkerDied
from tests.simulation.ledger import Ledger
from tests.simulation.machine import Machine
from tests.simulation.plan import STEPS, TOGETHER, Event, Plan
from tests.simulation.scheduler import InstanceDied, Scheduler
from tests.simulation.searches import search_everything
from tests.simulation.services import SimulatedServices, Stores
from tests.simulation.tracing import Trace

FORGERIES: tuple[dict[str, object], ...] = (
    {"run": "nobody", "fence": "made-up"},
    {"run": "nobody", "fence": "made-up", "attempt": 1},
    {"run": "nobody", "fence": "made-up", "waits": 1},
    {"run": "nobody", "fence": "made-up", "unbarred": "0" * 64, "made": {"looks": "0" * 64}},
    {"attempt": -1_000_000, "waits": -1_000_000},
    {"run": "", "fence": "made-up"},
    {"run": "nobody", "fence": ""},
    {"fence": "outdated"},
    {"run": 7},
)
GROUPED_FORGERIES: tuple[dict[str, object], ...] = (
    {"gathering": "0" * 32},
    {"gathering": "apart"},
    {"gathering": "0" * 32, "run": "nobody", "fence": "made-up"},
    {"beat": "made-up"},
)
RAISED = 100_000.0
"""A budget in US dollars that no run uses up."""
_AGAIN = "-again"
_PATIENCE = 20
_LONGEST_JUMP = 3 * 3600.0


class Surroundings(Protocol):
    """What people need of the run."""

    plan: Plan
    clock: Clock
    scheduler: Scheduler
    chance: random.Random
    services: SimulatedServices
    stores: Stores
    ledger: Ledger
    trace: Trace
    happened: Counter[str]
    machine: Machine


class Person:
    """Somebody who does one thing of the plan, from a process of their own."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._services = around.services.restarted()
        self._acts: dict[Event, Callable[[], None]] = {
            Event.SUBMIT: self._submit_again,
            Event.CANCEL: lambda: self._services.cancellations.cancel(self._job()[0][0]),
            Event.REOPEN: lambda: self._services.cancellations.reopen(self._job()[0][0]),
            Event.PAUSE: lambda: self._ignore(pause_batch(self._services, self._job()[0][0])),
            Event.RESUME: lambda: self._ignore(resume_batch(self._services, self._job()[0][0])),
            Event.BUDGET: lambda: self._give_budget(self._around.chance.choice((0.5, 1, 3))),
            Event.RAISE: lambda: self._give_budget(RAISED),
            Event.REPLAY: self._replay,
            Event.RUN_AGAIN: lambda: self._ignore(run_again(self._services, self._job()[0])),
            Event.RERUN: self._rerun,
            Event.ERASE: self._erase,
            Event.ERASE_BATCH: self._erase_batch,
            Event.COPY: self._copy,
            Event.COPY_FIRST: self._copy_first,
            Event.FORGE: self._forge,
            Event.JUMP: self._jump,
            Event.LOSE: lambda: self._around.stores.queues.lose(one=True),
            Event.LOSE_ALL: lambda: self._around.stores.queues.lose(one=False),
            Event.CLEAR: self._clear,
            Event.SEARCH: lambda: search_everything(self._around, self._services),
            Event.IMPORT_AGAIN: self._import_again,
            Event.IMPORT_ELSEWHERE: self._import_elsewhere,
            Event.CRASH: lambda: self._around.machine.emulator_dies(),
        }

    def act(self, event: Event) -> None:
        """Do one thing; it may fail, and the process may die over it."""
        self._do(str(event), self._acts[event])

    def submit(self, key: JobKey, pipeline: tuple[str, ...]) -> None:
        """Send a photo, once more when it was not accepted."""

        def send() -> None:
            with self._around.ledger.sending(key):
                submit_photo(self._services, key, f"{key[1]}.jpg", b"a photo", pipeline)

        for _ in range(3):
            self._services = self._around.services.restarted()
            self._do("submitted", send)
            if key in self._around.ledger.accepted:
                return

    def _do(self, what: str, action: Callable[[], None]) -> None:
        around = self._around
        around.ledger.busy += 1
        try:
            action()
        except (ImaginemError, WorkerDied, InstanceDied) as problem:
            outcome = type(problem).__name__
            around.happened[f"{what}: in vain"] += 1
        else:
            outcome = "done"
            around.happened[what] += 1
        finally:
            around.ledger.busy -= 1
        around.trace.note("people", f"{what}: {outcome}")

    def _ignore(self, result: object) -> None:
        """Take a result that nobody needs."""

    def _job(self) -> tuple[JobKey, tuple[str, ...]]:
        batch, job, pipeline = self._around.chance.choice(self._around.plan.jobs)
        return (batch, job), pipeline

    def _submit_again(self) -> None:
        key, pipeline = self._job()
        with self._around.ledger.sending(key):
            submit_photo(self._services, key, f"{key[1]}.jpg", b"a photo", pipeline)

    def _give_budget(self, usd: float) -> None:
        self._ignore(set_budget(self._services, self._job()[0][0], usd))

    def _replay(self) -> None:
        entries = self._around.stores.poison.list()
        if entries:
            entry = self._around.chance.choice(entries)
            force = self._around.chance.random() < 0.5
            replay_job(self._services, entry.queue, entry.id, force=force)

    def _rerun(self) -> None:
        key, pipeline = self._job()
        step = self._around.chance.choice(pipeline)
        rerun_job(self._services, key, prepare_rerun(self._services, key[0], step, {}))

    def _import_again(self) -> None:
        """Send the photo of a job that was erased, under its id, until it is accepted."""
        erased = [job for job in self._around.plan.jobs if job[:2] in self._around.ledger.touched]
        if not erased:
            raise NotFound("nothing was erased yet")
        batch, job, pipeline = self._around.chance.choice(erased)
        self._send_until_accepted((batch, job), job, pipeline)

    def _import_elsewhere(self) -> None:
        """Send the photo of a job once more under another id, until it is accepted."""
        (batch, job), pipeline = self._job()
        key = (batch, f"{job}{_AGAIN}")
        self._send_until_accepted(key, job, pipeline)

    def _send_until_accepted(self, key: JobKey, photo: str, pipeline: tuple[str, ...]) -> None:
        def send() -> None:
            with self._around.ledger.sending(key):
                submit_photo(self._services, key, f"{photo}.jpg", b"a photo", pipeline)

        self._until_done(send)

    def _until_done(self, action: Callable[[], object]) -> None:
        """Do something again from a new process, as whoever wants it done does."""
        for tries_left in reversed(range(4)):
            try:
                action()
                return
            except NotFound:
                raise
            except (ImaginemError, WorkerDied, InstanceDied):
                if not tries_left:
                    raise
                self._services = self._around.services.restarted()

    def _accepted(self) -> JobKey:
        """Return a job that was accepted, and wait for the first one."""
        for _ in range(_PATIENCE):
            if accepted := sorted(self._around.ledger.accepted):
                return self._around.chance.choice(accepted)
            self._around.scheduler.pause(self._around.chance.random())
        return self._job()[0]

    def _erase(self) -> None:
        key = self._accepted()
        with self._around.ledger.erasing({key}):
            self._until_done(lambda: forget_job(self._services, key))
        self._look()

    def _erase_batch(self) -> None:
        batch = self._accepted()[0]
        jobs = [job for name, job, _ in self._around.plan.jobs if name == batch]
        keys = {(batch, f"{job}{again}") for job in jobs for again in ("", _AGAIN)}
        with self._around.ledger.erasing(keys):
            self._until_done(lambda: forget_batch(self._services, batch))
        self._look()

    def _look(self) -> None:
        """Search for what has just been erased."""
        with suppress(ImaginemError, WorkerDied, InstanceDied):
            search_everything(self._around, self._services)

    def _clear(self) -> None:
        together = (TOGETHER,) if self._around.plan.grouped else ()
        queue = self._around.chance.choice((*STEPS, *together, "report"))
        self._ignore(clear_queue(self._services, queue))

    def _any_sent(self) -> tuple[str, str]:
        return self._one_of(self._around.stores.queues.sent)

    def _one_of(self, messages: list[tuple[str, str]]) -> tuple[str, str]:
        if not messages:
            raise NotFound("nothing was sent yet")
        return self._around.chance.choice(messages)

    def _copy(self) -> None:
        queue, body = self._any_sent()
        delay = self._around.chance.choice((0, 0, 40))
        # A first message is as if its sender had sent it again.
        anew = _is_first(body) or bool(self._around.happened["emulator died"])
        self._put(queue, body, anew=anew, delay=delay)

    def _copy_first(self) -> None:
        first = [
            (queue, body) for queue, body in self._around.stores.queues.sent if _is_first(body)
        ]
        queue, body = self._one_of(first)
        self._put(queue, body, anew=True)

    def _forge(self) -> None:
        queue, body = self._any_sent()
        value = json.loads(body)
        definition = value["job_definition"]
        grouped = GROUPED_FORGERIES if self._around.plan.grouped else ()
        forged = self._around.chance.choice((*FORGERIES, *grouped))
        definition["_imaginem"] = {**definition.get("_imaginem", {}), **forged}
        self._put(queue, json.dumps(value), anew=True)

    def _put(self, queue: str, body: str, *, anew: bool, delay: float = 0) -> None:
        """Put a message on a queue, which may begin its job anew."""
        try:
            self._services.queues.send(queue, body, delay=delay)
            if key_of(body) in self._around.ledger.erased:
                self._around.happened["copies of messages of erased jobs"] += 1
        finally:
            if anew:
                self._around.ledger.is_sent(key_of(body))

    def _jump(self) -> None:
        self._around.clock.offset = self._around.chance.uniform(-_LONGEST_JUMP, _LONGEST_JUMP)


def _is_first(body: str) -> bool:
    return not json.loads(body)["job_definition"].get("_imaginem", {}).get("run")


def key_of(body: str) -> JobKey:
    """Return the job that a message is of."""
    return ids_in(body)
