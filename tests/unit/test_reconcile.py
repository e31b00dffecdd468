"""After storage forgot, each service to a moment of its own, whatever was accepted still ends."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem import JobContext
from imaginem.errors import NotFound, RetryableError, StorageUnavailable
from imaginem.pipeline.offload import expand
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import JobState
from imaginem.ports import JobKey, Pause
from imaginem.testing import MemoryBlobs, photo_bytes
from imaginem.usecases.batches import cancel_batch, reopen_batch
from imaginem.usecases.budgets import set_budget
from imaginem.usecases.drops import receive_drop
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.landing import sweep
from imaginem.usecases.pausing import Resumed, resume_batch
from imaginem.usecases.poison import replay_job
from imaginem.usecases.reconcile import Reconciled, reconcile
from imaginem.usecases.submit import run_again, submit_photo
from tests.forgetful import SERVICES, Forgetful, Saved
from tests.workbench import Bench, Found

KEY = ("spring", "job-1")
PHOTO = photo_bytes(color="red")
OTHER = photo_bytes(color="blue")
LARGE = "x" * 40_000
STEPS = 3


def look(job: JobContext) -> Found:
    return Found(what=job.image.sha256)


def submit(bench: Bench, key: JobKey = KEY, photo: bytes = PHOTO) -> str:
    return submit_photo(bench.services, key, "photo.png", photo, bench.names)


def row_of(bench: Bench, key: JobKey = KEY) -> ProgressRow:
    row = read_row(bench.services.log, key)
    assert row is not None
    return row


def photo_of(bench: Bench, key: JobKey = KEY) -> bytes:
    place = bench.services.blobs.locate(row_of(bench, key).image_url)
    assert place is not None
    return bench.services.blobs.get(*place, 2**20)


def one_step(bench: Bench) -> None:
    """Run one step execution."""
    for step in bench.registry:
        bench.services.queues.create(step.name)
        for item in bench.services.queues.receive(step.name, 1, 30):
            delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
            process_step(step, delivery, bench.services, bench.registry)
            bench.services.queues.delete(step.name, item)
            return
    raise AssertionError("no message waits")


def waiting(bench: Bench) -> int:
    return sum(bench.services.queues.count(name) or 0 for name in bench.names)


def final_outputs(bench: Bench, key: JobKey = KEY) -> dict[str, Any]:
    final = expand(json.loads(row_of(bench, key).job_output), key, bench.services.blobs)
    return {
        name: expand(output, key, bench.services.blobs)
        for name, output in final["job_output"].items()
    }


def check_ended(bench: Bench, run: str, key: JobKey = KEY) -> None:
    """Check that a job has ended once, with photo and outputs, and that nothing is left of it."""
    row = row_of(bench, key)
    assert row.job_state is JobState.SUCCEEDED
    assert run in row.runs
    assert photo_of(bench, key) == PHOTO
    assert set(final_outputs(bench, key)) == {"first", "second", "report"}
    assert bench.poisoned == []
    assert waiting(bench) == 0


@pytest.fixture
def forgetful(bench: Bench) -> Forgetful:
    return Forgetful(bench.services)


@pytest.fixture
def nothing(forgetful: Forgetful) -> dict[str, Saved]:
    """Every service as it was before anything was sent."""
    return dict.fromkeys(SERVICES, forgetful.save())


def falls(steps: int) -> Iterator[dict[str, int]]:
    """Yield every way in which three services fall back after so many step executions."""
    for each in itertools.product(range(-1, steps + 1), repeat=len(SERVICES)):
        yield dict(zip(SERVICES, each, strict=True))


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_whatever_each_service_forgot_the_job_ends_once_with_its_photo(
    steps: int, large: bool
) -> None:
    for fallen in falls(steps):
        bench = Bench()
        bench.first_does = lambda job: Found(what=LARGE) if large else look(job)
        bench.second_does = look
        forgetful = Forgetful(bench.services)
        states = {-1: forgetful.save()}
        run = submit(bench)
        states[0] = forgetful.save()
        for number in range(1, steps + 1):
            one_step(bench)
            states[number] = forgetful.save()

        forgetful.fall_back(**{kind: states[moment] for kind, moment in fallen.items()})
        told = reconcile(bench.services)
        bench.run()
        try:
            assert (told.landed, told.failed) == (1, 0)
            check_ended(bench, run)
        except (AssertionError, NotFound) as problem:
            raise AssertionError(f"after {steps} steps, fallen back to {fallen}") from problem


class TestJobs:
    def test_one_that_has_ended_and_lost_nothing_is_left_alone(self, bench: Bench) -> None:
        submit(bench)
        bench.run()
        before = row_of(bench).as_json()
        assert reconcile(bench.services) == Reconciled(landed=1, ended=1)
        assert row_of(bench).as_json() == before
        assert waiting(bench) == 0

    def test_one_whose_first_message_is_there_as_well_runs_once(self, bench: Bench) -> None:
        looked: list[str] = []

        def look_once(job: JobContext) -> Found:
            looked.append("x")
            return look(job)

        bench.first_does = look_once
        run = submit(bench)
        assert reconcile(bench.services).begun_again == 1
        assert waiting(bench) == 2
        bench.run()
        check_ended(bench, run)
        assert looked == ["x"]
        assert row_of(bench).previous_runs == []

    def test_a_copy_beside_the_message_does_not_run_the_step_once_more(self, bench: Bench) -> None:
        looked: list[str] = []

        def look_once(job: JobContext) -> Found:
            looked.append("x")
            return look(job)

        bench.second_does = look_once
        run = submit(bench)
        one_step(bench)
        assert reconcile(bench.services).resumed == 1
        assert bench.services.queues.count("second") == 2
        bench.run()
        check_ended(bench, run)
        assert looked == ["x"]

    def test_reconciling_again_and_again_changes_nothing(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        run = submit(bench)
        one_step(bench)
        forgetful.fall_back(**nothing)
        for _ in range(3):
            reconcile(bench.services)
        bench.run()
        check_ended(bench, run)
        assert row_of(bench).previous_runs == []
        assert bench.services.submissions.submissions("spring")[KEY[1]].run == run

    def test_the_copy_that_ended_has_the_run_that_was_answered(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        run = submit(bench)
        bench.run()
        forgetful.fall_back(**nothing)
        assert reconcile(bench.services) == Reconciled(landed=1, begun_again=1, photos=1)
        bench.run()
        check_ended(bench, run)
        assert row_of(bench).run == run

    def test_one_that_waits_for_a_retry_waits_on(self, bench: Bench) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=900)
        submit(bench)
        one_step(bench)
        row = row_of(bench)
        delayed = {"second": "step 1: retrying", "not_before": moment.isoformat()}
        bench.services.log.merge(KEY, delayed, row.fence)
        bench.services.queues.clear("second")
        assert reconcile(bench.services).resumed == 1
        assert bench.services.queues.count("second") == 1
        assert bench.services.queues.receive("second", 32, 1) == []

    def test_a_run_that_came_by_a_message_of_somebody_else_is_left_alone(
        self, bench: Bench
    ) -> None:
        submit(bench)
        bench.run()
        bench.drop(job_id="job-1", batch_id="spring")
        one_step(bench)
        assert reconcile(bench.services) == Reconciled(landed=1, ended=1)
        bench.run()
        assert row_of(bench).job_state is JobState.SUCCEEDED
        assert waiting(bench) == 0

    def test_a_job_run_again_survives_as_well(self, bench: Bench, forgetful: Forgetful) -> None:
        submit(bench)
        bench.run()
        ended = forgetful.save()
        bench.second_does = lambda job: Found(what="better")
        run = run_again(bench.services, KEY)
        forgetful.fall_back(blobs=ended, queues=ended, tables=ended)
        assert reconcile(bench.services).begun_again == 1
        bench.run()
        check_ended(bench, run)
        assert row_of(bench).run == run
        assert final_outputs(bench)["second"] == {"what": "better"}

    def test_a_replayed_job_survives_as_well(self, bench: Bench, forgetful: Forgetful) -> None:
        def refuse(job: JobContext) -> Found:
            raise RetryableError("away")

        submit(bench)
        bench.second_does = refuse
        bench.run()
        poisoned = forgetful.save()
        (entry,) = bench.poisoned
        bench.second_does = look
        run = replay_job(bench.services, entry.queue, entry.id)
        forgetful.fall_back(blobs=poisoned, queues=poisoned, tables=poisoned)
        assert reconcile(bench.services).begun_again == 1
        bench.run()
        assert row_of(bench).run == run
        assert row_of(bench).job_state is JobState.SUCCEEDED
        assert waiting(bench) == 0

    def test_the_photo_that_came_last_is_the_one_that_is_put_back(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        submit(bench, photo=OTHER)
        run = submit(bench)
        forgetful.fall_back(**nothing)
        reconcile(bench.services)
        bench.run()
        check_ended(bench, run)

    def test_the_query_of_an_address_is_there_again_to_fetch_with(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        asked: list[str] = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            return PHOTO

        bench.services.fetch = fetch
        bench.first_does = look
        address = "https://photos.test/a.png?sig=secret"
        run = submit_photo(bench.services, KEY, "a.png", address, bench.names)
        one_step(bench)
        forgetful.fall_back(blobs=nothing["blobs"], queues=nothing["queues"])
        reconcile(bench.services)
        bench.run()
        assert asked == [address, address]
        assert row_of(bench).job_state is JobState.SUCCEEDED
        assert run in row_of(bench).runs

    def test_a_blob_whose_bytes_the_emulator_lost_is_put_back(self, bench: Bench) -> None:
        class Holed(MemoryBlobs):
            """Knows a blob, but not where its bytes are."""

            lost = False

            def get(self, container: str, name: str, limit: int, *, etag: str = "") -> bytes:
                if self.lost:
                    raise StorageUnavailable("internal error")
                return super().get(container, name, limit, etag=etag)

            def put(self, *given: Any, **named: Any) -> str:
                self.lost = False
                return super().put(*given, **named)

        bench.services.blobs = Holed()
        run = submit(bench)
        bench.services.blobs.lost = True
        assert reconcile(bench.services).photos == 1
        bench.run()
        check_ended(bench, run)

    def test_an_entry_that_is_no_message_is_told_and_stops_no_other(self, bench: Bench) -> None:
        run = submit(bench)
        (landed,) = bench.services.landing.jobs()
        broken = bench.services.landing.land(type(landed)(("spring", "job-0"), "first", "no"))
        bench.services.queues.clear("first")
        told = reconcile(bench.services)
        assert (told.failed, told.begun_again) == (1, 1)
        bench.run()
        check_ended(bench, run)
        assert broken in bench.services.landing.jobs()

    def test_after_a_good_end_of_storage_nothing_is_sent_again(self, bench: Bench) -> None:
        submit(bench)
        bench.services.landing.storage_stopped()
        assert reconcile(bench.services) == Reconciled()
        assert waiting(bench) == 1
        # From now on it runs, and may be killed.
        bench.services.queues.clear("first")
        assert reconcile(bench.services).begun_again == 1

    def test_what_was_sent_after_a_good_end_is_not_covered_by_it(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        bench.services.landing.storage_stopped()
        submit(bench)
        forgetful.fall_back(**nothing)
        assert reconcile(bench.services).begun_again == 1


class TestDrops:
    def test_a_dropped_photo_whose_blob_is_gone_is_put_back_and_is_one_job(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        bench.first_does = look
        bench.services.blobs.put("inputimages", "spring/a.png", PHOTO, "image/png")
        drop = receive_drop(bench.services, "spring/a.png")
        assert drop is not None
        key = (drop.batch_id, drop.job_id)
        forgetful.fall_back(**nothing)
        assert reconcile(bench.services).photos == 1
        assert receive_drop(bench.services, "spring/a.png") is None  # the listener sees a new blob
        bench.run()
        check_ended(bench, drop.run, key)
        assert row_of(bench, key).run == drop.run
        forget_job(bench.services, key)
        assert bench.services.blobs.list("inputimages", "spring/") == []

    def test_a_photo_that_its_owner_has_replaced_is_not_overwritten(self, bench: Bench) -> None:
        bench.services.blobs.put("inputimages", "spring/a.png", PHOTO, "image/png")
        assert receive_drop(bench.services, "spring/a.png") is not None
        bench.services.blobs.put("inputimages", "spring/a.png", OTHER, "image/png")
        assert reconcile(bench.services).photos == 0
        assert bench.services.blobs.get("inputimages", "spring/a.png", 2**20) == OTHER


class TestDecisions:
    def test_a_cancelled_batch_does_not_go_on(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        submit(bench)
        cancel_batch(bench.services, "spring")
        forgetful.fall_back(**nothing)
        assert reconcile(bench.services).decisions == 1
        bench.run()
        assert row_of(bench).job_state is JobState.CANCELLED

    def test_one_that_was_reopened_since_goes_on(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        cancel_batch_of(bench)
        cancelled = forgetful.save()
        reopen_batch(bench.services, "spring")
        run = submit(bench)
        forgetful.fall_back(tables=cancelled, queues=nothing["queues"])
        reconcile(bench.services)
        bench.run()
        check_ended(bench, run)

    def test_a_budget_is_not_forgotten(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved]
    ) -> None:
        set_budget(bench.services, "spring", 5.0)
        set_budget(bench.services, "summer", 6.0)
        set_budget(bench.services, "summer", None)
        forgetful.fall_back(**nothing)
        reconcile(bench.services)
        assert bench.services.budgets.of("spring", anew=True) == 5.0
        assert bench.services.budgets.of("summer", anew=True) is None

    @pytest.mark.parametrize("way", ["raised", "resumed"])
    def test_a_batch_that_its_budget_had_paused_goes_on_as_somebody_has_said(
        self, bench: Bench, forgetful: Forgetful, way: str
    ) -> None:
        submit(bench)
        set_budget(bench.services, "spring", 5.0)
        pause = Pause(datetime.now(UTC), because="its budget of $5.00 is used up")
        bench.services.pauses.pause("spring", pause)
        before = forgetful.save()
        if way == "raised":
            assert set_budget(bench.services, "spring", 9.0)
        else:
            assert resume_batch(bench.services, "spring") == Resumed(5.0)
        forgetful.fall_back(blobs=before, queues=before, tables=before)
        reconcile(bench.services)
        assert bench.services.pauses.pause_of("spring") is None
        assert bench.services.budgets.of("spring", anew=True) == (9.0 if way == "raised" else None)

    @pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
    def test_what_was_erased_does_not_come_back(
        self, bench: Bench, forgetful: Forgetful, whole: bool
    ) -> None:
        submit(bench)
        bench.run()
        ended = forgetful.save()
        erase(bench, whole)
        forgetful.fall_back(blobs=ended, queues=ended, tables=ended)
        assert reconcile(bench.services).decisions == 1
        assert read_row(bench.services.log, KEY) is None
        assert bench.services.blobs.list("inputimages", "spring/") == []

    @pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
    def test_what_is_erased_while_it_is_sent_again_is_dropped(
        self, bench: Bench, forgetful: Forgetful, nothing: dict[str, Saved], whole: bool
    ) -> None:
        services = bench.services
        services.landing.sent = lambda job, run: None  # type: ignore[method-assign]  # it died
        submit(bench)
        forgetful.fall_back(**nothing)
        note = services.open_batches.note

        def stands_still(batch_id: str, *, surely: bool = False) -> None:
            services.open_batches.note = note
            note(batch_id, surely=surely)
            erase(bench, whole)

        services.open_batches.note = stands_still
        assert reconcile(services).begun_again == 1
        bench.run()
        assert read_row(services.log, KEY) is None
        assert services.blobs.list("inputimages", "spring/") == []

    @pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
    def test_what_was_sent_after_an_erasure_is_not_erased(
        self, bench: Bench, forgetful: Forgetful, whole: bool
    ) -> None:
        submit(bench)
        bench.run()
        ended = forgetful.save()
        erase(bench, whole)
        run = submit(bench)
        forgetful.fall_back(blobs=ended, queues=ended, tables=ended)
        reconcile(bench.services)
        bench.run()
        check_ended(bench, run)


def erase(bench: Bench, whole: bool) -> None:
    """Erase the job, or its whole batch."""
    if whole:
        forget_batch(bench.services, "spring")
    else:
        forget_job(bench.services, KEY)


def cancel_batch_of(bench: Bench) -> None:
    bench.services.batches.open_batch("spring")
    cancel_batch(bench.services, "spring")


class TestSweeping:
    def sweep(self, bench: Bench, saved: timedelta | None) -> int:
        """Sweep when storage has saved what came before now and a difference."""
        bench.services.landing.saved = None if saved is None else datetime.now(UTC) + saved
        return sweep(bench.services)

    def test_a_job_goes_once_it_has_ended_and_that_is_saved(self, bench: Bench) -> None:
        submit(bench)
        later = timedelta(seconds=1)
        assert self.sweep(bench, later) == 0  # it has not ended
        bench.run()
        assert self.sweep(bench, None) == 0
        assert self.sweep(bench, -later) == 0
        assert len(bench.services.landing.jobs()) == 1
        assert self.sweep(bench, later) == 1
        assert bench.services.landing.jobs() == []

    def test_a_job_stays_whose_end_came_after_what_is_saved(self, bench: Bench) -> None:
        submit(bench)
        bench.services.landing.saved = datetime.now(UTC)
        bench.run()
        assert sweep(bench.services) == 0
        assert len(bench.services.landing.jobs()) == 1

    def test_a_run_that_has_not_ended_keeps_the_photo_of_the_one_before(self, bench: Bench) -> None:
        submit(bench)
        bench.run()
        run_again(bench.services, KEY)
        assert self.sweep(bench, timedelta(seconds=1)) == 0
        bench.run()
        assert self.sweep(bench, timedelta(seconds=1)) == 2

    def test_a_job_for_a_queue_of_somebody_else_goes_when_it_was_taken(self, bench: Bench) -> None:
        submit_photo(bench.services, KEY, "photo.png", PHOTO, ["elsewhere"])
        assert self.sweep(bench, timedelta(seconds=1)) == 0
        bench.services.queues.clear("elsewhere")
        assert self.sweep(bench, timedelta(seconds=1)) == 0  # or it was lost, and the watchdog acts
        assert self.sweep(bench, timedelta(days=8)) == 1

    def test_a_decision_goes_once_what_follows_from_it_is_saved(self, bench: Bench) -> None:
        cancel_batch_of(bench)
        assert self.sweep(bench, -timedelta(seconds=1)) == 0
        assert self.sweep(bench, timedelta(seconds=1)) == 1
        assert bench.services.landing.decisions() == []

    def test_storage_is_asked_only_where_something_has_landed(self, bench: Bench) -> None:
        assert self.sweep(bench, None) == 0
        assert bench.services.landing.asked == 0
        submit(bench)
        self.sweep(bench, None)
        assert bench.services.landing.asked == 1
