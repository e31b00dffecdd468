"""Steps over several photos: gathered by count or time, recorded one by one."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from imaginem import JobContext, PermanentError, RetryableError, StepOutput, step
from imaginem.cli.progress import render, who_waits
from imaginem.errors import Busy, RegistrationError
from imaginem.memory.storage import MemoryQueues
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.gathering import PREFIX, Gathering, GatheringJobs, company
from imaginem.pipeline.group_steps import LOOK_AGAIN_SECONDS
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import JobState, StepState
from imaginem.pipeline.steps import Registry
from imaginem.ports import CoreSettings, Fusion, QueueItem
from imaginem.testing import MemoryServices, job_for, message_for, photo_bytes
from imaginem.usecases.erase import forget_job
from imaginem.usecases.pausing import pause_batch, resume_batch
from imaginem.usecases.progress import summarise
from imaginem.usecases.watchdog import _at_step
from tests.workbench import Recorder

SIZE = 3
WITHIN = 30.0


class Seen(StepOutput):
    """What a call saw."""

    together: list[str]


class Killed(BaseException):
    """The process ends here."""


Sees = Callable[[list[JobContext]], Sequence[Seen | Exception]]


def sees_all(jobs: list[JobContext]) -> list[Seen | Exception]:
    names = [job.job_id for job in jobs]
    return [Seen(together=names) for _ in jobs]


@dataclass
class Hall:
    """A pipeline of a group step and a step behind it; time goes by when a test says so."""

    sees: Sees = sees_all
    calls: list[list[str]] = field(default_factory=list)
    seconds: float = 0.0
    lease: float = 60.0

    def __post_init__(self) -> None:
        self.registry = Registry()
        settings = CoreSettings(
            max_dequeue_count=3, max_attempts=3, max_waits=3, fusion=Fusion(every=True)
        )
        self.telemetry = Recorder()
        self.services = MemoryServices(
            core_settings=settings,
            queues=MemoryQueues(lambda: self.seconds),
            telemetry=self.telemetry,
        )

        def compare(jobs: list[JobContext]) -> list[Seen | Exception]:
            """Look at several photos."""
            self.calls.append([job.job_id for job in jobs])
            return list(self.sees(jobs))

        def report(job: JobContext) -> Seen:
            """Say what was seen."""
            return Seen(together=job.output(self.compare).together)

        self.compare = step(registry=self.registry, group=SIZE, within="30s")(compare)
        self.report = step(registry=self.registry, finalizer=True)(report)
        for name in self.registry.names():
            self.services.queues.create(name)

    def send(self, *names: str, batch: str = "batch", **more: Any) -> None:
        """Send photos, and handle their messages in turn."""
        for name in names:
            url = self.services.blobs.put(
                "inputimages", f"{batch}/{name}", photo_bytes(), "image/png"
            )
            message = message_for(url, ["compare", "report"], job_id=name, batch_id=batch, **more)
            self.services.queues.send("compare", message.encode())
        self.play()

    def take(self, queue: str) -> list[QueueItem]:
        return self.services.queues.receive(queue, 1, self.lease)

    def handle(self, queue: str, item: QueueItem) -> str:
        """Handle a message as a host does; return how it went."""
        if item.dequeue_count > self.services.core_settings.max_dequeue_count:
            self.services.queues.delete(queue, item)
            bury(self.services, queue, item.id, item.body)
            return "buried"
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        step_of_queue = self.registry.get(queue)
        try:
            state = process_step(step_of_queue, delivery, self.services, self.registry).state
        except Killed:
            return "killed"  # its lease ends by itself
        except Exception as problem:
            if item.dequeue_count >= self.services.core_settings.max_dequeue_count:
                self.services.queues.delete(queue, item)
                bury(self.services, queue, item.id, item.body)
            return type(problem).__name__
        self.services.queues.delete(queue, item)
        return state

    def play(self) -> list[str]:
        """Handle what can be taken now; return how each message went."""
        went: list[str] = []
        while True:
            taken = [(name, item) for name in self.registry.names() for item in self.take(name)]
            if not taken:
                return went
            went += [self.handle(name, item) for name, item in taken]

    def wait(self, seconds: float) -> list[str]:
        """Let time go by, then handle what can be taken."""
        self.seconds += seconds
        return self.play()

    def row(self, name: str, batch: str = "batch") -> ProgressRow:
        row = read_row(self.services.log, (batch, name))
        assert row is not None
        return row

    def seen_by(self, name: str) -> list[str]:
        return Seen.model_validate_json(self.row(name).output_of("compare")).together

    def states(self, *names: str) -> list[str]:
        return [self.row(name).job_state for name in names]

    def is_empty(self) -> bool:
        """Tell whether nothing is left: no message, no entry."""
        messages = sum(self.services.queues.count(name) or 0 for name in self.registry.names())
        state = self.services.shared_state
        return not (messages or state.list(PREFIX) or state.list("sheet-"))


class TestGathering:
    def test_the_job_that_completes_the_count_has_all_worked_on_at_once(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c")
        assert hall.calls == [["a", "b", "c"]]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3
        assert [hall.seen_by(name) for name in "abc"] == [["a", "b", "c"]] * 3
        assert hall.row("a").not_before is None

    def test_a_straggler_waits_no_longer_than_it_may(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.wait(WITHIN - 1)
        assert hall.calls == []
        assert [hall.row(name).state_of("compare") for name in "ab"] == [StepState.GATHERING] * 2
        hall.wait(1)
        assert hall.calls == [["a", "b"]]
        assert hall.states("a", "b") == [JobState.SUCCEEDED] * 2

    def test_the_messages_that_held_the_jobs_find_nothing_to_do(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c")
        assert hall.wait(WITHIN) == ["dropped"] * 3
        assert len(hall.calls) == 1
        assert hall.is_empty()

    def test_a_call_gets_no_more_than_it_takes_and_the_oldest_first(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c", "d")
        assert hall.calls == [["a", "b", "c"]]
        hall.wait(WITHIN)
        assert hall.calls == [["a", "b", "c"], ["d"]]
        assert hall.is_empty()

    def test_photos_of_different_batches_share_no_call(self) -> None:
        hall = Hall()
        hall.send("a", "b", batch="one")
        hall.send("c", "d", batch="two")
        hall.wait(WITHIN)
        assert sorted(hall.calls) == [["a", "b"], ["c", "d"]]


class TestFailing:
    def test_a_photo_that_fails_costs_no_other(self) -> None:
        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            bad = PermanentError("too dark")
            return [bad if job.job_id == "b" else Seen(together=[job.job_id]) for job in jobs]

        hall = Hall(sees)
        hall.send("a", "b", "c")
        assert hall.states("a", "b", "c") == [
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.SUCCEEDED,
        ]
        assert hall.row("b").reason_of("compare") == "PermanentError: too dark"
        assert hall.calls == [["a", "b", "c"]]

    def test_what_may_succeed_later_is_tried_again_by_itself(self) -> None:
        busy = [RetryableError("later")]

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            return [busy.pop() if j.job_id == "b" and busy else Seen(together=["-"]) for j in jobs]

        hall = Hall(sees)
        hall.send("a", "b", "c")
        assert hall.row("b").state_of("compare") is StepState.RETRYING
        hall.wait(60)
        assert hall.calls == [["a", "b", "c"], ["b"]]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3

    def test_photos_that_found_a_service_busy_gather_again(self) -> None:
        busy = [Busy("no room", retry_after=1)]

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if busy:
                raise busy.pop()
            return sees_all(jobs)

        hall = Hall(sees)
        hall.send("a", "b", "c")
        hall.wait(60)
        assert [sorted(call) for call in hall.calls] == [["a", "b", "c"]] * 2
        assert hall.telemetry.times("imaginem.retries", step="compare", reason="busy") == 3

    def test_they_do_not_gather_for_ever(self) -> None:
        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            raise Busy("no room")

        hall = Hall(sees)
        hall.send("a", "b", "c")
        for _ in range(hall.services.core_settings.max_waits):
            hall.wait(600)
        hall.wait(600)
        assert hall.states("a", "b", "c") == [JobState.FAILED] * 3

    @pytest.mark.parametrize("problem", [PermanentError("torn"), ValueError("a defect")])
    def test_whose_fault_it_is_shows_when_each_is_tried_by_itself(self, problem: Exception) -> None:
        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if any(job.job_id == "b" for job in jobs):
                raise problem
            return sees_all(jobs)

        hall = Hall(sees)
        hall.send("a", "b", "c")
        for _ in range(10):
            hall.wait(61)
        assert hall.states("a", "c") == [JobState.SUCCEEDED] * 2
        assert [hall.seen_by(name) for name in "ac"] == [["a"], ["c"]]
        assert hall.states("b") == [JobState.FAILED]
        kept = [(entry.queue, entry.job_id) for entry in hall.services.poison.list()]
        assert kept == ([] if isinstance(problem, PermanentError) else [("compare", "b")])
        assert hall.is_empty()

    @pytest.mark.parametrize("answer", [[], [Seen(together=[])] * 2, ["no output"] * SIZE])
    def test_an_answer_that_is_not_one_for_each_is_a_defect_of_all(self, answer: list[Any]) -> None:
        hall = Hall(lambda jobs: answer)
        hall.send("a", "b", "c")
        reasons = {hall.row(name).reason_of("compare") for name in "abc"}
        assert reasons == {"TypeError (tried again by itself)"}

    @pytest.mark.parametrize("order", ["abc", "cab", "bca"])
    def test_an_output_that_is_no_json_fails_its_photo_alone(self, order: str) -> None:
        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            return [Seen(together=["\ud800" if job.job_id == "b" else "-"]) for job in jobs]

        hall = Hall(sees)
        hall.send(*order)
        assert hall.states("a", "c") == [JobState.SUCCEEDED] * 2
        hall.wait(61)
        assert hall.states("b") == [JobState.FAILED]
        assert "together.0 has an unpaired surrogate" in hall.row("b").reason_of("compare")
        assert hall.services.poison.list() == []
        assert hall.is_empty()

    def test_a_photo_that_ends_the_process_is_poisoned_as_itself(self) -> None:
        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if any(job.job_id == "b" for job in jobs):
                raise Killed
            return sees_all(jobs)

        hall = Hall(sees)
        hall.send("a", "b", "c")
        for _ in range(6):
            hall.wait(61)
        assert hall.states("a", "c") == [JobState.SUCCEEDED] * 2
        assert hall.calls.count(["b"]) == hall.services.core_settings.max_dequeue_count
        assert hall.calls[0] == ["a", "b", "c"]
        GatheringJobs(hall.services.shared_state).forget(datetime.min.replace(tzinfo=UTC))
        assert hall.is_empty()


class TestWhoDies:
    def test_the_job_of_a_dead_worker_is_worked_on_when_its_own_message_has_looked_twice(
        self,
    ) -> None:
        deaths = [Killed()]

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if deaths:
                raise deaths.pop()
            return sees_all(jobs)

        hall = Hall(sees)
        hall.send("a", "b", "c")  # the worker dies over all three
        assert hall.wait(WITHIN) == ["gathering"] * 3
        assert hall.calls == [["a", "b", "c"]]
        hall.send("d")
        hall.wait(LOOK_AGAIN_SECONDS)
        assert sorted(hall.calls[1:]) == [["a"], ["b"], ["c"]]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3

    def test_nobody_works_on_a_job_as_long_as_whoever_does_gives_signs_of_life(self) -> None:
        hall = Hall(lease=600)

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if len(hall.calls) == 1:
                for _ in range(4):  # the call takes a minute
                    hall.services.alarms.ring()
                    assert set(hall.wait(LOOK_AGAIN_SECONDS)) <= {"gathering"}
            return sees_all(jobs)

        hall.sees = sees
        hall.send("a", "b", "c")
        hall.wait(LOOK_AGAIN_SECONDS)
        assert hall.calls == [["a", "b", "c"]]
        assert hall.states("a", "b", "c") == [JobState.SUCCEEDED] * 3
        assert hall.is_empty()

    def test_a_call_that_was_taken_for_dead_records_nothing_that_is_recorded(self) -> None:
        hall = Hall()

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if len(jobs) > 1:  # it stands still, without a sign of life
                hall.wait(WITHIN)
                hall.wait(LOOK_AGAIN_SECONDS)
            return sees_all(jobs)

        hall.sees = sees
        hall.send("a", "b", "c")
        hall.wait(LOOK_AGAIN_SECONDS)
        assert [hall.seen_by(name) for name in "abc"] == [["a"], ["b"], ["c"]]
        assert hall.is_empty()

    def test_a_message_that_comes_twice_changes_nothing(self) -> None:
        hall = Hall()
        hall.send("a", "b", "c")
        hall.seconds += WITHIN
        items = [hall.take("compare")[0] for _ in "abc"]
        assert [hall.handle("compare", item) for item in items] == ["dropped"] * 3
        for item in items:
            hall.services.queues.send("compare", item.body)
        assert hall.play() == ["dropped"] * 3
        assert len(hall.calls) == 1

    def test_a_job_whose_entry_is_lost_goes_on_by_its_own_message(self) -> None:
        hall = Hall()
        hall.send("a")
        for name in hall.services.shared_state.list(PREFIX):
            hall.services.shared_state.remove(name)
        hall.wait(WITHIN)
        assert hall.states("a") == [JobState.SUCCEEDED]

    @pytest.mark.parametrize("is_lost", ["before the defect", "after it"])
    @pytest.mark.parametrize("pauses", [False, True])
    def test_a_defect_does_not_lose_a_job_whose_entry_is_lost(
        self, is_lost: str, pauses: bool
    ) -> None:
        defects = [ValueError("once")]

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            if defects:
                raise defects.pop()
            return sees_all(jobs)

        def lose() -> None:
            for name in hall.services.shared_state.list(PREFIX):
                hall.services.shared_state.remove(name)

        hall = Hall(sees)
        hall.services.batches.open_batch("batch")
        hall.send("a")
        if is_lost == "before the defect":
            lose()
        assert hall.wait(WITHIN) == ["ValueError"]
        lose()
        if pauses:
            pause_batch(hall.services, "batch")
            assert hall.wait(61) == ["paused"]
            resume_batch(hall.services, "batch")
        hall.wait(61)
        assert hall.states("a") == [JobState.SUCCEEDED]
        assert hall.is_empty()

    def test_a_made_up_wait_loses_no_job(self) -> None:
        hall = Hall()
        hall.send("a")
        forged = _held(hall).noting(gathering="0" * 32)
        hall.services.queues.send("compare", forged.encode())
        hall.wait(WITHIN)
        assert hall.states("a") == [JobState.SUCCEEDED]
        assert hall.is_empty()


class TestEnding:
    def test_jobs_of_a_cancelled_batch_are_seen_by_no_call(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.services.cancellations.cancel("batch")
        hall.wait(WITHIN)
        assert hall.calls == []
        assert hall.states("a", "b") == [JobState.CANCELLED] * 2
        assert hall.is_empty()

    def test_an_erased_job_is_seen_by_no_call_and_nothing_tells_of_it(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        forget_job(hall.services, ("batch", "a"))
        assert not any(
            '"a"' in text for text, _ in hall.services.shared_state.list(PREFIX).values()
        )
        hall.wait(WITHIN)
        assert hall.calls == [["b"]]
        assert read_row(hall.services.log, ("batch", "a")) is None
        assert hall.is_empty()

    def test_a_job_that_is_erased_during_the_call_is_not_recorded(self) -> None:
        hall = Hall()

        def sees(jobs: list[JobContext]) -> list[Seen | Exception]:
            forget_job(hall.services, ("batch", "b"))
            return sees_all(jobs)

        hall.sees = sees
        hall.send("a", "b", "c")
        hall.wait(WITHIN)
        assert hall.states("a", "c") == [JobState.SUCCEEDED] * 2
        assert read_row(hall.services.log, ("batch", "b")) is None
        assert hall.is_empty()

    def test_a_job_whose_parameters_hold_a_secret_waits_for_nobody(self) -> None:
        hall = Hall()
        hall.send("a", parameters={"compare": {"token": "secret"}})
        assert hall.calls == [["a"]]
        assert "secret" not in str(hall.services.shared_state.list(""))

    def test_the_watchdog_takes_no_job_that_waits_for_lost(self) -> None:
        hall = Hall()
        hall.send("a")
        row = hall.row("a")
        assert row.current == "compare"
        assert row.not_before is not None
        assert _at_step(row).since == row.not_before

    def test_how_many_wait_together_is_told(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        hall.send("c", batch="other")
        assert company(hall.services.shared_state, "batch") == {
            ("compare", "a"): 2,
            ("compare", "b"): 2,
        }
        row, registry = hall.row("a"), lambda: hall.registry
        assert who_waits(hall.services, row, registry) == "gathering, 2 of 3"
        for entry in Gathering(hall.services.shared_state, "compare").free(_held(hall)):
            Gathering(hall.services.shared_state, "compare").claim(entry.job.token, "id", [entry])
        assert who_waits(hall.services, row, registry) == "at work, with others"

    def test_the_progress_of_a_batch_says_how_many_wait(self) -> None:
        hall = Hall()
        hall.send("a", "b")
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(render(summarise("batch", [hall.row("a"), hall.row("b")]), 2))
        assert "compare: 2 wait for others" in console.export_text()


class TestDeclaring:
    @pytest.mark.parametrize(
        ("size", "within", "told"),
        [
            (1, "30s", "group is 1"),
            (51, "30s", "2 to 50"),
            (9, "", "within is ''"),
            (9, "soon", "within is 'soon'"),
            (9, "0.5s", "1s to 1h"),
            (9, "2h", "1s to 1h"),
            (0, "30s", "group is 0"),
        ],
    )
    def test_a_group_that_can_not_work_is_refused(self, size: int, within: str, told: str) -> None:
        def compare(jobs: list[JobContext]) -> list[Seen]:
            return []

        with pytest.raises(RegistrationError, match=told):
            step(registry=Registry(), group=size, within=within)(compare)

    def test_a_group_step_says_what_it_returns_for_each_job(self) -> None:
        def no_list(jobs: list[JobContext]) -> Seen:
            raise NotImplementedError

        def no_output(jobs: list[JobContext]) -> list[Seen | str]:
            raise NotImplementedError

        def no_group(jobs: list[JobContext]) -> list[Seen]:
            raise NotImplementedError

        for function in (no_list, no_output):
            with pytest.raises(RegistrationError, match="list\\[YourOutput\\]"):
                step(registry=Registry(), group=2, within="30s")(function)  # type: ignore[type-var]
        with pytest.raises(RegistrationError, match="returns a list: say"):
            step(registry=Registry())(no_group)

    def test_a_group_step_sees_one_job_or_several_and_shares_no_delivery(self) -> None:
        hall = Hall()
        jobs = [job_for(), job_for()]
        assert hall.compare.together(jobs) == [Seen(together=["job-1", "job-1"])] * 2
        assert hall.compare(jobs[0]) == Seen(together=["job-1"])
        assert (hall.compare.group, hall.compare.within, hall.compare.alone) == (3, 30.0, True)


def _held(hall: Hall) -> JobMessage:
    """Return the message that holds a job which waits."""
    stored = next(iter(hall.services.queues._queues["compare"].values()))
    return decode_message(stored.item.body, ())
