"""Running jobs again from one of their steps, also with other engines."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from imaginem import JobContext, JobResult, PermanentError
from imaginem.errors import ConfigurationError, NotFound, StorageUnavailable
from imaginem.outputs import FaceMatch, OcrText
from imaginem.pipeline.offload import is_linked
from imaginem.pipeline.resuming import message_from_row
from imaginem.ports import CallContext
from imaginem.testing import Failing as FailingEngine
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.pace import Pace
from imaginem.usecases.rerun import (
    Rerun,
    StillAtWork,
    comparison_of,
    jobs_to_rerun,
    prepare_rerun,
    rerun_batch,
    rerun_job,
)
from tests.dashboard import enrol
from tests.workbench import KEY, Bench, Found


class Reader:
    """Reads one word, whatever is in the photo."""

    def __init__(self, word: str) -> None:
        self.name = self.word = word

    def read(self, photo: object, call: CallContext) -> OcrText:
        return OcrText(full_text=self.word)


def saving(job: JobContext) -> Found:
    """Write a job's result as `pipelineoutput` does."""
    job.results.save(
        JobResult(*job.key, job.pipeline, job.image_url, None, job.outputs, job.photo_url)
    )
    return Found(what="saved")


class Matched(Found):
    """An output with faces that look alike."""

    matches: list[FaceMatch]


class Counting:
    """A step that says how often it ran, and reads with the job's engine."""

    def __init__(self) -> None:
        self.ran = 0

    def __call__(self, job: JobContext) -> Found:
        self.ran += 1
        return Found(what=f"{self.ran} {job.ocr.read(job.image, job.call).full_text}")


@pytest.fixture
def first() -> Counting:
    return Counting()


@pytest.fixture
def second() -> Counting:
    return Counting()


@pytest.fixture
def bench(first: Counting, second: Counting) -> Bench:
    """A bench whose job has ended with a result."""
    bench = Bench()
    bench.services.ocr = Reader("local")
    bench.services.engines["ocr=azure"] = Reader("azure")
    bench.first_does, bench.second_does, bench.report_does = first, second, saving
    bench.drop()
    bench.run()
    return bench


def again(bench: Bench, step: str = "second", **engines: str) -> None:
    """Run the job again until it ends."""
    rerun_job(bench.services, KEY, prepare_rerun(bench.services, KEY[0], step, engines))
    bench.run()


def found(bench: Bench) -> dict[str, Any]:
    result = bench.services.results.read(KEY)
    assert result is not None
    return {name: output["what"] for name, output in result.job_output.items() if name != "report"}


class TestFromAStep:
    def test_what_was_found_before_the_step_is_kept(
        self, bench: Bench, first: Counting, second: Counting
    ) -> None:
        before = bench.row.run
        again(bench)
        assert (first.ran, second.ran) == (1, 2)
        assert found(bench) == {"first": "1 local", "second": "2 local"}
        assert bench.states("first", "second", "report") == ["success"] * 3
        assert bench.row.previous_runs == [before]

    def test_a_large_output_from_before_is_carried_as_a_link(self, bench: Bench) -> None:
        bench.first_does = lambda job: Found(what="word " * 20_000)
        again(bench, "first")
        bench.second_does = lambda job: Found(what=job.output(bench.first).what[:4])
        rerun_job(bench.services, KEY, Rerun("second"))
        (item,) = bench.services.queues.receive("second", 1, 0)
        assert is_linked(json.loads(item.body)["job_output"]["first"])
        bench.run()
        assert found(bench)["second"] == "word"

    def test_what_failed_before_the_step_stays_failed(self, bench: Bench) -> None:
        def refuse(job: JobContext) -> Found:
            raise PermanentError("no")

        bench.first_does = refuse
        again(bench, "first")
        again(bench, "second")
        assert bench.states("first", "second", "report") == ["failed", "skipped", "success"]

    def test_a_step_that_fails_this_time_has_no_output_of_before(self, bench: Bench) -> None:
        def refuse(job: JobContext) -> Found:
            raise PermanentError("no")

        again(bench, "report")  # its message carries what every other step found
        bench.second_does = refuse
        again(bench, "second")
        assert bench.states("first", "second", "report") == ["success", "failed", "success"]
        assert found(bench) == {"first": "1 local"}

    def test_the_senders_own_fields_are_kept(self, bench: Bench) -> None:
        value = json.loads(bench.message())
        value["job_definition"]["own"] = {"a": 1}
        bench.services.queues.send("first", json.dumps(value))
        bench.run()
        again(bench)
        final = json.loads(bench.row.job_output)
        assert final["job_definition"]["own"] == {"a": 1}

    def test_a_job_at_work_is_refused(self, bench: Bench) -> None:
        bench.transition(bench.first, bench.message(), "newer")
        with pytest.raises(StillAtWork, match="job job-1 is still at work"):
            rerun_job(bench.services, KEY, Rerun("second"))

    def test_a_rerun_that_waits_is_not_started_twice(self, bench: Bench) -> None:
        rerun_job(bench.services, KEY, Rerun("second"))
        with pytest.raises(StillAtWork):
            rerun_job(bench.services, KEY, Rerun("second"))

    def test_what_is_not_there_is_told(self, bench: Bench) -> None:
        with pytest.raises(NotFound, match="there is no job x in batch batch-1"):
            rerun_job(bench.services, ("batch-1", "x"), Rerun("second"))
        with pytest.raises(PermanentError, match=r"no step 'third': its steps are first, second"):
            rerun_job(bench.services, KEY, Rerun("third"))

    def test_a_job_that_never_came_to_the_step_is_run_from_where_it_was(self, bench: Bench) -> None:
        bench.services.cancellations.cancel(KEY[0])
        bench.transition(bench.first, bench.message(), "newer")
        with pytest.raises(PermanentError, match="was cancelled"):
            prepare_rerun(bench.services, KEY[0], "first", {})
        bench.services.cancellations.reopen(KEY[0])
        with pytest.raises(PermanentError, match="never came to report: run it again from second"):
            rerun_job(bench.services, KEY, Rerun("report"))


