"""A step that asks for another try, or finds a service busy: when it runs again, and how often."""

import json
import random
from collections.abc import Iterator

import pytest

from imaginem import JobContext, RetryableError
from imaginem.errors import Busy
from imaginem.message import MESSAGE_LIMIT, decode_message
from imaginem.pipeline.process import Delivery, transition
from imaginem.pipeline.retries import busy_delay, retry_delay
from imaginem.testing import MemoryQueues
from tests.workbench import Bench, Body, Found


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
    assert "busy (try 1 of 5 failed)" in bench.entry.properties["first_exception"]

    bench.services.queues.send("first", moved.outgoing.body)
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"
    assert bench.entry.properties["first_exception"] == ""


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


def test_delays_grow_and_honour_retry_after() -> None:
    assert 1 <= retry_delay(1, 2, None) <= 3
    assert 16 <= retry_delay(5, 2, None) <= 48
    assert retry_delay(1, 2, 600) == 600
    assert retry_delay(40, 2, None) <= 15 * 60 * 1.5


def test_retry_after_is_honoured_within_an_hour() -> None:
    assert retry_delay(1, 2, 10 * 24 * 3600) == 3600


def asks_again(retry_after: float | None = None) -> Body:
    def later(job: JobContext) -> Found:
        raise RetryableError("the service is down", retry_after=retry_after)

    return later


