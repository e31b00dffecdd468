"""Fused runs: several steps in one delivery, with the rows, failures and guarantees of one each."""

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError, step
from imaginem.config.settings import read_settings
from imaginem.errors import Busy, StorageUnavailable
from imaginem.images.photo_cache import PhotoCache
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.fused import BUDGET_SECONDS, LOOK_AGAIN_SECONDS
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.recording import RECORD_WITHIN
from imaginem.ports import Fusion
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
from imaginem.usecases.clearing import clear_queue
from imaginem.usecases.erase import forget_job
from imaginem.usecases.poison import replay_job
from tests.workbench import KEY, Bench, Found

AUTO = Fusion(every=True)
STATES = ("first", "second", "report")


class Clock:
    """Seconds that go by when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Line(Bench):
    """A bench whose steps share a delivery, and that counts what they cost."""

    def __init__(self, fusion: Fusion = AUTO, **limits: Any) -> None:
        super().__init__(fusion=fusion, **limits)
        for name in STATES:
            self.services.queues.create(name)
        self.clock = Clock()
        self.ran: list[str] = []
        for name in STATES:
            setattr(self, f"{name}_does", self.acting(name))

    def acting(self, name: str, act: Callable[[JobContext], None] = lambda job: None) -> Any:
        """Return a step's body: it notes that it ran, and acts."""

        def body(job: JobContext) -> Found:
            self.ran.append(name)
            act(job)
            return Found(what=f"{name} {len(self.ran)}")

        return body

    def deliver(self, body: str, message_id: str, count: int = 1) -> str:
        """Deliver a message to the queue that it is for."""
        name = decode_message(body, ()).current
        delivery = Delivery(body, message_id, count)
        services = self.services
        registry = self.registry
        return process_step(
            registry.get(name), delivery, services, registry, clock=self.clock
        ).state

    def fuse(self, fusion: Fusion) -> None:
        """Let a worker with another setting take the next message."""
        settings = self.services.core_settings
        self.services.core_settings = replace(settings, fusion=fusion)

    def only(self, queue: str) -> JobMessage:
        """Return the one message of a queue."""
        (body,) = self.waiting(queue)
        return decode_message(body, ())


@pytest.fixture
def line() -> Line:
    return Line()


def failing(problem: BaseException) -> Callable[[JobContext], None]:
    def act(job: JobContext) -> None:
        raise problem

    return act


def refuse(*given: Any, **named: Any) -> Any:
    raise StorageUnavailable("down")


def counting(services: MemoryServices) -> Counter[str]:
    """Count the calls of a job's execution that reach storage."""
    calls: Counter[str] = Counter()

    class Counted:
        def __init__(self, name: str, port: Any) -> None:
            self._name, self._port = name, port

        def __getattr__(self, method: str) -> Any:
            value = getattr(self._port, method)
            if method in ("locate", "address") or not callable(value):  # they reach nothing
                return value

            def call(*given: Any, **named: Any) -> Any:
                calls[f"{self._name}.{method}"] += 1
                return value(*given, **named)

            return call

    for name in ("queues", "blobs", "log", "poison", "shared_state", "tombstones"):
        setattr(services, name, Counted(name, getattr(services, name)))
    services.cancellations = services.open_batches = services.erased = None
    MemoryServices.__post_init__(services)
    return calls


