"""pipelinepoison: what is kept of a message, and what never is."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError
from imaginem.errors import NotFound
from imaginem.message import decode_message
from imaginem.pipeline.poison import bury, keep_invalid
from imaginem.ports import JobKey
from imaginem.testing import MemoryLog, MemoryServices
from imaginem.usecases.poison import replay_job
from tests.workbench import KEY, Bench, Body, Found

SECRET = {
    "job_definition": {
        "id": "job-1",
        "input": {
            "image_url": "https://x.test/a.jpg?sig=very-secret",
            "image_parameters": {
                "password": "very-secret",
                "note": "see https://y.test/?k=very-secret",
            },
        },
        "processing_pipeline": ["sample"],
    },
    "job_output": {
        "ocr": {"full_text": 'See "https://z.test/?q=very-secret" or password: very-secret'}
    },
}


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def base64_in_lines(text: str) -> str:
    return base64.encodebytes(text.encode()).decode()


@pytest.mark.parametrize("encode", [str, base64_of, base64_in_lines, json.dumps])
def test_a_kept_body_is_json_without_secrets(encode: Callable[[str], str]) -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", encode(json.dumps(SECRET)), "because")

    (kept,) = services.poison.list()
    assert "very-secret" not in kept.body
    value = json.loads(kept.body)
    assert value["job_definition"]["input"]["image_url"] == "https://x.test/a.jpg"
    assert kept.job_id == "job-1"


@pytest.mark.parametrize("encode", [base64_of, base64_in_lines])
def test_a_kept_body_that_is_base64_of_no_json_has_no_secrets(
    encode: Callable[[str], str],
) -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", encode(json.dumps(SECRET)[:-1]), "because")

    (kept,) = services.poison.list()
    assert "very-secret" not in kept.body
    assert kept.body.startswith('{"job_definition"')


def test_a_replayed_message_is_still_a_job() -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", json.dumps(SECRET), "because")
    replay_job(services, "sample", "m1")

    (item,) = services.queues.receive("sample", 1, 1)
    assert json.loads(item.body)["job_definition"]["id"] == "job-1"
    assert services.poison.list() == []


def test_ids_and_reasons_of_any_length_can_be_kept() -> None:
    services = MemoryServices()
    long = {"job_definition": {"id": "x" * 40_000, "input": {"image_url": "u"}}}
    keep_invalid(services, "sample", "m1", json.dumps(long), "because")
    names = {
        "job_definition": {
            "id": "a",
            "input": {"image_url": "u"},
            "processing_pipeline": ["N" * 40_000],
        }
    }
    bury(services, "sample", "m2", json.dumps(names))

    one, other = services.poison.list()
    assert len(one.job_id) == 512
    assert len(other.reason) <= 600


def test_what_is_not_there_cannot_be_replayed() -> None:
    with pytest.raises(NotFound, match="no message m1 of sample is in pipelinepoison"):
        replay_job(MemoryServices(), "sample", "m1")


def test_a_body_without_secrets_is_kept_as_it_came() -> None:
    services = MemoryServices()
    for name, body in (("m1", '{ "a":1 }'), ("m2", base64_of('{"a": 1}')), ("m3", "hello")):
        keep_invalid(services, "sample", name, body, "because")
        kept = services.poison.read("sample", name)
        assert kept is not None
        assert kept.body == body


def test_a_body_that_is_no_json_loses_its_secrets_too() -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", "password=very-secret; hello", "because")

    (kept,) = services.poison.list()
    assert kept.body == "password=***; hello"


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ('{"job_definition": {"id": "a", "batch_id": "b"}}', ("b", "a")),
        ('{"job_definition": {"id": "a"}}', ("default", "a")),
        ('{"job_definition": {"batch_id": 7}}', ("7", "")),
        ('{"job_definition": "a"}', ("", "")),
        ('["job_definition"]', ("", "")),
        ("hello", ("", "")),
    ],
)
def test_a_poisoned_message_has_the_ids_that_it_tells(body: str, ids: tuple[str, str]) -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", body, "because")
    bury(services, "sample", "m2", body)

    one, other = services.poison.list()
    assert (one.batch_id, one.job_id) == (other.batch_id, other.job_id) == ids
    assert (one.queue, one.id, one.reason, one.attempts) == ("sample", "m1", "because", 1)
    assert (other.queue, other.id, other.attempts) == ("sample", "m2", 5)


def test_a_job_that_died_before_its_first_step_began_is_told(bench: Bench) -> None:
    value = json.loads(bench.message())
    value["job_definition"]["input"]["image_url"] += "?sig=secret"
    bury(bench.services, "first", "p1", json.dumps(value))

    told = "first failed 5 times; the host's log has the details"
    row = dict(bench.entry.properties)
    assert json.loads(row.pop("imaginem_message"))["job_definition"]["input"] == {
        "image_url": bench.url
    }
    assert row == {
        "image_url": bench.url,
        "job_state": "failed",
        "processing_pipeline": "first,second,report",
        "first": "step 0: poisoned",
        "first_exception": told,
        "imaginem_run": "",
        "imaginem_delivery": "p1",
        "imaginem_previous_runs": "",
    }
    (kept,) = bench.poisoned
    assert (kept.reason, kept.attempts) == (told, 5)
    assert bench.telemetry.times("imaginem.poisoned", step="first", reason="defect") == 1


def test_a_job_that_died_on_its_way_is_told_if_it_waits_for_this_message(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bury(bench.services, "second", "p1", second)

    assert bench.states("first", "second") == ["success", "poisoned"]
    assert bench.entry.properties["job_state"] == "failed"
    assert bench.entry.properties["second_exception"] == bench.poisoned[0].reason
    assert bench.poisoned[0].reason.startswith("second failed 5 times")


def test_a_job_that_died_while_it_was_retried_keeps_the_reason(bench: Bench) -> None:
    def down(job: JobContext) -> Found:
        raise RetryableError("the service is down")

    bench.first_does = down
    copy = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bury(bench.services, "first", "p1", copy)

    assert bench.states("first") == ["poisoned"]
    told = "RetryableError: the service is down (try 1 of 5 failed)"
    assert bench.entry.properties["first_exception"] == bench.poisoned[0].reason == told


def test_a_copy_that_died_harms_no_job_that_went_on_without_it(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.drop()
    bury(bench.services, "second", "p1", second)
    bench.run()
    before = bench.entry
    bury(bench.services, "second", "p2", second)
    bury(bench.services, "first", "p3", bench.message())

    assert bench.entry == before
    assert bench.entry.properties["job_state"] == "succeeded"
    assert [kept.id for kept in bench.poisoned] == ["p3", "p1", "p2"]


def test_a_message_of_an_older_run_that_died_says_nothing_of_the_newer_one(bench: Bench) -> None:
    old = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.transition(bench.first, bench.message(), "m2")
    bury(bench.services, "second", "p1", old)

    assert bench.states("first", "second") == ["success", "processing"]
    assert bench.entry.properties["job_state"] == "running"


def test_a_poisoned_message_without_a_pipeline_marks_its_job(bench: Bench) -> None:
    value = json.loads(bench.message())
    del value["job_definition"]["processing_pipeline"]
    bury(bench.services, "first", "p1", json.dumps(value))

    assert bench.states("first") == ["poisoned"]


def test_a_poisoned_message_that_is_no_job_has_the_reason_why(bench: Bench) -> None:
    bury(bench.services, "first", "p1", '{"job_definition": {"id": "a"}}')

    assert bench.poisoned[0].reason == "job_definition.input: field required"


def test_a_step_that_failed_for_good_is_not_poisoned_by_a_later_outage(bench: Bench) -> None:
    def refuse(job: JobContext) -> Found:
        raise PermanentError("never")

    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.second_does = refuse
    report = bench.sent(bench.transition(bench.second, second, "m2"))
    bench.execute(bench.report, report, "m3")
    before = bench.entry
    bury(bench.services, "second", "p1", second)

    assert bench.entry == before
    assert bench.states("first", "second", "report") == ["success", "failed", "success"]


@pytest.mark.parametrize("step", ["first", "second"])
def test_a_job_that_was_recorded_and_not_sent_on_is_replayed_from_there(
    bench: Bench, step: str
) -> None:
    """Its worker died each time between recording and sending, until the host gave up."""
    ran: list[str] = []

    def noting(name: str) -> Body:
        def run(job: JobContext) -> Found:
            ran.append(name)
            return Found(what=name)

        return run

    bench.first_does, bench.second_does = noting("first"), noting("second")
    body = bench.message()
    if step == "second":
        body = bench.sent(bench.transition(bench.first, body, "m1"))
    following = bench.sent(bench.transition(getattr(bench, step), body, "m2"))
    for _ in range(2):  # the poison trigger, too, may die and come again
        bury(bench.services, step, "p1", body)

    name = decode_message(following, ()).current
    assert bench.states(step, name) == ["success", "poisoned"]
    assert bench.row.job_state == "failed"
    (kept,) = bench.poisoned
    assert (kept.queue, kept.id, kept.job_id) == (name, "p1", "job-1")
    assert kept.reason == bench.row.reason_of(name)
    assert kept.reason.startswith(f"{step} is done, but its message was given up")

    replay_job(bench.services, kept.queue, kept.id)
    bench.run()
    assert bench.row.job_state == "succeeded"
    assert ran == ["first", "second"]
    final = json.loads(bench.row.job_output)["job_output"]
    assert [final[name]["what"] for name in bench.names] == ["first", "second", "reported"]


def test_a_job_that_was_sent_on_after_all_takes_the_mark_away(bench: Bench) -> None:
    body = bench.message()
    second = bench.sent(bench.transition(bench.first, body, "m1"))
    bury(bench.services, "first", "p1", body)
    assert bench.states("second") == ["poisoned"]

    assert bench.execute(bench.second, second, "m2") == "success"
    bench.run()
    assert bench.row.job_state == "succeeded"
    assert bench.row.problems() == []


def test_a_job_that_was_marked_and_is_tried_again_is_under_way(bench: Bench) -> None:
    """A copy of its message died; its own asks for another try."""

    def down(job: JobContext) -> Found:
        raise RetryableError("the service is down")

    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bury(bench.services, "second", "p1", second)
    bench.second_does = down
    assert bench.execute(bench.second, second, "m2") == "retrying"

    assert (bench.row.job_state, *bench.states("second")) == ("running", "retrying")


def test_another_senders_first_message_that_died_marks_no_job(bench: Bench) -> None:
    bench.transition(bench.first, bench.message(), "m1")
    before = bench.entry
    other = bench.message(outputs={"report": {"what": "another sender's"}})
    bury(bench.services, "first", "p1", other)

    assert bench.entry == before
    assert bench.poisoned[0].body == other


def test_a_job_that_was_handed_over_stays_so_and_its_message_is_kept(bench: Bench) -> None:
    body = bench.message("first", "elsewhere")
    bench.transition(bench.first, body, "m1")
    before = bench.entry
    bury(bench.services, "first", "p1", body)

    assert bench.entry == before
    assert bench.row.job_state == "handed_over"
    (kept,) = bench.poisoned
    assert kept.queue == "elsewhere"
    assert json.loads(kept.body)["job_output"] == {"first": {"what": "one"}}


def test_a_late_copy_of_an_earlier_message_leaves_a_poisoned_job_alone(bench: Bench) -> None:
    body = bench.message()
    second = bench.sent(bench.transition(bench.first, body, "m1"))
    bury(bench.services, "second", "p1", second)
    before = bench.entry

    for count in (1, 2):
        assert bench.execute(bench.first, body, "m1", count) == "dropped"
    assert bench.entry == before
    assert bench.states("second") == ["poisoned"]


def test_a_forged_run_that_died_does_not_leave_its_job_under_way(bench: Bench) -> None:
    value = json.loads(bench.message())
    value["job_definition"]["_imaginem"] = {"run": "nobody", "fence": "made-up", "attempt": 1}

    def broken(job: JobContext) -> Found:
        raise ZeroDivisionError

    bench.first_does = broken
    with pytest.raises(ZeroDivisionError):
        bench.execute(bench.first, json.dumps(value), "m1")
    bury(bench.services, "first", "p1", json.dumps(value))

    assert (bench.row.run, bench.row.job_state) == ("m1", "failed")
    assert (
        bench.row.reason_of("first")
        == bench.poisoned[0].reason
        == "ZeroDivisionError (try 1 of 5 failed)"
    )


def test_a_message_that_died_ahead_of_its_row_marks_the_job(bench: Bench) -> None:
    """Storage has lost the row's newest changes."""
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    opened = {**bench.entry.properties, "first": "step 0: processing", "second": ""}
    bench.services.log.replace(KEY, opened, bench.row.fence)
    bury(bench.services, "second", "p1", second)

    assert bench.states("first", "second") == ["success", "poisoned"]
    assert bench.row.job_state == "failed"


