"""Any order of deliveries, copies, forgeries and crashes: one job, one end, nothing lost.

Hypothesis plays the queue and the host: it delivers messages once, twice, late, nested in one
another or with forged bookkeeping, and lets workers die before or after any call of a port.
`--hypothesis-profile=long` plays some thousands of games instead of a few dozen.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from imaginem import JobContext, PermanentError, RetryableError, step
from imaginem.errors import Busy, StorageUnavailable
from imaginem.message import DroppedPhoto, decode_message
from imaginem.pipeline.offload import expand, expand_all
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import CONCLUDED, ENDED, StepState
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Fusion, JobKey
from imaginem.ports.drops import run_of_drop
from imaginem.testing import MemoryLog, MemoryQueues, MemoryServices, message_for
from imaginem.usecases.poison import replay_job
from tests.workbench import KEY, Found

STEPS = ("first", "second", "report")
TRIES = 3
DROPPED = DroppedPhoto(source="inputimages/a.png", etag="1", sha256="0" * 64)
UNDER_WAY = (StepState.PROCESSING, StepState.RETRYING, StepState.POISONED)
FORGERIES: tuple[dict[str, object], ...] = (
    {"run": "nobody", "fence": "made-up"},
    {"run": "nobody", "fence": "made-up", "attempt": 1},
    {"run": "nobody", "fence": "made-up", "waits": 1},
    {"run": "", "fence": "made-up"},
    {"run": "nobody", "fence": ""},
    {"run": "nobody", "fence": "made-up", "unbarred": "0" * 64, "made": {"first": "0" * 64}},
    {"attempt": -1_000_000, "waits": -1_000_000},
    {"fence": "outdated"},  # of the message's own run
)


class WorkerDied(BaseException):
    """The process ends here: no handler of the pipeline sees it."""


class DefectError(Exception):
    """What a step's author did wrong."""