class TestARun:
    def test_all_steps_run_in_one_delivery(self, line: Line) -> None:
        assert line.deliver(line.message(), "m1") == "success"
        assert line.states(*STATES) == ["success"] * 3
        assert line.row.job_state == "succeeded"
        assert not any(line.waiting(name) for name in STATES)

    def test_its_row_is_that_of_a_delivery_for_each_step(self) -> None:
        rows = []
        for fusion in (AUTO, Fusion()):
            line = Line(fusion)
            line.second_does = lambda job: Found(what="x" * 100_000)
            line.drop()
            line.run()
            own = ("imaginem_run", "imaginem_delivery", "imaginem_put")  # of messages
            rows.append({k: v for k, v in line.entry.properties.items() if k not in own})
        assert rows[0] == rows[1]
        assert rows[0]["job_state"] == "succeeded"

    def test_each_step_has_a_span_a_measure_and_its_trace(self, line: Line) -> None:
        line.deliver(line.message(), "m1")
        spans = [(span.name, span.parent, span.notes["state"]) for span in line.telemetry.spans]
        assert spans == [
            ("first", "", "success"),
            ("second", "trace-0", "success"),
            ("report", "trace-1", "success"),
        ]
        assert [labels["step"] for _, _, labels in line.telemetry.measured] == list(STATES)

    def test_a_step_that_stands_alone_has_a_delivery_of_its_own(self, line: Line) -> None:
        @step(alone=True, registry=line.registry)
        def heavy(job: JobContext) -> Found:
            """Take a while."""
            line.ran.append("heavy")
            return Found(what="heavy")

        line.deliver(line.message("first", "heavy", "second", "report"), "m1")
        assert line.ran == ["first"]
        line.deliver(line.only("heavy").encode(), "m2")
        assert line.ran == ["first", "heavy"]
        line.deliver(line.only("second").encode(), "m3")
        assert line.ran == ["first", "heavy", "second", "report"]

    def test_steps_of_another_group_have_a_delivery_of_their_own(self) -> None:
        line = Line(Fusion(groups=(frozenset({"first", "second"}), frozenset({"report"}))))
        line.deliver(line.message(), "m1")
        assert line.ran == ["first", "second"]
        assert line.only("report").job_output.keys() == {"first", "second"}

    def test_no_step_begins_once_the_budget_is_used_up(self, line: Line) -> None:
        def last(job: JobContext) -> None:
            line.clock.seconds += BUDGET_SECONDS

        line.first_does = line.acting("first", last)
        line.deliver(line.message(), "m1")
        assert line.ran == ["first"]
        assert line.states(*STATES) == ["success", "processing", "waiting"]
        line.deliver(line.only("second").encode(), "m2")
        assert line.row.job_state == "succeeded"

    def test_a_job_for_another_app_is_handed_over(self, line: Line) -> None:
        line.deliver(line.message("first", "second", "elsewhere"), "m1")
        assert line.row.job_state == "handed_over"
        assert line.only("elsewhere").job_output.keys() == {"first", "second"}

    def test_the_photo_is_read_and_decoded_once(self, line: Line) -> None:
        calls = counting(line.services)
        line.services.photos = PhotoCache(pixels=0)  # it keeps none between two steps
        for name in STATES:
            act = line.acting(name, lambda job: line.ran.append(job.image.sha256[:0]))
            setattr(line, f"{name}_does", act)
        line.deliver(line.message(), "m1")
        assert [name for name in line.ran if name] == list(STATES)
        assert calls["blobs.get"] == 1

    def test_the_photo_is_freed_when_the_run_ends_and_not_when_python_looks_for_cycles(
        self, line: Line
    ) -> None:
        line.services.photos = PhotoCache(pixels=0)
        seen: list[weakref.ref[Any]] = []
        line.first_does = line.acting("first", lambda job: seen.append(weakref.ref(job.image)))
        gc.disable()
        try:
            line.deliver(line.message(), "m1")
            assert [photo() for photo in seen] == [None]
        finally:
            gc.enable()
        assert line.states(*STATES) == ["success"] * 3

    @pytest.mark.parametrize(("fusion", "times"), [("auto", 2), ("off", 1), ("ocr+facecrop", 1)])
    def test_a_process_keeps_photos_only_where_a_job_comes_back_for_them(
        self, fusion: str, times: int
    ) -> None:
        photos = Runtime(read_settings({"PIPELINE_FUSION": fusion})).photos
        read: list[bytes] = []
        for _ in range(2):
            photos.photo("key", lambda: read.append(photo_bytes()) or read[-1])  # type: ignore[func-returns-value]
        assert len(read) == times

    def test_what_a_fused_run_sends_an_unfused_worker_takes_and_the_other_way_round(
        self,
    ) -> None:
        line = Line(retry_seconds=0)
        line.fuse(Fusion())
        line.deliver(line.message(), "m1")
        line.fuse(AUTO)
        line.second_does = line.acting("second", failing(RetryableError("later")))
        line.deliver(line.only("second").encode(), "m2")
        line.fuse(Fusion())
        line.second_does = line.acting("second")
        line.deliver(line.only("second").encode(), "m3")
        line.fuse(AUTO)
        line.deliver(line.only("report").encode(), "m4")
        assert line.row.job_state == "succeeded"


