"""What the command line shows, on a terminal of 80 columns."""

import io
from typing import cast

import pytest
from rich.console import Console

from imaginem.cli.progress import show_job
from imaginem.cli.report import result_table
from imaginem.message import DroppedPhoto
from imaginem.pipeline.progress_row import ProgressRow, RowChange
from imaginem.pipeline.states import JobState
from imaginem.ports import JobResult, LogEntry
from imaginem.runtime import Runtime
from tests.dashboard import face, pair, web_services


def test_long_ids_leave_room_for_tags() -> None:
    services = web_services()
    job = "a-photo-of-the-whole-family-by-the-lake.jpg-0930e3aa"
    outputs = {"generalclassification": {"tags": [{"name": "mountain", "confidence": 0.9}]}}
    services.results.save(JobResult("spring", job, ["generalclassification"], "", {}, outputs))
    shown = io.StringIO()
    Console(file=shown, width=80).print(
        result_table(cast(Runtime, services), "spring", [job]), soft_wrap=False
    )

    assert "mountain 0.9" in shown.getvalue()
    assert "looks like" in shown.getvalue()


def test_a_table_tells_what_was_not_found_from_what_nobody_looked_for() -> None:
    services = web_services()
    outputs = {"ocr": {"full_text": ""}, "facedetection": {"faces": []}}
    services.results.save(JobResult("spring", "job", ["ocr"], "", {}, outputs))
    shown = io.StringIO()
    Console(file=shown, width=80).print(result_table(cast(Runtime, services), "spring", ["job"]))

    line = next(each for each in shown.getvalue().splitlines() if each.strip().startswith("job"))
    assert line.split() == ["job", "not", "asked", "-", "0", "not", "asked"]
    assert "`imaginem status BATCH JOB` tells more:" in shown.getvalue()
    assert "Not looked for: facematch is no step of this job." in shown.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Maria\nLopez", "Maria / Lopez"),
        ("Maria\nLopez\nBogota", "Maria / Lopez …"),
        (f"Maria\n{'x' * 48}", f"Maria / {'x' * 39}…"),
    ],
)
def test_text_of_which_lines_are_left_out_says_so(text: str, shown: str) -> None:
    services = web_services()
    outputs = {"ocr": {"full_text": text}}
    services.results.save(JobResult("spring", "job", ["ocr"], "", {}, outputs))
    told = io.StringIO()
    Console(file=told, width=200).print(result_table(cast(Runtime, services), "spring", ["job"]))

    assert f" {shown} " in told.getvalue()


def test_a_dropped_photo_tells_where_it_lay_and_that_it_was_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = DroppedPhoto(source="inputimages/a/b #1.jpg", etag='"0x1"', sha256="ab")
    change = RowChange(job_state=JobState.SUCCEEDED, dropped=photo, replaced="2026-11-26T12:00:00")
    show_job(ProgressRow(LogEntry("a", "b", change.properties(), "f")), json_wanted=False)

    shown = capsys.readouterr().out
    assert "dropped as inputimages/a/b #1.jpg" in shown
    assert "another photo was found in its place at 2026-11-26T12:00:00" in shown


def test_a_job_tells_its_photos_name(capsys: pytest.CaptureFixture[str]) -> None:
    change = RowChange(job_state=JobState.RUNNING, pipeline=("ocr", "pipelineoutput"))
    row = ProgressRow(LogEntry("a", "b", change.properties(), "f"))
    show_job(row, json_wanted=False, name="photo.jpg")

    assert "photo photo.jpg\n" in capsys.readouterr().out


def test_a_photo_that_was_sent_tells_nothing_of_that(capsys: pytest.CaptureFixture[str]) -> None:
    row = RowChange(job_state=JobState.SUCCEEDED).properties()
    show_job(ProgressRow(LogEntry("a", "b", row, "f")), json_wanted=False)

    assert "in its place" not in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_column_of_results_is_a_letter_wide_however_narrow_the_terminal(width: int) -> None:
    services = web_services()
    job = "a-photo-of-the-whole-family-by-the-lake-in-the-evening.jpg-0930e3aa"
    tags = [{"name": name, "confidence": 0.9} for name in ("mountain", "photograph", "clothing")]
    outputs = {
        "generalclassification": {"tags": tags},
        "ocr": {"full_text": "Region-based segmentation of images"},
    }
    steps = ["generalclassification", "ocr"]
    services.results.save(JobResult("spring", job, steps, "", {}, outputs))
    mine = face(services, ("spring", job), "one")
    pair(services, mine, face(services, ("spring", f"another-{job}-and-{job}"), "two"))
    shown = io.StringIO()
    Console(file=shown, width=width).print(result_table(cast(Runtime, services), "spring", [job]))

    told = shown.getvalue()
    assert max(map(len, told.splitlines())) <= width
    for whole in ("mountain", "segmentation", "match", "another-a-", "looks like"):
        assert whole in told
    assert "asked" in told  # nobody looked for faces


def shown_at(width: int, job: str, other: str) -> str:
    """Return the results of a job with tags and a match, as a terminal of this width shows them."""
    services = web_services()
    names = ("mountain", "photograph", "clothing", "tree")
    tags = [{"name": name, "confidence": 0.9} for name in names]
    size = {"width": 320, "height": 240, "format": "PNG"}
    rows = [{"polygon": [0, y, 300, y, 300, y + 30, 0, y + 30]} for y in range(0, 240, 40)]
    outputs = {
        "generalclassification": {"tags": tags, "metadata": size},
        "ocr": {"full_text": "Region-based segmentation of images", "lines": rows},
        "facedetection": {"faces": [{}] * 9},
    }
    services.results.save(JobResult("spring", job, list(outputs), "", {}, outputs))
    pair(services, face(services, ("spring", job), "one"), face(services, ("spring", other), "two"))
    shown = io.StringIO()
    Console(file=shown, width=width).print(result_table(cast(Runtime, services), "spring", [job]))
    return shown.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_results_have_the_tags_that_text_and_faces_give_as_pages_do(width: int) -> None:
    told = shown_at(width, "one", "two")
    assert "document" in told
    assert "crowd" in told
    assert "mountain" in told


@pytest.mark.parametrize("width", range(80, 160, 7))
def test_no_letter_of_results_is_cut_off_at_the_edge_of_a_terminal(width: int) -> None:
    job = "a-photo-of-the-whole-family-by-the-lake-in-the-evening.jpg-0930e3aa"
    lines = shown_at(width, job, f"another-{job}").splitlines()
    (head,) = [line for line in lines if "looks like" in line]
    left, right = head.index("tags"), head.index("looks like")
    below = lines[lines.index(head) + 2 :]
    assert "".join(line[:left].strip() for line in below) == job
    match = "".join(line[right:].rstrip().ljust(1) for line in below).replace(" ", "")
    assert match == f"another-{job}0.81match"


def test_odd_tags_of_a_sender_stop_no_table() -> None:
    services = web_services()
    outputs = {"generalclassification": {"tags": ["odd", {"name": "cat", "confidence": 0.9}, {}]}}
    services.results.save(JobResult("spring", "one", list(outputs), "", {}, outputs))
    shown = io.StringIO()
    Console(file=shown, width=80).print(result_table(cast(Runtime, services), "spring", ["one"]))
    assert "cat 0.90" in shown.getvalue()
