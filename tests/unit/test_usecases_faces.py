"""Searching by a photo, and what people decide about two faces."""

import hashlib
import html
import io
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from PIL import Image
from rich.console import Console

from imaginem.cli.batches import show_search
from imaginem.cli.matched_photos import copies_told, matched_photos
from imaginem.cli.report import result_table
from imaginem.errors import NotFound, PermanentError
from imaginem.images.decoding import Photo
from imaginem.images.limits import PAGE_LIMIT
from imaginem.names import job_prefix
from imaginem.outputs import Face, Rectangle
from imaginem.ports import SEARCH_LIMIT, CallContext, EnrolledFace, SimilarFace
from imaginem.runtime import Runtime
from imaginem.testing import FakeRecognizer, MemoryServices, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.alike import ReviewedMatch
from imaginem.usecases.export import as_rows
from imaginem.usecases.faces import (
    face_image,
    matches_of_face,
    matches_of_job,
    newest_faces,
    owner_of,
    review_pair,
    search_faces,
)
from tests.dashboard import AlikeToAll, client, enrol, face, keep, pair, web_services

PAGE = "photos/open/mine"
ANN = Caller("Ann", "caseworker", frozenset({"red-group"}))
BOB = Caller("Bob", "caseworker", frozenset({"blue-group"}))