class TestFailures:
    def test_what_cannot_be_mended_fails_its_step_and_the_run_goes_on(self, line: Line) -> None:
        line.first_does = line.acting("first", failing(PermanentError("never")))
        line.deliver(line.message(), "m1")
        assert line.states(*STATES) == ["failed", "skipped", "success"]
        assert line.row.job_state == "failed"

    @pytest.mark.parametrize(
        ("problem", "field"), [(RetryableError("later"), "attempt"), (Busy("full"), "waits")]
    )
    def test_a_step_that_is_tried_again_goes_back_to_its_queue(
        self, problem: Exception, field: str
    ) -> None:
        line = Line(retry_seconds=0)
        line.second_does = line.acting("second", failing(problem))
        assert line.deliver(line.message(), "m1") == "retrying"
        assert line.states(*STATES) == ["success", "retrying", "waiting"]
        again = line.only("second")
        assert getattr(again.job_definition.bookkeeping, field) == 1

        line.second_does = line.acting("second")
        line.deliver(again.encode(), "m2")
        assert line.ran == ["first", "second", "second", "report"]
        assert line.row.job_state == "succeeded"

    def test_a_defect_in_a_later_step_is_counted_and_poisoned_on_its_own_queue(
        self, line: Line
    ) -> None:
        line.second_does = line.acting("second", failing(ZeroDivisionError()))
        assert line.deliver(line.message(), "m1") == "retrying"
        assert line.row.reason_of("second") == "ZeroDivisionError (tried again by itself)"

        body = line.only("second").encode()
        for count in range(1, 6):
            with pytest.raises(ZeroDivisionError):
                line.deliver(body, "m2", count)
        assert line.states(*STATES) == ["success", "poisoned", "waiting"]
        bury(line.services, "second", "m2-poison", body)

        line.second_does = line.acting("second")
        replay_job(line.services, "second", line.poisoned[0].id)
        line.deliver(line.only("second").encode(), "m3")
        assert line.ran.count("first") == 1
        assert line.row.job_state == "succeeded"

    def test_a_message_that_was_given_up_is_kept_at_the_step_that_its_job_waits_for(
        self, line: Line
    ) -> None:
        body = line.message()
        line.second_does = line.acting("second", failing(RetryableError("later")))
        line.services.queues.send = refuse  # type: ignore[method-assign]
        for count in range(1, 6):
            with pytest.raises(StorageUnavailable):
                line.deliver(body, "m1", count)
        bury(line.services, "first", "m1-poison", body)
        assert line.states(*STATES) == ["success", "poisoned", "waiting"]
        (entry,) = line.poisoned
        assert (entry.queue, entry.reason[:13]) == ("second", "first is done")
        kept = decode_message(entry.body, ())
        assert kept.current == "second"
        assert kept.job_output.keys() == {"first"}


class TestRecording:
    def test_quick_steps_that_read_nothing_are_recorded_together(self, line: Line) -> None:
        calls = counting(line.services)
        line.deliver(line.message(), "m1")
        assert (calls["log.insert"], calls["log.merge"], calls["log.read"]) == (1, 1, 0)

    @pytest.mark.parametrize(
        "read",
        [lambda job: job.outputs, lambda job: job.unsuccessful, lambda job: job.results],
        ids=["outputs", "unsuccessful", "results"],
    )
    def test_what_a_step_reads_is_recorded_before(
        self, line: Line, read: Callable[[JobContext], object]
    ) -> None:
        seen: list[list[str]] = []

        def act(job: JobContext) -> None:
            seen.append(line.states(*STATES))
            read(job)
            seen.append(line.states(*STATES))

        line.second_does = line.acting("second", act)
        line.deliver(line.message(), "m1")
        assert seen == [
            ["processing", "waiting", "waiting"],
            ["success", "processing", "waiting"],
        ]

    def test_an_output_that_is_recorded_costs_no_write_to_read(self, line: Line) -> None:
        merges: list[int] = []
        calls = counting(line.services)

        def act(job: JobContext) -> None:
            assert job.output(line.first).what == "first 1"
            merges.append(calls["log.merge"])

        line.second_does = line.acting("second", act)
        line.report_does = line.acting("report", act)
        line.deliver(line.message(), "m1")
        assert merges == [1, 1]

    def test_the_steps_before_one_that_takes_long_are_recorded_beside_it(self, line: Line) -> None:
        seen: list[list[str]] = []

        def act(job: JobContext) -> None:
            line.services.alarms.ring()
            seen.append(line.states(*STATES))

        line.second_does = line.acting("second", act)
        line.deliver(line.message(), "m1")
        assert seen == [["success", "processing", "waiting"]]
        assert all(alarm.seconds <= RECORD_WITHIN for alarm in line.services.alarms.set)
        assert line.row.job_state == "succeeded"

    def test_a_step_that_took_long_is_recorded_before_the_one_after_the_next(
        self, line: Line
    ) -> None:
        seen: list[list[str]] = []

        def wait(job: JobContext) -> None:
            line.clock.seconds += RECORD_WITHIN

        line.second_does = line.acting("second", wait)
        line.report_does = line.acting("report", lambda job: seen.append(line.states(*STATES)))
        line.deliver(line.message(), "m1")
        assert seen == [["success", "success", "processing"]]

    def test_if_storage_is_away_beside_a_step_it_is_recorded_afterwards(self, line: Line) -> None:
        merge = line.services.log.merge

        def act(job: JobContext) -> None:
            line.services.log.merge = refuse  # type: ignore[method-assign]
            line.services.alarms.ring()
            line.services.log.merge = merge  # type: ignore[method-assign]

        line.second_does = line.acting("second", act)
        assert line.deliver(line.message(), "m1") == "success"
        assert line.row.job_state == "succeeded"


