"""Pages, API, command line and exports tell apart why nobody was found to look alike."""

import html
import io
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from rich.console import Console

from imaginem.cli.report import result_table
from imaginem.ports import EnrolledFace, JobKey
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.export import as_rows
from imaginem.usecases.findings import findings_in, findings_of
from imaginem.usecases.jobs import view_job
from imaginem.usecases.looked import Looked
from imaginem.usecases.looked_words import WORDS
from tests.dashboard import client, face, keep, pair, web_services

KEY: JobKey = ("b", "one")
FACE = {"face_rectangle": {"left": 1, "top": 2, "width": 3, "height": 4}}
ALL = ("facedetection", "faceprint", "facematch")
NOBODY = "Nobody in the gallery looks like these faces."
NO_FACE = "No face was found in this photo."


def outputs(faces: int, prints: int | None = None) -> dict[str, Any]:
    """Return the outputs of a job that compared a photo's faces, in vain."""
    printed: list[dict[str, Any]] = [{} for _ in range(faces if prints is None else prints)]
    return {
        "facedetection": {"faces": [FACE] * faces},
        "faceprint": {"faces": printed},
        "facematch": {"matches": []},
    }


CASES: Mapping[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...], str, str]] = {
    "nobody looks alike": (outputs(1), ALL, (), NOBODY, "nobody"),
    "no face": (outputs(0), ALL, (), "There is no face to compare.", "no face"),
    "no face that can be compared": (
        outputs(2, prints=0),
        ALL,
        (),
        "None of the faces in this photo can be compared.",
        "not comparable",
    ),
    "detection failed": ({}, ALL, ALL, "Not looked for: facedetection did not succeed.", "failed"),
    "never asked for": (
        {},
        ("ocr",),
        (),
        "Not looked for: facematch is no step of this job.",
        "not asked",
    ),
}


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


@pytest.mark.parametrize("case", CASES)
def test_every_surface_tells_which_it_is(services: MemoryServices, case: str) -> None:
    found, pipeline, failed, sentence, word = CASES[case]
    keep(services, KEY, found, unsuccessful=failed)
    result = services.results.read(KEY)
    assert result is not None
    services.results.save(replace(result, processing_pipeline=list(pipeline)))
    result = services.results.read(KEY)
    assert result is not None
    # Pages and API know the steps' states; the result alone does not tell failed from skipped.
    in_page = sentence.replace("did not succeed", "failed")
    assert in_page in html.unescape(client(services).get("/photos/b/one").text)
    assert client(services).get("/api/jobs/b/one").json()["looked"]["matches"]["told"] == in_page
    (row,) = as_rows(services, "b", EVERYTHING)
    assert row["matches_told"] == sentence
    told = findings_in(result, has_matches=False, other_models=False)
    assert told["matches"].told == sentence
    shown = io.StringIO()
    table = result_table(cast(Runtime, services), "b", ["one"])
    Console(file=shown, width=120).print(table)
    line = next(each for each in shown.getvalue().splitlines() if each.strip().startswith("one"))
    assert line.rstrip().endswith(word)
    others = {each[3] for each in CASES.values()} - {sentence}
    assert not [each for each in others if each in (row["matches_told"], in_page)]


def test_a_photo_without_faces_says_so(services: MemoryServices) -> None:
    keep(services, KEY, outputs(0))
    told = client(services).get("/api/jobs/b/one").json()["looked"]["faces"]
    assert (told["how"], told["told"]) == ("no_face", NO_FACE)
    page = client(services).get("/photos/b/one").text
    assert NO_FACE in page
    assert NOBODY not in page


def test_a_photo_whose_faces_were_all_erased_is_not_told_as_one_without(
    services: MemoryServices,
) -> None:
    found = outputs(0)
    found["facedetection"]["erased_faces"] = 1
    keep(services, KEY, found)
    page = client(services).get("/photos/b/one").text
    assert "All faces that were found in this photo were erased." in page
    assert NO_FACE not in page


def test_text_that_can_not_be_read_is_not_told_as_nothing(services: MemoryServices) -> None:
    line = {"text": "", "unreadable": "text in Hebrew, not readable here"}
    keep(services, KEY, {"ocr": {"full_text": "", "lines": [line]}})
    told = client(services).get("/api/jobs/b/one").json()["looked"]["text"]
    assert told["told"] == "There is text in this photo that can't be read here."


def with_model(model: str) -> dict[str, Any]:
    """Return the outputs of a job whose face nobody looks like."""
    found = outputs(1)
    found["faceprint"]["faces"] = [{"model": model}]
    return found


