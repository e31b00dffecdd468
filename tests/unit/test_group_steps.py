"""Steps over several photos: gathered by count or time, recorded one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from imaginem import JobContext, StepOutput, step
from imaginem.memory.storage import MemoryQueues
from imaginem.pipeline.gathering import PREFIX
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Fusion, QueueItem
from imaginem.testing import MemoryServices, message_for, photo_bytes
from tests.workbench import Recorder

SIZE = 3
WITHIN = 30.0


class Seen(StepOutput):
    """What a call saw."""

    together: list[str]


class Killed(BaseException):
    """The process ends here."""


Sees = Callable[[list[JobContext]], Sequence[Seen | Exception]]


def sees_all(jobs: list[JobContext]) -> list[Seen | Exception]:
    names = [job.job_id for job in jobs]
    return [Seen(together=names) for _ in jobs]


@dataclass
class Hall:
    """A pipeline of a group step and a step behind it; time goes by when a test says so."""

    sees: Sees = sees_all
    calls: list[list[str]] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.registry = Registry()
        settings = CoreSettings(max_dequeue_count=3, max_attempts=3, fusion=Fusion(every=True))
        self.telemetry = Recorder()
        self.services = MemoryServices(
            core_settings=settings,
            queues=MemoryQueues(lambda: self.seconds),
            telemetry=self.telemetry,
        )

        def compare(jobs: list[JobContext]) -> list[Seen | Exception]:
            """Look at several photos."""
            self.calls.append([job.job_id for job in jobs])
            return list(self.sees(jobs))

        def report(job: JobContext) -> Seen:
            """Say what was seen."""
            return Seen(together=job.output(self.compare).together)

        self.compare = step(registry=self.registry, group=SIZE, within="30s")(compare)
        self.report = step(registry=self.registry, finalizer=True)(report)
        for name in self.registry.names():
            self.services.queues.create(name)

    def send(self, *names: str, batch: str = "batch", **more: Any) -> None:
        """Send photos, and handle their messages in turn."""
        for name in names:
            url = self.services.blobs.put(
                "inputimages", f"{batch}/{name}", photo_bytes(), "image/png"
            )
            message = message_for(url, ["compare", "report"], job_id=name, batch_id=batch, **more)
            self.services.queues.send("compare", message.encode())
        self.play()

    def take(self, queue: str) -> list[QueueItem]:
        return self.services.queues.receive(queue, 1, 60)

    def handle(self, queue: str, item: QueueItem) -> str:
        """Handle a message as a host does; return how it went."""
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        step_of_queue = self.registry.get(queue)
        try:
            state = process_step(step_of_queue, delivery, self.services, self.registry).state
        except Killed:
            return "killed"  # its lease ends by itself
        except Exception as problem:
            if item.dequeue_count >= self.services.core_settings.max_dequeue_count:
                self.services.queues.delete(queue, item)
                bury(self.services, queue, item.id, item.body)
            return type(problem).__name__
        self.services.queues.delete(queue, item)
        return state

    def play(self) -> list[str]:
        """Handle what can be taken now; return how each message went."""
        went: list[str] = []
        while True:
            taken = [(name, item) for name in self.registry.names() for item in self.take(name)]
            if not taken:
                return went
            went += [self.handle(name, item) for name, item in taken]

    def wait(self, seconds: float) -> list[str]:
        """Let time go by, then handle what can be taken."""
        self.seconds += seconds
        return self.play()

    def row(self, name: str, batch: str = "batch") -> ProgressRow:
        row = read_row(self.services.log, (batch, name))
        assert row is not None
        return row

    def seen_by(self, name: str) -> list[str]:
        return Seen.model_validate_json(self.row(name).output_of("compare")).together

    def states(self, *names: str) -> list[str]:
        return [self.row(name).job_state for name in names]

    def is_empty(self) -> bool:
        """Tell whether nothing is left: no message, no entry."""
        messages = sum(self.services.queues.count(name) or 0 for name in self.registry.names())
        state = self.services.shared_state
        return not (messages or state.list(PREFIX) or state.list("sheet-"))


class TestGathering:
    def test_the_job_that_completes_the_count_has_all_worked_on_at_once(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c")
        assert hall.calls == [["a", "b", "c"]]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3
        assert [hall.seen_by(name) for name in "abc"] == [["a", "b", "c"]] * 3

    def test_a_straggler_waits_no_longer_than_it_may(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.wait(WITHIN - 1)
        assert hall.calls == []
        assert [hall.row(name).state_of("compare") for name in "ab"] == [StepState.GATHERING] * 2
        hall.wait(1)
        assert hall.calls == [["a", "b"]]
        assert hall.states("a", "b") == [JobState.SUCCEEDED] * 2

    def test_the_messages_that_held_the_jobs_find_nothing_to_do(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c")
        assert hall.wait(WITHIN) == ["dropped"] * 3
        assert len(hall.calls) == 1
        assert hall.is_empty()

    def test_a_call_gets_no_more_than_it_takes_and_the_oldest_first(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c", "d")
        assert hall.calls == [["a", "b", "c"]]
        hall.wait(WITHIN)
        assert hall.calls == [["a", "b", "c"], ["d"]]
        assert hall.is_empty()

    def test_photos_of_different_batches_share_no_call(self) -> None:
        hall = Hall()
        hall.send("a", "b", batch="one")
        hall.send("c", "d", batch="two")
        hall.wait(WITHIN)
        assert sorted(hall.calls) == [["a", "b"], ["c", "d"]]
