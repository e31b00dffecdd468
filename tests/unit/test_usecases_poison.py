"""Replaying what could not be processed: once, only what is meant, and nothing newer replaced."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imaginem import JobContext, RetryableError
from imaginem.errors import InvalidMessage, NotFound, PermanentError, StorageUnavailable
from imaginem.message import decode_message
from imaginem.pipeline.poison import as_new_run, bury, keep_lost
from imaginem.pipeline.progress_row import RowChange, current_step, read_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.ports import PoisonEntry, PoisonFilter
from imaginem.testing import photo_bytes
from imaginem.usecases.batches import batch_overview
from imaginem.usecases.drops import receive_drop
from imaginem.usecases.pace import Pace
from imaginem.usecases.poison import NewerRun, plan_of, replay_entry, replay_job, view_entry
from imaginem.usecases.poison_many import drop_some, entries_that_fit, replay_some
from tests.workbench import KEY, Bench, Found


class Failing:
    """A step that fails until its cause is mended."""

    def __init__(self, problem: Exception) -> None:
        self.problem, self.mended, self.ran = problem, False, 0

    def __call__(self, job: JobContext) -> Found:
        if not self.mended:
            raise self.problem
        self.ran += 1
        return Found(what=f"mended {self.ran}")


@pytest.fixture
def cause() -> Failing:
    return Failing(RetryableError("down"))


@pytest.fixture
def bench(cause: Failing) -> Bench:
    """A bench whose job has used up its tries at `first`, and whose cause is mended."""
    bench = Bench(max_attempts=1)
    bench.first_does = cause
    bench.drop()
    bench.run()
    cause.mended = True
    return bench


def the_entry(bench: Bench) -> PoisonEntry:
    (entry,) = bench.poisoned
    return entry


def die_before_the_entry_goes(bench: Bench) -> PoisonEntry:
    """Replay the entry, but die between sending its message and removing it."""
    entry, drop = the_entry(bench), bench.services.poison.drop

    def away(queue: str, message_id: str) -> None:
        raise StorageUnavailable("killed")

    bench.services.poison.drop = away  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        replay_entry(bench.services, entry)
    bench.services.poison.drop = drop  # type: ignore[method-assign]
    return the_entry(bench)


class TestReplayingTwice:
    def test_a_replay_that_died_is_done_again_and_is_one_run(
        self, bench: Bench, cause: Failing
    ) -> None:
        entry = die_before_the_entry_goes(bench)
        replay_entry(bench.services, entry)
        assert len(bench.waiting("first")) == 2
        bench.services.queues.clear("first")
        for _ in range(2):  # as both messages lay there
            bench.services.queues.send("first", as_new_run(entry))
        bench.run()

        assert (cause.ran, bench.poisoned) == (1, [])
        assert bench.states("first", "second", "report") == ["success"] * 3

    def test_a_replay_that_has_begun_is_not_sent_again(self, bench: Bench, cause: Failing) -> None:
        entry = die_before_the_entry_goes(bench)
        bench.run()
        assert plan_of(bench.services, entry).done
        replay_entry(bench.services, entry)
        bench.run()

        assert (cause.ran, bench.poisoned) == (1, [])

    def test_a_late_copy_of_the_run_before_changes_nothing(
        self, bench: Bench, cause: Failing
    ) -> None:
        entry, before = the_entry(bench), bench.row.run
        replay_entry(bench.services, entry)
        bench.run()
        recorded = bench.entry
        assert before in bench.row.previous_runs

        assert bench.transition(bench.first, bench.message(), before).state == "dropped"
        assert (bench.entry, cause.ran) == (recorded, 1)

    @pytest.mark.parametrize("change", ["image_parameters", "image_url"])
    def test_a_made_up_replay_never_makes_another_message_a_duplicate(
        self, bench: Bench, cause: Failing, change: str
    ) -> None:
        entry = the_entry(bench)
        replay_entry(bench.services, entry)
        bench.run()
        forged = json.loads(as_new_run(entry))
        forged["job_definition"]["input"][change] = bench.url + "?another"
        bench.services.queues.send("first", json.dumps(forged))
        bench.run()

        assert cause.ran == 2

    @pytest.mark.parametrize("replay", ["x", "a" * 31, ["a" * 32], "A" * 32])
    def test_a_replay_that_is_nonsense_is_ignored(
        self, bench: Bench, cause: Failing, replay: object
    ) -> None:
        value = json.loads(bench.message())
        value["job_definition"]["_imaginem"] = {"replay": replay}
        for _ in range(2):
            bench.services.queues.send("first", json.dumps(value))
        bench.run()

        assert cause.ran == 2  # two messages are two runs


class TestWhatIsNewer:
    def test_a_job_at_work_is_replaced_on_request_only(self, bench: Bench, cause: Failing) -> None:
        bench.transition(bench.first, bench.message(), "newer")
        entry = the_entry(bench)
        with pytest.raises(NewerRun, match=r"job job-1 is at work.*with `force` only"):
            replay_entry(bench.services, entry)
        assert bench.poisoned == [entry]

        replay_entry(bench.services, entry, force=True)
        bench.run()
        assert bench.row.previous_runs[0] == "newer"
        assert bench.row.run.startswith("replay-")

    def test_the_run_that_goes_on_without_its_step_counts_as_work(self) -> None:
        bench = Bench(max_attempts=1)
        bench.first_does = Failing(RetryableError("down"))
        bench.transition(bench.first, bench.message(), "m1")
        assert bench.states("first", "second") == ["failed", "processing"]
        with pytest.raises(NewerRun, match="is at work"):
            replay_entry(bench.services, the_entry(bench))

    def test_a_run_that_ended_since_is_replaced_on_request_only(self, bench: Bench) -> None:
        entry = the_entry(bench)
        bench.drop()
        bench.run()
        with pytest.raises(NewerRun, match=r"was run again since, and has succeeded"):
            replay_entry(bench.services, entry)

    def test_a_run_that_waits_since_is_let_end(self, bench: Bench) -> None:
        bench.services.submissions.submitted(KEY, "another", None)
        with pytest.raises(NewerRun, match="waits for a run that was sent since"):
            replay_entry(bench.services, the_entry(bench))

    def test_a_job_that_waits_for_this_message_alone_is_replayed(self, bench: Bench) -> None:
        bench.services.poison.drop("first", the_entry(bench).id)
        second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
        bench.services.poison.add(PoisonEntry("second", "m2", "no step", second, 1, *KEY))
        assert bench.row.job_state == "running"
        replay_job(bench.services, "second", "m2")
        bench.run()
        assert bench.states("first", "second", "report") == ["success"] * 3

    def test_a_job_of_a_cancelled_batch_is_refused(self, bench: Bench) -> None:
        bench.services.cancellations.cancel(KEY[0])
        entry = the_entry(bench)
        assert "was cancelled" in plan_of(bench.services, entry).told
        for force in (False, True):
            with pytest.raises(PermanentError, match="batch batch-1 was cancelled"):
                replay_entry(bench.services, entry, force=force)
        assert bench.poisoned == [entry]

        bench.services.cancellations.reopen(KEY[0])
        replay_entry(bench.services, entry)

    def test_a_replayed_job_is_queued_until_it_begins(self, bench: Bench) -> None:
        replay_entry(bench.services, the_entry(bench))
        assert batch_overview(bench.services, KEY[0]).jobs == {KEY[1]: "queued"}
        bench.run()
        assert batch_overview(bench.services, KEY[0]).jobs == {KEY[1]: "succeeded"}


class TestLooking:
    def test_a_view_has_the_body_on_many_lines_and_what_a_replay_does(self, bench: Bench) -> None:
        view = view_entry(bench.services, "first", the_entry(bench).id)
        assert '\n    "id": "job-1",\n' in view.body
        assert view.plan.told == "a new run of the job begins at first (step 1 of 3)"

    def test_a_view_shows_no_secret_even_of_what_was_kept_with_one(self, bench: Bench) -> None:
        for number, body in enumerate(
            ('{"url": "https://x.test/a?sig=hunter2", "password": "hunter2"}', "sig=hunter2")
        ):
            bench.services.poison.add(PoisonEntry("first", f"s{number}", "because", body))
            view = view_entry(bench.services, "first", f"s{number}")
            assert "hunter2" not in view.body
            assert "goes back as it is" in view.plan.told

    def test_a_view_names_the_outputs_that_a_replay_keeps(self) -> None:
        bench = Bench(max_attempts=1)
        bench.second_does = Failing(RetryableError("down"))
        bench.drop()
        bench.run()
        told = plan_of(bench.services, the_entry(bench)).told
        assert told.endswith("begins at second (step 2 of 3); the outputs of first are kept")

    def test_what_is_not_there_is_told(self, bench: Bench) -> None:
        with pytest.raises(NotFound, match="no message m9 of first is in pipelinepoison"):
            view_entry(bench.services, "first", "m9")


def fill(bench: Bench, count: int) -> None:
    """Keep this many messages of jobs that never began, and nothing else."""
    for entry in bench.poisoned:
        bench.services.poison.drop(entry.queue, entry.id)
    for number in range(count):
        body = bench.message(job_id=f"job-{number}", batch_id=f"batch-{number % 2}")
        bury(bench.services, "first", f"p{number:03}", body)


class TestMany:
    def test_all_that_fit_are_replayed_page_by_page(self, bench: Bench, cause: Failing) -> None:
        fill(bench, 7)
        wanted, cursor = PoisonFilter(batch_id="batch-1"), ""
        handled: list[int] = []
        while not handled or cursor:
            some = replay_some(bench.services, wanted, cursor=cursor, limit=2)
            handled.append(some.done)
            cursor = some.cursor
        assert handled == [2, 1]
        bench.run()
        assert cause.ran == 3
        assert [entry.batch_id for entry in bench.poisoned] == ["batch-0"] * 4

    def test_what_fails_again_at_once_is_not_replayed_for_ever(self, bench: Bench) -> None:
        fill(bench, 3)
        later = PoisonEntry("first", "p999", "because", "x")
        first = replay_some(bench.services, PoisonFilter(), limit=2)
        bench.services.poison.add(later)
        moved = {k: replace(e, at=e.at.replace(year=2200)) for k, e in _entries(bench).items()}
        _entries(bench)["first", "p999"] = moved["first", "p999"]
        second = replay_some(bench.services, PoisonFilter(), cursor=first.cursor, limit=9)

        assert (first.done, second.done, second.cursor) == (2, 1, "")
        assert [entry.id for entry in bench.poisoned] == ["p999"]

    def test_what_is_left_is_counted_by_its_reason(self, bench: Bench) -> None:
        fill(bench, 4)
        bench.services.cancellations.cancel("batch-0")
        bench.transition(bench.first, bench.message(job_id="job-1", batch_id="batch-1"), "newer")
        handled = replay_some(bench.services, PoisonFilter())
        assert (handled.done, handled.already, handled.seen) == (1, 0, 4)
        counts = dict(handled.left)
        assert counts.pop("a newer run of the job would be replaced") == 1
        ((reason, count),) = counts.items()
        assert (reason.partition(":")[0], count) == ("batch batch-0 was cancelled", 2)
        assert replay_some(bench.services, PoisonFilter(), force=True).done == 1

    def test_a_rate_is_kept(self, bench: Bench) -> None:
        fill(bench, 4)
        now, slept = [100.0], list[float]()

        def sleep(seconds: float) -> None:
            slept.append(round(seconds, 3))
            now[0] += seconds

        pace = Pace(2, clock=lambda: now[0], sleep=sleep)
        replay_some(bench.services, PoisonFilter(), pace=pace)
        assert slept == [0.5, 0.5, 0.5]

    def test_a_call_ends_in_time_and_says_where_to_go_on(self, bench: Bench) -> None:
        fill(bench, 4)
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        pace = Pace(1, clock=lambda: now[0], sleep=sleep)
        some = replay_some(bench.services, PoisonFilter(), pace=pace, seconds=1.5)
        assert (some.done, len(bench.poisoned)) == (2, 2)
        assert replay_some(bench.services, PoisonFilter(), cursor=some.cursor).done == 2

    def test_a_slow_rate_holds_no_call_for_long(self, bench: Bench) -> None:
        fill(bench, 2)
        pace = Pace(0.001, clock=lambda: 0.0, sleep=lambda seconds: pytest.fail("it waits"))
        some = replay_some(bench.services, PoisonFilter(), pace=pace, seconds=5)
        assert (some.done, len(bench.poisoned), bool(some.cursor)) == (1, 1, True)

    def test_those_that_fit_are_dropped(self, bench: Bench) -> None:
        fill(bench, 5)
        first = drop_some(bench.services, PoisonFilter(batch_id="batch-0"), limit=2)
        second = drop_some(bench.services, PoisonFilter(batch_id="batch-0"), cursor=first.cursor)
        assert (first.done, second.done) == (2, 1)
        assert {entry.batch_id for entry in bench.poisoned} == {"batch-1"}

    def test_a_list_reads_no_body(self, bench: Bench) -> None:
        fill(bench, 3)
        assert [entry.body for entry in entries_that_fit(bench.services, PoisonFilter())] == [
            ""
        ] * 3

    @pytest.mark.parametrize("cursor", ["x", "WyJhIiwiYiJd", "WyJhIiwiYiIsImMiXQ"])
    def test_a_cursor_that_is_made_up_is_refused(self, bench: Bench, cursor: str) -> None:
        with pytest.raises(InvalidMessage, match="cursor is not valid"):
            replay_some(bench.services, PoisonFilter(), cursor=cursor)


def _entries(bench: Bench) -> dict[tuple[str, str], Any]:
    return bench.services.poison._entries


def test_a_pace_makes_up_for_no_turn() -> None:
    now, slept = [0.0], list[float]()
    pace = Pace(1, clock=lambda: now[0], sleep=slept.append)
    pace.wait()
    now[0] = 10
    pace.wait()
    pace.wait()
    assert slept == [1.0]


def spoil_by_a_setting(bench: Bench) -> Callable[[], None]:
    """Keep a message that is invalid because the default pipeline begins elsewhere."""
    right = bench.services.core_settings
    bench.services.core_settings = replace(right, default_pipeline=("second", "first"))
    value = json.loads(bench.message())
    del value["job_definition"]["processing_pipeline"]
    assert bench.execute(bench.first, json.dumps(value), "m1") == "invalid"

    def mend() -> None:
        bench.services.core_settings = right

    return mend


def spoil_by_a_service(bench: Bench) -> Callable[[], None]:
    """Keep a message whose tries are used up."""
    cause = Failing(RetryableError("down"))
    bench.second_does = cause
    bench.drop()
    bench.run()
    return lambda: setattr(cause, "mended", True)


def spoil_by_a_defect(bench: Bench) -> Callable[[], None]:
    """Keep a message that its host delivered in vain."""
    cause = Failing(ZeroDivisionError("division by zero"))
    bench.first_does = cause
    for count in range(1, 6):
        with pytest.raises(ZeroDivisionError):
            bench.execute(bench.first, bench.message(), "m1", count)
    bury(bench.services, "first", "p1", bench.message())
    return lambda: setattr(cause, "mended", True)


def spoil_by_cancelling(bench: Bench) -> Callable[[], None]:
    """Keep the message of a photo that was dropped into a cancelled batch."""
    bench.services.cancellations.cancel("spring")
    bench.services.blobs.put("inputimages", "spring/a.png", photo_bytes(), "image/png")
    receive_drop(bench.services, "spring/a.png")
    return lambda: bench.services.cancellations.reopen("spring")


def spoil_by_losing(bench: Bench) -> Callable[[], None]:
    """Keep what the watchdog keeps of a job whose message is lost again and again."""
    body = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    message = decode_message(body, ())
    keep_lost(bench.services, "w1", message, "its message was lost 3 times")
    failed = RowChange(steps=(current_step(message, StepState.FAILED),), job_state=JobState.FAILED)
    bench.services.log.merge(KEY, failed.properties(), bench.row.fence)
    return lambda: None


@pytest.mark.parametrize(
    ("spoil", "kind", "reason"),
    [
        (spoil_by_a_setting, "invalid", "processing_pipeline"),
        (spoil_by_a_service, "exhausted", "RetryableError: down"),
        (spoil_by_a_defect, "defect", "ZeroDivisionError"),
        (spoil_by_cancelling, "invalid", "was cancelled"),
        (spoil_by_losing, "lost", "was lost 3 times"),
    ],
)
def test_whatever_was_kept_succeeds_when_it_is_replayed_after_its_cause_is_mended(
    spoil: Callable[[Bench], Callable[[], None]], kind: str, reason: str
) -> None:
    bench = Bench(max_attempts=1)
    mend = spoil(bench)
    entry = the_entry(bench)
    assert (entry.kind, reason in entry.reason) == (kind, True), entry.reason

    mend()
    replay_entry(bench.services, entry)
    bench.run()
    assert bench.poisoned == []
    row = read_row(bench.services.log, (entry.batch_id, entry.job_id))
    assert row is not None
    assert row.job_state == "succeeded", row.problems()
    assert [row.state_of(name) for name in bench.names] == ["success"] * 3
