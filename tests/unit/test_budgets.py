"""A batch with a budget waits when that is used up, loses nothing, and goes on to its end."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from imaginem import JobContext, step
from imaginem.cli.pausing import tell_paused
from imaginem.errors import InvalidMessage, PermanentError, RetryableError
from imaginem.memory.storage import MemoryQueues
from imaginem.pipeline.budgets import ENTRY, MOST, NotedBudgets, pause_if_used_up, spent_of
from imaginem.pipeline.cancelling import FRESH_SECONDS, CancelledBatches, hash_of_batch
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.steps import Registry
from imaginem.ports import LedgerEntry, LedgerItem, Pause
from imaginem.ports.ledger import Amount
from imaginem.ports.metering import count, metered, work_on
from imaginem.ports.prices import Price, PriceList
from imaginem.testing import MemoryServices, MemorySharedState, message_for, run_all
from imaginem.usecases.batches import batch_overview, cancel_batch
from imaginem.usecases.budgets import begin_budget, budget_of, set_budget
from imaginem.usecases.erase import forget_batch
from imaginem.usecases.pausing import pause_batch, resume_batch, told, told_resumed
from tests.unit.test_cancelling import Counting
from tests.workbench import Found

PHOTOS = 40
PRICES = PriceList((Price("vision", "analyze", "calls", 1, 1.0),))


class House:
    """A batch of photos, each of which costs a dollar in each of two steps, and half a second."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ran: Counter[str] = Counter()
        queues = MemoryQueues(itertools.count(0, 86_400).__next__)
        self.services = MemoryServices(queues=queues, prices=PRICES)
        self.services.cancellations = CancelledBatches(self.services.shared_state, self.clock)
        self.services.budgets = NotedBudgets(
            self.services.cancellations, self.services.shared_state, self.clock
        )
        self.registry = Registry()

        @step(registry=self.registry)
        def first(job: JobContext) -> Found:
            return self.look(job, "first")

        @step(registry=self.registry)
        def second(job: JobContext) -> Found:
            return self.look(job, "second")

    def clock(self) -> float:
        return self.seconds

    def look(self, job: JobContext, name: str) -> Found:
        self.seconds += 0.25
        self.ran[f"{name} {job.job_id}"] += 1
        count("vision", "analyze", billed=7)
        return Found(what=name)

    def send(self) -> None:
        for number in range(PHOTOS):
            url = "https://x.test/photo.jpg"
            message = message_for(url, ("first", "second"), job_id=f"{number}", batch_id="b")
            self.services.queues.send("first", message.encode())

    def work(self) -> None:
        """Deliver each message until the batch stands still."""
        try:
            run_all(self.services, self.registry, most=400)
        except AssertionError:  # what waits comes again and again
            assert self.services.pauses.paused_for("b") is not None

    def states(self) -> Counter[str]:
        return Counter(batch_overview(self.services, "b").jobs.values())


@pytest.fixture
def house() -> House:
    made = House()
    made.send()
    return made


class TestABudgetOfHalfABatch:
    @pytest.fixture
    def half(self, house: House) -> House:
        set_budget(house.services, "b", float(PHOTOS))
        house.work()
        return house

    def test_stops_it_there(self, half: House) -> None:
        """One process looks at what it has in hand, too: only the step that runs is above it."""
        spent = half.ran.total()
        assert PHOTOS <= spent <= PHOTOS + 1
        assert spent_of(half.services, "b") == spent

    def test_says_so(self, half: House) -> None:
        overview = batch_overview(half.services, "b")
        assert overview.paused is not None
        assert overview.budget is not None
        assert "paused by its budget since" in told(overview.paused)
        assert "its budget of $40.00 is used up" in told(overview.paused)

    def test_loses_nothing_and_goes_on_to_the_end_when_it_is_raised(self, half: House) -> None:
        assert set_budget(half.services, "b", 1000.0)
        half.work()
        assert half.states() == {"succeeded": PHOTOS}
        assert set(half.ran.values()) == {1}
        assert budget_of(half.services, "b") is not None

    def test_is_gone_when_somebody_resumes_the_batch_without_raising_it(self, half: House) -> None:
        resumed = resume_batch(half.services, "b")
        assert resumed is not None
        assert told_resumed(resumed) == (
            "its budget of $40.00 is used up, so it has no budget from now on"
        )
        half.work()
        assert half.states() == {"succeeded": PHOTOS}
        assert budget_of(half.services, "b") is None

    def test_that_is_raised_too_little_stays_used_up(self, half: House) -> None:
        assert not set_budget(half.services, "b", PHOTOS - 0.5)
        assert half.services.pauses.pause_of("b") is not None

    def test_ends_with_the_batch(self, half: House) -> None:
        forget_batch(half.services, "b")
        assert budget_of(half.services, "b") is None
        assert json.loads((half.services.shared_state.read(ENTRY) or ("",))[0]) == {}

    def test_does_not_hold_a_batch_that_is_cancelled(self, half: House) -> None:
        cancel_batch(half.services, "b")
        half.work()
        assert set(half.states()) == {"succeeded", "cancelled"}


