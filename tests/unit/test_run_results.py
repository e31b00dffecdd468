"""A result in SQL is the latest run's, whatever comes late, twice or made up."""

from typing import Any

import pytest

from imaginem import JobContext
from imaginem.pipeline.advance import Transition
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.ports import JobResult
from imaginem.testing import MemoryLog, message_for
from tests.workbench import KEY, Bench, Found


class ReadsCounted(MemoryLog):
    """Counts how often a row is read."""

    reads = 0

    def read(self, key: Any) -> Any:
        self.reads += 1
        return super().read(key)


@pytest.fixture
def bench() -> Bench:
    """Return a bench whose `report` writes into SQL, and whose `first` never finds the same."""
    bench = Bench()
    bench.services.log = ReadsCounted()
    runs = iter(range(1, 100))
    bench.first_does = lambda job: Found(what=f"execution {next(runs)}")
    bench.report_does = saves
    return bench


def saves(job: JobContext) -> Found:
    job.results.save(JobResult(*job.key, job.pipeline, job.image_url, None, job.outputs))
    return Found(what="saved")


def in_sql(bench: Bench) -> str:
    result = bench.services.results.read(KEY)
    return str(result.job_output["first"]["what"]) if result else ""


def last_message(bench: Bench, run: str) -> str:
    """Execute a run but for its last step; return the message for that."""
    moved = bench.transition(bench.first, bench.message(), run)
    moved = bench.transition(bench.second, bench.sent(moved), f"{run}-second")
    return bench.sent(moved)


def report(bench: Bench, body: str, message_id: str) -> Transition:
    return bench.transition(bench.report, body, message_id)


def test_a_late_copy_of_an_earlier_run_leaves_the_newer_result(bench: Bench) -> None:
    earlier = last_message(bench, "m1")
    report(bench, earlier, "m1-report")
    report(bench, last_message(bench, "m2"), "m2-report")
    assert in_sql(bench) == "execution 2"

    assert report(bench, earlier, "copy").state == "dropped"
    assert in_sql(bench) == "execution 2"


def test_a_copy_that_is_quicker_than_the_newer_run_is_replaced_by_it(bench: Bench) -> None:
    earlier, newer = last_message(bench, "m1"), last_message(bench, "m2")
    assert report(bench, earlier, "copy").state == "dropped"

    assert report(bench, newer, "m2-report").state == "success"
    assert in_sql(bench) == "execution 2"


def test_a_run_that_began_meanwhile_keeps_its_result(bench: Bench) -> None:
    def is_overtaken(job: JobContext) -> Found:
        bench.report_does = saves
        report(bench, last_message(bench, "m2"), "m2-report")
        return saves(job)

    earlier = last_message(bench, "m1")
    bench.report_does = is_overtaken
    assert report(bench, earlier, "m1-report").state == "dropped"
    assert in_sql(bench) == "execution 2"


@pytest.mark.parametrize("known", [True, False])
def test_a_made_up_run_that_takes_the_job_over_has_its_own_result_in_sql(
    bench: Bench, known: bool
) -> None:
    true = last_message(bench, "m1")
    outputs = {name: {"what": "made up"} for name in ("first", "second")}
    message = message_for(bench.url, bench.names, step=2, outputs=outputs)
    made_up = message.noting(run="x" * 99, fence="nothing").encode()

    def is_overtaken(job: JobContext) -> Found:
        saves(job)
        bench.report_does = saves
        report(bench, true, "m1-report")
        return Found(what="saved")

    if known:
        report(bench, true, "m1-report")
    else:
        bench.report_does = is_overtaken
    assert report(bench, made_up, "m2").state == "success"
    assert "made up" in bench.row.output_of("first")
    assert in_sql(bench) == "made up"


def test_a_job_that_is_run_once_reads_no_row(bench: Bench) -> None:
    bench.drop()
    bench.run()
    assert in_sql(bench) == "execution 1"
    assert isinstance(bench.services.log, ReadsCounted)
    assert bench.services.log.reads == 0
    assert ProgressRow(bench.entry).has_ended
