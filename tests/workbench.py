"""A pipeline of three steps in memory, for tests of what happens between them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from imaginem import JobContext, StepOutput, step
from imaginem.pipeline.advance import Transition
from imaginem.pipeline.process import Delivery, PipelineStep, process_step, transition
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Fusion, LogEntry, PoisonEntry
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all

KEY = ("batch-1", "job-1")


class Found(StepOutput):
    what: str


Body = Callable[[JobContext], Found]


@dataclass
class RecordedSpan:
    """A span that a test looks at."""

    name: str
    parent: str
    kind: str
    labels: dict[str, Any]
    traceparent: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def note(self, **attributes: Any) -> None:
        self.notes |= attributes

    def fail(self, reason: str) -> None:
        self.failed.append(reason)


class Recorder:
    """Telemetry that keeps what it is told; every span continues the trace as `trace-N`."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[Any, ...]] = Counter()
        self.measured: list[tuple[str, float, dict[str, str]]] = []
        self.spans: list[RecordedSpan] = []

    @contextmanager
    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: Any
    ) -> Iterator[RecordedSpan]:
        made = RecordedSpan(name, parent, kind, attributes, f"trace-{len(self.spans)}")
        self.spans.append(made)
        yield made

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        self.counted[name, *sorted(attributes.items())] += int(amount)

    def measure(self, name: str, value: float, **attributes: str) -> None:
        self.measured.append((name, value, attributes))

    def flush(self) -> None:
        pass

    def times(self, name: str, **labels: str) -> int:
        """Return how often a counter was raised with exactly these labels."""
        return self.counted[name, *sorted(labels.items())]


class Bench:
    """Two steps, `first` and `second` (which needs `first`), and a finalizer `report`.

    Each step has a delivery of its own, unless `fusion` says otherwise.
    """

    names = ("first", "second", "report")

    def __init__(self, **limits: Any) -> None:
        self.registry = Registry()
        usual = {"retry_seconds": 0, "fusion": Fusion(), **limits}
        chosen = CoreSettings(default_pipeline=self.names, **usual)
        self.telemetry = Recorder()
        self.services = MemoryServices(core_settings=chosen, telemetry=self.telemetry)
        self.first_does: Body = lambda job: Found(what="one")
        self.second_does: Body = lambda job: Found(what="two")
        self.report_does: Body = lambda job: Found(what="reported")

        @step(registry=self.registry)
        def first(job: JobContext) -> Found:
            """Run the test's function."""
            return self.first_does(job)

        @step(requires=(first,), registry=self.registry)
        def second(job: JobContext) -> Found:
            """Run the test's function."""
            return self.second_does(job)

        @step(finalizer=True, registry=self.registry)
        def report(job: JobContext) -> Found:
            """Run the test's function."""
            return self.report_does(job)

        self.first, self.second, self.report = first, second, report
        self.url = self.services.blobs.put(
            "inputimages", "batch-1/photo", photo_bytes(), "image/png"
        )

    def message(self, *pipeline: str, **given: Any) -> str:
        return message_for(self.url, pipeline or self.names, **given).encode()

    def drop(self, *pipeline: str, **given: Any) -> None:
        message = message_for(self.url, pipeline or self.names, **given)
        self.services.queues.send(message.current, message.encode())

    def run(self) -> None:
        run_all(self.services, self.registry)

    @property
    def entry(self) -> LogEntry:
        found = self.services.log.read(KEY)
        assert found is not None
        return found

    @property
    def row(self) -> ProgressRow:
        return ProgressRow(self.entry)

    def states(self, *names: str) -> list[str]:
        return [self.row.state_of(name) for name in names]

    @property
    def poisoned(self) -> list[PoisonEntry]:
        return self.services.poison.list()

    def waiting(self, queue: str) -> list[str]:
        return [item.body for item in self.services.queues.receive(queue, 32, 30)]

    def transition(
        self, step: PipelineStep, body: str, message_id: str, count: int = 1
    ) -> Transition:
        """Execute a step, but send nothing, as if the worker died before."""
        delivery = Delivery(body, message_id, count)
        return transition(step, delivery, self.services, self.registry)

    @staticmethod
    def sent(moved: Transition) -> str:
        """Return the message that a transition asks to send."""
        assert moved.outgoing is not None
        return moved.outgoing.body

    def execute(self, step: PipelineStep, body: str, message_id: str, count: int = 1) -> str:
        delivery = Delivery(body, message_id, count)
        return process_step(step, delivery, self.services, self.registry).state
