"""The watchdog: a job whose message is lost goes on or ends, and no copy of a message does harm."""

import contextlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem.errors import PermanentError, RetryableError, StorageUnavailable
from imaginem.message import decode_message
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.resending import Resending, Resends
from imaginem.pipeline.resuming import QUERY_LOST
from imaginem.ports import Fusion
from imaginem.testing import (
    MemoryServices,
    message_for,
    photo_bytes,
)
from imaginem.usecases.batches import batch_overview, cancel_batch
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.poison import replay_entry
from imaginem.usecases.submit import send_message
from imaginem.usecases.watchdog import SENDS, Watchdog
from tests.workbench import KEY, Found
from tests.yard import PERIOD, ROUND, Yard


@pytest.fixture
def yard() -> Yard:
    return Yard()


def test_a_job_whose_message_is_lost_goes_on_where_it_stood(yard: Yard) -> None:
    yard.stuck_at_second()
    run, fence = yard.entry.properties["imaginem_run"], yard.entry.fence
    yard.watch()

    (kept,) = yard.bookkeeping_on("second")
    assert (kept["run"], kept["fence"], kept["look"]) == (run, fence, True)
    yard.run()
    assert (yard.state, yard.entry.properties["imaginem_run"]) == ("succeeded", run)
    assert yard.executed == ["first", "second", "report"]
    assert yard.entry.properties["imaginem_previous_runs"] == ""


def test_a_job_that_was_sent_and_never_taken_starts_under_the_run_it_has(yard: Yard) -> None:
    run = yard.submit()
    yard.lose("first")
    yard.watch()
    yard.run()

    assert (yard.state, yard.entry.properties["imaginem_run"]) == ("succeeded", run)
    assert batch_overview(yard.services, KEY[0]).jobs == {"job-1": "succeeded"}


def test_a_submission_whose_sender_died_does_not_stay_queued(yard: Yard) -> None:
    yard.services.open_batches.note(KEY[0])
    yard.services.submissions.submitted(KEY, "")
    assert batch_overview(yard.services, KEY[0]).jobs == {"job-1": "queued"}
    yard.watch(timedelta(minutes=10))  # a large photo may take its time
    assert yard.services.submissions.submission(KEY) is not None
    yard.watch(timedelta(minutes=15))

    assert yard.services.submissions.submission(KEY) is None


def test_a_late_first_message_finds_its_job_begun_and_is_dropped(yard: Yard) -> None:
    run = yard.submit()
    body = yard.lose("first")
    yard.watch()
    yard.run()
    late = yard.transition(yard.first, body, run)

    assert late.state == "dropped"
    assert yard.executed == ["first", "second", "report"]


def test_any_number_of_copies_changes_nothing(yard: Yard) -> None:
    original = yard.stuck_at_second()
    yard.watch()
    copy = json.dumps(json.loads(yard.lose("second")))
    for number in range(5):
        yard.services.queues.send("second", copy if number else original)
    yard.run()

    assert yard.state == "succeeded"
    assert yard.executed == ["first", "second", "report"]
    assert yard.services.poison.list() == []


def test_copies_of_a_first_message_are_one_run(yard: Yard) -> None:
    run = yard.submit()
    yard.lose("first")
    yard.watch()
    copy = yard.lose("first")
    for _ in range(5):
        yard.services.queues.send("first", copy)
    yard.run()

    assert yard.executed == ["first", "second", "report"]
    assert yard.entry.properties["imaginem_run"] == run
    assert yard.entry.properties["imaginem_previous_runs"] == ""


def test_what_a_sender_wrote_is_in_the_message_that_is_sent_again(yard: Yard) -> None:
    value = json.loads(yard.message())
    value["job_definition"]["input"]["image_parameters"] = {"width": 7}
    send_message(yard.services, decode_message(json.dumps(value), ()))
    yard.lose("first")
    yard.watch()
    yard.run_one("first")
    yard.lose("second")
    yard.watch()
    yard.run()

    final = json.loads(yard.entry.properties["job_output"])
    assert final["job_definition"]["input"]["image_parameters"] == {"width": 7}
    assert set(final["job_output"]) == {"first", "second", "report"}


