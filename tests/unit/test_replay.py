"""Poisoned messages that are put back: what the new run still knows."""

import json
import re
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError
from imaginem.pipeline.poison import bury
from imaginem.testing import message_for, photo_bytes
from imaginem.usecases.poison import replay_job
from tests.workbench import Bench, Found


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
    replay_job(bench.services, kept.queue, kept.id)
    bench.run()
    assert bench.poisoned == []
    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.entry.properties["job_state"] == "succeeded"


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
    replay_job(bench.services, kept.queue, kept.id)
    bench.run()
    assert bench.states("first", "second", "report") == ["success"] * 3
    assert json.loads(bench.entry.properties["second_output"]) == {"what": "one"}


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
    bench.report_does = down
    bench.drop()
    bench.run()
    busy[0] = False
    (kept,) = bench.poisoned
    replay_job(bench.services, kept.queue, kept.id)
    bench.run()

    assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]
    assert bench.entry.properties["job_state"] == "failed"


def put_back(bench: Bench, queue: str) -> dict[str, Any]:
    """Replay what is poisoned, and return what its message carries then."""
    (kept,) = bench.poisoned
    replay_job(bench.services, kept.queue, kept.id)
    (item,) = bench.services.queues.receive(queue, 32, 0)
    assert bench.poisoned == []
    carried = dict(json.loads(item.body)["job_definition"]["_imaginem"])
    assert re.fullmatch("[0-9a-f]{32}", carried.pop("replay"))
    return carried


def test_a_replay_begins_a_run_that_keeps_photo_trace_and_failures_alone() -> None:
    bench = Bench(max_attempts=1)
    bench.services.fetch = lambda url: photo_bytes()

    def refuse(job: JobContext) -> Found:
        raise PermanentError("no")

    def down(job: JobContext) -> Found:
        raise RetryableError("down")

    bench.first_does, bench.report_does = refuse, down
    message = message_for("https://photos.test/a.jpg", ["first", "report"])
    bench.services.queues.send("first", message.encode())
    bench.run()

    kept = put_back(bench, "report")
    image = kept.pop("image")
    assert image.startswith(bench.services.blobs.address("inputimages", "batch-1/job-1/"))
    assert kept == {"unfinished": ["first"], "traceparent": "trace-1", "replay_of": bench.row.run}


def test_a_replay_needs_no_second_fetch_of_its_photo() -> None:
    bench = Bench(max_attempts=1)
    fetches: list[str] = []

    def fetch(url: str) -> bytes:
        fetches.append(url)
        return photo_bytes()

    busy = [True]

    def down(job: JobContext) -> Found:
        if busy.pop():
            raise RetryableError("down")
        return Found(what=str(job.image.width))

    bench.services.fetch = fetch
    bench.first_does = down
    message = message_for("https://photos.test/a.jpg?sig=secret", ["first"])
    bench.services.queues.send("first", message.encode())
    bench.run()
    busy.append(False)
    (kept,) = bench.poisoned
    replay_job(bench.services, kept.queue, kept.id)
    bench.run()

    assert bench.states("first") == ["success"]
    assert len(fetches) == 1


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        '["a"]',
        '{"job_definition": "a"}',
        '{"more": 1.50}',
    ],
)
def test_what_was_never_a_run_is_put_back_as_it_came(bench: Bench, body: str) -> None:
    bench.execute(bench.first, body, "m1")
    replay_job(bench.services, "first", "m1")

    assert bench.waiting("first") == [body]


@pytest.mark.parametrize("nonsense", ["x", ["image"], 5, None])
def test_bookkeeping_that_is_nonsense_is_not_put_back(bench: Bench, nonsense: object) -> None:
    definition = {"id": "a", "input": {}, "_imaginem": nonsense}
    bench.execute(bench.first, json.dumps({"job_definition": definition}), "m1")
    assert put_back(bench, "first") == {}


def test_a_replay_of_what_was_buried_counts_its_tries_anew(bench: Bench) -> None:
    def down(job: JobContext) -> Found:
        raise RetryableError("down")

    bench.first_does = down
    copy = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bury(bench.services, "first", "p1", copy)
    assert put_back(bench, "first") == {
        "traceparent": "trace-0",
        "unfinished": [],
        "replay_of": "m1",
    }
    (body,) = bench.waiting("first")
    bench.transition(bench.first, body, "m2")

    assert bench.entry.properties["first_exception"] == "RetryableError: down (try 1 of 5 failed)"
    assert bench.row.run.startswith("replay-")
