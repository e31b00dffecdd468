"""Messages that come twice, late, forged or from an older run: no job is lost or ends twice."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError
from imaginem.errors import Busy, Conflict, StorageUnavailable
from imaginem.message import decode_message
from imaginem.pipeline.process import Delivery, transition
from imaginem.ports import JobKey, LogEntry
from imaginem.testing import MemoryLog, message_for, photo_bytes
from tests.workbench import KEY, Bench, Found


def apart_from_its_trace(body: str) -> Any:
    """Return a message without what differs in one that is sent again."""
    value = json.loads(body)
    for name in ("traceparent", "look", "unbarred"):  # the step after it looks anew
        value["job_definition"]["_imaginem"].pop(name, None)
    return value


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


@pytest.mark.parametrize("problem", [RetryableError("later"), Busy("no room")])
def test_made_up_tries_do_not_let_a_step_fail_for_ever(problem: RetryableError) -> None:
    bench, tried = Bench(max_attempts=3, max_waits=3), []

    def fails(job: JobContext) -> Found:
        tried.append(job.job_id)
        raise problem

    bench.first_does = fails
    value = json.loads(bench.message())
    value["job_definition"]["_imaginem"] = {"run": "r", "fence": "f", "attempt": -9, "waits": -9}
    bench.services.queues.send("first", json.dumps(value))
    bench.run()
    assert bench.states("first") == ["failed"]
    assert len(tried) <= 4


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


@pytest.mark.parametrize("state", ["success", "linked", "failed", "skipped"])
def test_what_was_recorded_and_not_sent_is_sent_as_the_row_has_it_and_runs_no_more(
    bench: Bench, state: str
) -> None:
    ran: list[str] = []

    def act(job: JobContext) -> Found:
        ran.append(job.job_id)
        if state == "failed":
            raise PermanentError("never")
        return Found(what="x" * (40_000 if state == "linked" else 1))

    def refuse(job: JobContext) -> Found:
        raise PermanentError("never")

    bench.second_does = act
    if state == "skipped":
        bench.first_does = refuse
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    report = bench.sent(bench.transition(bench.second, second, "m2"))
    executions, before = len(ran), bench.entry
    bench.second_does = lambda job: Found(what="something else")

    for count in (2, 3):
        again = bench.sent(bench.transition(bench.second, second, "m2", count))
        assert apart_from_its_trace(again) == apart_from_its_trace(report)
    assert len(ran) == executions
    assert bench.entry == before
    assert bench.execute(bench.report, report, "m3") == "success"


def test_what_is_sent_again_looks_first_so_that_two_messages_run_a_step_once(
    bench: Bench,
) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    again = bench.sent(bench.transition(bench.first, bench.message(), "m1", 2))
    ran = ran_in(bench)
    report = bench.sent(bench.transition(bench.second, second, "m2"))

    assert bench.execute(bench.second, again, "m3") == "dropped"
    assert len(ran) == 1
    assert not decode_message(report, ()).job_definition.bookkeeping.look


def test_of_two_executions_at_once_the_later_sends_what_the_earlier_recorded(
    bench: Bench,
) -> None:
    """The host delivered the message twice, and this one found nothing when it looked."""

    def slow(job: JobContext) -> Found:
        bench.second_does = lambda job: Found(what="quicker")
        bench.transition(bench.second, second, "m2")
        raise PermanentError("never")

    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.second_does = slow
    report = bench.sent(bench.transition(bench.second, second, "m2"))

    assert bench.states("second") == ["success"]
    assert json.loads(report)["job_output"]["second"] == {"what": "quicker"}


def test_a_photo_that_was_fetched_is_not_fetched_again_to_send_the_job_on() -> None:
    bench = Bench()
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return photo_bytes()

    bench.services.fetch = fetch
    body = message_for("https://93.184.216.34/a.jpg?sig=secret", bench.names).encode()
    second = bench.sent(bench.transition(bench.first, body, "m1"))

    again = bench.sent(bench.transition(bench.first, body, "m1", 2))
    assert apart_from_its_trace(again) == apart_from_its_trace(second)
    assert "secret" not in again
    assert len(fetched) == 1


def test_a_cancelled_job_is_not_sent_on_by_the_delivery_that_ended_it(bench: Bench) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.services.cancellations.cancel("batch-1")
    for count in (1, 2):
        moved = bench.transition(bench.second, second, "m2", count)
        assert (moved.state, moved.outgoing) == ("cancelled", None)
    assert bench.states("second", "report") == ["skipped", "waiting"]


def test_cancelling_does_not_lower_what_was_recorded(bench: Bench) -> None:
    """The batch was cancelled between recording and sending: the next step sees that."""
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    report = bench.sent(bench.transition(bench.second, second, "m2"))
    bench.services.cancellations.cancel("batch-1")

    again = bench.sent(bench.transition(bench.second, second, "m2", 2))
    assert apart_from_its_trace(again) == apart_from_its_trace(report)
    assert bench.states("second") == ["success"]
    assert bench.execute(bench.report, report, "m3") == "cancelled"


def test_a_job_that_can_not_go_on_is_ended_once(bench: Bench) -> None:
    """Its next message would be too large; its worker died before it deleted this one."""
    ran: list[str] = []

    def act(job: JobContext) -> Found:
        ran.append(job.job_id)
        return Found(what="one")

    bench.first_does = act
    body = bench.message(outputs={f"output{number}": "x" * 100 for number in range(1_000)})
    assert bench.execute(bench.first, body, "m1") == "invalid"
    before = bench.entry

    assert bench.execute(bench.first, body, "m1", 2) == "failed"
    assert bench.entry == before
    assert bench.states("first") == ["failed"]
    assert len(ran) == len(bench.poisoned) == 1


class Echoing(MemoryLog):
    """Answers each write as storage answers the SDK's second try: it has changed."""

    def insert(self, key: JobKey, properties: Mapping[str, Any]) -> str:
        super().insert(key, properties)
        raise Conflict("the first try had its effect")

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        super().merge(key, properties, fence)
        raise Conflict("the first try had its effect")

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        super().replace(key, properties, fence)
        raise Conflict("the first try had its effect")