class Racing(MemoryLog):
    """Somebody else begins or changes the job just before each of our first writes."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], object]] = []

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        if self.before:
            self.before.pop(0)()
        return super().insert(key, properties)

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        if self.before:
            self.before.pop(0)()
        return super().merge(key, properties, fence)


def test_a_job_that_begins_while_its_copy_is_buried_is_marked_still(bench: Bench) -> None:
    log = bench.services.log = Racing()
    opening = {"imaginem_run": "m1", "first": "step 0: processing"}
    log.before.append(lambda: MemoryLog.insert(log, KEY, opening))
    log.before.append(lambda: MemoryLog.merge(log, KEY, {"note": "x"}, bench.row.fence))
    bury(bench.services, "first", "p1", bench.message())

    assert bench.states("first") == ["poisoned"]
    assert bench.entry.properties["note"] == "x"


def test_a_job_that_succeeds_while_its_copy_is_buried_stays_so(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    racing = Racing()
    racing.insert(KEY, bench.entry.properties)
    bench.services.log = racing

    def succeed() -> None:
        done = {"second": "step 1: success"}
        MemoryLog.merge(racing, KEY, done, bench.row.fence)

    racing.before.append(succeed)
    bury(bench.services, "second", "p1", second)

    assert bench.states("second") == ["success"]


def test_a_row_that_keeps_changing_is_left_as_it_is(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    racing = Racing()
    racing.insert(KEY, bench.entry.properties)
    bench.services.log = racing
    tries: list[int] = []

    def change() -> None:
        tries.append(1)
        MemoryLog.merge(racing, KEY, {"note": "x"}, bench.row.fence)

    racing.before += [change] * 100
    bury(bench.services, "second", "p1", second)

    assert len(tries) == 8
    assert bench.states("second") == ["processing"]
    assert len(bench.poisoned) == 1
