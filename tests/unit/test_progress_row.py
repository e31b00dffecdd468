"""The job's row: what is written can be read again, and no queue's name can clash with it."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imaginem.message import DroppedPhoto
from imaginem.names import RESERVED_PROPERTIES, step_properties
from imaginem.pipeline.openings import never_began, new_run, run_begins
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange, progress_properties
from imaginem.pipeline.states import ENDED, JobState, StepState
from imaginem.ports import LogEntry
from imaginem.testing import MemoryBlobs, message_for
from tests.conftest import ROOT

EVERYTHING = RowChange(
    steps=(StepChange("facecrop", 3, StepState.FAILED, reason="too dark", output="{}"),),
    job_state=JobState.PARTIAL,
    image_url="https://x.test/photo",
    pipeline=("ocr", "facecrop"),
    job_output='{"done": true}',
    run="run-2",
    delivery="message-7",
    previous_runs=("run-1", "run-0"),
    dropped=DroppedPhoto(source="inputimages/a/b.jpg", etag='"0x1"', sha256="ab"),
    replaced="2026-11-26T12:00:00+00:00",
    message="{}",
    photo='{"image": "https://x.test/copy", "image_error": ""}',
    not_before="2026-11-26T12:05:00+00:00",
    put="2026-11-26T11:59:00+00:00",
    reused=("ocr",),
)


def row_of(change: RowChange) -> ProgressRow:
    return ProgressRow(LogEntry("batch-1", "job-1", change.properties(), "fence-1"))


def test_what_is_written_is_read_again() -> None:
    row = row_of(EVERYTHING)

    assert (row.state_of("facecrop"), row.reason_of("facecrop")) == ("failed", "too dark")
    assert (row.job_state, row.image_url) == (JobState.PARTIAL, "https://x.test/photo")
    assert (row.pipeline, row.job_output) == (["ocr", "facecrop"], '{"done": true}')
    assert (row.run, row.delivery) == ("run-2", "message-7")
    assert (row.dropped, row.replaced) == (EVERYTHING.dropped, EVERYTHING.replaced)
    assert (row.message, row.photo) == (EVERYTHING.message, EVERYTHING.photo)
    assert row.not_before == datetime(2026, 11, 26, 12, 5, tzinfo=UTC)
    assert row.output_of("facecrop") == "{}"
    assert (row.previous_runs, row.runs) == (["run-1", "run-0"], ["run-2", "run-1", "run-0"])
    assert row.reused == ["ocr"]
    assert row.problems() == [("facecrop", "too dark")]
    assert (row.key, row.fence) == (("batch-1", "job-1"), "fence-1")


def test_a_row_as_json_has_its_ids_and_every_property() -> None:
    ids = {"batch_id": "batch-1", "job_id": "job-1"}

    assert row_of(EVERYTHING).as_json() == {**ids, **EVERYTHING.properties()}


def test_a_write_changes_nothing_that_it_does_not_name() -> None:
    change = RowChange(steps=(StepChange("ocr", 0, StepState.SUCCESS),))

    assert change.properties() == {"ocr": "step 0: success"}


def test_an_empty_reason_clears_the_one_before() -> None:
    change = RowChange(steps=(StepChange("ocr", 0, StepState.SUCCESS, reason=""),))

    assert change.properties() == {"ocr": "step 0: success", "ocr_exception": ""}


def test_every_property_of_a_row_is_reserved_against_names_of_queues() -> None:
    assert set(EVERYTHING.properties()) == RESERVED_PROPERTIES | step_properties("facecrop")


def test_what_progress_asks_for_is_all_but_outputs_and_addresses() -> None:
    asked = set(progress_properties(["facecrop"]))

    photo = {"image_url", "photo_source", "photo_etag", "photo_sha256", "photo_replaced"}
    message = {"imaginem_message", "imaginem_photo", "job_output"}
    left_out = photo | message | {"imaginem_delivery", "imaginem_put", "facecrop_output"}
    left_out |= {"imaginem_reused"}
    assert asked == set(EVERYTHING.properties()) - left_out


@pytest.mark.parametrize(
    ("properties", "step", "job"),
    [
        ({}, "waiting", "running"),
        ({"ocr": "step 0: asleep", "job_state": "lost"}, "waiting", "running"),
        ({"ocr": "success", "job_state": ""}, "waiting", "running"),
    ],
)
def test_words_that_nobody_knows_count_as_not_done(
    properties: dict[str, str], step: str, job: str
) -> None:
    row = ProgressRow(LogEntry("b", "j", properties, "f"))

    assert (row.state_of("ocr"), row.job_state, row.has_ended) == (step, job, False)


def test_every_job_state_but_running_is_an_end() -> None:
    assert {str(state) for state in ENDED} == {
        "succeeded",
        "partial",
        "failed",
        "handed_over",
        "cancelled",
    }


def test_a_run_begins_with_the_step_whose_turn_it_is_and_no_query_of_the_address() -> None:
    message = message_for("https://x.test/a.jpg?sig=secret", ["ocr", "facecrop"], step=1)
    row = row_of(run_begins(message, MemoryBlobs()))

    assert (row.image_url, row.job_state) == ("https://x.test/a.jpg", "running")
    assert (row.state_of("ocr"), row.state_of("facecrop")) == ("waiting", "processing")


def test_a_row_of_a_job_that_never_began_is_of_no_run() -> None:
    message = message_for("https://x.test/a.jpg", ["ocr"])
    row = row_of(never_began(message, "no memory", MemoryBlobs()))

    assert (row.job_state, row.state_of("ocr"), row.reason_of("ocr")) == (
        "failed",
        "poisoned",
        "no memory",
    )
    assert (row.run, row.runs) == ("", [])
    assert row.has_begun("whichever")


def test_a_new_run_keeps_why_an_earlier_step_failed_and_remembers_the_runs_before() -> None:
    before = row_of(EVERYTHING)
    failed = StepChange("facecrop", 1, StepState.FAILED)
    opening = RowChange(run="run-3", job_state=JobState.RUNNING, previous_runs=(), steps=(failed,))
    row = ProgressRow(LogEntry("b", "j", new_run(before, opening), "f"))

    assert row.reason_of("facecrop") == before.reason_of("facecrop") != ""

    assert (row.run, row.previous_runs) == ("run-3", ["run-2", "run-1", "run-0"])
    assert (row.state_of("facecrop"), row.job_output) == ("failed", "")
    assert row.has_begun("run-0") and not row.has_begun("run-4")


def test_a_new_run_drops_what_its_message_does_not_carry() -> None:
    opening = RowChange(run="run-3", previous_runs=())
    kept = new_run(row_of(EVERYTHING), opening)

    assert set(kept) == {"imaginem_run", "imaginem_previous_runs"}


def test_a_row_remembers_twenty_runs() -> None:
    many = tuple(f"run-{number}" for number in range(40))
    row = row_of(RowChange(run="latest", previous_runs=many))

    assert row.runs == ["latest", *many[:19]]


def test_nothing_but_this_module_and_the_stores_touches_a_rows_properties() -> None:
    allowed = {"pipeline/progress_row.py", "storage", "memory"}
    package = ROOT / "imaginem"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if _reads_properties(path)
    }

    assert {
        name for name in found if name not in allowed and name.split("/")[0] not in allowed
    } == (set())
    assert "pipeline/progress_row.py" in found


def _reads_properties(path: Path) -> bool:
    """Tell whether a file reads an attribute `properties`; calling the method is writing."""
    code = path.read_text("utf-8")
    if ".properties" not in code:  # parsing every file takes a while
        return False
    tree = ast.parse(code)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return any(
        isinstance(node, ast.Attribute) and node.attr == "properties" and id(node) not in called
        for node in ast.walk(tree)
    )