@pytest.mark.parametrize("again", [False, True])
def test_a_write_that_answers_conflict_though_it_was_ours_is_recognised(
    bench: Bench, again: bool
) -> None:
    log = bench.services.log = Echoing()
    ran = ran_in(bench)
    if again:
        MemoryLog.insert(log, KEY, {"imaginem_run": "earlier", "first": "step 0: processing"})
    bench.drop()
    bench.run()

    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.row.job_state == "succeeded"
    assert len(ran) == 1
    assert bench.row.previous_runs == (["earlier"] if again else [])


@pytest.mark.parametrize("before", ["nothing", "a run that ended", "a run that died"])
def test_a_run_that_begins_in_the_middle_says_what_its_message_carries(
    bench: Bench, before: str
) -> None:
    if before != "nothing":
        bench.drop()
    if before == "a run that ended":
        bench.run()
    elif before == "a run that died":
        bench.services.log.insert(KEY, {"imaginem_run": "m0", "first": "step 0: processing"})
        bench.services.queues.clear("first")
    bench.drop(step=1, outputs={"First": {"what": "given"}})
    bench.run()

    assert bench.states("first", "second", "report") == ["success"] * 3
    assert bench.entry.properties["first_output"] == '{"what":"given"}'


def test_a_run_in_the_middle_without_outputs_says_nothing_of_earlier_steps(bench: Bench) -> None:
    bench.transition(bench.first, bench.message(), "m0")
    bench.services.log.merge(KEY, {"first": "step 0: processing"}, bench.row.fence)
    bench.drop(step=1)
    bench.run()

    assert bench.states("first", "second", "report") == ["waiting", "success", "success"]


def test_a_message_that_is_ahead_of_its_row_records_the_steps_that_it_carries(
    bench: Bench,
) -> None:
    """The storage emulator was killed, and has lost the row's newest changes."""

    def refuse(job: JobContext) -> Found:
        raise PermanentError("never")

    log, bench.second_does = bench.services.log, refuse
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    opened = {**bench.entry.properties, "first": "step 0: processing", "second": "", "_": ""}
    report = bench.sent(bench.transition(bench.second, second, "m2"))
    log.replace(KEY, opened, bench.row.fence)

    for count in (1, 2):  # found when it is recorded, and by a look before
        log.replace(KEY, opened, bench.row.fence)
        assert bench.execute(bench.report, report, f"m-{count}", count) == "success"
        assert bench.states("first", "second", "report") == ["success", "failed", "success"]
        assert bench.row.output_of("first") == '{"what":"one"}'
        assert bench.row.job_state == "partial"


class BackMeanwhile(MemoryLog):
    """Another message of the run begins it again, just when nobody finds a row.

    Attributes:
        lost: the row that comes back.
    """

    lost: LogEntry | None = None

    def read(self, key: JobKey) -> LogEntry | None:
        found = super().read(key)
        if found is None and self.lost is not None:
            super().insert(key, self.lost.properties)
        return found


def test_a_message_whose_row_comes_back_goes_on_in_its_run(bench: Bench) -> None:
    log = bench.services.log = BackMeanwhile()
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    log.lost = bench.entry
    log.delete(KEY)

    assert bench.execute(bench.second, second, "m2", 2) == "success"
    assert (bench.row.run, bench.row.previous_runs) == ("m1", [])
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


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
    assert (log.reads, log.merges) == (1, 0)

    log.reads = log.merges = 0
    assert bench.transition(bench.second, second, "m2", 2).state == "success"
    assert (log.reads, log.merges) == (1, 1)