def test_faces_of_another_model_are_never_told_as_unlike(services: MemoryServices) -> None:
    """They were not compared: "nobody looks like these faces" would be false everywhere."""
    shown = face(services, KEY)
    keep(services, KEY, with_model("m"))
    face(services, ("b", "alike in vain"))
    browser = client(services)
    assert NOBODY in browser.get("/photos/b/one").text
    other = EnrolledFace(uuid.uuid4(), "of before", b"", 0.9, (1, 2, 3, 4))
    services.gallery.enrol(("b", "old"), [other])

    told = browser.get("/api/jobs/b/one").json()["looked"]["matches"]
    assert told["how"] == "nobody_comparable"
    assert "faces of another model: they were not compared" in told["told"]
    page = browser.get("/photos/b/one").text
    assert told["told"] in page
    (row,) = as_rows(services, "b", EVERYTHING)
    assert row["matches_told"] == told["told"]
    text = io.StringIO()
    table = result_table(cast(Runtime, services), "b", ["one"])
    Console(file=text, width=200).print(table)
    assert "not all compared" in text.getvalue()
    assert told["told"] in " ".join(text.getvalue().split())
    assert browser.get(f"/api/faces/{shown}/matches").headers["X-Looked"] == "nobody_comparable"
    of_face = browser.get(f"/faces?face={shown}").text
    assert "faces of another model: they were not compared" in of_face
    assert not [
        each for each in (page, of_face, text.getvalue()) if "Nobody in the gallery" in each
    ]


def test_faces_of_another_model_that_a_caller_may_not_see_are_not_told_of(
    services: MemoryServices,
) -> None:
    keep(services, KEY, with_model("m"))
    services.batches.open_batch("hidden", "red")
    other = EnrolledFace(uuid.uuid4(), "of before", b"", 0.9, (1, 2, 3, 4))
    services.gallery.enrol(("hidden", "old"), [other])
    for groups, how in ((frozenset[str](), "nobody"), (frozenset({"red"}), "nobody_comparable")):
        caller = Caller("Ann", "viewer", groups)
        assert findings_of(view_job(services, KEY, caller))["matches"].how == how


def test_a_face_that_a_face_looks_like_needs_no_such_words(services: MemoryServices) -> None:
    shown = face(services, KEY)
    pair(services, shown, face(services, ("b", "two")))
    keep(services, KEY, with_model("another"))
    assert findings_of(view_job(services, KEY, EVERYTHING))["matches"].how == "found"
    assert "X-Looked" not in client(services).get(f"/api/faces/{shown}/matches").headers


def test_who_was_found_is_told_as_found(services: MemoryServices) -> None:
    pair(services, face(services, KEY), face(services, ("b", "two")))
    keep(services, KEY, unsuccessful=["facematch"])  # the other photo's job found it
    assert findings_of(view_job(services, KEY, EVERYTHING))["matches"].how == "found"
    (row,) = as_rows(services, "b", EVERYTHING)
    assert row["matches_told"] == ""


def test_faces_that_can_not_be_read_are_not_told_as_none(services: MemoryServices) -> None:
    keep(services, KEY, {"facedetection": {"faces": "odd"}, "facematch": {"matches": []}})
    told = client(services).get("/api/jobs/b/one").json()["looked"]
    assert told["faces"]["how"] == "unreadable"
    assert "no face" not in told["matches"]["told"]


def test_matches_of_a_face_that_was_never_compared_say_so(services: MemoryServices) -> None:
    shown = face(services, KEY)
    keep(services, KEY, unsuccessful=["facematch"])
    answer = client(services).get(f"/api/faces/{shown}/matches")
    assert (answer.json(), answer.headers["X-Looked"]) == ([], "failed")
    only_face = face(services, ("b", "long ago"))  # its job is no longer known
    answer = client(services).get(f"/api/faces/{only_face}/matches")
    assert (answer.status_code, answer.headers["X-Looked"]) == (200, "no_output")
    assert client(services).get(f"/faces?face={only_face}").status_code == 200
    keep(services, KEY, outputs(1))
    assert "X-Looked" not in client(services).get(f"/api/faces/{shown}/matches").headers


def test_there_is_a_sentence_for_every_way_to_have_looked() -> None:
    ways = {how for how in Looked if how is not Looked.DONE}
    assert {f"looked.{how}" for how in ways} <= WORDS.keys()
    assert len(set(WORDS.values())) == len(WORDS)
