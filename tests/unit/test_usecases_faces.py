"""Searching by a photo, and what people decide about two faces."""

import uuid
from collections.abc import Sequence

import pytest

from imaginem.errors import NotFound, PermanentError
from imaginem.images.decoding import Photo
from imaginem.names import job_prefix
from imaginem.outputs import Face, Rectangle
from imaginem.ports import CallContext, SimilarFace
from imaginem.testing import FakeRecognizer, MemoryServices, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.faces import (
    ReviewedMatch,
    face_image,
    matches_of_face,
    matches_of_job,
    owner_of,
    review_pair,
    search_faces,
)
from tests.dashboard import client, enrol, face, pair, web_services

ANN = Caller("Ann", "caseworker", frozenset({"red-group"}))
BOB = Caller("Bob", "caseworker", frozenset({"blue-group"}))


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
        others = enrol(services, ("open", "many"), 3)
        services.recognizer = Recognizer(red, *others)
        assert [m.matched_face_id for m in _search(services, BOB, 2)] == others[:2]
        assert len(_search(services, BOB)) == 3

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
    ids = enrol(services, ("open", "many"), 25)
    services.recognizer = Recognizer(*ids)
    browser = client(services)
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    (found,) = browser.post("/api/faces/search", files=photo).json()["faces"]
    assert [match["matched_face_id"] for match in found["matches"]] == [str(i) for i in ids[:20]]
    page = browser.post("/faces/search", files=photo).text
    assert all(str(i) in page for i in ids[:20])
    assert str(ids[20]) not in page


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
