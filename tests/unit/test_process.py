"""process_step: what a step execution writes and sends, and how each kind of failure ends."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError, StepOutput, step
from imaginem.errors import Busy, StorageUnavailable
from imaginem.message import MESSAGE_LIMIT, decode_message
from imaginem.pipeline.poison import bury, replay
from imaginem.pipeline.process import Delivery, PipelineStep, process_step, transition
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.retries import retry_delay
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, LogEntry, PoisonEntry
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all


class Found(StepOutput):
    what: str


KEY = ("batch-1", "job-1")
Body = Callable[[JobContext], Found]


class Bench:
    """Two steps, `first` and `second` (which needs `first`), and a finalizer `report`."""

    def __init__(self, **limits: Any) -> None:
        self.registry = Registry()
        pipeline = ("first", "second", "report")
        chosen = CoreSettings(default_pipeline=pipeline, retry_seconds=0, **limits)
        self.services = MemoryServices(core_settings=chosen)
        self.first_does: Body = lambda job: Found(what="one")
        self.second_does: Body = lambda job: Found(what="two")

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
            """Report."""
            return Found(what="reported")

        self.first, self.second, self.report = first, second, report
        self.url = self.services.blobs.put(
            "inputimages", "batch-1/photo", photo_bytes(), "image/png"
        )

    def message(self, *pipeline: str, **given: Any) -> str:
        return message_for(self.url, pipeline or ("first", "second", "report"), **given).encode()

    def drop(self, *pipeline: str, **given: Any) -> None:
        message = message_for(self.url, pipeline or ("first", "second", "report"), **given)
        self.services.queues.send(message.current, message.encode())

    def run(self) -> None:
        run_all(self.services, self.registry)

    @property
    def entry(self) -> LogEntry:
        found = self.services.log.read(KEY)
        assert found is not None
        return found

    def states(self, *names: str) -> list[str]:
        row = ProgressRow(self.entry)
        return [row.state_of(name) for name in names]

    @property
    def poisoned(self) -> list[PoisonEntry]:
        return self.services.poison.list()

    def waiting(self, queue: str) -> list[str]:
        return [item.body for item in self.services.queues.receive(queue, 32, 30)]

    def execute(self, step: PipelineStep, body: str, message_id: str, count: int = 1) -> str:
        delivery = Delivery(body, message_id, count)
        return process_step(step, delivery, self.services, self.registry).state


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_job_travels_from_queue_to_queue_and_ends(bench: Bench) -> None:
    bench.drop()
    bench.run()

    properties = bench.entry.properties
    assert properties["job_state"] == "succeeded"
    assert properties["first"] == "step 0: success"
    assert properties["second"] == "step 1: success"
    assert properties["image_url"] == bench.url
    assert json.loads(properties["first_output"]) == {"what": "one"}
    final = json.loads(properties["job_output"])
    assert final["job_output"]["report"] == {"what": "reported"}
    assert "_imaginem" not in final["job_definition"]


def test_the_log_says_whose_turn_it_is_while_a_step_runs(bench: Bench) -> None:
    seen: list[str] = []

    def look(job: JobContext) -> Found:
        seen.extend(bench.states("first", "second"))
        return Found(what="two")

    bench.second_does = look
    bench.drop()
    bench.run()

    assert seen == ["success", "processing"]


def test_a_step_reads_the_typed_output_of_the_one_it_needs(bench: Bench) -> None:
    bench.second_does = lambda job: Found(what=job.output(bench.first).what + " and two")
    bench.drop()
    bench.run()

    assert json.loads(bench.entry.properties["second_output"]) == {"what": "one and two"}


def test_what_cannot_be_mended_fails_the_step_and_the_job_goes_on(bench: Bench) -> None:
    def refuse(job: JobContext) -> Found:
        raise PermanentError("the photo is upside down: turn it")

    bench.first_does = refuse
    bench.drop()
    bench.run()

    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    assert (
        bench.entry.properties["first_exception"]
        == "PermanentError: the photo is upside down: turn it"
    )
    assert bench.entry.properties["second_exception"] == "needs first, which did not succeed"
    assert bench.entry.properties["job_state"] == "failed"
    assert bench.poisoned == []


def test_a_job_with_some_success_ends_as_partial(bench: Bench) -> None:
    def refuse(job: JobContext) -> Found:
        raise PermanentError("no")

    bench.second_does = refuse
    bench.drop()
    bench.run()

    assert bench.entry.properties["job_state"] == "partial"


def test_what_may_be_mended_is_tried_again_with_a_delay(bench: Bench) -> None:
    problems = [RetryableError("busy", retry_after=7), RetryableError("busy")]

    def sometimes(job: JobContext) -> Found:
        if problems:
            raise problems.pop(0)
        return Found(what="one")

    bench.first_does = sometimes
    moved = transition(bench.first, Delivery(bench.message(), "m1"), bench.services, bench.registry)

    assert moved.state == "retrying"
    assert moved.outgoing is not None
    assert moved.outgoing.queue == "first"
    assert moved.outgoing.delay >= 7
    assert bench.states("first") == ["retrying"]
    assert "busy (try 1 of 5)" in bench.entry.properties["first_exception"]

    bench.services.queues.send("first", moved.outgoing.body)
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.entry.properties["first_exception"] == ""


def test_after_the_last_try_the_job_goes_on_and_a_copy_can_be_replayed() -> None:
    bench = Bench(max_attempts=3)
    busy = [True]

    def down(job: JobContext) -> Found:
        if busy[0]:
            raise RetryableError("the service is down")
        return Found(what="one")

    bench.first_does = down
    bench.drop()
    bench.run()

    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    (kept,) = bench.poisoned
    assert kept.reason == "RetryableError: the service is down (tried 3 times)"
    assert (kept.queue, kept.attempts, kept.job_id) == ("first", 3, "job-1")

    busy[0] = False
    replay(bench.services, kept.queue, kept.id)
    bench.run()
    assert bench.poisoned == []
    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.entry.properties["job_state"] == "succeeded"


def test_a_busy_service_costs_no_try() -> None:
    bench = Bench(max_attempts=2, max_waits=5)
    left = [5]

    def crowded(job: JobContext) -> Found:
        if left[0]:
            left[0] -= 1
            raise Busy("no room", retry_after=0)
        return Found(what="one")

    bench.first_does = crowded
    bench.drop()
    bench.run()

    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.poisoned == []


def test_a_service_that_is_busy_for_ever_ends_as_a_failed_step_that_can_be_replayed() -> None:
    bench = Bench(max_attempts=2, max_waits=3)
    told = []

    def crowded(job: JobContext) -> Found:
        entry = bench.services.log.read(("batch-1", "job-1"))
        told.append(entry.properties.get("first_exception", "") if entry else "")
        raise Busy("no room")

    bench.first_does = crowded
    bench.drop()
    bench.run()

    assert told[1:] == [f"Busy: no room (wait {number} of 3)" for number in (1, 2, 3)]
    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    assert bench.poisoned[0].reason == "Busy: no room (waited 3 times)"


def test_a_replay_in_the_middle_keeps_what_earlier_steps_found() -> None:
    bench = Bench(max_attempts=1)
    busy = [True]

    def down(job: JobContext) -> Found:
        if busy[0]:
            raise RetryableError("down")
        return Found(what=job.output(bench.first).what)

    bench.second_does = down
    bench.drop()
    bench.run()
    assert bench.states("first", "second") == ["success", "failed"]

    busy[0] = False
    (kept,) = bench.poisoned
    replay(bench.services, kept.queue, kept.id)
    bench.run()
    assert bench.states("first", "second", "report") == ["success"] * 3
    assert json.loads(bench.entry.properties["second_output"]) == {"what": "one"}


def test_a_defect_is_raised_so_that_the_host_delivers_again(bench: Bench) -> None:
    def broken(job: JobContext) -> Found:
        empty: dict[str, str] = {}
        return Found(what=empty["secret-value"])

    bench.first_does = broken
    with pytest.raises(KeyError):
        bench.execute(bench.first, bench.message(), "m1")
    assert bench.states("first") == ["processing"]

    with pytest.raises(KeyError):
        bench.execute(bench.first, bench.message(), "m1", count=5)
    assert bench.states("first") == ["failed"]
    assert bench.entry.properties["job_state"] == "failed"
    assert bench.entry.properties["first_exception"].startswith("KeyError: a defect in the step")
    assert "secret-value" not in bench.entry.properties["first_exception"]

    bury(bench.services, "first", "p1", bench.message())
    assert bench.states("first") == ["poisoned"]
    (kept,) = bench.poisoned
    assert kept.reason.startswith("KeyError: a defect")

    bench.first_does = lambda job: Found(what="one")
    replay(bench.services, "first", "p1")
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


def test_storage_that_is_down_is_left_to_the_host(bench: Bench) -> None:
    def unreachable(job: JobContext) -> Found:
        raise StorageUnavailable("blobs did not answer")

    bench.first_does = unreachable
    with pytest.raises(StorageUnavailable):
        bench.execute(bench.first, bench.message(), "m1")
    assert bench.waiting("first") == [] if "first" in bench.services.queues.names() else True


def test_a_message_that_is_no_job_is_kept_with_its_reason(bench: Bench) -> None:
    assert bench.execute(bench.first, "hello", "m1") == "invalid"
    no_id = json.dumps({"job_definition": {"batch_id": "b", "input": {"image_url": "u"}}})
    assert bench.execute(bench.first, no_id, "m2") == "invalid"

    one, other = bench.poisoned
    assert (one.body, one.attempts) == ("hello", 1)
    assert "neither JSON" in one.reason
    assert other.reason == "job_definition.id: field required"
    assert other.batch_id == "b"


def test_a_message_on_the_wrong_queue_is_kept_with_its_reason(bench: Bench) -> None:
    assert bench.execute(bench.second, bench.message(), "m1") == "invalid"
    assert "lies on the queue 'second'" in bench.poisoned[0].reason


def test_an_unknown_queue_gets_the_job_and_the_log_says_so(bench: Bench) -> None:
    bench.drop("first", "seconds", "report")
    bench.run()

    assert bench.entry.properties["job_state"] == "handed_over"
    assert "did you mean second?" in bench.entry.properties["seconds_exception"]
    assert bench.states("first", "seconds") == ["success", "processing"]
    (body,) = bench.waiting("seconds")
    assert decode_message(body, ()).job_definition.processing_step == 1


def test_an_outside_consumer_can_hand_the_job_back(bench: Bench) -> None:
    bench.drop("first", "outside", "report")
    bench.run()
    (body,) = bench.waiting("outside")
    value = json.loads(body)
    value["job_definition"]["processing_step"] = 2
    value["job_output"]["outside"] = {"any": "thing"}
    bench.services.queues.send("report", json.dumps(value))
    bench.run()

    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.states("report") == ["success"]


def test_five_copies_of_one_message_end_as_one_job(bench: Bench) -> None:
    for _ in range(5):
        bench.drop()
    bench.run()

    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.states("first", "second", "report") == ["success"] * 3


def test_a_redelivered_first_message_goes_on_where_it_stopped(bench: Bench) -> None:
    body = bench.message()
    moved = transition(bench.first, Delivery(body, "m1"), bench.services, bench.registry)
    assert moved.outgoing is not None  # recorded, but the worker dies before it sends

    assert bench.execute(bench.first, body, "m1", 2) == "success"
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


def test_a_redelivery_after_the_job_went_on_changes_nothing(bench: Bench) -> None:
    body = bench.message()
    bench.execute(bench.first, body, "m1")
    bench.run()
    before = bench.entry

    assert bench.execute(bench.first, body, "m1", 2) == "dropped"
    assert bench.entry == before


def test_of_two_copies_of_a_later_message_one_goes_on(bench: Bench) -> None:
    moved = transition(bench.first, Delivery(bench.message(), "m1"), bench.services, bench.registry)
    assert moved.outgoing is not None
    body = moved.outgoing.body

    assert bench.execute(bench.second, body, "copy-a") == "success"
    assert bench.execute(bench.second, body, "copy-b") == "dropped"
    assert len(bench.waiting("report")) == 1


def test_a_worker_that_died_between_recording_and_sending_sends_again(bench: Bench) -> None:
    moved = transition(bench.first, Delivery(bench.message(), "m1"), bench.services, bench.registry)
    assert moved.outgoing is not None
    body = moved.outgoing.body
    transition(bench.second, Delivery(body, "m2"), bench.services, bench.registry)  # not sent

    assert bench.execute(bench.second, body, "m2", 2) == "success"
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


@pytest.mark.parametrize(
    "forged",
    [
        {"run": "someone", "fence": "made-up"},
        {"run": "someone", "fence": "made-up", "attempt": 4},
        {"run": "", "fence": "made-up"},
        {"run": "someone", "fence": ""},
    ],
)
def test_a_forged_fence_never_loses_a_job(bench: Bench, forged: dict[str, Any]) -> None:
    for existing in (False, True):
        if existing:
            bench.drop()
            bench.run()
        value = json.loads(bench.message())
        value["job_definition"]["_imaginem"] = forged
        bench.services.queues.send("first", json.dumps(value))
        bench.run()
        assert bench.entry.properties["job_state"] == "succeeded"


def test_a_new_run_takes_over_and_the_old_one_ends(bench: Bench) -> None:
    old = transition(bench.first, Delivery(bench.message(), "old"), bench.services, bench.registry)
    assert old.outgoing is not None
    bench.first_does = lambda job: Found(what="newer")
    bench.drop()
    bench.run()

    assert bench.execute(bench.second, old.outgoing.body, "old-2") == "dropped"
    assert json.loads(bench.entry.properties["first_output"]) == {"what": "newer"}
    assert bench.entry.properties["job_state"] == "succeeded"


def test_a_retry_that_races_with_its_original_ends_once(bench: Bench) -> None:
    problems = [RetryableError("busy")]

    def sometimes(job: JobContext) -> Found:
        if problems:
            raise problems.pop()
        return Found(what="one")

    bench.first_does = sometimes
    body = bench.message()
    bench.execute(bench.first, body, "m1")  # recorded as retrying, the copy is sent
    assert bench.execute(bench.first, body, "m1", 2) == "success"  # the original comes again
    bench.run()

    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.states("first") == ["success"]


def test_large_outputs_travel_beside_the_message(bench: Bench) -> None:
    large = "x" * 100_000
    bench.first_does = lambda job: Found(what=large)
    bench.second_does = lambda job: Found(what=str(len(job.output(bench.first).what)))
    bench.drop("first", "second", "outside")
    bench.run()

    (body,) = bench.waiting("outside")
    assert len(body.encode()) <= MESSAGE_LIMIT
    linked = json.loads(body)["job_output"]["first"]
    assert set(linked) == {"linked_content"}
    assert "/largemessages/batch-1/job-1/" in linked["linked_content"]
    assert json.loads(bench.entry.properties["first_output"]) == linked
    assert json.loads(bench.entry.properties["second_output"]) == {"what": "100000"}


def test_many_middling_outputs_are_offloaded_until_the_message_fits(bench: Bench) -> None:
    given = {f"earlier{number}": {"text": "y" * 9_000} for number in range(6)}
    bench.drop("first", "outside", outputs=given)
    bench.run()

    (body,) = bench.waiting("outside")
    assert len(body.encode()) <= MESSAGE_LIMIT
    assert any("linked_content" in output for output in json.loads(body)["job_output"].values())


def test_linked_content_elsewhere_is_not_followed(bench: Bench) -> None:
    bench.services.blobs.put("largemessages", "other/job/first.json", b'{"what": "stolen"}', "")
    for url in (
        "https://memory.test/largemessages/other/job/first.json",
        "https://memory.test/largemessages/batch-1/job-1/../../other/job/first.json",
        "https://memory.test/inputimages/batch-1/photo",
        "https://elsewhere.test/largemessages/batch-1/job-1/x.json",
    ):
        bench.second_does = lambda job: job.output(bench.first)
        bench.drop("second", outputs={"first": {"linked_content": url}})
        bench.run()
        assert bench.states("second") == ["failed"], url


def test_a_missing_output_is_told_with_its_remedy(bench: Bench) -> None:
    bench.second_does = lambda job: job.output(bench.first)
    bench.drop("second")
    bench.run()

    assert "put first before this step" in bench.entry.properties["second_exception"]


def test_a_query_never_reaches_log_or_poison(bench: Bench) -> None:
    secret = "sig=very-secret"

    def refuse(job: JobContext) -> Found:
        raise PermanentError(f"https://x.test/a.jpg?{secret} answered 404")

    bench.first_does = refuse
    message = message_for(f"{bench.url}?{secret}", ["first", "outside"])
    bench.services.queues.send("first", message.encode())
    bench.execute(bench.first, f'{{"image_url": "https://x.test/a?{secret}"', "m1")
    bench.run()

    shown = json.dumps(
        [dict(bench.entry.properties), [vars(e) for e in bench.poisoned]], default=str
    )
    assert "very-secret" not in shown
    assert "very-secret" not in bench.waiting("outside")[0]


def test_delays_grow_and_honour_retry_after() -> None:
    assert 1 <= retry_delay(1, 2, None) <= 3
    assert 16 <= retry_delay(5, 2, None) <= 48
    assert retry_delay(1, 2, 600) == 600
    assert retry_delay(40, 2, None) <= 15 * 60 * 1.5


def test_a_photo_host_that_is_down_costs_the_pixels_and_not_the_job() -> None:
    bench = Bench(max_attempts=2)
    fetches: list[str] = []

    def down(url: str) -> bytes:
        fetches.append(url)
        raise RetryableError("https://photos.test/a.jpg answered 503")

    bench.services.fetch = down
    bench.second_does = lambda job: Found(what=str(job.image.width))
    message = message_for(
        "https://photos.test/a.jpg?sig=very-secret", ["first", "second", "report"]
    )
    bench.services.queues.send("first", message.encode())
    bench.run()

    assert len(fetches) == 2
    assert bench.states("first", "second", "report") == ["success", "failed", "success"]
    assert "answered 503; tried in vain" in bench.entry.properties["second_exception"]
    assert bench.poisoned == []
    assert "very-secret" not in json.dumps(dict(bench.entry.properties), default=str)


def test_user_and_password_of_an_address_are_kept_nowhere(bench: Bench) -> None:
    message = message_for("https://me:very-secret@x.test/a.jpg", ["first", "report"])
    bench.services.queues.send("first", message.encode())
    bench.run()

    assert bench.entry.properties["image_url"] == "https://x.test/a.jpg"
    assert "very-secret" not in json.dumps(dict(bench.entry.properties), default=str)


def test_a_late_message_of_an_older_run_has_no_effect(bench: Bench) -> None:
    """Its retry was delayed while somebody sent the job again."""
    ran: list[str] = []
    problems = [RetryableError("busy")]

    def second(job: JobContext) -> Found:
        if problems:
            raise problems.pop()
        ran.append(job.image_url)
        return Found(what="two")

    bench.second_does = second
    first = transition(
        bench.first, Delivery(bench.message(), "old"), bench.services, bench.registry
    )
    assert first.outgoing is not None
    delivery = Delivery(first.outgoing.body, "old-2")
    retried = transition(bench.second, delivery, bench.services, bench.registry)
    assert retried.outgoing is not None
    bench.drop()
    bench.run()
    assert len(ran) == 1

    assert bench.execute(bench.second, retried.outgoing.body, "old-3") == "dropped"
    assert len(ran) == 1


def test_a_replay_remembers_what_failed_before_it() -> None:
    bench = Bench(max_attempts=1)
    busy = [True]

    def refuse(job: JobContext) -> Found:
        raise PermanentError("no")

    def down(job: JobContext) -> Found:
        if busy[0]:
            raise RetryableError("down")
        return Found(what="reported")

    bench.first_does = refuse
    bench.second_does = lambda job: Found(what="never")
    bench.registry.get("report")._function = down
    bench.drop()
    bench.run()
    busy[0] = False
    (kept,) = bench.poisoned
    replay(bench.services, kept.queue, kept.id)
    bench.run()

    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    assert bench.entry.properties["job_state"] == "failed"


def test_a_queue_that_begins_with_a_digit_gets_a_property_that_azure_allows(bench: Bench) -> None:
    bench.drop("first", "2nd-opinion")
    bench.run()

    assert bench.entry.properties["_2nd_opinion"] == "step 1: processing"


def test_retry_after_is_honoured_within_an_hour() -> None:
    assert retry_delay(1, 2, 10 * 24 * 3600) == 3600


def test_a_large_output_is_uploaded_once(bench: Bench) -> None:
    puts: list[str] = []
    put = bench.services.blobs.put

    def counting(container: str, name: str, data: bytes, content_type: str) -> str:
        puts.append(name)
        return put(container, name, data, content_type)

    bench.services.blobs.put = counting  # type: ignore[method-assign]
    bench.first_does = lambda job: Found(what="x" * 100_000)
    bench.drop("first", "outside")
    bench.run()

    assert len(puts) == 1