class TestOtherEngines:
    def test_they_are_used_for_that_run_alone(self, bench: Bench) -> None:
        again(bench, ocr="azure")
        assert found(bench) == {"first": "1 local", "second": "2 azure"}
        again(bench)
        assert found(bench)["second"] == "3 local"

    def test_they_stay_when_a_step_is_tried_again_or_replayed(
        self, bench: Bench, second: Counting
    ) -> None:
        from imaginem import RetryableError
        from imaginem.usecases.poison import replay_job

        failures = [0] * 6

        def down(job: JobContext) -> Found:
            if failures:
                failures.pop()
                raise RetryableError("down")
            return second(job)

        bench.second_does = down
        again(bench, ocr="azure")
        (kept,) = bench.poisoned
        failures.clear()
        replay_job(bench.services, kept.queue, kept.id)
        bench.run()
        assert found(bench)["second"] == "2 azure"

    def test_they_stay_when_the_message_is_made_again_from_its_row(self, bench: Bench) -> None:
        rerun = prepare_rerun(bench.services, KEY[0], "second", {"ocr": "azure"})
        rerun_job(bench.services, KEY, rerun)
        (body,) = bench.waiting("second")
        bench.transition(bench.second, body, "m1")
        bench.services.queues.clear("second")
        lost = message_from_row(bench.row, bench.services, "second")
        assert lost.job_definition.bookkeeping.engines == rerun.token

    @pytest.mark.parametrize("token", ["", "f" * 32, "another batch's"])
    def test_a_sender_chooses_no_engine(self, bench: Bench, token: str) -> None:
        engines = {"ocr": "azure"}
        if token == "another batch's":
            token = prepare_rerun(bench.services, "batch-2", "first", engines).token
        value = json.loads(bench.message())
        value["job_definition"]["_imaginem"] = {"engines": token}
        bench.services.queues.send("first", json.dumps(value))
        bench.run()
        assert found(bench)["first"] == "2 local"

    def test_the_usual_run_reads_nothing_more(self, bench: Bench) -> None:
        def fail(name: str) -> None:
            if name != "tombstone-key":
                raise StorageUnavailable("the shared state was read")

        bench.services.shared_state.read = fail  # type: ignore[method-assign]
        bench.drop()
        bench.run()
        assert found(bench)["first"] == "2 local"

    def test_what_can_not_be_chosen_is_told(self, bench: Bench) -> None:
        def prepare(**engines: str) -> Callable[[], Rerun]:
            return lambda: prepare_rerun(bench.services, KEY[0], "second", engines)

        with pytest.raises(PermanentError, match="no kind of engine 'sound': choose one of vision"):
            prepare(sound="azure")()
        with pytest.raises(ConfigurationError, match="there is no engine 'odd'"):
            prepare(ocr="odd")()
        other = FailingEngine(PermanentError("no"))
        bench.services.engines["recognizer=azure"] = other
        with pytest.raises(PermanentError, match="can't be compared with those of"):
            prepare(prints="azure")()