def pages_bytes(count: int) -> bytes:
    """Return a TIFF file whose pages are 40 pixels high, and 80 to 240 wide."""
    pages = [Image.new("RGB", (80 + 40 * (number % 5), 40), "teal") for number in range(count)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    return out.getvalue()


def photos_of_somebody(services: MemoryServices, count: int) -> list[uuid.UUID]:
    """Enrol a face in each of so many photos; return their ids."""
    return [face(services, ("open", f"{at}"), f"photo {at}") for at in range(count)]


class Recognizer(FakeRecognizer):
    """Finds these faces alike to every face."""

    def __init__(self, *face_ids: uuid.UUID) -> None:
        self._similar = [SimilarFace(face_id, 0.9, "match") for face_id in face_ids]

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Return the same faces for each."""
        return [(face, self._similar) for face in faces]


@pytest.fixture
def services() -> MemoryServices:
    """Return services where a batch is the red group's, and another everybody's."""
    made = web_services()
    made.batches.open_batch("red", "red-group")
    return made


@pytest.fixture
def red(services: MemoryServices) -> uuid.UUID:
    return face(services, ("red", "one"))


@pytest.fixture
def open_(services: MemoryServices) -> uuid.UUID:
    return face(services, ("open", "two"))


class TestSearch:
    def test_each_face_comes_with_the_photos_of_those_who_look_like_it(
        self, services: MemoryServices, open_: uuid.UUID
    ) -> None:
        services.recognizer = Recognizer(open_)
        search = search_faces(services, photo_bytes(80, 40), EVERYTHING)
        assert (search.width, search.height) == (80, 40)
        (found,) = search.faces
        assert found.rectangle == Rectangle(left=20, top=10, width=40, height=20)
        (match,) = found.matches
        assert (match.batch_id, match.job_id) == ("open", "two")
        assert (match.face_id, match.matched_face_id) == (None, open_)
        assert (match.confidence, match.band, match.decision) == (0.9, "match", "")

    def test_faces_of_other_groups_and_of_erased_jobs_are_left_out(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID
    ) -> None:
        services.recognizer = Recognizer(red, uuid.uuid4(), open_)
        seen = {
            caller.name: [m.matched_face_id for m in _search(services, caller)]
            for caller in (ANN, BOB, EVERYTHING)
        }
        assert seen == {"Ann": [red, open_], "Bob": [open_], "local user": [red, open_]}

    def test_the_limit_counts_what_the_caller_may_see(
        self, services: MemoryServices, red: uuid.UUID
    ) -> None:
        others = photos_of_somebody(services, 3)
        services.recognizer = Recognizer(red, *others)
        assert [m.matched_face_id for m in _search(services, BOB, 2)] == others[:2]
        assert len(_search(services, BOB)) == 3

    def test_faces_of_every_page_are_searched_with_and_say_their_page(
        self, services: MemoryServices, open_: uuid.UUID
    ) -> None:
        services.recognizer = Recognizer(open_)
        file = pages_bytes(3)
        found = search_faces(services, file, EVERYTHING)
        assert [(face.page, face.rectangle.left) for face in found.faces] == [
            (1, 20),
            (2, 30),
            (3, 40),
        ]
        assert (found.pages, found.width) == (3, 80)
        upload = {"file": ("a.tif", file, "image/tiff")}
        told = client(services).post("/api/faces/search", files=upload).json()
        assert [face["page"] for face in told["faces"]] == [1, 2, 3]
        page = client(services).post("/faces/search", files=upload).text
        assert "This file has 3 pages: all were looked at." in page
        assert "3 faces on its pages" in page
        assert page.count("<small>page ") == 3
        assert page.count("<canvas") == 1  # what a browser would draw is of the first page
        shown = io.StringIO()
        show_search(found, Console(file=shown, width=100))
        assert "2 (page 2)" in shown.getvalue()

    def test_pages_that_can_not_be_read_are_told(self, services: MemoryServices) -> None:
        frames = [Image.effect_noise((80, 40), 90).convert("P") for _ in range(3)]
        out = io.BytesIO()
        frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
        file = out.getvalue()[:-1000]
        found = search_faces(services, file, EVERYTHING)
        assert [face.page for face in found.faces] == [1, 2]
        upload = {"file": ("a.gif", file, "image/gif")}
        page = client(services).post("/faces/search", files=upload).text
        assert "all were looked at" not in page
        told = client(services).post("/api/faces/search", files=upload).json()
        assert (told["pages"], told["unread_pages"]) == (3, [3])
        shown = io.StringIO()
        show_search(found, Console(file=shown, width=100))
        assert "since they are damaged or too large: pages 3." in shown.getvalue()

    def test_a_file_of_one_page_tells_none(
        self, services: MemoryServices, open_: uuid.UUID
    ) -> None:
        services.recognizer = Recognizer(open_)
        (found,) = search_faces(services, photo_bytes(), EVERYTHING).faces
        assert found.page is None

    def test_pages_beyond_those_that_the_pipeline_looks_at_are_told(
        self, services: MemoryServices
    ) -> None:
        file = pages_bytes(PAGE_LIMIT + 2)
        upload = {"file": ("a.tif", file, "image/tiff")}
        page = client(services).post("/faces/search", files=upload).text
        told = f"This file has {PAGE_LIMIT + 2} pages: the first {PAGE_LIMIT} were looked at."
        assert told in page
        shown = io.StringIO()
        found = search_faces(services, file, EVERYTHING)
        show_search(found, Console(file=shown, width=100))
        assert len(found.faces) == PAGE_LIMIT
        assert f"the first {PAGE_LIMIT} of {PAGE_LIMIT + 2} pages" in shown.getvalue()

    def test_what_is_no_photo_is_refused(self, services: MemoryServices) -> None:
        with pytest.raises(PermanentError):
            search_faces(services, b"no photo", EVERYTHING)

    def test_nothing_is_kept(self, services: MemoryServices) -> None:
        search_faces(services, photo_bytes(), EVERYTHING)
        assert services.gallery.recent_faces(None, 10) == []


def _search(services: MemoryServices, caller: Caller, limit: int = 200) -> Sequence[ReviewedMatch]:
    (found,) = search_faces(services, photo_bytes(), caller, limit).faces
    return found.matches


class TestReview:
    def test_a_decision_is_seen_from_both_faces_with_who_made_it(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID
    ) -> None:
        pair(services, red, open_)
        (match,) = review_pair(services, (red, open_), "confirmed", ANN)
        (other,) = matches_of_face(services, open_, ANN)
        for seen in (match, other):
            assert (seen.decision, seen.reviewer) == ("confirmed", "Ann")
            assert seen.reviewed_at is not None
        assert (other.face_id, other.matched_face_id, other.batch_id) == (open_, red, "red")

    def test_an_empty_decision_takes_it_back(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID
    ) -> None:
        pair(services, red, open_)
        review_pair(services, (red, open_), "rejected", ANN)
        (match,) = review_pair(services, (red, open_), "", ANN)
        assert (match.decision, match.reviewer, match.reviewed_at) == ("", "", None)

    def test_nobody_decides_about_faces_that_were_not_found_alike(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID
    ) -> None:
        with pytest.raises(NotFound, match="is no match of face"):
            review_pair(services, (red, open_), "confirmed", ANN)
        assert services.reviews.decisions([red, open_]) == {}

    @pytest.mark.parametrize("turned", [False, True])
    def test_nobody_decides_about_a_face_that_is_hidden(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID, turned: bool
    ) -> None:
        pair(services, red, open_)
        with pytest.raises(NotFound, match=f"there is no face {red}"):
            review_pair(services, (open_, red) if turned else (red, open_), "confirmed", BOB)
        assert services.reviews.decisions([red, open_]) == {}


class TestWhoSeesWhat:
    def test_a_jobs_matches_are_those_of_all_its_faces(self, services: MemoryServices) -> None:
        one, two = enrol(services, ("open", "group photo"), 2)
        other = face(services, ("open", "other"))
        pair(services, one, other)
        pair(services, two, other)
        matches = matches_of_job(services, ("open", "group photo"), BOB)
        assert {match.face_id for match in matches} == {one, two}

    def test_a_hidden_match_is_left_out(
        self, services: MemoryServices, red: uuid.UUID, open_: uuid.UUID
    ) -> None:
        pair(services, red, open_)
        assert matches_of_face(services, open_, BOB) == []
        assert matches_of_job(services, ("open", "two"), BOB) == []
        assert [m.matched_face_id for m in matches_of_face(services, open_, ANN)] == [red]

    def test_a_face_that_is_hidden_is_told_like_one_that_is_not_there(
        self, services: MemoryServices, red: uuid.UUID
    ) -> None:
        services.blobs.put("faces", f"{job_prefix('red', 'one')}{red}.png", b"png", "image/png")
        assert owner_of(services, red, ANN).job_id == "one"
        assert face_image(services, red, ANN) == b"png"
        for look in (owner_of, face_image, matches_of_face):
            for face_id in (red, uuid.uuid4()):
                with pytest.raises(NotFound, match=f"^there is no face {face_id}$"):
                    look(services, face_id, BOB)


def test_api_and_page_show_the_best_of_many(services: MemoryServices) -> None:
    ids = photos_of_somebody(services, 25)
    services.recognizer = Recognizer(*ids)
    browser = client(services)
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    (found,) = browser.post("/api/faces/search", files=photo).json()["faces"]
    assert [match["matched_face_id"] for match in found["matches"]] == [str(i) for i in ids[:20]]
    assert (found["not_shown"], found["may_have_more"]) == (5, False)
    (all_,) = browser.post("/api/faces/search?limit=25", files=photo).json()["faces"]
    assert (len(all_["matches"]), all_["not_shown"]) == (25, 0)
    first, _, others = browser.post("/faces/search", files=photo).text.partition("Show 5 more")
    assert all(str(i) in first for i in ids[:20])
    assert all(str(i) in others and str(i) not in first for i in ids[20:])


def test_a_search_that_found_as_many_as_it_may_says_so(services: MemoryServices) -> None:
    services.recognizer = Recognizer(*photos_of_somebody(services, SEARCH_LIMIT))
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    browser = client(services)
    told = f"The {SEARCH_LIMIT} best are shown: there may be more."
    assert told in browser.post("/faces/search", files=photo).text
    (found,) = browser.post("/api/faces/search", files=photo).json()["faces"]
    assert found["may_have_more"]
    shown = io.StringIO()
    show_search(search_faces(services, photo_bytes(), EVERYTHING), Console(file=shown, width=80))
    assert f"face 1: there may be more than these {SEARCH_LIMIT}" in shown.getvalue()


class Blind(FakeRecognizer):
    """Can compare no face."""

    def search(
        self, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[tuple[Face, list[SimilarFace]]]:
        """Leave all faces out."""
        return []


def test_faces_that_can_not_be_compared_are_not_told_as_none(services: MemoryServices) -> None:
    services.recognizer = Blind()
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    page = client(services).post("/faces/search", files=photo).text
    assert "1 face was found in this photo that can't be compared." in html.unescape(page)
    assert "No face was found" not in page
    found = client(services).post("/api/faces/search", files=photo).json()
    assert (found["faces"], found["not_compared"]) == ([], 1)
    shown = io.StringIO()
    show_search(search_faces(services, photo_bytes(), EVERYTHING), Console(file=shown, width=80))
    assert "no face was found" not in shown.getvalue()
    assert "1 faces of this photo can't be compared" in shown.getvalue()


class TestCopies:
    """A photo that was sent 25 times is one photo."""

    @pytest.fixture
    def copies(self, services: MemoryServices) -> list[uuid.UUID]:
        """Return one face in 25 copies of a photo; 3 of them are in the red group's batch."""
        keys = [("red" if number > 21 else "open", f"{number:02}") for number in range(25)]
        return [face(services, key, "sent often") for key in keys]

    @pytest.fixture
    def mine(self, services: MemoryServices, copies: list[uuid.UUID]) -> uuid.UUID:
        """Return a face of another photo that looks like them."""
        made = face(services, ("open", "mine"), "mine")
        for copy in copies:
            pair(services, made, copy)
        return made

    def test_a_photo_counts_once_with_the_copies_that_the_caller_may_see(
        self, services: MemoryServices, mine: uuid.UUID
    ) -> None:
        for caller, count in ((EVERYTHING, 25), (ANN, 25), (BOB, 22)):
            (match,) = matches_of_face(services, mine, caller)
            assert len(match.copies) == count - 1
            assert len(set(match.jobs)) == count
        assert all(batch_id == "open" for batch_id, _ in match.jobs)

    def test_a_search_has_room_for_others_beside_a_photo_that_was_sent_often(
        self, services: MemoryServices, copies: list[uuid.UUID], open_: uuid.UUID
    ) -> None:
        services.recognizer = Recognizer(*copies, open_)
        first, other = _search(services, BOB, 20)
        assert (len(first.copies), other.matched_face_id) == (21, open_)
        photo = {"file": ("a.png", photo_bytes(), "image/png")}
        browser = client(services)
        (found,) = browser.post("/api/faces/search", files=photo).json()["faces"]
        assert [len(match["copies"]) for match in found["matches"]] == [24, 0]
        page = browser.post("/faces/search", files=photo).text
        assert page.count('class="match"') == 2
        assert "and 24 copies" in page
        shown = io.StringIO()
        found_here = search_faces(services, photo_bytes(), EVERYTHING)
        show_search(found_here, Console(file=shown, width=80))
        assert "match and 24 copies" in shown.getvalue()

    def test_two_faces_of_one_photo_stay_two(
        self, services: MemoryServices, mine: uuid.UUID
    ) -> None:
        apart = EnrolledFace(uuid.uuid4(), "m", b"\0" * 16, 0.9, (60, 60, 9, 9), "sent often")
        services.gallery.enrol(("open", "another copy"), [apart])
        pair(services, mine, apart.face_id)
        assert len(matches_of_face(services, mine, BOB)) == 2

    def test_a_decision_holds_for_all_copies_that_the_reviewer_may_see(
        self, services: MemoryServices, mine: uuid.UUID, copies: list[uuid.UUID]
    ) -> None:
        (match,) = review_pair(services, (mine, copies[3]), "rejected", BOB)
        assert match.is_rejected
        (from_there,) = matches_of_face(services, copies[7], BOB)
        assert from_there.is_rejected
        (hidden,) = matches_of_face(services, copies[23], ANN)
        assert not hidden.is_rejected
        keep(services, ("open", "mine"))
        (row,) = as_rows(services, "open", BOB)
        assert (row["matches"], len(row["rejected"])) == ([], 22)

    def test_a_decision_from_a_copys_side_holds_for_its_copies_too(
        self, services: MemoryServices, mine: uuid.UUID, copies: list[uuid.UUID]
    ) -> None:
        for other in copies[1:]:
            pair(services, copies[0], other)
        review_pair(services, (copies[0], mine), "confirmed", BOB)
        reviews = services.reviews.decisions([mine])
        assert {other for one, other in reviews if one == mine} == set(copies[:22])
        review_pair(services, (copies[0], mine), "", BOB)
        assert services.reviews.decisions([mine]) == {}

    def test_an_export_has_copies_of_a_photo_apart_from_its_matches(
        self, services: MemoryServices, copies: list[uuid.UUID], open_: uuid.UUID
    ) -> None:
        for other in (copies[1], open_):
            pair(services, copies[0], other)
        keep(services, ("open", "00"))
        (row,) = as_rows(services, "open", BOB)
        assert (row["matches"], row["copies"]) == (["open/two"], ["open/01"])

    def test_the_command_line_tells_how_many(
        self, services: MemoryServices, mine: uuid.UUID
    ) -> None:
        (photo,) = matched_photos(services, ("open", "mine"))
        assert photo.told == "match and 24 copies"
        assert copies_told(1, may_have_more=False) == " and 1 copy"
        assert copies_told(49, may_have_more=True) == " and 49 copies or more"

    def test_they_are_one_face_to_pick(
        self, services: MemoryServices, copies: list[uuid.UUID], open_: uuid.UUID
    ) -> None:
        newest = face(services, ("open", "newest"), "newest")
        shown, has_more = newest_faces(services, EVERYTHING, 10)
        assert [each.face_id for each in shown] == [newest, open_, copies[-1]]
        assert not has_more
        assert newest_faces(services, EVERYTHING, 2)[1]
        page = client(services).get("/faces").text
        assert page.count('href="/faces?face=') == 3
        assert "newest are shown" not in page


def test_a_copy_of_the_same_photo_is_no_find_of_its_own(services: MemoryServices) -> None:
    keys = [("b", "one"), ("b", "copy"), ("b", "other"), ("b", "unknown")]
    faces = [face(services, key) for key in keys]
    for key, photo in zip(keys, ("sha", "sha", "another"), strict=False):
        services.submissions.claim(key, photo)
    for other in faces[1:]:
        pair(services, faces[0], other)
    told = {match.job_id: match.same_photo for match in matches_of_job(services, keys[0], ANN)}
    assert told == {"copy": True, "other": False, "unknown": False}
    unknown = matches_of_job(services, keys[3], ANN)
    assert [match.same_photo for match in unknown] == [False]

    page = client(services).get("/photos/b/one").text
    found, _, copies = page.partition("The same photo, sent again (1)")
    assert f"match-{faces[0]}-{faces[2]}" in found
    assert f"match-{faces[0]}-{faces[1]}" not in page
    assert "/photos/b/copy" in copies


def test_faces_that_are_not_all_shown_are_not_told_as_all(services: MemoryServices) -> None:
    for number in range(37):
        face(services, ("open", f"{number}"), f"{number}")
    page = client(services).get("/faces").text
    assert page.count('href="/faces?face=') == 36
    assert "The 36 newest are shown" in page


def test_faces_of_another_model_are_not_told_as_unlike(services: MemoryServices) -> None:
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    browser = client(services)
    assert "another model" not in browser.post("/faces/search", files=photo).text
    other = EnrolledFace(uuid.uuid4(), "of before", b"", 0.9, (1, 2, 3, 4))
    services.gallery.enrol(("open", "old"), [other])
    assert "another model" in browser.post("/faces/search", files=photo).text
    assert browser.post("/api/faces/search", files=photo).json()["has_other_models"]
    shown = io.StringIO()
    found = search_faces(services, photo_bytes(), EVERYTHING)
    show_search(found, Console(file=shown, width=200))
    assert "enrolled by another model, and not compared" in shown.getvalue()


def test_as_many_matches_as_are_kept_are_not_told_as_all(services: MemoryServices) -> None:
    services.core_settings = replace(services.core_settings, match_limit=3)
    mine = face(services, ("open", "mine"), "mine")
    keep(services, ("open", "mine"))
    told = "Of a face, the 3 best matches are kept: there may be more."
    for number in range(3):
        seen = [client(services).get(f"/{at}").text for at in (f"faces?face={mine}", PAGE)]
        assert not [page for page in seen if told in page]
        pair(services, mine, face(services, ("open", f"{number}"), f"{number}"))
    seen = [client(services).get(f"/{at}").text for at in (f"faces?face={mine}", PAGE)]
    assert [told in page for page in seen] == [True, True]
    assert client(services).get("/api/jobs/open/mine").json()["matches_may_have_more"]
    shown = io.StringIO()
    Console(file=shown, width=120).print(result_table(cast(Runtime, services), "open", ["mine"]))
    assert told in shown.getvalue()


def test_a_search_that_finds_the_photo_itself_says_whether_anybody_else_is_alike() -> None:
    services = web_services()
    photo = photo_bytes(320, 240)
    sha256 = hashlib.sha256(photo).hexdigest()
    mine = face(services, ("b", "one"), sha256)
    services.submissions.claim(("b", "one"), sha256)
    other = face(services, ("b", "two"), "another")

    def told(found: list[uuid.UUID]) -> str:
        services.recognizer = AlikeToAll(found)
        form = {"file": ("a.png", photo, "image/png")}
        return client(services).post("/faces/search", files=form).text

    alone = told([mine])
    assert "The same photo, sent again (1)" in alone
    # The gallery has faces of another model, too.
    assert "Nobody else was found who looks like this face." in alone
    beside = told([mine, other])
    assert "The same photo, sent again (1)" in beside
    assert "Nobody else" not in beside