def waits(retry_after: float | None = None) -> Body:
    def later(job: JobContext) -> Found:
        raise Busy("no room", retry_after=retry_after)

    return later


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, float]]]:
    """What is drawn at random is the upper bound here; tells which bounds were asked for."""
    asked: list[tuple[float, float]] = []

    def upper(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr(random, "uniform", upper)
    yield asked


def test_each_try_doubles_the_delay_and_spreads_it(spread: list[tuple[float, float]]) -> None:
    assert [retry_delay(attempt, 2, None) for attempt in (1, 2, 3, 5)] == [3, 6, 12, 48]
    assert retry_delay(11, 2, None) == 15 * 60 * 1.5
    assert retry_delay(10_000, 2, None) == 15 * 60 * 1.5
    assert set(spread) == {(0.5, 1.5)}


def test_a_retry_after_is_a_lower_bound_of_the_delay(spread: list[tuple[float, float]]) -> None:
    assert retry_delay(1, 2, 2.9) == 3
    assert retry_delay(1, 2, 3.1) == 3.1
    assert retry_delay(1, 2, 3600) == 3600
    assert retry_delay(1, 2, 3601) == 3600
    assert retry_delay(1, 2, -5) == 3


def test_each_wait_for_a_turn_is_a_fifth_longer(spread: list[tuple[float, float]]) -> None:
    waited = [busy_delay(number, 10, None) for number in (1, 2, 3, 4)]
    assert waited == pytest.approx([15, 18, 21.6, 25.92])
    assert busy_delay(500, 10, None) == 5 * 60 * 1.5
    assert set(spread) == {(1.0, 1.5)}


def test_waits_grow_from_what_the_busy_service_said(spread: list[tuple[float, float]]) -> None:
    assert busy_delay(1, 2, 20) == 30
    assert busy_delay(2, 2, 20) == pytest.approx(36)
    assert busy_delay(2, 20, 2) == pytest.approx(36)


def test_a_quota_that_is_used_up_for_days_is_waited_for_and_not_by_all_at_the_same_moment(
    spread: list[tuple[float, float]],
) -> None:
    ours = 5 * 60 * 1.5  # the longest wait of our own
    assert busy_delay(1, 2, 600) == 600 + ours
    assert busy_delay(1, 2, 24 * 3600) == 24 * 3600 + ours
    assert busy_delay(100, 2, 24 * 3600) == 24 * 3600 + ours
    week = 7 * 24 * 3600  # as long as a queue hides a message
    assert busy_delay(1, 2, week - 1) == busy_delay(1, 2, 30 * 24 * 3600) == week


def test_a_day_of_waiting_costs_no_try() -> None:
    bench = Bench(max_attempts=1, max_waits=1)
    bench.first_does = waits(24 * 3600)
    moved = bench.transition(bench.first, bench.message(), "m1")

    assert moved.state == "retrying"
    assert moved.outgoing is not None
    assert moved.outgoing.delay >= 24 * 3600
    bench.first_does = lambda job: Found(what="one")
    assert bench.transition(bench.first, moved.outgoing.body, "m2").state == "success"


def test_the_delay_of_a_retry_is_the_one_of_its_attempt(spread: list[tuple[float, float]]) -> None:
    bench = Bench(retry_seconds=2)
    bench.first_does = asks_again()
    body, delays = bench.message(), []
    for number in range(4):
        moved = bench.transition(bench.first, body, f"m{number}")
        assert moved.outgoing is not None
        delays.append(moved.outgoing.delay)
        body = moved.outgoing.body

    assert delays == [3, 6, 12, 24]
    assert bench.telemetry.times("imaginem.retries", step="first", reason="error") == 4


def test_the_delay_of_a_wait_is_the_one_of_its_number(spread: list[tuple[float, float]]) -> None:
    bench = Bench(retry_seconds=2)
    bench.first_does = waits(10)
    body, delays = bench.message(), []
    for number in range(3):
        moved = bench.transition(bench.first, body, f"m{number}")
        assert moved.outgoing is not None
        delays.append(moved.outgoing.delay)
        body = moved.outgoing.body

    assert delays == pytest.approx([15, 18, 21.6])
    assert bench.telemetry.times("imaginem.retries", step="first", reason="busy") == 3


def test_the_next_step_has_all_its_tries_and_waits() -> None:
    bench = Bench(max_attempts=2, max_waits=1)
    for does, number in ((asks_again(), "a"), (waits(), "b")):
        bench.first_does = does
        body = bench.message(job_id=f"job-{number}")
        once = bench.sent(bench.transition(bench.first, body, f"{number}-1"))
        bench.first_does = lambda job: Found(what="one")
        done = bench.sent(bench.transition(bench.first, once, f"{number}-2"))
        bench.second_does = does
        later = bench.transition(bench.second, done, f"{number}-3")
        assert later.state == "retrying"

    assert bench.poisoned == []


def test_tries_and_waits_of_a_step_are_counted_apart() -> None:
    bench = Bench(max_attempts=2, max_waits=2)
    bench.first_does = waits()
    one = bench.sent(bench.transition(bench.first, bench.message(), "m1"))
    bench.first_does = asks_again()
    other = bench.sent(bench.transition(bench.first, one, "m2"))
    assert "(try 1 of 2 failed)" in bench.entry.properties["first_exception"]
    bench.first_does = waits()
    third = bench.transition(bench.first, other, "m3")
    assert third.state == "retrying"
    assert "(wait 2 of 2)" in bench.entry.properties["first_exception"]


def test_a_try_after_the_last_one_is_counted_as_poisoned() -> None:
    bench = Bench(max_attempts=1, max_waits=0)
    bench.first_does = asks_again()
    assert bench.execute(bench.first, bench.message(), "m1") == "failed"
    bench.first_does = waits()
    assert bench.execute(bench.first, bench.message(job_id="job-2"), "m2") == "failed"

    assert bench.telemetry.times("imaginem.poisoned", step="first", reason="exhausted") == 2
    told = "RetryableError: the service is down (tried 1 times)"
    assert bench.entry.properties["first_exception"] == told
    one, other = bench.poisoned
    assert (one.id, one.batch_id, one.job_id, one.attempts) == ("m1", "batch-1", "job-1", 1)
    assert (other.id, other.reason) == ("m2", "Busy: no room (waited 0 times)")


def test_a_copy_that_waited_while_the_job_was_sent_again_has_no_effect(bench: Bench) -> None:
    """The wait alone makes it look first: it is no retry, and delivered once."""
    bench.first_does = waits()
    old = bench.sent(bench.transition(bench.first, bench.message(), "old"))
    ran: list[str] = []

    def run(job: JobContext) -> Found:
        ran.append(job.job_id)
        return Found(what="one")

    bench.first_does = run
    bench.drop()
    bench.run()

    assert bench.execute(bench.first, old, "old-2") == "dropped"
    assert len(ran) == 1


def test_a_large_output_is_put_aside_before_a_copy_is_sent(bench: Bench) -> None:
    bench.first_does = asks_again()
    body = bench.message(outputs={"earlier": {"text": "x" * 60_000}})
    moved = bench.transition(bench.first, body, "m1")

    assert moved.outgoing is not None
    assert len(moved.outgoing.body) < MESSAGE_LIMIT


def test_a_retry_under_a_forged_run_goes_on_in_the_run_it_started(bench: Bench) -> None:
    bench.first_does = asks_again()
    value = json.loads(bench.message())
    value["job_definition"]["_imaginem"] = {"run": "nobody", "fence": "made-up"}
    moved = bench.transition(bench.first, json.dumps(value), "m1")

    assert moved.outgoing is not None
    kept = decode_message(moved.outgoing.body, ()).job_definition.bookkeeping
    assert kept.run == bench.row.run == "m1"
    assert kept.fence == bench.row.fence


def test_a_retry_is_dropped_if_another_delivery_has_concluded_the_step(bench: Bench) -> None:
    body = bench.message()
    second = bench.sent(bench.transition(bench.first, body, "m1"))

    def overtaken(job: JobContext) -> Found:
        bench.second_does = lambda job: Found(what="two")
        assert bench.execute(bench.second, second, "copy") == "success"
        raise RetryableError("later")

    bench.second_does = overtaken
    assert bench.execute(bench.second, second, "m2") == "dropped"
    bench.run()
    assert bench.entry.properties["job_state"] == "succeeded"


def test_a_retry_sends_the_job_on_if_its_own_redelivery_has_concluded_the_step(
    bench: Bench,
) -> None:
    second = bench.sent(bench.transition(bench.first, bench.message(), "m1"))

    def overtaken(job: JobContext) -> Found:
        bench.second_does = lambda job: Found(what="two")
        bench.transition(bench.second, second, "m2", 2)
        raise RetryableError("later")

    bench.second_does = overtaken
    report = bench.sent(bench.transition(bench.second, second, "m2"))
    assert bench.states("second") == ["success"]
    assert json.loads(report)["job_output"]["second"] == {"what": "two"}
    kept = decode_message(report, ()).job_definition.bookkeeping
    assert (kept.run, kept.fence, kept.attempt) == ("m1", bench.row.fence, 0)


def test_a_copy_is_sent_with_its_delay() -> None:
    sent: list[tuple[str, float]] = []

    class Delayed(MemoryQueues):
        def send(self, queue: str, body: str, *, delay: float = 0) -> str:
            sent.append((queue, delay))
            return super().send(queue, body, delay=delay)

    bench = Bench()
    bench.services.queues = Delayed()
    bench.first_does = asks_again(60)
    assert bench.execute(bench.first, bench.message(), "m1") == "retrying"

    assert sent == [("first", 60)]


@pytest.mark.parametrize("half", [{"run": "nobody"}, {"fence": "made-up"}])
def test_half_a_claim_is_none_and_its_attempts_do_not_count(
    bench: Bench, half: dict[str, str]
) -> None:
    bench.first_does = asks_again()
    value = json.loads(bench.message())
    value["job_definition"]["_imaginem"] = {**half, "attempt": 4}
    assert bench.execute(bench.first, json.dumps(value), "m1") == "retrying"

    assert "(try 1 of 5 failed)" in bench.entry.properties["first_exception"]
    assert bench.row.run == "m1"