def test_a_budget_that_is_enough_changes_nothing(house: House) -> None:
    set_budget(house.services, "b", 2.0 * PHOTOS + 1)
    house.work()
    assert house.states() == {"succeeded": PHOTOS}


def test_a_person_pauses_a_batch_whatever_its_budget_is(house: House) -> None:
    set_budget(house.services, "b", 1000.0)
    house.services.batches.open_batch("b")
    pause_batch(house.services, "b")
    assert not set_budget(house.services, "b", 2000.0)
    assert house.services.pauses.pause_of("b") is not None


def test_what_other_processes_have_spent_counts(house: House) -> None:
    amounts = {LedgerItem("first", "vision", "analyze"): Amount(calls=500, billed=500)}
    house.services.ledger.add([LedgerEntry("b", "other", amounts)])
    set_budget(house.services, "b", 400.0)
    house.work()
    assert house.ran.total() == 0
    assert house.services.pauses.pause_of("b") is not None


def test_what_an_execution_has_used_so_far_counts(house: House) -> None:
    with metered(house.services.ledger, "first", executes=True):
        work_on("b", "job", "first")
        count("vision", "analyze", billed=7)
        assert spent_of(house.services, "b") == 1.0
        assert spent_of(house.services, "another") == 0.0
    assert spent_of(house.services, "b") == 1.0


@pytest.mark.parametrize("raised", [1000.0, None])
def test_a_process_that_knows_the_budget_of_before_pauses_nothing(
    house: House, raised: float | None
) -> None:
    services = house.services
    set_budget(services, "b", 1.0)
    amounts = {LedgerItem("first", "vision", "analyze"): Amount(calls=5, billed=5)}
    services.ledger.add([LedgerEntry("b", "other", amounts)])
    assert services.budgets.of("b") == 1.0  # as it knows it for seconds
    NotedBudgets(CancelledBatches(services.shared_state), services.shared_state).set("b", raised)

    pause_if_used_up(services, "b")

    assert services.pauses.pause_of("b") is None


def test_a_ledger_that_is_away_stops_nothing(house: House) -> None:
    def away(**named: object) -> None:
        raise RetryableError("SQL is away")

    set_budget(house.services, "b", 1.0)
    house.services.ledger.sums = away  # type: ignore[method-assign, assignment]
    house.work()
    assert house.ran.total() == 2 * PHOTOS


