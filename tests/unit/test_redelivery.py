"""Messages that come twice, late, forged or from an older run: no job is lost or ends twice."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from imaginem import JobContext, RetryableError
from imaginem.errors import Busy, Conflict, StorageUnavailable
from imaginem.message import decode_message
from imaginem.pipeline.process import Delivery, transition
from imaginem.ports import JobKey, LogEntry
from imaginem.testing import MemoryLog
from tests.workbench import KEY, Bench, Found


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


class WatchedLog(MemoryLog):
    """Counts reads; refuses merges as if somebody were always quicker."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.merges = 0
        self.refuses = 0

    def read(self, key: JobKey) -> LogEntry | None:
        self.reads += 1
        return super().read(key)

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        self.merges += 1
        if self.refuses:
            self.refuses -= 1
            raise Conflict("somebody was quicker")
        return super().merge(key, properties, fence)


def ran_in(bench: Bench) -> list[str]:
    """Let `second` note each time it runs."""
    ran: list[str] = []

    def run(job: JobContext) -> Found:
        ran.append(job.job_id)
        return Found(what="two")

    bench.second_does = run
    return ran


def test_a_job_that_nothing_disturbs_costs_no_read(bench: Bench) -> None:
    log = bench.services.log = WatchedLog()
    bench.drop()
    bench.run()

    assert (log.reads, log.merges) == (0, 3)
    assert bench.entry.properties["job_state"] == "succeeded"


def test_a_message_that_comes_again_looks_before_its_step_runs(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    ran = ran_in(bench)
    assert bench.execute(bench.second, second, "m2") == "success"
    bench.run()

    assert bench.execute(bench.second, second, "m2", 2) == "dropped"
    assert bench.execute(bench.second, second, "m3", 2) == "dropped"
    assert len(ran) == 1


def test_a_delayed_copy_looks_before_its_step_runs(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    for problem in (RetryableError("later"), Busy("no room")):

        def fail(job: JobContext, problem: Exception = problem) -> Found:
            raise problem

        bench.second_does = fail
        second = bench.sent(bench.transition(bench.second, second, f"m-{problem}"))
    ran = ran_in(bench)
    assert bench.execute(bench.second, second, "one") == "success"
    assert bench.execute(bench.second, second, "other") == "dropped"
    assert len(ran) == 1


def test_what_is_sent_again_has_the_fence_of_the_row(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    overtaken: list[str] = []

    def slow(job: JobContext) -> Found:
        bench.second_does = lambda job: Found(what="two")
        overtaken.append(bench.sent(bench.transition(bench.second, second, "m2", 2)))
        return Found(what="two")

    bench.second_does = slow
    again = bench.sent(bench.transition(bench.second, second, "m2"))

    for body in (again, *overtaken):
        kept = decode_message(body, ()).job_definition.bookkeeping
        assert (kept.run, kept.fence) == ("m1", bench.row.fence)
    assert json.loads(again)["job_output"] == json.loads(overtaken[0])["job_output"]


def test_a_success_is_recorded_over_a_retry_that_came_between(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))

    def slow(job: JobContext) -> Found:
        def fail(job: JobContext) -> Found:
            raise RetryableError("later")

        bench.second_does = fail
        assert bench.transition(bench.second, second, "m2", 2).state == "retrying"
        return Found(what="two")

    bench.second_does = slow
    report = bench.sent(bench.transition(bench.second, second, "m2"))

    kept = decode_message(report, ()).job_definition.bookkeeping
    assert (kept.run, kept.fence, kept.attempt) == ("m1", bench.row.fence, 0)
    assert bench.states("first", "second", "report") == ["success", "success", "processing"]


def test_a_row_that_keeps_changing_is_left_to_the_host_after_eight_tries(bench: Bench) -> None:
    log = bench.services.log = WatchedLog()
    body = bench.message()
    log.refuses = 7
    assert bench.transition(bench.first, body, "m1").state == "success"

    log.merges, log.refuses = 0, 100
    other = bench.message(job_id="job-2")
    with pytest.raises(StorageUnavailable, match="keeps changing"):
        bench.transition(bench.first, other, "m2")
    assert log.merges == 8


def test_a_run_that_can_not_begin_is_left_to_the_host_after_eight_tries(bench: Bench) -> None:
    class Contested(MemoryLog):
        tries = 0

        def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
            self.tries += 1
            raise Conflict("somebody was quicker")

    log = bench.services.log = Contested()
    with pytest.raises(StorageUnavailable, match="keeps changing"):
        bench.transition(bench.first, bench.message(), "m1")
    assert log.tries == 8


def test_a_run_remembers_the_runs_before_it_the_latest_first(bench: Bench) -> None:
    for name in ("one", "two", "three"):
        old = bench.transition(bench.first, bench.message(), name)

    assert bench.entry.properties["imaginem_run"] == "three"
    assert bench.entry.properties["imaginem_previous_runs"] == "two one"
    assert bench.execute(bench.second, bench.sent(old), "m2") == "success"


def test_a_message_of_any_run_that_is_remembered_is_dropped(bench: Bench) -> None:
    sent = [
        bench.sent(bench.transition(bench.first, bench.message(), name)) for name in ("one", "two")
    ]
    bench.drop()
    bench.run()
    before = bench.entry

    for body in sent:
        assert bench.execute(bench.second, body, "late") == "dropped"
    assert bench.execute(bench.first, bench.message(), "one", 2) == "dropped"
    assert bench.entry == before


def test_a_row_that_somebody_else_made_is_taken_over(bench: Bench) -> None:
    bench.services.log.insert(KEY, {"note": "made by hand"})
    bench.drop()
    bench.run()

    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.entry.properties["imaginem_previous_runs"] == ""
    assert "note" not in bench.entry.properties


def test_a_new_run_in_the_middle_keeps_what_the_row_says_of_earlier_steps(bench: Bench) -> None:
    bench.drop()
    bench.run()
    bench.drop(step=1, outputs={"first": {"what": "given"}})
    bench.run()

    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.entry.properties["first_output"] == '{"what":"one"}'


def test_a_run_that_took_a_job_over_goes_on_in_its_own_name(bench: Bench) -> None:
    value = json.loads(bench.message())
    value["job_definition"]["_imaginem"] = {"run": "nobody", "fence": "made-up"}
    second = bench.sent(bench.transition(bench.first, json.dumps(value), "m1"))

    kept = decode_message(second, ()).job_definition.bookkeeping
    assert (kept.run, kept.fence) == ("m1", bench.row.fence)


def test_a_redelivery_that_goes_on_costs_one_read(bench: Bench) -> None:
    log = bench.services.log = WatchedLog()
    body = bench.message()
    bench.transition(bench.first, body, "m1")
    log.merges = 0
    second = bench.sent(bench.transition(bench.first, body, "m1", 2))
    assert (log.reads, log.merges) == (1, 1)

    log.reads = log.merges = 0
    assert bench.transition(bench.second, second, "m2", 2).state == "success"
    assert (log.reads, log.merges) == (1, 1)
