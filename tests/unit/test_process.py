"""process_step: what a step execution writes and sends, and what each kind of failure comes to."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError, step
from imaginem.errors import Busy, ConfigurationError, InvalidMessage, StorageUnavailable
from imaginem.message import MESSAGE_LIMIT, decode_message
from imaginem.pipeline.poison import bury
from imaginem.ports import JobKey
from imaginem.testing import MemoryLog, message_for
from imaginem.usecases.poison import replay_job
from tests.workbench import Bench, Found


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


def test_a_defect_is_raised_so_that_the_host_delivers_again(bench: Bench) -> None:
    def broken(job: JobContext) -> Found:
        empty: dict[str, str] = {}
        return Found(what=empty["secret-value"])

    bench.first_does = broken
    with pytest.raises(KeyError, match="secret-value"):
        bench.execute(bench.first, bench.message(), "m1")
    assert bench.states("first") == ["retrying"]
    assert bench.entry.properties["job_state"] == "running"
    assert bench.entry.properties["first_exception"] == "KeyError (try 1 of 5 failed)"

    with pytest.raises(KeyError, match="secret-value"):
        bench.execute(bench.first, bench.message(), "m1", count=5)
    assert bench.states("first") == ["poisoned"]
    assert bench.entry.properties["job_state"] == "failed"
    assert bench.entry.properties["first_exception"].startswith("KeyError: a defect in the step")
    assert "secret-value" not in bench.entry.properties["first_exception"]

    bury(bench.services, "first", "p1", bench.message())
    assert bench.states("first") == ["poisoned"]
    (kept,) = bench.poisoned
    assert kept.reason.startswith("KeyError: a defect")

    bench.first_does = lambda job: Found(what="one")
    replay_job(bench.services, "first", "p1")
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


def test_storage_that_is_down_is_left_to_the_host(bench: Bench) -> None:
    def unreachable(job: JobContext) -> Found:
        raise StorageUnavailable("blobs did not answer")

    bench.first_does = unreachable
    with pytest.raises(StorageUnavailable, match="blobs did not answer"):
        bench.execute(bench.first, bench.message(), "m1")

    assert bench.services.queues.names() == []
    assert bench.states("first") == ["retrying"]
    told = "StorageUnavailable: blobs did not answer (try 1 of 5 failed)"
    assert bench.entry.properties["first_exception"] == told
    assert bench.entry.properties["job_state"] == "running"

    with pytest.raises(StorageUnavailable, match="blobs did not answer"):
        bench.execute(bench.first, bench.message(), "m1", count=5)
    assert bench.states("first") == ["poisoned"]
    assert bench.poisoned == []


def test_a_step_whose_trouble_can_not_be_told_fails_with_its_own_reason(bench: Bench) -> None:
    class Down(MemoryLog):
        def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
            raise StorageUnavailable("tables did not answer")

    def broken(job: JobContext) -> Found:
        raise ZeroDivisionError

    bench.services.log, bench.first_does = Down(), broken
    for count in (1, 5):
        with pytest.raises(ZeroDivisionError):
            bench.execute(bench.first, bench.message(), "m1", count)
    assert bench.states("first") == ["processing"]


def test_a_step_that_failed_once_goes_on_when_it_is_delivered_again(bench: Bench) -> None:
    def broken(job: JobContext) -> Found:
        raise ZeroDivisionError

    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    works, bench.second_does = bench.second_does, broken
    with pytest.raises(ZeroDivisionError):
        bench.execute(bench.second, second, "m2")
    told = "ZeroDivisionError (try 1 of 5 failed)"
    assert bench.entry.properties["second_exception"] == told

    bench.second_does = works
    assert bench.execute(bench.second, second, "m2", 2) == "success"
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.entry.properties["second_exception"] == ""


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
    assert bench.poisoned[0].reason == (
        "the message lies on the queue 'second', but processing_pipeline[0] is 'first': put it on "
        "that queue, or correct processing_step"
    )


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


def test_user_and_password_of_an_address_are_kept_nowhere(bench: Bench) -> None:
    message = message_for("https://me:very-secret@x.test/a.jpg", ["first", "report"])
    bench.services.queues.send("first", message.encode())
    bench.run()

    assert bench.entry.properties["image_url"] == "https://x.test/a.jpg"
    assert "very-secret" not in json.dumps(dict(bench.entry.properties), default=str)


def test_a_queue_that_begins_with_a_digit_gets_a_property_that_azure_allows(bench: Bench) -> None:
    bench.drop("first", "2nd-opinion")
    bench.run()

    assert bench.entry.properties["_2nd_opinion"] == "step 1: processing"


def test_the_first_step_execution_writes_what_a_row_begins_with(bench: Bench) -> None:
    rows: list[dict[str, Any]] = []

    def look(job: JobContext) -> Found:
        rows.append(dict(bench.entry.properties))
        return Found(what="one")

    bench.first_does = look
    bench.drop()
    bench.run()

    (row,) = rows
    run = row.pop("imaginem_run")
    assert datetime.fromisoformat(row.pop("imaginem_put")) <= datetime.now(UTC)
    message = json.loads(row.pop("imaginem_message"))
    assert message["job_definition"]["input"] == {"image_url": bench.url}
    assert row == {
        "image_url": bench.url,
        "job_state": "running",
        "processing_pipeline": "first,second,report",
        "first": "step 0: processing",
        "imaginem_delivery": run,
        "imaginem_previous_runs": "",
    }


def test_a_jobs_last_output_is_its_message_without_bookkeeping(bench: Bench) -> None:
    value = json.loads(bench.message())
    value["job_definition"]["note"] = "urgent"
    value["job_definition"]["input"]["image_url"] += "?sig=secret"
    value["job_definition"]["_imaginem"] = {"image": "nonsense"}
    bench.services.queues.send("first", json.dumps(value))
    bench.run()

    assert json.loads(bench.entry.properties["job_output"]) == {
        "job_definition": {
            "id": "job-1",
            "batch_id": "batch-1",
            "input": {"image_url": bench.url},
            "processing_pipeline": ["first", "second", "report"],
            "processing_step": 2,
            "note": "urgent",
        },
        "job_output": {
            "first": {"what": "one"},
            "second": {"what": "two"},
            "report": {"what": "reported"},
        },
    }


def test_a_job_that_is_handed_back_runs_again(bench: Bench) -> None:
    bench.drop("first", "outside", "second", "report")
    bench.run()
    (body,) = bench.waiting("outside")
    value = json.loads(body)
    value["job_definition"]["processing_step"] = 2
    assert bench.entry.properties["job_state"] == "handed_over"

    bench.execute(bench.second, json.dumps(value), "back")
    assert bench.entry.properties["job_state"] == "running"
    assert bench.states("report") == ["processing"]


def refuse(job: JobContext) -> Found:
    raise PermanentError("no")


@pytest.mark.parametrize(
    ("pipeline", "fails", "state"),
    [
        (("report",), False, "succeeded"),
        (("report",), True, "failed"),
        (("report", "outside"), True, "handed_over"),
        (("first", "report"), True, "partial"),
        (("first",), False, "succeeded"),
    ],
)
def test_finalizers_count_only_if_there_is_nothing_else(
    bench: Bench, pipeline: tuple[str, ...], fails: bool, state: str
) -> None:
    if fails:
        bench.report_does = refuse
    bench.drop(*pipeline)
    bench.run()

    assert bench.entry.properties["job_state"] == state


def test_of_finalizers_alone_one_that_succeeds_makes_a_partial_job(bench: Bench) -> None:
    def summary(job: JobContext) -> Found:
        return Found(what="summed up")

    step(finalizer=True, registry=bench.registry)(summary)
    bench.report_does = refuse
    bench.drop("report", "summary")
    bench.run()

    assert bench.entry.properties["job_state"] == "partial"


def test_an_output_that_came_with_the_message_makes_no_failed_step_a_success(bench: Bench) -> None:
    """`second` is skipped: that the sender gave an output for it does not count."""
    bench.first_does = refuse
    bench.drop(outputs={"first": {"what": "given"}, "second": {"what": "given"}})
    bench.run()

    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    assert bench.entry.properties["job_state"] == "failed"


def test_a_successful_step_of_an_outside_queue_counts_by_its_output(bench: Bench) -> None:
    bench.second_does = refuse
    bench.drop("outside", "second", step=1, outputs={"outside": {"any": "thing"}})
    bench.run()
    assert bench.entry.properties["job_state"] == "partial"

    bench.drop("outside", "second", step=1)
    bench.run()
    assert bench.entry.properties["job_state"] == "failed"


def test_what_a_first_message_claims_of_later_or_unknown_steps_counts_for_nothing(
    bench: Bench,
) -> None:
    value = json.loads(bench.message(step=1, outputs={"first": {"what": "given"}}))
    value["job_definition"]["_imaginem"] = {"unfinished": ["report", "nonsense", "second"]}
    bench.services.queues.send("second", json.dumps(value))
    bench.run()

    assert bench.states("second", "report") == ["success", "success"]
    assert bench.entry.properties["job_state"] == "succeeded"


def test_what_a_first_message_knows_of_earlier_steps_is_kept(bench: Bench) -> None:
    value = json.loads(bench.message(step=1))
    value["job_definition"]["_imaginem"] = {"unfinished": ["first"]}
    seen: list[tuple[str, ...]] = []

    def look(job: JobContext) -> Found:
        seen.append(job.unsuccessful)
        return Found(what="reported")

    bench.report_does = look
    bench.services.queues.send("second", json.dumps(value))
    bench.run()

    assert bench.states("second") == ["skipped"]
    assert seen == [("first", "second")]


def test_a_first_message_has_no_attempts_waits_or_trace_of_its_own(bench: Bench) -> None:
    def down(job: JobContext) -> Found:
        raise RetryableError("down")

    def crowded(job: JobContext) -> Found:
        raise Busy("no room")

    value = json.loads(bench.message())
    forged = {"attempt": 4, "waits": 99, "traceparent": "somebody-elses"}
    value["job_definition"]["_imaginem"] = forged
    for does, told in ((down, "(try 1 of 5 failed)"), (crowded, "(wait 1 of 100)")):
        bench.first_does = does
        assert bench.execute(bench.first, json.dumps(value), f"m-{told}") == "retrying"
        assert told in bench.entry.properties["first_exception"]
    assert [span.parent for span in bench.telemetry.spans] == ["", ""]


def test_a_jobs_steps_are_spans_of_one_trace(bench: Bench) -> None:
    bench.second_does = refuse
    bench.drop()
    bench.run()

    spans = bench.telemetry.spans
    ids = {"batch_id": "batch-1", "job_id": "job-1"}
    assert [(span.name, span.parent) for span in spans] == [
        ("first", ""),
        ("second", "trace-0"),
        ("report", "trace-1"),
    ]
    assert [span.kind for span in spans] == ["consumer"] * 3
    assert [span.labels for span in spans] == [{**ids, "step": name} for name in bench.names]
    assert [span.notes["state"] for span in spans] == ["success", "failed", "success"]
    assert [span.failed for span in spans] == [[], ["failed"], []]


def test_a_step_is_measured_and_a_job_counted_once(bench: Bench) -> None:
    bench.drop()
    bench.run()

    measured = [(name, labels) for name, _, labels in bench.telemetry.measured]
    assert measured == [
        ("imaginem.step.seconds", {"step": name, "state": "success"}) for name in bench.names
    ]
    assert all(0 < seconds < 5 for _, seconds, _ in bench.telemetry.measured)
    assert bench.telemetry.times("imaginem.jobs", state="succeeded") == 1


def test_the_log_names_step_outcome_and_job(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "imaginem.process"):
        bench.execute(bench.first, bench.message(), "m1")

    (record,) = caplog.records
    assert record.getMessage() == "first: success"
    assert (vars(record)["batch_id"], vars(record)["job_id"]) == ("batch-1", "job-1")


@pytest.mark.parametrize("body", ["hello", '{"job_definition": {"id": "a"}}'])
def test_a_message_that_is_no_job_is_counted_for_the_alert(bench: Bench, body: str) -> None:
    bench.execute(bench.first, body, "m1")

    assert bench.telemetry.times("imaginem.poisoned", step="first", reason="invalid") == 1


def test_a_message_that_grows_beyond_the_limit_is_kept_and_its_job_fails(bench: Bench) -> None:
    many = {f"output{number}": "x" * 100 for number in range(1_000)}
    assert bench.execute(bench.first, bench.message(outputs=many), "m1") == "invalid"

    told = f"the message stays over {MESSAGE_LIMIT} bytes: shorten job_output"
    assert bench.states("first") == ["failed"]
    assert bench.entry.properties["first_exception"] == f"InvalidMessage: {told}"
    assert bench.entry.properties["job_state"] == "failed"
    assert [(kept.id, kept.reason) for kept in bench.poisoned] == [("m1", told)]
    assert bench.telemetry.spans[0].failed == ["invalid"]
    assert bench.telemetry.times("imaginem.poisoned", step="first", reason="invalid") == 1


def test_an_error_of_ours_that_is_no_steps_is_told_in_its_own_words(bench: Bench) -> None:
    def unset(job: JobContext) -> Found:
        raise ConfigurationError("the model is missing: run `imaginem assets fetch`")

    bench.first_does = unset
    with pytest.raises(ConfigurationError, match="the model is missing"):
        bench.execute(bench.first, bench.message(), "m1", count=5)

    assert bench.entry.properties["first_exception"] == (
        "ConfigurationError: the model is missing: run `imaginem assets fetch`"
    )


def test_a_defect_is_told_at_once_and_ends_the_job_on_the_last_delivery(bench: Bench) -> None:
    def broken(job: JobContext) -> Found:
        raise ValueError("odd")

    bench.first_does = broken
    body = bench.message()
    for count in (1, 2, 3, 4, 5):
        with pytest.raises(ValueError, match="odd"):
            bench.execute(bench.first, body, "m1", count)
        if count < 5:
            assert bench.states("first") == ["retrying"]
            told = f"ValueError (try {count} of 5 failed)"
            assert bench.entry.properties["first_exception"] == told
    assert bench.states("first") == ["poisoned"]
    assert bench.entry.properties["job_state"] == "failed"


def test_an_invalid_output_fails_the_step(bench: Bench) -> None:
    def odd(job: JobContext) -> Found:
        raise InvalidMessage("job_output.ocr is odd")

    bench.first_does = odd
    bench.drop()
    bench.run()

    assert bench.entry.properties["first_exception"] == "PermanentError: job_output.ocr is odd"


def test_a_field_that_is_none_is_left_out_of_an_output(bench: Bench) -> None:
    class Optional(Found):
        more: str | None = None

    bench.first_does = lambda job: Optional(what="one")
    bench.drop()
    bench.run()

    assert json.loads(bench.entry.properties["first_output"]) == {"what": "one"}


def test_a_message_may_leave_the_pipeline_to_the_settings(bench: Bench) -> None:
    value = json.loads(bench.message())
    del value["job_definition"]["processing_pipeline"]
    bench.services.queues.send("first", json.dumps(value))
    bench.run()

    assert bench.entry.properties["processing_pipeline"] == "first,second,report"
    assert bench.entry.properties["job_state"] == "succeeded"


def test_all_that_a_skipped_step_lacks_is_named(bench: Bench) -> None:
    @step(registry=bench.registry, requires=(bench.first, bench.second))
    def third(job: JobContext) -> Found:
        return Found(what="three")

    bench.first_does = refuse
    bench.drop("first", "second", "third")
    bench.run()

    assert bench.entry.properties["third_exception"] == (
        "needs first and second, which did not succeed"
    )