class TestTheList:
    def test_where_no_batch_has_a_budget_it_costs_no_call(self) -> None:
        shared_state = Counting()
        stopped = CancelledBatches(shared_state, lambda: 0.0)
        budgets = NotedBudgets(stopped, shared_state, lambda: 0.0)
        assert all(budgets.of(f"{number}") is None for number in range(1000))
        assert shared_state.reads == 1

    def test_another_process_knows_a_budget_within_seconds(self) -> None:
        shared_state, now = MemorySharedState(), [0.0]
        here = NotedBudgets(CancelledBatches(shared_state), shared_state)
        there = NotedBudgets(
            CancelledBatches(shared_state, lambda: now[0]), shared_state, lambda: now[0]
        )
        assert there.of("b") is None
        here.set("b", 5.0)
        now[0] += FRESH_SECONDS
        assert (there.of("b"), there.of("c")) == (5.0, None)
        here.set("b", None)
        now[0] += FRESH_SECONDS
        assert there.of("b") is None

    def test_of_threads_that_ask_at_once_one_looks(self) -> None:
        shared_state = MemorySharedState()
        budgets = NotedBudgets(CancelledBatches(shared_state), shared_state, lambda: 0.0)
        assert [budgets.is_due("b") for _ in range(3)] == [True, False, False]

    def test_the_nearer_the_budget_is_the_sooner_is_the_next_look(self) -> None:
        shared_state, now = MemorySharedState(), [0.0]
        budgets = NotedBudgets(CancelledBatches(shared_state), shared_state, lambda: now[0])
        assert budgets.is_due("b")
        now[0] = 1.0
        budgets.looked("b", 100.0, 10.0)  # ten a second, of which ninety are left
        now[0] = 2.9
        assert not budgets.is_due("b")
        now[0] = 3.0
        assert budgets.is_due("b")
        budgets.looked("b", 34.0, 30.0)  # four are left: 0.4 seconds
        now[0] = 3.11
        assert budgets.is_due("b")

    def full(self, at_work: int) -> NotedBudgets:
        """Return a full list; so many of its batches, the oldest, have photos at work."""
        shared_state = MemorySharedState()
        batches = [f"batch {number}" for number in range(MOST)]
        listed = {hash_of_batch(batch_id): 1.0 for batch_id in batches}
        shared_state.write(ENTRY, json.dumps(listed), "")
        budgets = NotedBudgets(CancelledBatches(shared_state), shared_state)
        for batch_id in batches[:at_work]:
            NotedBatches(shared_state).note(batch_id)
        return budgets

    def test_the_oldest_budget_of_a_batch_at_rest_leaves_when_the_list_is_full(self) -> None:
        budgets = self.full(at_work=2)
        budgets.set("b", 5.0)
        known = [budgets.of(f"batch {number}") for number in range(MOST)]
        assert known == [1.0, 1.0, None, *[1.0] * (MOST - 3)]
        assert budgets.of("b") == 5.0

    def test_too_many_budgets_of_batches_at_work_are_refused(self) -> None:
        budgets = self.full(at_work=MOST)
        with pytest.raises(PermanentError, match="budget BATCH none"):
            budgets.set("b", 5.0)
        budgets.set("batch 7", 8.0)  # it has one already
        assert budgets.of("batch 7") == 8.0

    def test_nonsense_in_it_counts_as_nothing(self) -> None:
        shared_state = MemorySharedState()
        budgets = NotedBudgets(CancelledBatches(shared_state), shared_state)
        budgets.set("b", 5.0)
        shared_state.write(ENTRY, "nonsense", (shared_state.read(ENTRY) or ("", ""))[1])
        again = NotedBudgets(CancelledBatches(shared_state), shared_state)
        assert again.of("b") is None
        again.set("b", 6.0)
        assert again.of("b") == 6.0


@pytest.mark.parametrize("usd", [0.0, -1.0, float("nan"), float("inf"), 1e12])
def test_what_is_no_amount_of_money_is_refused(usd: float) -> None:
    with pytest.raises(InvalidMessage, match="above 0, such as"):
        set_budget(MemoryServices(), "b", usd)


def test_who_sends_more_photos_does_not_change_the_budget_that_there_is() -> None:
    services = MemoryServices()
    begin_budget(services, "b", 5.0)
    begin_budget(services, "b", 7.0)
    begin_budget(services, "b", None)
    assert services.budgets.of("b") == 5.0


def test_who_waits_for_a_budget_is_told_both_ways_on() -> None:
    services = MemoryServices()
    services.pauses.pause("b", Pause(datetime.now(UTC), "", "its budget of $2.00 is used up"))
    console = Console(file=StringIO(), width=300)
    assert tell_paused(services, "b", console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "`imaginem budget b AMOUNT` raises it" in told
    assert "`imaginem resume b` lets it go on without one" in told
