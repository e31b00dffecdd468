"""Calls are paced by all instances together, whatever they do at once."""

import heapq
import itertools
import threading
from collections.abc import Callable

import pytest

from imaginem.engines.pacing import Pacer
from imaginem.errors import Busy
from imaginem.testing import MemorySharedState


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def pacer(
    shared_state: MemorySharedState, clock: Clock, per_second: float = 10, **more: float
) -> Pacer:
    return Pacer(shared_state, "face", per_second, clock=clock, sleep=clock.sleep, **more)


def most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for other in times if start <= other < start + 1) for start in times)


def times_of(calls: int, wait: Callable[[], None], clock: Clock) -> list[float]:
    times = []
    for _ in range(calls):
        wait()
        times.append(clock.now)
    return times


def test_one_instance_stays_under_the_quota_and_uses_it() -> None:
    clock = Clock()
    times = times_of(1_000, pacer(MemorySharedState(), clock).wait, clock)

    assert most_in_a_second(times) <= 10
    assert 1_000 / (times[-1] - times[0]) >= 0.9 * 10


def test_many_instances_share_one_quota() -> None:
    """Forty instances in virtual time: each calls again as soon as its call is over."""
    shared_state = MemorySharedState()
    instances = []
    for _ in range(40):
        clock = Clock()
        instances.append((clock, pacer(shared_state, clock, patience=1e9)))
    due = [(0.0, number) for number in range(40)]
    times: list[float] = []
    while len(times) < 1_000:
        now, number = heapq.heappop(due)
        clock, paced = instances[number]
        clock.now = max(clock.now, 1_000.0 + now)
        paced.wait()
        times.append(clock.now)
        heapq.heappush(due, (clock.now - 1_000.0 + 0.3, number))

    times.sort()
    assert most_in_a_second(times) <= 10
    assert 1_000 / (times[-1] - times[0]) >= 0.9 * 10


def test_threads_of_one_instance_never_share_a_slot() -> None:
    shared_state, taken, lock = MemorySharedState(), [], threading.Lock()
    base = 1_000.0

    def sleep(seconds: float) -> None:
        with lock:
            taken.append(round(seconds, 6))

    paced = Pacer(shared_state, "face", 10, clock=lambda: base, sleep=sleep, patience=1e9)
    threads = [threading.Thread(target=paced.wait) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(taken)) == len(taken) == 49  # the first slot is now
    assert max(taken) == pytest.approx(49 / 9.5, abs=0.01)


def test_a_refusal_holds_everybody_off() -> None:
    shared_state, clock = MemorySharedState(), Clock()
    one, other = pacer(shared_state, clock), pacer(shared_state, clock)
    other.wait()
    one.hold_off(7)
    other.wait()
    assert clock.now >= 1_007


def test_a_call_that_would_wait_too_long_goes_back_to_its_queue() -> None:
    clock = Clock()
    paced = pacer(MemorySharedState(), clock, patience=5)
    paced.hold_off(60)
    with pytest.raises(Busy, match="spoken for") as told:
        paced.wait()

    assert told.value.retry_after == pytest.approx(60)
    clock.now += 60
    paced.wait()


def test_slots_that_nobody_used_in_time_are_not_made_up_for() -> None:
    """A hundred seconds without a call leave no right to more than ten calls a second."""
    clock = Clock()
    paced = pacer(MemorySharedState(), clock)
    paced.wait()
    clock.now += 100
    times = times_of(30, paced.wait, clock)

    assert most_in_a_second(times) <= 10
    assert times[0] == 1_100
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([1 / 9.5] * 29, abs=1e-6)


def test_slots_that_were_taken_together_and_came_too_late_are_not_used_at_once() -> None:
    """Ten slots are taken for ten callers; nine of them come when their slots are long past."""
    clock = Clock()
    paced = pacer(MemorySharedState(), clock)
    paced._waiting = 9  # as if nine others waited
    paced.wait()
    paced._waiting = 0
    clock.now += 100
    times = times_of(30, paced.wait, clock)

    assert most_in_a_second(times) <= 10
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) == pytest.approx(1 / 9.5, abs=1e-6)


def test_nonsense_in_the_register_starts_anew() -> None:
    shared_state, clock = MemorySharedState(), Clock()
    shared_state.write("face", "soon", "")
    pacer(shared_state, clock).wait()
    assert shared_state.read("face") != ("soon", "fence-1")


def test_no_rate_means_no_pacing() -> None:
    clock = Clock()
    times_of(100, pacer(MemorySharedState(), clock, per_second=0).wait, clock)
    assert clock.slept == []


def test_holding_off_again_and_again_keeps_nobody_beyond_his_patience() -> None:
    shared_state, clock = MemorySharedState(), Clock()
    paced = pacer(shared_state, clock, patience=5)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        paced.hold_off(3)  # as told to another thread meanwhile

    paced = Pacer(shared_state, "face", 10, clock=clock, sleep=sleep, patience=5)
    paced.hold_off(3)
    with pytest.raises(Busy, match="spoken for"):
        paced.wait()
    assert clock.now <= 1_005


def test_a_slot_too_far_for_one_is_left_for_somebody_patient() -> None:
    clock = Clock()
    paced = pacer(MemorySharedState(), clock, per_second=1, patience=0.5)
    paced._waiting = 3  # as if two others waited, so that slots are taken for them too
    paced.wait()
    with pytest.raises(Busy, match="spoken for"):
        paced.wait()
    paced.wait(wait_for_quota=True)
    assert clock.now == pytest.approx(1_000 + 1 / 0.95)