class Ports:
    """Lets the n-th call of any port fail, before or after it has had its effect."""

    def __init__(self) -> None:
        self._left = 0
        self._after = False
        self._problem: BaseException | None = None

    def arm(self, call: int, after: bool, problem: BaseException) -> None:
        self._left, self._after, self._problem = call, after, problem

    def disarm(self) -> None:
        self._left = 0

    def call(self, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._left -= 1
        due = self._problem if self._left == 0 else None
        if due and not self._after:
            raise due
        try:
            return method(*given, **named)
        finally:
            if due:  # in place of what the call returned, or raised
                raise due


class Shaky:
    """A port whose calls go through `Ports`."""

    def __init__(self, port: Any, ports: Ports) -> None:
        self._port, self._ports = port, ports

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if not callable(value):
            return value
        return lambda *given, **named: self._ports.call(value, *given, **named)


class WatchedLog(MemoryLog):
    """Refuses, as a test, what no run may do to its own entity."""

    @property
    def row(self) -> ProgressRow:
        found = read_row(self, KEY)
        assert found is not None
        return found

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        before = read_row(self, key)
        made = super().merge(key, properties, fence)
        assert before is not None
        self._check(before, self.row)
        return made

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        before = self.row
        made = super().replace(key, properties, fence)
        assert self.row.run != before.run
        return made

    def _check(self, before: ProgressRow, after: ProgressRow) -> None:
        assert after.run == before.run
        for name in STEPS:
            if before.state_of(name) in CONCLUDED:
                assert after.state_of(name) is before.state_of(name), f"{name} was changed"
                assert output_of(after, name) == output_of(before, name), f"{name} ended twice"
        if before.job_output:
            assert after.job_output == before.job_output, "the job ended twice"


def output_of(row: ProgressRow, name: str) -> Any:
    """Return a step's output, or the link to it; None if it has none."""
    return json.loads(row.output_of(name) or "null")


@dataclass
class Waiting:
    """A message on a queue."""

    queue: str
    id: str
    body: str
    count: int = 0


class Deck(MemoryQueues):
    """Queues whose messages are delivered in any order; remembers all that was ever sent."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Waiting] = []
        self.history: list[Waiting] = []

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        sent = Waiting(queue, f"m{len(self.history)}", body)
        self.waiting.append(sent)
        self.history.append(Waiting(queue, sent.id, body))
        return sent.id

    def remove(self, message: Waiting) -> None:
        self.waiting = [other for other in self.waiting if other is not message]


@dataclass
class Execution:
    """A delivery under way.

    Attributes:
        does: what the step does.
        message: its id; the step's output names it, so two deliveries of one message agree.
        settled: the step has been concluded, so that it must not run again.
        other: a message that is delivered while the step runs.
    """

    does: str
    message: str = ""
    settled: bool = False
    other: int = 0


PADDING = " " * 20_000
DOES = ("works", "works", "works", "large", "retries", "waits", "refuses", "breaks", "lingers")
INDEX = st.integers(0, 30)
CRASHES = st.none() | st.tuples(st.integers(1, 5), st.booleans(), st.booleans())


class Interleavings(RuleBasedStateMachine):
    """One job, and everything that may happen to its messages."""

    fusion = Fusion()

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        for name in STEPS:
            self._declare(name)
        self.ports, self.deck, self.log = Ports(), Deck(), WatchedLog()
        self.services = MemoryServices(
            core_settings=CoreSettings(
                max_attempts=TRIES,
                max_waits=TRIES,
                max_dequeue_count=TRIES,
                retry_seconds=0,
                fusion=self.fusion,
            )
        )
        self.url = self.services.blobs.put("inputimages", "batch-1/photo", b"a photo", "")
        self.services.queues = Shaky(self.deck, self.ports)  # type: ignore[assignment]
        self.services.log = Shaky(self.log, self.ports)  # type: ignore[assignment]
        self.services.blobs = Shaky(self.services.blobs, self.ports)  # type: ignore[assignment]
        self.poison = self.services.poison
        self.services.poison = Shaky(self.poison, self.ports)  # type: ignore[assignment]
        self.executions: list[Execution] = []
        self.extra = 0
        self.drop = ""

    def _declare(self, name: str) -> None:
        needs = [self.registry.get("first")] if name == "second" else []

        def function(job: JobContext) -> Found:
            return self._act(job, name)

        function.__name__ = name
        step(registry=self.registry, requires=needs, finalizer=name == "report")(function)

    def _act(self, job: JobContext, name: str) -> Found:
        """Return an output that names what it was made from, or fail as told."""
        execution = self.executions[-1]
        assert not execution.settled, f"{name} ran again though its run had concluded it"
        problems = {
            "retries": RetryableError("later"),
            "waits": Busy("no room"),
            "refuses": PermanentError("never"),
            "breaks": DefectError("a defect"),
        }
        if execution.does in problems:
            raise problems[execution.does]
        if execution.does == "lingers" and self.deck.waiting and len(self.executions) < 3:
            other = self.deck.waiting[execution.other % len(self.deck.waiting)]
            self._deliver(other, Execution("works"))
        made_from = [job.outputs[earlier]["what"] for earlier in STEPS if earlier in job.outputs]
        basis = made_from[-1].strip() if made_from else ""
        return Found(what=f"{basis}/{execution.message}" + PADDING * (execution.does == "large"))

    def _deliver(self, message: Waiting, execution: Execution) -> None:
        """Do what the host does with a message."""
        message.count += 1
        if message.queue.endswith("-poison"):
            with contextlib.suppress(WorkerDied, StorageUnavailable):
                bury(self.services, message.queue.removesuffix("-poison"), message.id, message.body)
                self.deck.remove(message)
            return
        execution.message = message.id
        execution.settled = self._is_settled(message)
        self.executions.append(execution)
        delivery = Delivery(message.body, message.id, message.count)
        try:
            process_step(self.registry.get(message.queue), delivery, self.services, self.registry)
        except (WorkerDied, StorageUnavailable, DefectError):
            if message.count < TRIES:
                return
            poisoned = Waiting(f"{message.queue}-poison", f"poison-{message.id}", message.body)
            self.deck.waiting.append(poisoned)
        finally:
            self.executions.pop()
        self.deck.remove(message)

    def _is_settled(self, message: Waiting) -> bool:
        """Tell whether the step of a message is concluded that looks before its step runs."""
        kept = decode_message(message.body, ()).job_definition.bookkeeping
        row = read_row(self.log, KEY)
        begins = not (kept.run and kept.fence)
        if row is None or not (
            message.count > 1 or kept.attempt or kept.waits or kept.look or begins
        ):
            return False
        own = kept.drop or message.id
        started = row.run == own  # also by a forged one
        run = own if begins or started else kept.run
        if row.run != run:
            return run in row.previous_runs
        return row.state_of(message.queue) in CONCLUDED

    def _first_message(self) -> str:
        message = message_for(self.url, STEPS)
        if self.drop:
            message = message.noting(drop=self.drop, dropped=DROPPED)
        return message.encode()

    @initialize(
        extra=st.integers(0, 4), drop=st.sampled_from(("", run_of_drop("a.png", DROPPED.etag)))
    )
    def send(self, extra: int, drop: str) -> None:
        """Send the job; any further copy could save one that was lost, so they are few."""
        self.extra, self.drop = extra, drop
        self.deck.send("first", self._first_message())

    @precondition(lambda self: self.deck.waiting)
    @rule(which=INDEX, does=st.sampled_from(DOES), crash=CRASHES, other=INDEX, again=st.booleans())
    def deliver(
        self,
        which: int,
        does: str,
        crash: tuple[int, bool, bool] | None,
        other: int,
        again: bool,
    ) -> None:
        message = self.deck.waiting[which % len(self.deck.waiting)]
        if crash:
            call, after, dies = crash
            problem = WorkerDied() if dies else StorageUnavailable("no answer")
            self.ports.arm(call, after, problem)
        self._deliver(message, Execution(does, other=other))
        self.ports.disarm()
        if again and message.count < TRIES and message not in self.deck.waiting:
            self.deck.waiting.append(message)  # the worker died before it deleted the message

    @precondition(lambda self: self.extra)
    @rule(which=INDEX)
    def copy_late(self, which: int) -> None:
        old = self.deck.history[which % len(self.deck.history)]
        self.deck.send(old.queue, old.body)
        self.extra -= 1

    @precondition(lambda self: self.extra)
    @rule(which=INDEX, forged=st.sampled_from(FORGERIES))
    def forge(self, which: int, forged: dict[str, object]) -> None:
        old = self.deck.history[which % len(self.deck.history)]
        value = json.loads(old.body)
        kept = value["job_definition"].get("_imaginem", {})
        value["job_definition"]["_imaginem"] = {**kept, **forged}
        self.deck.send(old.queue, json.dumps(value))
        self.extra -= 1

    @precondition(lambda self: self.poison.list())
    @rule(which=INDEX)
    def put_back(self, which: int) -> None:
        entries = self.poison.list()
        entry = entries[which % len(entries)]
        replay_job(self.services, entry.queue, entry.id, force=True)

    @precondition(lambda self: not self.deck.waiting)
    @rule()
    def come_to_rest(self) -> None:
        self._check_end()

    def teardown(self) -> None:
        self.ports.disarm()
        self._drain()
        self._check_end()
        self._check_that_copies_change_nothing()

    def _drain(self) -> None:
        for _ in range(300):
            if not self.deck.waiting:
                return
            self._deliver(self.deck.waiting[0], Execution("works"))
        raise AssertionError("the messages do not come to an end")

    def _is_open(self) -> bool:
        """Tell whether the job has not reached its end: it must be poisoned then."""
        return any(self.log.row.state_of(name) not in CONCLUDED for name in STEPS)

    def _check_end(self) -> None:
        row = self.log.row
        assert row.job_state in ENDED, "the job is under way for ever"
        if self._is_open():
            assert StepState.POISONED in map(row.state_of, STEPS)
            assert self.poison.list(), "the job was lost"  # what is poisoned can be replayed
            return
        final = expand(json.loads(row.job_output), KEY, self.services.blobs)
        outputs = expand_all(final["job_output"], KEY, self.services.blobs)
        made = [outputs[name]["what"].strip() for name in STEPS if name in outputs]
        for earlier, later in itertools.pairwise(made):
            assert later.rpartition("/")[0] == earlier, "outputs of different runs are mixed"

    def _check_that_copies_change_nothing(self) -> None:
        recorded = self.log.row.as_json()
        for old in list(self.deck.history):
            kept = decode_message(old.body, ()).job_definition.bookkeeping
            within_a_run = bool(kept.run and kept.fence)
            run = kept.run if within_a_run else old.id
            if run not in self.log.row.runs or not self._is_past(old, run):
                continue  # a copy may take it up again
            for copy_id in {old.id, f"copy-of-{old.id}" if within_a_run else old.id}:
                for count in (1, 2):
                    copy = Waiting(old.queue, copy_id, old.body, count - 1)
                    self._deliver(copy, Execution("works"))
                    assert self.log.row.as_json() == recorded, "a copy changed what was recorded"
                    assert not self.deck.waiting, "a copy sent the job on"

    def _is_past(self, old: Waiting, run: str) -> bool:
        return run != self.log.row.run or self.log.row.state_of(old.queue) in CONCLUDED


class FusedInterleavings(Interleavings):
    """The same with fused runs."""

    fusion = Fusion(every=True)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(stateful_step_count=18, report_multiple_bugs=False)
TestFusedInterleavings = FusedInterleavings.TestCase
TestFusedInterleavings.settings = settings(stateful_step_count=18, report_multiple_bugs=False)
