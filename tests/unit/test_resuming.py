"""A job's message made again from its row: it says all that the lost one said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem.errors import PermanentError, RetryableError
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.offload import CONTAINER, is_linked
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.resuming import QUERY_LOST, message_from_row
from imaginem.testing import photo_bytes, run_all
from tests.workbench import Bench, Found

ELSEWHERE = "https://photos.test/a.jpg?sig=secret"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def row(bench: Bench) -> ProgressRow:
    return ProgressRow(bench.entry)


def given(bench: Bench, **changes: Any) -> str:
    """Return a message with fields of its sender's own."""
    value = json.loads(bench.message())
    definition = value["job_definition"]
    definition |= {"note": {"urgent": True}}
    definition["input"] |= {"image_parameters": {"width": 7}, "image_classifiers": ["a"]}
    definition["input"] |= {"own": 1}
    return json.dumps({**value, "extra": [1, 2], **changes})


def plain(message: JobMessage) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(message.encode())
    for name in ("traceparent", "attempt", "waits", "unbarred"):
        value["job_definition"]["_imaginem"].pop(name, None)
    kept = value["job_definition"]["_imaginem"]
    kept.setdefault("unfinished", [])
    kept.pop("image_error", None)
    return value


def test_a_message_made_of_the_row_is_the_one_that_was_sent(bench: Bench) -> None:
    body = given(bench, job_output={"earlier": {"found": 1}})
    sent = bench.sent(bench.transition(bench.first, body, "m1"))

    assert plain(message_from_row(row(bench), bench.services)) == plain(decode_message(sent, ()))


def test_no_row_keeps_secrets_of_the_sender_and_steps_still_read_them(bench: Bench) -> None:
    value = json.loads(bench.message())
    given = {"blobSasToken": "SECRET", "note": "Bearer SECRET", "recordKey": "A-7"}
    value["job_definition"]["input"]["image_parameters"] = given
    sent = bench.sent(bench.transition(bench.first, json.dumps(value), "m1"))

    assert decode_message(sent, ()).job_definition.input.image_parameters == given
    assert "SECRET" not in repr(bench.entry)
    kept = message_from_row(row(bench), bench.services).job_definition.input.image_parameters
    assert kept == {"blobSasToken": "***", "note": "Bearer ***", "recordKey": "A-7"}


def test_a_message_of_the_first_step_is_made_again_too(bench: Bench) -> None:
    def fails(job: Any) -> Found:
        raise ZeroDivisionError

    bench.first_does = fails
    with pytest.raises(ZeroDivisionError):
        bench.transition(bench.first, given(bench), "m1")
    made = message_from_row(row(bench), bench.services)

    assert (made.current, made.job_definition.bookkeeping.run) == ("first", "m1")
    assert made.job_definition.bookkeeping.fence == bench.entry.fence
    assert plain(made)["extra"] == [1, 2]


def test_steps_that_did_not_succeed_are_known_from_the_row(bench: Bench) -> None:
    def fails(job: Any) -> Found:
        raise PermanentError("too dark")

    bench.first_does = fails
    bench.transition(bench.first, given(bench), "m1")
    made = message_from_row(row(bench), bench.services)

    assert made.job_definition.bookkeeping.unsuccessful == ["first"]
    assert made.job_output == {}


def test_outputs_of_any_size_are_in_the_message_that_is_made_again(bench: Bench) -> None:
    bench.first_does = lambda job: Found(what="x" * 40_000)
    bench.transition(bench.first, given(bench, job_output={"mine": "y" * 20_000}), "m1")
    made = message_from_row(row(bench), bench.services)

    assert is_linked(made.job_output["first"]) and is_linked(made.job_output["mine"])
    assert len(made.encode()) < 48 * 1024


def test_a_large_message_is_kept_in_the_jobs_own_folder(bench: Bench) -> None:
    body = given(bench, job_output={"mine": "y" * 40_000})
    bench.transition(bench.first, body, "m1")
    kept = json.loads(bench.entry.properties["imaginem_message"])

    assert is_linked(kept)
    assert any(
        "/message-" in name for name in bench.services.blobs.list(CONTAINER, "batch-1/job-1/")
    )


def test_a_small_message_is_kept_without_any_further_call(bench: Bench) -> None:
    bench.transition(bench.first, given(bench), "m1")

    assert bench.services.blobs.list(CONTAINER, "") == []


def test_no_query_of_an_address_gets_into_the_row(bench: Bench) -> None:
    bench.url = ELSEWHERE
    bench.transition(bench.first, given(bench), "m1")

    assert "secret" not in json.dumps(dict(bench.entry.properties))


def test_a_photo_that_was_fetched_is_found_again(bench: Bench) -> None:
    bench.services.fetch = lambda url: photo_bytes()
    bench.url = ELSEWHERE
    sent = decode_message(bench.sent(bench.transition(bench.first, given(bench), "m1")), ())
    made = message_from_row(row(bench), bench.services).job_definition.bookkeeping

    assert made.image == sent.job_definition.bookkeeping.image != ""
    assert made.image_error == ""


def test_a_photo_that_could_not_be_fetched_is_not_tried_again(bench: Bench) -> None:
    bench.url = "https://photos.test/a.jpg"
    bench.transition(bench.first, given(bench), "m1")
    made = message_from_row(row(bench), bench.services).job_definition.bookkeeping

    assert made.image_error == "https://photos.test/a.jpg: tests fetch nothing"


@pytest.mark.parametrize(("url", "error"), [(ELSEWHERE, QUERY_LOST), (ELSEWHERE[:25], "")])
def test_only_a_photo_whose_address_had_a_query_must_be_sent_again(
    bench: Bench, url: str, error: str
) -> None:
    def dies(address: str) -> bytes:
        raise KeyboardInterrupt

    bench.services.fetch = dies
    bench.url = url
    with pytest.raises(KeyboardInterrupt):
        bench.transition(bench.first, given(bench), "m1")
    made = message_from_row(row(bench), bench.services).job_definition.bookkeeping

    assert made.image_error == error


def test_a_row_says_until_when_its_message_is_delayed(bench: Bench) -> None:
    answers = [RetryableError("slow", retry_after=600)]

    def fails_once(job: Any) -> Found:
        if answers:
            raise answers.pop()
        return Found(what="one")

    bench.first_does = fails_once
    copy = bench.sent(bench.transition(bench.first, given(bench), "m1"))
    delayed = row(bench).not_before
    bench.transition(bench.first, copy, "m2")

    assert delayed is not None
    assert timedelta(seconds=590) < delayed - datetime.now(UTC) < timedelta(seconds=610)
    assert row(bench).not_before is None


def test_a_row_without_a_kept_message_still_gives_one(bench: Bench) -> None:
    """Rows that were written before rows kept messages have none."""
    bench.transition(bench.first, given(bench), "m1")
    properties = dict(bench.entry.properties)
    del properties["imaginem_message"]
    bench.services.log.replace(("batch-1", "job-1"), properties, bench.entry.fence)
    made = message_from_row(row(bench), bench.services)

    assert (made.current, made.job_output) == ("second", {"first": {"what": "one"}})


def test_a_row_of_a_job_that_has_ended_gives_the_message_of_a_named_step(bench: Bench) -> None:
    bench.services.queues.send("first", given(bench))
    run_all(bench.services, bench.registry)
    made = message_from_row(row(bench), bench.services, "second")

    assert (made.current, list(made.job_output)) == ("second", ["first"])
    with pytest.raises(PermanentError, match="names no step"):
        message_from_row(row(bench), bench.services)