class TestKeptOutputs:
    def test_the_last_three_are_kept_the_latest_first(self, bench: Bench) -> None:
        for _ in range(5):
            again(bench)
        kept = bench.services.earlier_outputs.of_job(KEY)
        assert [each.job_output["second"]["what"] for each in kept] == [
            "5 local",
            "4 local",
            "3 local",
        ]

    def test_a_rerun_that_died_before_it_was_sent_keeps_an_output_once(self, bench: Bench) -> None:
        send = bench.services.queues.send

        def away(*_: object, **__: object) -> str:
            raise StorageUnavailable("killed")

        bench.services.queues.send = away  # type: ignore[method-assign]
        with pytest.raises(StorageUnavailable):
            rerun_job(bench.services, KEY, Rerun("second"))
        bench.services.queues.send = send  # type: ignore[method-assign]
        again(bench)
        assert len(bench.services.earlier_outputs.of_job(KEY)) == 1

    def test_both_outputs_are_compared(self, bench: Bench) -> None:
        assert comparison_of(bench.services, KEY, EVERYTHING) is None
        again(bench, ocr="azure")
        compared = comparison_of(bench.services, KEY, EVERYTHING)
        assert compared is not None
        assert (compared.from_step, compared.engines) == ("second", {"ocr": "azure"})
        assert compared.before < compared.after
        (change,) = compared.changes["second"]
        assert (change.name, change.before, change.after) == ("what", "1 local", "2 azure")

    def test_there_is_nothing_to_compare_before_the_rerun_has_ended(self, bench: Bench) -> None:
        rerun_job(bench.services, KEY, Rerun("second"))
        assert comparison_of(bench.services, KEY, EVERYTHING) is None

    def test_matches_of_other_groups_and_of_erased_faces_are_not_told(self, bench: Bench) -> None:
        services = bench.services
        services.batches.open_batch("theirs", "their-group")
        (secret,) = enrol(services, ("theirs", "secret-job"), 1)
        (known,) = enrol(services, ("ours", "known-job"), 1)
        erased = uuid.uuid4()

        def matching(job: JobContext) -> Found:
            ids = (secret, known, erased)
            pairs = [
                FaceMatch(face_id=uuid.uuid4(), matched_face_id=i, confidence=0.9, band="match")
                for i in ids
            ]
            return Matched(what="x", matches=pairs)

        bench.second_does = matching
        again(bench)
        mine = Caller("Ann", "viewer", frozenset({"my-group"}))
        for caller, told in ((mine, ["ours/known-job"]), (EVERYTHING, 2)):
            compared = comparison_of(services, KEY, caller)
            assert compared is not None
            names = [each.name for each in compared.changes["second"] if each.what == "match"]
            assert (len(names) if told == 2 else names) == told


class TestBatches:
    def test_jobs_at_work_are_counted_and_left(self, bench: Bench) -> None:
        for number in range(2, 5):
            bench.drop(job_id=f"job-{number}")
        bench.run()
        bench.transition(bench.first, bench.message(job_id="job-4"), "newer")
        bench.drop("first", job_id="job-5")
        bench.run()
        names, busy = jobs_to_rerun(bench.services, KEY[0], "first")
        assert (names, busy) == (["job-1", "job-2", "job-3", "job-5"], 1)

        slept, told = list[float](), list[int]()
        pace = Pace(1, clock=lambda: 0.0, sleep=slept.append)
        done = rerun_batch(
            bench.services,
            KEY[0],
            prepare_rerun(bench.services, KEY[0], "second", {"ocr": "azure"}),
            [*names, "job-4"],
            pace=pace,
            tell=lambda: told.append(1),
        )
        assert list(done.sent) == ["job-1", "job-2", "job-3"]
        assert (done.at_work, sum(done.left.values()), len(told)) == (1, 1, 5)
        assert "a job has no step 'second'" in next(iter(done.left))
        assert slept == [1, 2, 3, 4]
        bench.run()
        assert found(bench)["second"].endswith("azure")

    def test_a_step_that_no_job_has_is_told_before_anything_is_asked(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="has a step 'nosuch': there are first, second"):
            jobs_to_rerun(bench.services, KEY[0], "nosuch")

    def test_a_batch_that_is_not_there_is_told(self, bench: Bench) -> None:
        with pytest.raises(NotFound, match="there is no batch x"):
            jobs_to_rerun(bench.services, "x", "first")


@pytest.mark.parametrize("from_step", ["first", "second"])
def test_a_job_whose_poisoned_message_was_lost_can_be_run_again(from_step: str) -> None:
    bench = Bench()
    working, settings = getattr(bench, f"{from_step}_does"), bench.services.core_settings

    def is_broken(job: JobContext) -> Found:
        raise ZeroDivisionError

    setattr(bench, f"{from_step}_does", is_broken)
    body = bench.message()
    if from_step == "second":
        body = bench.sent(bench.transition(bench.first, body, "m1"))
    with pytest.raises(ZeroDivisionError):
        bench.execute(getattr(bench, from_step), body, "m2", settings.max_dequeue_count)
    assert (bench.states(from_step), bench.poisoned) == (["poisoned"], [])

    setattr(bench, f"{from_step}_does", working)
    again(bench, from_step)
    assert bench.states(*bench.names) == ["success"] * 3
    assert bench.row.job_state == "succeeded"
