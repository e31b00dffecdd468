"""Whose turn it is: old jobs before young ones, late places before early ones, nobody starves."""

import itertools
from collections import deque
from dataclasses import dataclass, field

import pytest

from imaginem.host.turns import BUSY_REST, Turns

STEPS = ["a", "b", "c", "d", "e", "f", "g"]
BATCH = 4


@dataclass
class Job:
    name: str
    born: float
    place: int
    waited: dict[int, float] = field(default_factory=dict)
    since: float = 0.0
    ended: float = 0.0


@dataclass
class Plant:
    """Queues and one worker on a virtual clock: a step takes a tenth of a second."""

    fair: bool = True
    now: float = 1000.0
    calls: int = 0
    queues: dict[str, deque[Job]] = field(default_factory=lambda: {n: deque() for n in STEPS})
    polled: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))

    def __post_init__(self) -> None:
        self.turns = Turns(STEPS, lambda: self.now)

    def put(self, count: int, place: int, born: float, name: str) -> list[Job]:
        jobs = [Job(f"{name}-{number}", born, place, since=self.now) for number in range(count)]
        self.queues[STEPS[place]].extend(jobs)
        return jobs

    def run(self) -> None:
        """Work until all queues are empty."""
        while any(self.queues.values()):
            due = [name for name in STEPS if self.polled[name] <= self.now]
            order = self.turns.order(due) if self.fair else list(reversed(due))
            if not any(self._poll(name) for name in order):
                self.now += 0.1

    def _poll(self, name: str) -> bool:
        self.calls += 1
        queue = self.queues[name]
        self.turns.asking(name)
        jobs = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        more = len(jobs) == BATCH
        self.polled[name] = self.now if more else self.now + 1.0
        self.turns.received(name, [(job.name, job.born) for job in jobs], more)
        for job in jobs:
            job.waited[job.place] = self.now - job.since
        for job in jobs:
            self._work(job)
        return bool(jobs)

    def _work(self, job: Job) -> None:
        self.now += 0.1
        job.place, job.since, job.ended = job.place + 1, self.now, self.now
        if job.place < len(STEPS):
            following = STEPS[job.place]
            self.turns.went_on(job.name, [following])
            self.queues[following].append(job)
            self.polled[following] = 0.0


def longest_wait(jobs: list[Job], before: int) -> float:
    """Return the longest wait on a queue before a place: a queue itself is first in, first out."""
    return max(wait for job in jobs for place, wait in job.waited.items() if place < before)


def waits_beside_a_batch(place: int, older_by: float, *, fair: bool) -> float:
    """Return how long 10 jobs wait at most, while 500 others lie on a later queue."""
    plant = Plant(fair)
    plant.put(500, place, born=plant.now - 100, name="batch")
    others = plant.put(10, 0, born=plant.now - 100 - older_by, name="other")
    plant.run()
    return longest_wait(others, place)


@pytest.mark.parametrize(("place", "until_the_batch_is_through"), [(3, 190), (6, 50)])
def test_a_long_batch_on_a_late_queue_does_not_hold_up_other_jobs(
    place: int, until_the_batch_is_through: float
) -> None:
    assert waits_beside_a_batch(place, 60, fair=False) > until_the_batch_is_through
    for older_by in (60, 0, -60):  # the jobs' own steps take up to 6 s
        assert waits_beside_a_batch(place, older_by, fair=True) < 11


def test_jobs_of_one_age_are_finished_before_others_are_begun() -> None:
    plant = Plant()
    jobs = plant.put(100, 0, born=plant.now, name="job")
    plant.run()
    ends = sorted(job.ended for job in jobs)
    assert ends[9] - 1000 < 70 * 0.3  # ten jobs take 7 s, a hundred 70 s
    assert ends[49] - 1000 < 70 * 0.6


def test_whatever_the_ages_every_queue_gets_its_turn_soon() -> None:
    turns = Turns(STEPS, lambda: 1000.0)
    served = []
    numbers = itertools.count()
    for _ in range(100):  # every queue always has more; those of "g" are oldest by far
        name = turns.order(STEPS)[0]
        turns.asking(name)
        born = 0.0 if name == "g" else 990.0
        turns.received(name, [(f"{next(numbers)}", born)] * BATCH, more=True)
        served.append(name)
    for name in STEPS:
        gaps = [number for number, each in enumerate(served) if each == name]
        assert max(later - earlier for earlier, later in itertools.pairwise(gaps)) <= 2 * len(STEPS)
    assert served.count("g") > 45


def test_a_batch_costs_no_more_calls_than_before() -> None:
    calls = {}
    for fair in (False, True):
        plant = Plant(fair)
        plant.put(300, 0, born=plant.now, name="job")
        plant.run()
        calls[fair] = plant.calls
    assert calls[True] <= calls[False] * 1.02


def test_a_queue_of_which_nothing_is_known_is_looked_into_in_time_although_the_clock_jumps() -> (
    None
):
    now = [1000.0]
    turns = Turns(["early", "late"], lambda: now[0])
    turns.received("early", [], more=False)
    now[0] -= 3600
    firsts = []
    for number in range(8):
        firsts.append(turns.order(["early", "late"])[0])
        turns.received("late", [(f"{number}", 5.0)] * BATCH, more=True)
    assert "early" in firsts


def test_a_queue_of_which_nothing_is_known_can_wait_while_workers_are_busy() -> None:
    now = [1000.0]
    turns = Turns(["empty", "full"], lambda: now[0])
    assert turns.rest("empty") == 0, "nobody has looked yet"
    turns.received("empty", [], more=False)
    assert turns.rest("empty") == BUSY_REST
    now[0] += 2
    assert turns.rest("empty") == BUSY_REST - 2
    now[0] -= 3600
    assert turns.rest("empty") == 0, "the clock was set"


def test_a_queue_in_which_something_waits_has_no_rest() -> None:
    turns = Turns(["first", "second"], lambda: 1000.0)
    turns.received("first", [("job", 1000.0)] * BATCH, more=True)
    turns.received("second", [], more=False)
    turns.went_on("job", ["second"])
    assert (turns.rest("first"), turns.rest("second")) == (0, 0)