class TestRedelivery:
    def test_it_goes_on_at_the_first_step_without_an_outcome(self, line: Line) -> None:
        body = line.message()
        line.second_does = line.acting("second", failing(KeyboardInterrupt()))
        for count in (1, 2):
            with pytest.raises(KeyboardInterrupt):  # the worker dies
                line.deliver(body, "m1", count)
        assert line.states(*STATES) == ["success", "processing", "waiting"]

        line.second_does = line.acting("second")
        line.deliver(body, "m1", 3)
        again = line.only("second")
        assert again.job_output.keys() == {"first"}
        assert again.job_definition.bookkeeping.look
        line.deliver(again.encode(), "m2")
        assert line.ran == ["first", "second", "first", "second", "second", "report"]
        assert line.row.job_state == "succeeded"

    def test_what_did_not_succeed_is_read_from_the_row(self, line: Line) -> None:
        line.first_does = line.acting("first", failing(PermanentError("never")))
        line.report_does = line.acting("report", failing(KeyboardInterrupt()))
        for count in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                line.deliver(line.message(), "m1", count)
        line.deliver(line.message(), "m1", 3)
        again = line.only("report")
        assert again.job_definition.bookkeeping.unsuccessful == ["first", "second"]

    def test_where_all_is_recorded_nothing_runs_and_nothing_is_sent(self, line: Line) -> None:
        line.deliver(line.message(), "m1")
        before, ran = line.entry, len(line.ran)
        assert line.deliver(line.message(), "m1", 2) == "success"
        assert (line.entry, len(line.ran)) == (before, ran)
        assert not any(line.waiting(name) for name in STATES)

    def test_of_two_messages_the_slower_one_stops_before_it_reads_what_only_it_found(
        self, line: Line
    ) -> None:
        line.fuse(Fusion())
        line.deliver(line.message(), "m1")
        line.fuse(AUTO)
        body = line.only("second").encode()
        read: list[str] = []

        def other_is_quicker(job: JobContext) -> None:
            line.second_does = line.acting("second")
            line.deliver(body, "copy")

        line.second_does = line.acting("second", other_is_quicker)
        line.report_does = line.acting("report", lambda job: read.extend(job.outputs))
        assert line.deliver(body, "m2") == "dropped"
        assert read == ["first", "second"], "only the quicker one read its output"
        assert line.row.job_state == "succeeded"

    def test_an_execution_taken_for_dead_records_nothing_once_its_message_was_sent_on(
        self, line: Line
    ) -> None:
        """Otherwise the message that was sent would be dropped, and the job be held by nobody."""
        body = line.message()

        def taken_for_dead(job: JobContext) -> None:
            assert job.outputs.keys() == {"first"}
            line.second_does = line.acting("second")
            line.deliver(body, "m1", 2)

        line.second_does = line.acting("second", taken_for_dead)
        line.deliver(body, "m1")
        assert line.states(*STATES) == ["success", "processing", "waiting"]
        sent = [decode_message(body, ()) for body in line.waiting("second")]
        assert [message.job_definition.bookkeeping.look for message in sent] == [True, True]
        line.deliver(sent[0].encode(), "m2")
        assert line.row.job_state == "succeeded"
        assert line.deliver(sent[1].encode(), "m3") == "dropped"

    def test_after_somebody_else_wrote_the_row_the_job_goes_on_through_the_queue(
        self, line: Line
    ) -> None:
        def noted(job: JobContext) -> None:
            line.services.log.merge(KEY, {"photo_replaced": "now"}, line.row.fence)

        line.first_does = line.acting("first", noted)
        line.second_does = line.acting("second", lambda job: line.ran.extend(job.outputs))
        line.deliver(line.message(), "m1")
        assert line.ran == ["first", "second", "first"]
        assert line.states(*STATES) == ["success", "success", "processing"]
        line.deliver(line.only("report").encode(), "m2")
        assert line.row.job_state == "succeeded"

    def test_clearing_its_queue_ends_the_job_where_it_stands(self, line: Line) -> None:
        line.drop()
        (item,) = line.services.queues.receive("first", 1, 0)
        line.second_does = line.acting("second", failing(KeyboardInterrupt()))
        for count in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                line.deliver(item.body, item.id, count)
        assert clear_queue(line.services, "first").jobs == 1
        assert line.states(*STATES) == ["success", "skipped", "waiting"]
        assert line.row.job_state == "cancelled"


