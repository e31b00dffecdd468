"""A job as people see it, and a batch's results as a table."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from imaginem.cli.matched_photos import matched_photos
from imaginem.errors import NotFound, PermanentError
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey
from imaginem.testing import Failing, MemoryServices, run_all
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.export import as_csv, as_rows
from imaginem.usecases.faces import review_pair
from imaginem.usecases.jobs import photo_name, result_of, view_job
from imaginem.usecases.submit import run_again
from tests.dashboard import client, enrol, face, keep, pair, send_photo, web_services

ANN = Caller("Ann", "caseworker", frozenset({"red-group"}))
BOB = Caller("Bob", "caseworker")


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def send(
    services: MemoryServices, job_id: str = "one", pipeline: Sequence[str] = ("ocr",)
) -> JobKey:
    """Send a photo to the batch `b`; return its job's key."""
    send_photo(services, ("b", job_id), pipeline)
    return "b", job_id


class TestJobView:
    def test_a_job_waits_runs_and_ends(self, services: MemoryServices) -> None:
        key = send(services, pipeline=["ocr", "pipelineoutput"])
        assert view_job(services, key, EVERYTHING).state == "queued"
        run_all(services, default_registry)
        ended = view_job(services, key, EVERYTHING)
        assert ended.state == "succeeded"
        assert [(step.name, step.state) for step in ended.steps] == [
            ("ocr", "success"),
            ("pipelineoutput", "success"),
        ]
        assert ended.outputs is not None
        assert "ocr" in ended.outputs
        run_again(services, key)
        assert view_job(services, key, EVERYTHING).state == "queued"

    def test_a_step_that_failed_says_why(self, services: MemoryServices) -> None:
        services.ocr = Failing(PermanentError("no text engine"))
        key = send(services)
        run_all(services, default_registry)
        (step,) = view_job(services, key, EVERYTHING).steps
        assert (step.name, step.state, step.reason) == (
            "ocr",
            "failed",
            "no text engine",
        )

    def test_matches_that_are_hidden_are_in_no_output_either(
        self, services: MemoryServices
    ) -> None:
        services.batches.open_batch("red", "red-group")
        mine, hidden = face(services, ("open", "one")), face(services, ("red", "two"))
        pair(services, mine, hidden)
        listed = [{"matched_face_id": str(hidden)}, "odd"]
        keep(services, ("open", "one"), {"facematch": {"matches": listed, "model": "m"}})
        seen = view_job(services, ("open", "one"), ANN)
        assert seen.outputs == {"facematch": {"matches": listed[:1], "model": "m"}}
        assert [match.matched_face_id for match in seen.matches] == [hidden]
        unseen = view_job(services, ("open", "one"), BOB)
        assert unseen.outputs == {"facematch": {"matches": [], "model": "m"}}
        assert unseen.matches == []

    def test_of_a_job_that_only_sql_knows_the_steps_went_well(
        self, services: MemoryServices
    ) -> None:
        keep(services, ("b", "old"))
        view = view_job(services, ("b", "old"), EVERYTHING)
        assert view.state == "succeeded"
        assert {step.state for step in view.steps} == {"success"}

    def test_of_a_job_that_only_sql_knows_the_steps_that_failed_did_not_go_well(
        self, services: MemoryServices
    ) -> None:
        keep(services, ("b", "old"), unsuccessful=["ocr"])
        view = view_job(services, ("b", "old"), EVERYTHING)
        assert view.state == "partial"
        assert [step.name for step in view.steps if step.state != "success"] == ["ocr"]

    def test_what_is_not_known_is_told(self, services: MemoryServices) -> None:
        with pytest.raises(NotFound, match="there is no job x in batch b"):
            view_job(services, ("b", "x"), EVERYTHING)
        with pytest.raises(NotFound, match="there is no result of job x in batch b"):
            result_of(services, ("b", "x"))

    @pytest.mark.parametrize("parameters", [None, "text", [], {}, {"original_name": ""}])
    def test_a_photo_without_a_name_is_called_after_its_job(self, parameters: Any) -> None:
        assert photo_name(parameters, "job") == "job"
        assert photo_name({"original_name": "a.png"}, "job") == "a.png"