def test_nobody_is_suspected_before_the_period_is_over(yard: Yard) -> None:
    yard.stuck_at_second()
    yard.watch(timedelta(minutes=4))

    assert yard.bookkeeping_on("second") == []


def test_a_job_whose_message_waits_in_a_backlog_is_not_lost(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    for _ in range(30):
        yard.watch()

    assert len(yard.bookkeeping_on("second")) == 1


def test_a_job_is_lost_when_all_messages_of_its_queue_are_younger(yard: Yard) -> None:
    yard.stuck_at_second()
    for number in range(5):
        yard.clock.move(ROUND)
        others = message_for(yard.url, ["second"], job_id=f"other-{number}").encode()
        yard.services.queues.send("second", others)
        yard.watchdog().watch()
        while len(yard.bookkeeping_on("second")) > 1:
            yard.run_one("second")
    yard.run()

    assert yard.state == "succeeded"


def test_a_message_that_is_worked_on_for_long_is_not_lost(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    (held,) = yard.services.queues.receive("second", 1, 3600)
    for _ in range(3):
        yard.watch()

    assert yard.services.queues.count("second") == 1
    yard.watch()  # nobody works for that long: functions end after ten minutes
    assert yard.services.queues.count("second") == 2
    step = yard.registry.get("second")
    process_step(step, Delivery(held.body, held.id), yard.services, yard.registry)
    yard.run()
    assert (yard.state, yard.executed) == ("succeeded", ["first", "second", "report"])


def test_a_message_that_is_worked_on_for_long_in_a_fused_run_is_not_lost() -> None:
    """It is hidden on the queue of an earlier step."""
    yard = Yard(fusion=Fusion(every=True))
    yard.submit()
    yard.second_does = kill
    (held,) = yard.services.queues.receive("first", 1, 3600)
    for count in (1, 2):  # the second time, each step is recorded at once
        with pytest.raises(KeyboardInterrupt):
            process_step(
                yard.first, Delivery(held.body, held.id, count), yard.services, yard.registry
            )
    assert yard.row.current == "second"
    for _ in range(3):
        yard.watch()
    assert not yard.services.queues.count("second")
    yard.watch()
    assert yard.services.queues.count("second") == 1


def kill(job: Any) -> Found:
    raise KeyboardInterrupt


def test_a_delayed_message_is_not_lost_before_it_comes(yard: Yard) -> None:
    answers = [RetryableError("quota", retry_after=3000)]

    def fails_once(job: Any) -> Found:
        if answers:
            raise answers.pop()
        return Found(what="one")

    yard.first_does = fails_once
    yard.clock.moment = datetime.now(UTC)  # what delays a message looks at the real one
    yard.submit()
    yard.run_one("first")
    yard.services.queues.clear("first")
    for _ in range(8):
        yard.watch()
    assert yard.services.queues.count("first") == 0
    yard.watch()
    yard.watch()
    yard.run()

    assert yard.state == "succeeded"


def test_after_three_messages_one_ends_the_job_with_a_copy_to_replay(yard: Yard) -> None:
    yard.stuck_at_second()
    for _ in range(SENDS):
        yard.watch()
        assert "ends" not in json.loads(yard.lose("second"))["job_definition"]["_imaginem"]
    yard.watch()
    yard.run()

    assert yard.state == "failed"
    reason = yard.entry.properties["second_exception"]
    assert reason == "lost: sent 3 times, taken by nobody"
    (kept,) = yard.services.poison.list()
    assert (kept.queue, kept.reason, kept.job_id) == ("second", reason, "job-1")
    assert yard.telemetry.times("imaginem.poisoned", step="second", reason="lost") == 1
    assert yard.telemetry.times("imaginem.resent", step="second", outcome="sent") == 3
    replay_entry(yard.services, kept)
    yard.run()
    assert yard.state == "succeeded"


def test_a_message_that_ends_a_job_is_sent_until_it_comes(yard: Yard) -> None:
    yard.stuck_at_second()
    for _ in range(10):
        yard.watch()
        yard.lose("second")
    yard.watch()
    yard.run()

    assert yard.state == "failed"
    assert len(yard.services.poison.list()) == 1


def test_a_job_that_never_began_ends_in_the_same_way(yard: Yard) -> None:
    yard.submit()
    for _ in range(SENDS + 1):
        yard.lose("first")
        yard.watch()
    yard.run()

    assert yard.state == "failed"
    assert batch_overview(yard.services, KEY[0]).jobs == {"job-1": "failed"}
    forget_job(yard.services, KEY)


def test_a_late_message_of_a_job_that_was_ended_does_not_wake_it(yard: Yard) -> None:
    original = yard.stuck_at_second()
    for _ in range(SENDS + 1):
        yard.watch()
        copy = yard.services.queues.receive("second", 1, 0)[0]
        if not json.loads(copy.body)["job_definition"]["_imaginem"].get("ends"):
            yard.services.queues.clear("second")
    yard.run()
    ended = dict(yard.entry.properties)
    yard.services.queues.send("second", original)
    yard.run()

    assert (yard.state, dict(yard.entry.properties)) == ("failed", ended)


def test_cancelling_a_batch_ends_jobs_whose_message_is_lost(yard: Yard) -> None:
    yard.stuck_at_second()
    cancel_batch(yard.services, KEY[0])
    yard.watch()
    yard.run()

    assert yard.state == "cancelled"
    assert forget_batch(yard.services, KEY[0]).jobs == 1


def test_an_erasure_that_was_interrupted_is_brought_to_its_end(yard: Yard) -> None:
    yard.stuck_at_second()
    erased = yard.services.erased
    erased.begin(KEY[0], [KEY[1]])
    erased.add_runs(KEY[0], {KEY[1]: [yard.row.run]})
    yard.watch()

    assert yard.bookkeeping_on("second") == []
    assert yard.services.log.read(KEY) is None
    assert yard.services.submissions.submission(KEY) is None


def test_a_sender_that_notes_an_erased_run_late_takes_no_later_job_away(yard: Yard) -> None:
    yard.submit()
    late = yard.services.submissions.submission(KEY)
    assert late is not None
    forget_job(yard.services, KEY)
    yard.submit()
    yard.run()
    yard.services.submissions.submitted(KEY, late.run)
    yard.watch(timedelta(days=1))

    assert yard.state == "succeeded"
    sent = yard.services.submissions.submission(KEY)
    assert sent is not None
    assert sent.run == yard.row.run


@pytest.mark.parametrize("slower_at", ["log.read", "shared_state.write"])
def test_two_watchdogs_send_one_message(yard: Yard, slower_at: str) -> None:
    yard.stuck_at_second()
    yard.clock.move(ROUND)
    others = [yard.watchdog()]
    part, name = slower_at.split(".")
    owner = getattr(yard.services, part)
    call = getattr(owner, name)

    def after_the_other_one(*given: Any) -> Any:
        if others:
            others.pop().watch()
        return call(*given)

    setattr(owner, name, after_the_other_one)
    yard.watchdog().watch()

    assert len(yard.bookkeeping_on("second")) == 1


class Killed(BaseException):
    """The watchdog's process is gone."""


@pytest.mark.parametrize("call", range(12))
def test_a_watchdog_that_is_killed_at_any_call_does_no_harm(yard: Yard, call: int) -> None:
    yard.stuck_at_second()
    calls = iter(range(100))

    def count() -> None:
        if next(calls) == call:
            raise Killed

    _before_each_call(yard.services, count)
    yard.clock.move(ROUND)
    with contextlib.suppress(Killed):
        yard.watchdog().watch()
    for _ in range(3):
        yard.watch()
        yard.run()

    assert (yard.state, yard.executed) == ("succeeded", ["first", "second", "report"])


def _before_each_call(services: MemoryServices, count: Callable[[], None]) -> None:
    """Count each call to storage, before and after it has its effect."""
    for part in (services.queues, services.log, services.shared_state):
        for name in ("list", "batch", "oldest", "count", "read", "write", "send"):
            if hasattr(part, name):
                setattr(part, name, _counted(getattr(part, name), count))


def _counted(call: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    def counted(*given: Any, **named: Any) -> Any:
        count()
        result = call(*given, **named)
        count()
        return result

    return counted


@pytest.mark.parametrize("jump", [timedelta(days=30), -timedelta(days=30)])
def test_a_clock_that_jumps_does_no_harm(yard: Yard, jump: timedelta) -> None:
    original = yard.stuck_at_second()
    yard.services.queues.send("second", original)
    right = yard.clock.now
    for number in range(8):
        yard.clock.move(timedelta(minutes=1))
        wrong = right() + (jump if number % 2 else timedelta(0))
        Watchdog(yard.services, yard.noted, PERIOD, (), lambda wrong=wrong: wrong).watch()  # type: ignore[misc]
    yard.run()
    for _ in range(3):
        yard.watch()
        yard.run()

    assert (yard.state, yard.executed) == ("succeeded", ["first", "second", "report"])


def test_a_photo_that_was_not_fetched_and_whose_query_is_lost_must_be_sent_again(
    yard: Yard,
) -> None:
    yard.url = "https://photos.test/a.jpg?sig=secret"
    yard.submit()
    yard.lose("first")
    for _ in range(3):
        yard.watch()
    yard.run()

    assert yard.state == "failed"
    assert yard.entry.properties["first_exception"] == f"lost: {QUERY_LOST}"
    assert "secret" not in json.dumps(dict(yard.entry.properties))


def test_a_photo_that_was_fetched_is_not_fetched_again(yard: Yard) -> None:
    fetched: list[str] = []
    yard.services.fetch = lambda url: fetched.append(url) or photo_bytes()  # type: ignore[func-returns-value]
    yard.url = "https://photos.test/a.jpg?sig=secret"
    yard.stuck_at_second()
    yard.watch()
    yard.run()

    assert yard.state == "succeeded"
    assert len(fetched) == 1


def test_a_row_from_which_no_message_can_be_made_ends_its_job(yard: Yard) -> None:
    yard.first_does = lambda job: Found(what="x" * 100_000)
    value = json.loads(yard.message(outputs={"mine": "y" * 40_000}))
    yard.services.queues.send("first", json.dumps(value))
    yard.run_one("first")
    yard.lose("second")
    for name in yard.services.blobs.list("largemessages", ""):
        yard.services.blobs.delete("largemessages", name)
    yard.watch()
    yard.run()

    assert yard.state == "failed"
    assert "can't be made again: linked_content" in yard.entry.properties["second_exception"]


def test_jobs_on_a_queue_that_no_step_serves_are_told_and_nothing_piles_up(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.stuck_at_second()
    dog = yard.watchdog(served=("first", "report"))
    for _ in range(20):
        yard.clock.move(ROUND)
        with pytest.raises(PermanentError, match="the queue second, but no step here serves it"):
            dog.watch()

    assert len(yard.bookkeeping_on("second")) == 1
    assert "imaginem clear second" in caplog.text


def test_what_storage_refuses_is_told_and_stops_nothing_else(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.stuck_at_second()
    send_message(yard.services, message_for(yard.url, yard.names, batch_id="other"))
    yard.services.queues.clear("first")
    oldest = yard.services.queues.oldest

    def refuses(queue: str) -> datetime | None:
        if queue == "second":
            raise StorageUnavailable("queue second: 503")
        return oldest(queue)

    yard.services.queues.oldest = refuses  # type: ignore[method-assign]  # storage is away
    with pytest.raises(StorageUnavailable, match="queue second"):
        yard.watch()

    assert len(yard.bookkeeping_on("first")) == 1


def test_a_batch_is_looked_at_until_its_jobs_have_ended_for_hours(yard: Yard) -> None:
    yard.submit()
    yard.run()
    yard.watch()
    assert yard.noted.noted() == [KEY[0]]  # a process that noted it a moment ago relies on it
    yard.watch(timedelta(hours=2))
    assert yard.noted.noted() == []


def test_a_job_that_another_process_sends_to_an_erased_batch_is_looked_after(yard: Yard) -> None:
    yard.submit()  # by a process that notes the batch now, and not again in this hour
    yard.run()
    yard.services.open_batches = NotedBatches(yard.services.shared_state, yard.clock.seconds)
    forget_batch(yard.services, KEY[0])

    yard.services.open_batches = yard.noted
    yard.submit()
    yard.lose("first")
    yard.watch()
    yard.run()
    assert yard.state == "succeeded"


def test_a_process_notes_a_batch_once_an_hour(yard: Yard) -> None:
    writes: list[str] = []
    write = yard.services.shared_state.write
    yard.services.shared_state.write = (  # type: ignore[method-assign]  # counts
        lambda *given: writes.append(given[0]) or write(*given)  # type: ignore[func-returns-value]
    )
    for number in range(5):
        send_message(yard.services, message_for(yard.url, yard.names, job_id=f"job-{number}"))
    yard.run()
    assert len(writes) == 1
    yard.clock.move(timedelta(hours=1))
    yard.submit()
    assert len(writes) == 2


def test_where_nothing_is_at_work_the_watchdog_costs_one_call(yard: Yard) -> None:
    calls: list[int] = []
    _before_each_call(yard.services, lambda: calls.append(1))
    yard.watch()

    assert len(calls) == 2  # counted before and after


def forged(yard: Yard, body: str, **fields: Any) -> str:
    value = json.loads(body)
    value["job_definition"].setdefault("_imaginem", {}).update(fields)
    return json.dumps(value)


def test_a_forged_ending_ends_no_job(yard: Yard) -> None:
    original = yard.stuck_at_second()
    yard.services.queues.send("second", forged(yard, original, ends="lost: by my word"))
    yard.run()

    assert (yard.state, yard.services.poison.list()) == ("succeeded", [])


def test_a_forged_ending_is_not_obeyed_beside_the_watchdogs_own_messages(yard: Yard) -> None:
    original = yard.stuck_at_second()
    yard.watch()
    yard.lose("second")
    yard.services.queues.send("second", forged(yard, original, ends="lost: by my word"))
    yard.run()

    assert yard.state == "succeeded"


def test_a_forged_replacement_is_a_run_of_its_own(yard: Yard) -> None:
    """It could take the id of a run whose message comes later, which would be dropped then."""
    run = yard.submit()
    body = yard.lose("first")
    yard.transition(yard.first, forged(yard, body, replaces=run), "forged")
    assert yard.entry.properties["imaginem_run"] == "forged"
    yard.services.queues.clear("second") if yard.services.queues.count("second") else None
    moved = yard.transition(yard.first, body, run)

    assert moved.state == "success"
    assert yard.entry.properties["imaginem_run"] == run


def test_nobody_gets_authority_over_another_run(yard: Yard) -> None:
    run = yard.submit()
    body = yard.lose("first")
    yard.watch()
    yard.lose("first")
    yard.transition(yard.first, forged(yard, body, replaces="another"), "forged")

    assert yard.entry.properties["imaginem_run"] == "forged" != run


def test_a_copy_that_comes_when_its_run_has_a_successor_is_dropped(yard: Yard) -> None:
    yard.submit()
    yard.lose("first")
    yard.watch()
    copy = yard.lose("first")
    yard.services.queues.send("first", copy)
    yard.run()
    yard.submit()
    yard.run()
    yard.watch(timedelta(days=2))  # by then the authority is forgotten
    executed = len(yard.executed)
    yard.services.queues.send("first", copy)
    yard.run()

    assert len(yard.executed) == executed


def test_an_entry_that_was_edited_by_hand_gives_no_authority(yard: Yard) -> None:
    resends = Resends(yard.services.shared_state)
    resends.note(KEY, Resending("run", "", 1, yard.clock.now()))
    (name,) = yard.services.shared_state.list("resent-")
    _, fence = yard.services.shared_state.list("resent-")[name]
    yard.services.shared_state.write(name, "nonsense", fence)

    assert Resends(yard.services.shared_state).of(KEY, "run", "") is None


def test_the_log_of_the_watchdog_names_the_job(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.stuck_at_second()
    with caplog.at_level(logging.WARNING, "imaginem.watchdog"):
        yard.watch()

    (record,) = caplog.records
    assert (record.batch_id, record.job_id) == KEY  # type: ignore[attr-defined]
    assert "the queue second was lost: it is sent again, 1 of 3" in record.message
