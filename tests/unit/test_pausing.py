"""A paused batch: its jobs wait before their next step, at no try, and lose nothing."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imaginem import JobContext
from imaginem.errors import NotFound, PermanentError, RetryableError
from imaginem.memory.storage import MemoryQueues
from imaginem.message import decode_message
from imaginem.pipeline.cancelling import ENTRY, FRESH_SECONDS, CancelledBatches
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.paused_batches import LONGEST_WAIT, PAUSED_LIMIT, PausedBatches
from imaginem.pipeline.pausing import paused_delay
from imaginem.pipeline.states import JobState
from imaginem.ports import Pause, RetentionDays
from imaginem.testing import MemoryServices, MemorySharedState
from imaginem.usecases.batches import batch_overview, cancel_batch
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.pausing import pause_batch, resume_batch, told
from imaginem.usecases.retention import apply_retention
from imaginem.usecases.watchdog import Watchdog
from tests.unit.test_cancelling import Counting
from tests.unit.test_fused import STATES, Line
from tests.unit.test_group_steps import WITHIN, Hall
from tests.workbench import KEY, Bench, Found

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
WHY = Pause(NOW, "Ana", "the quota is used up")


@pytest.fixture
def line() -> Line:
    """A pipeline whose queues see a day go by each time they are asked: nothing stays hidden."""
    line = Line()
    line.services.queues = MemoryQueues(itertools.count(0, 86_400).__next__)
    for name in STATES:
        line.services.queues.create(name)
    return line


def paused(line: Bench) -> None:
    line.services.pauses.pause("batch-1", WHY)


def carried_on(line: Line, queue: str, message_id: str) -> str:
    """Deliver the message that waits on a queue, and delete it."""
    (item,) = line.services.queues.receive(queue, 32, 1)
    line.services.queues.delete(queue, item)
    return line.deliver(item.body, message_id)


class TestAJob:
    def test_that_has_not_begun_begins_and_waits(self, line: Line) -> None:
        paused(line)
        assert line.deliver(line.message(), "m1") == "paused"
        assert line.ran == []
        assert line.states(*STATES) == ["processing", "waiting", "waiting"]
        waiting = line.only("first").job_definition.bookkeeping
        assert (waiting.run, waiting.attempt, waiting.waits) == ("m1", 0, 0)

    def test_goes_on_where_it_stood_as_the_same_run(self, line: Line) -> None:
        paused(line)
        line.deliver(line.message(), "m1")
        line.services.pauses.resume("batch-1")
        assert carried_on(line, "first", "m2") == "success"
        assert line.row.job_state == "succeeded"
        assert (line.row.run, line.ran) == ("m1", list(STATES))

    def test_that_waits_twice_is_put_back_without_a_write(self, line: Line) -> None:
        paused(line)
        line.deliver(line.message(), "m1")
        before, body = line.row.fence, line.only("first").encode()
        assert line.deliver(body, "m2") == "paused"
        assert line.row.fence == before

    def test_stops_between_two_steps_of_one_delivery(self, line: Line) -> None:
        line.first_does = line.acting("first", lambda job: paused(line))
        assert line.deliver(line.message(), "m1") == "paused"
        assert line.ran == ["first"]
        assert line.states(*STATES) == ["success", "processing", "waiting"]
        line.services.pauses.resume("batch-1")
        assert carried_on(line, "second", "m2") == "success"
        assert (line.row.job_state, line.ran) == ("succeeded", list(STATES))

    def test_whose_worker_died_before_it_sent_it_on_is_not_lost(self, line: Line) -> None:
        """Its step is recorded by this very delivery: only that one may send it on."""
        line.first_does = line.acting("first", lambda job: paused(line))
        body = line.message()
        sending = line.services.queues.send
        line.services.queues.send = _dies  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            line.deliver(body, "m1")
        line.services.queues.send = sending  # type: ignore[method-assign]
        line.deliver(body, "m1", 2)
        line.services.pauses.resume("batch-1")
        assert carried_on(line, "second", "m2") == "success"
        assert (line.row.job_state, line.ran) == ("succeeded", list(STATES))

    def test_whose_message_comes_again_is_sent_on_by_that_message_alone(self, bench: Bench) -> None:
        """Under another id it would count as a late copy of a step that is recorded, and end."""
        second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
        bench.transition(bench.second, second, "m2")  # recorded; its worker died then
        paused(bench)
        report = bench.sent(bench.transition(bench.second, second, "m2", 2))
        assert decode_message(report, ()).current == "report"
        bench.services.pauses.resume("batch-1")
        assert bench.execute(bench.report, report, "m3") == "success"

    def test_keeps_the_tries_that_failed_before(self, bench: Bench) -> None:
        def fails(job: JobContext) -> Found:
            raise RetryableError("busy")

        bench.first_does = fails
        body = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
        paused(bench)
        for number in range(20):
            moved = bench.transition(bench.first, body, f"n{number}")
            assert (moved.state, bench.states("first")) == ("paused", ["retrying"])
            body = bench.sent(moved)
        assert decode_message(body, ()).job_definition.bookkeeping.attempt == 1

    def test_of_a_batch_that_is_cancelled_as_well_ends(self, line: Line) -> None:
        paused(line)
        line.deliver(line.message(), "m1")
        cancel_batch(line.services, "batch-1")
        assert line.services.pauses.pause_of("batch-1") is None
        assert carried_on(line, "first", "m2") == "cancelled"

    def test_that_is_erased_while_it_waits_is_dropped(self, line: Line) -> None:
        paused(line)
        line.deliver(line.message(), "m1")
        forget_job(line.services, KEY)
        assert carried_on(line, "first", "m2") == "erased"
        assert line.services.log.read(KEY) is None

    def test_of_another_batch_goes_on(self, line: Line) -> None:
        line.services.pauses.pause("another", WHY)
        assert line.deliver(line.message(), "m1") == "success"


class TestAGroupStep:
    """Jobs that wait for each other wait for the end of the pause, too."""

    def test_looks_at_nothing_while_its_batch_is_paused_and_at_all_of_it_afterwards(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.services.pauses.pause("batch", WHY)
        assert set(hall.wait(WITHIN)) == {"paused"}
        hall.send("c")
        for _ in range(5):
            hall.wait(LONGEST_WAIT)
        assert hall.calls == []
        hall.services.pauses.resume("batch")
        for _ in range(3):
            hall.wait(LONGEST_WAIT)
        assert sorted(name for call in hall.calls for name in call) == ["a", "b", "c"]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3
        assert hall.is_empty()

    def test_drops_a_job_that_is_erased_meanwhile(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.services.pauses.pause("batch", WHY)
        hall.wait(WITHIN)
        forget_job(hall.services, ("batch", "a"))
        assert "erased" in hall.wait(LONGEST_WAIT)
        hall.services.pauses.resume("batch")
        hall.wait(LONGEST_WAIT)
        assert hall.calls == [["b"]]


def _dies(*given: object, **named: object) -> str:
    raise KeyboardInterrupt


class TestTheList:
    def test_a_thousand_questions_cost_the_read_of_the_cancelled_batches(self) -> None:
        shared_state = Counting()
        known = CancelledBatches(shared_state, lambda: 0.0)
        pauses = PausedBatches(known, shared_state)
        for number in range(1000):
            assert pauses.paused_for(f"{number}") is None
            assert not known.is_cancelled(f"{number}")
        assert shared_state.reads == 1

    def test_another_process_knows_within_seconds_since_when_and_why(self) -> None:
        shared_state, now = MemorySharedState(), [0.0]
        here = PausedBatches(CancelledBatches(shared_state), shared_state)
        there = PausedBatches(CancelledBatches(shared_state, lambda: now[0]), shared_state)
        assert there.paused_for("b") is None
        here.pause("b", WHY)
        now[0] += FRESH_SECONDS
        assert there.pause_of("b") == WHY
        assert there.pause_of("c") is None
        here.resume("b")
        now[0] += FRESH_SECONDS
        assert there.paused_for("b") is None

    def test_a_second_pause_changes_nothing(self) -> None:
        pauses = MemoryServices().pauses
        pauses.pause("b", WHY)
        pauses.pause("b", Pause(datetime.now(UTC), "Ben", "lunch"))
        assert pauses.pause_of("b") == WHY

    def test_however_many_are_cancelled_a_paused_batch_stays_so(self) -> None:
        shared_state = MemorySharedState()
        known = CancelledBatches(shared_state)
        pauses = PausedBatches(known, shared_state)
        for number in range(PAUSED_LIMIT):
            pauses.pause(f"{number}", WHY)
        for number in range(600):
            known.cancel(f"cancelled {number}")
        assert all(pauses.paused_for(f"{number}") is not None for number in range(PAUSED_LIMIT))
        assert not known.is_cancelled("0")
        text, _ = shared_state.read(ENTRY) or ("", "")
        assert len(text) < 32_000  # a table's property holds 32 Ki characters
        with pytest.raises(PermanentError, match="resume or cancel one"):
            pauses.pause("one more", WHY)
        pauses.pause("one more", Pause(NOW))  # its budget is used up
        assert pauses.paused_for("one more") is not None

    def test_a_reason_that_was_edited_by_hand_pauses_all_the_same(self) -> None:
        services = MemoryServices()
        services.pauses.pause("b", WHY)
        ((name, (_, fence)),) = services.shared_state.list("pause-").items()
        services.shared_state.write(name, "nonsense", fence)
        pause = services.pauses.pause_of("b")
        assert pause is not None
        assert (pause.since, pause.of_budget) == (NOW, False)


def test_the_longer_a_pause_lasts_the_less_often_its_messages_come_back() -> None:
    for seconds, least, most in [(0, 5, 7), (60, 30, 38), (9e9, 480, LONGEST_WAIT)]:
        delays = [paused_delay(seconds) for _ in range(100)]
        assert least <= min(delays) <= max(delays) <= most


class TestPeople:
    def test_pause_with_a_reason_and_let_go_on(self, line: Line) -> None:
        line.services.log.insert(KEY, {"job_state": "running"})
        pause = pause_batch(line.services, "batch-1", "  the quota\nis used up ")
        assert told(pause).endswith("because the quota is used up")
        assert batch_overview(line.services, "batch-1").paused == pause
        assert resume_batch(line.services, "batch-1")
        assert not resume_batch(line.services, "batch-1")
        assert batch_overview(line.services, "batch-1").paused is None

    def test_are_told_of_a_batch_that_is_not_there_or_cancelled(self, line: Line) -> None:
        for act in (pause_batch, resume_batch):
            with pytest.raises(NotFound, match="there is no batch"):
                act(line.services, "nothing")
        line.services.log.insert(KEY, {"job_state": "running"})
        cancel_batch(line.services, "batch-1")
        with pytest.raises(PermanentError, match="was cancelled"):
            pause_batch(line.services, "batch-1")

    def test_no_secret_is_kept_of_a_reason(self, line: Line) -> None:
        line.services.log.insert(KEY, {"job_state": "running"})
        pause_batch(line.services, "batch-1", "see https://a.example/x?sig=secret")
        assert "secret" not in json.dumps(line.services.shared_state.list("pause-"))

    def test_who_erases_a_batch_erases_its_reason_and_lets_its_messages_come(
        self, line: Line
    ) -> None:
        paused(line)
        line.deliver(line.message(), "m1")
        forget_batch(line.services, "batch-1")
        assert not line.services.shared_state.list("pause-")
        assert carried_on(line, "first", "m2") == "erased"


class TestMaintenance:
    @pytest.fixture
    def waiting(self, line: Line) -> Line:
        """A job that has waited for a day, and its message is gone."""
        paused(line)
        line.deliver(line.message(), "m1")
        for item in line.services.queues.receive("first", 9, 1):
            line.services.queues.delete("first", item)
        NotedBatches(line.services.shared_state).note("batch-1")
        return line

    def watch(self, line: Line, later: timedelta) -> int:
        """Let the watchdog look at a moment; return how many messages there are then."""
        at = datetime.now(UTC) + later
        noted = NotedBatches(line.services.shared_state)
        Watchdog(line.services, noted, timedelta(minutes=5), STATES, lambda: at).watch()
        return line.services.queues.count("first") or 0

    def test_the_watchdog_sends_nothing_while_a_batch_is_paused(self, waiting: Line) -> None:
        for hours in (1, 100, 1000):
            assert self.watch(waiting, timedelta(hours=hours)) == 0

    def test_afterwards_it_waits_until_the_last_message_must_be_back(self, waiting: Line) -> None:
        resume_batch_of(waiting)
        assert self.watch(waiting, timedelta(seconds=LONGEST_WAIT)) == 0
        assert self.watch(waiting, timedelta(seconds=LONGEST_WAIT, minutes=6)) == 1

    def test_what_it_knows_of_old_pauses_is_forgotten(self, waiting: Line) -> None:
        resume_batch_of(waiting)
        entry = waiting.services.shared_state.list("pause-")
        ((name, (text, fence)),) = entry.items()
        old = {**json.loads(text), "resumed": "2020-01-01T00:00:00Z"}
        waiting.services.shared_state.write(name, json.dumps(old), fence)
        self.watch(waiting, timedelta(0))
        assert not waiting.services.shared_state.list("pause-")

    def test_retention_erases_nothing_of_a_job_that_waits(self, waiting: Line) -> None:
        settings = waiting.services.core_settings
        days = RetentionDays(photos=1, results=1, rows=1)
        waiting.services.core_settings = replace(settings, retention=days)
        waiting.services.batches.open_batch("batch-1")
        assert apply_retention(waiting.services, datetime.now(UTC) + timedelta(days=400)) == 0
        assert waiting.row.job_state == "running"


def resume_batch_of(line: Line) -> None:
    line.services.pauses.resume("batch-1")
