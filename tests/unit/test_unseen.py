"""What nobody has looked at is told wherever something is told of a photo."""

import csv
import io
import json
from typing import Any, cast

import pytest
from PIL import Image
from rich.console import Console

from imaginem.cli.batches import show_search
from imaginem.cli.own_outputs import outputs_so_far
from imaginem.cli.progress import show_job, show_view
from imaginem.cli.report import result_json, result_table
from imaginem.pipeline.progress_row import ProgressRow, RowChange
from imaginem.pipeline.states import JobState
from imaginem.ports import LogEntry
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.export import COLUMNS, as_csv, as_rows
from imaginem.usecases.faces import search_faces
from imaginem.usecases.jobs import view_job
from imaginem.usecases.unseen import READERS, SeenOfFile, seen_of_file, unseen_in
from tests.dashboard import client, keep, web_services

KHMER = "text in Khmer, not readable here"
UNREAD = {"text": "", "confidence": 0.0, "polygon": [], "words": [], "unreadable": KHMER}
PAGES = "Only the first 100 of 300 pages were looked at."
ENDS = "The file ends early: a part of this photo is missing."


@pytest.fixture
def services() -> MemoryServices:
    """Keep a book, half a photo, and a photo with text that nobody can read."""
    services = web_services()
    keep(services, ("b", "book"), {"ocr": {"full_text": "x", "lines": [], "pages": 300}})
    keep(services, ("b", "half"), {"generalclassification": {"metadata": {"ends_early": True}}})
    keep(services, ("b", "note"), {"ocr": {"full_text": "", "lines": [UNREAD, UNREAD]}})
    return services


@pytest.mark.parametrize(
    ("outputs", "seen"),
    [
        ({}, SeenOfFile()),
        ({"ocr": "text", "facedetection": None, "generalclassification": []}, SeenOfFile()),
        ({"ocr": {"pages": "3", "ends_early": 1, "unread_pages": ["2", True]}}, SeenOfFile()),
        (
            {"ocr": {"pages": 3, "unread_pages": [3]}, "facedetection": {"unread_pages": [3, 2]}},
            SeenOfFile(pages=3, unread_pages=(2, 3)),
        ),
        ({"facedetection": {"smallest_face": 90}}, SeenOfFile(smallest_face=90)),
    ],
)
def test_steps_tell_how_much_of_a_file_they_saw(outputs: dict[str, Any], seen: SeenOfFile) -> None:
    assert seen_of_file(outputs) == seen


def test_each_thing_that_was_not_seen_has_a_sentence() -> None:
    assert SeenOfFile(pages=100).sentences == []
    assert SeenOfFile(
        ends_early=True, pages=300, unread_pages=(2, 5), smallest_face=90
    ).sentences == [
        PAGES,
        "Not looked at, since they are damaged or too large: pages 2, 5.",
        "Faces smaller than 90 pixels were not looked for in this photo.",
        ENDS,
    ]


def test_exports_tell_it_and_text_that_can_not_be_read(services: MemoryServices) -> None:
    rows = as_rows(services, "b", EVERYTHING)
    told = {row["job_id"]: (row["text"], row["unreadable"], row["not_seen"]) for row in rows}
    assert told == {"book": ("x", [], [PAGES]), "half": ("", [], [ENDS]), "note": ("", [KHMER], [])}

    table = list(csv.DictReader(io.StringIO(as_csv(rows).removeprefix("\ufeff"))))
    assert [row["unreadable"] for row in table] == ["", "", KHMER]
    assert [row["not_seen"] for row in table] == [PAGES, ENDS, ""]
    assert COLUMNS[-3:] == ("matches_told", "unreadable", "not_seen")


def test_the_table_of_results_tells_it_under_the_photos(services: MemoryServices) -> None:
    for job in ("one", "two", "xyz"):
        keep(services, ("b", job), {"ocr": {"full_text": "", "ends_early": True}})
    shown = io.StringIO()
    jobs = ["book", "half", "note", "one", "two", "xyz"]
    table = result_table(cast(Runtime, services), "b", jobs)
    Console(file=shown, width=200).print(table)
    assert f"book: {PAGES}" in shown.getvalue()
    assert f"half, one, two and 1 more: {ENDS}" in shown.getvalue()
    assert KHMER in shown.getvalue()


def test_unreadable_text_is_told_under_a_table_whose_cell_has_no_room_for_it(
    services: MemoryServices,
) -> None:
    read = ["Name: Ko Aung", "Tel 0955 667 788", "Yangon"]
    lines = [*({**UNREAD, "text": text, "unreadable": None} for text in read), UNREAD]
    keep(services, ("c", "sign"), {"ocr": {"full_text": "\n".join(read), "lines": lines}})
    keep(services, ("c", "wall"), {"ocr": {"full_text": "", "lines": [UNREAD]}})
    shown = io.StringIO()
    Console(file=shown, width=200).print(
        result_table(cast(Runtime, services), "c", ["sign", "wall"])
    )
    assert f"sign: {KHMER}" in shown.getvalue()
    assert f"wall: {KHMER}" not in shown.getvalue()  # its cell says so


def test_results_as_json_tell_it(services: MemoryServices) -> None:
    told = {
        result.id: result_json(cast(Runtime, services), result, links=False)
        for result in services.results.batch("b")
    }
    assert told["book"]["not_seen"] == [PAGES]
    assert told["note"]["unreadable"] == [KHMER]


@pytest.mark.parametrize("as_json", [False, True])
def test_the_state_of_a_job_tells_it(
    services: MemoryServices, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    show_view(view_job(services, ("b", "book"), EVERYTHING), as_json)
    output = json.dumps({"full_text": "", "pages": 300})
    change = RowChange(job_state=JobState.RUNNING, pipeline=("ocr",)).properties()
    row = ProgressRow(LogEntry("b", "book", {**change, "ocr_output": output}, "f"))
    show_job(row, as_json, unseen=unseen_in(outputs_so_far(row, services.blobs, READERS)))
    assert capsys.readouterr().out.count(PAGES) == 2


def test_the_api_and_the_page_of_a_photo_tell_it(services: MemoryServices) -> None:
    web = client(services)
    book, note = (web.get(f"/api/jobs/b/{job}").json() for job in ("book", "note"))
    assert (book["not_seen"], book["unreadable"]) == ([PAGES], [])
    assert (note["not_seen"], note["unreadable"]) == ([], [KHMER])
    page = web.get("/photos/b/book").text
    assert f'<p role="note">{PAGES}</p>' in page
    assert "This file has 300 pages. Page 1 is shown here." in page


def test_text_without_places_that_can_not_be_read_is_told_on_its_page() -> None:
    services = web_services()
    text = {"full_text": "", "lines": [UNREAD], "without_places": True}
    keep(services, ("b", "note"), {"ocr": text})
    assert f"<em>{KHMER}</em>" in client(services).get("/photos/b/note").text


def test_a_search_for_faces_tells_that_the_file_ends_early() -> None:
    services = web_services()
    out = io.BytesIO()
    Image.effect_noise((320, 240), 90).save(out, "JPEG")
    half = out.getvalue()[:-500]
    shown = io.StringIO()
    show_search(search_faces(services, half, EVERYTHING), Console(file=shown, width=100))
    assert ENDS in shown.getvalue()
    upload, web = {"file": ("a.jpg", half, "image/jpeg")}, client(services)
    assert ENDS in web.post("/faces/search", files=upload).text
    assert web.post("/api/faces/search", files=upload).json()["ends_early"] is True