def test_an_export_names_no_match_that_the_caller_may_not_see(services: MemoryServices) -> None:
    services.batches.open_batch("red", "red-group")
    keep(services, ("open", "one"), name="a.png")
    pair(services, face(services, ("open", "one")), face(services, ("red", "two")))
    rows = {caller.name: as_rows(services, "open", caller)[0] for caller in (ANN, BOB, EVERYTHING)}
    assert {name: row["matches"] for name, row in rows.items()} == {
        "Ann": ["red/two"],
        "Bob": [],
        "local user": ["red/two"],
    }
    assert rows["Bob"]["name"] == "a.png"


@pytest.mark.parametrize("given", [5, ["a", "b"], "a.jpg"])
def test_an_export_has_a_photos_name_as_its_sender_gave_it(
    services: MemoryServices, given: object
) -> None:
    keep(services, ("b", "one"), name=given)
    (row,) = as_rows(services, "b", EVERYTHING)
    assert row["name"] == given


def test_an_export_says_what_nobody_looked_for(services: MemoryServices) -> None:
    analysis = {"tags": [], "not_looked_for": ["objects"]}
    keep(services, ("b", "one"), {"generalclassification": analysis, "ocr": {"full_text": ""}})
    rows = list(as_rows(services, "b", EVERYTHING))
    assert rows[0]["not_looked_for"] == ["objects", "faces", "matches"]
    assert rows[0]["faces"] is None
    assert next(csv.DictReader(io.StringIO(as_csv(rows))))["faces"] == ""


class TestRejectedPairs:
    """What a person said no to is told as a match nowhere."""

    @pytest.fixture
    def pairs(self, services: MemoryServices) -> MemoryServices:
        """Return services where `b/one` looks like `b/no`, which was rejected, and like `b/yes`."""
        mine, _ = enrol(services, ("b", "one"), 2)
        listed = []
        for name, decision in (("no", "rejected"), ("yes", "")):
            other = face(services, ("b", name))
            pair(services, mine, other)
            review_pair(services, (mine, other), decision, EVERYTHING)
            listed.append({"face_id": str(mine), "matched_face_id": str(other), "band": "match"})
        keep(services, ("b", "one"), {"facematch": {"matches": listed}})
        return services

    def test_an_export_keeps_them_apart(self, pairs: MemoryServices) -> None:
        (row,) = as_rows(pairs, "b", EVERYTHING)
        assert (row["matches"], row["rejected"]) == (["b/yes"], ["b/no"])
        told = next(csv.DictReader(io.StringIO(as_csv([row]))))
        assert (told["matches"], told["rejected"]) == ("b/yes", "b/no")

    def test_a_photo_with_another_pair_that_stands_is_a_match(self, pairs: MemoryServices) -> None:
        (_, second), (no,) = (pairs.gallery.faces_of(("b", name)) for name in ("one", "no"))
        pair(pairs, second.face_id, no.face_id)
        (row,) = as_rows(pairs, "b", EVERYTHING)
        assert (row["matches"], row["rejected"]) == (["b/no", "b/yes"], [])

    def test_outputs_tell_what_was_decided(self, pairs: MemoryServices) -> None:
        outputs = view_job(pairs, ("b", "one"), EVERYTHING).outputs
        assert outputs is not None
        told = [match.get("verdict") for match in outputs["facematch"]["matches"]]
        assert told == ["rejected", None]

    def test_the_command_line_says_so_and_has_them_last(self, pairs: MemoryServices) -> None:
        photos = matched_photos(pairs, ("b", "one"))
        assert [(photo.job_id, photo.told) for photo in photos] == [
            ("yes", "match"),
            ("no", "rejected"),
        ]

    def test_a_page_takes_the_badge_of_a_match_away(self, pairs: MemoryServices) -> None:
        page = client(pairs).get("/photos/b/one").text
        yes, no = page.index("/photos/b/yes"), page.index("/photos/b/no")
        assert yes < no
        assert "band-match" in page[yes:no]
        assert "band-match" not in page[no:]
        assert '<span class="badge verdict-rejected">not the same</span>' in page[no:]