class TestStops:
    def test_a_cancelled_batch_stops_between_two_steps(self, line: Line) -> None:
        def cancel(job: JobContext) -> None:
            line.services.cancellations.cancel("batch-1")

        line.first_does = line.acting("first", cancel)
        assert line.deliver(line.message(), "m1") == "cancelled"
        assert line.ran == ["first"]
        assert line.states(*STATES) == ["success", "skipped", "waiting"]
        assert line.row.job_state == "cancelled"

    def test_an_erased_job_stops_between_two_steps(self, line: Line) -> None:
        line.services.erased.begin("batch-1", ["another"])  # something was erased before

        def erase(job: JobContext) -> None:
            line.clock.seconds += LOOK_AGAIN_SECONDS
            forget_job(line.services, KEY)

        line.first_does = line.acting("first", erase)
        assert line.deliver(line.message(), "m1") == "erased"
        assert line.ran == ["first"]
        assert line.services.log.read(KEY) is None
        assert all(alarm.stopped for alarm in line.services.alarms.set)

    def test_the_first_erasure_of_all_is_noticed_before_anything_is_read(self, line: Line) -> None:
        def erase(job: JobContext) -> None:
            line.services.log.delete(KEY, line.row.fence)
            line.services.erased.begin("batch-1", ["job-1"])
            line.services.erased.add_runs("batch-1", {"job-1": ["m1"]})

        line.first_does = line.acting("first", erase)
        line.second_does = line.acting("second", lambda job: line.ran.extend(job.outputs))
        assert line.deliver(line.message(), "m1") == "erased"
        assert line.ran == ["first", "second"]
        assert line.services.log.read(KEY) is None


class TestCosts:
    """Calls of a job's execution; the host's own, polls and the submission are not among them."""

    def test_a_trivial_job_of_seven_steps_makes_five_storage_calls(self) -> None:
        line = Line()
        names = [f"step{number}" for number in range(7)]
        for name in names:
            body = line.acting(name)
            body.__name__ = name
            body.__annotations__ = {"job": JobContext, "return": Found}
            step(registry=line.registry)(body)
        calls = counting(line.services)
        line.deliver(line.message(*names, job_id="warm-up"), "m0")  # knows its batch afterwards
        calls.clear()
        line.deliver(line.message(*names), "m1")
        assert calls.total() <= 5, calls
        assert line.row.job_state == "succeeded"

    @pytest.mark.parametrize(("fusion", "most"), [(AUTO, 10), (Fusion(), 32)])
    def test_a_photo_with_a_face(self, fusion: Fusion, most: int) -> None:
        import steps  # noqa: F401 - registers the pipeline's steps
        from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
        from imaginem.pipeline.steps import default_registry
        from imaginem.ports import CoreSettings

        settings = CoreSettings(default_pipeline=DEFAULT_PIPELINE, fusion=fusion)
        services = MemoryServices(core_settings=settings, photos=PhotoCache(pixels=10**7))
        url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(), "image/png")
        services.queues.send(DEFAULT_PIPELINE[0], message_for(url, DEFAULT_PIPELINE).encode())
        calls = counting(services)
        run_all(services, default_registry)
        mine = {
            name: times
            for name, times in calls.items()
            if name not in ("queues.create", "queues.receive", "queues.delete")
        }
        assert services.log.read(KEY).properties["job_state"] == "succeeded"  # type: ignore[union-attr]
        assert sum(mine.values()) <= most, mine
