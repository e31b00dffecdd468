"""Matches on several pages of one file stand together, and are decided on one by one."""

import io
import uuid
from dataclasses import replace

from rich.console import Console

from imaginem.cli.batches import show_search
from imaginem.cli.matched_photos import matched_photos
from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, JobKey
from imaginem.ports.face_places import place_in_file
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.faces import matches_of_job, search_faces
from tests.dashboard import client, face, keep, web_services
from tests.unit.test_usecases_faces import Recognizer


def scan(services: MemoryServices, key: JobKey, pages: list[int]) -> list[uuid.UUID]:
    """Enrol a face on each of these pages of a job's file; return their ids."""
    ids = [uuid.uuid4() for _ in pages]
    vector = bytes([0, 0, 128, 63]) * 4
    faces = [
        EnrolledFace(name, "m", vector, 0.9, place_in_file((9 * at, 2, 3, 4), page), "scan")
        for at, (name, page) in enumerate(zip(ids, pages, strict=True))
    ]
    services.gallery.enrol(key, faces)
    return ids


def matched(services: MemoryServices, one: uuid.UUID, others: list[uuid.UUID]) -> None:
    services.gallery.keep_matches(
        [
            FaceMatch(face_id=one, matched_face_id=other, confidence=0.9 - at / 10, band="match")
            for at, other in enumerate(others)
        ]
    )


def test_pages_of_one_file_are_one_match_and_more_pages_of_it() -> None:
    services = web_services()
    own = face(services, ("b", "own"))
    keep(services, ("b", "own"))
    first, second, third, beside = scan(services, ("b", "scan"), [1, 2, 3, 1])
    other = face(services, ("b", "other"))
    matched(services, own, [second, first, third, beside, other])
    api = client(services)

    page = api.get("/photos/b/own").text
    assert page.count("and 2 more pages") == 1  # two people on page 1 stand apart
    order = [page.index(f'id="match-{own}-{name}"') for name in (second, first, third)]
    assert order == sorted(order)
    assert order[0] < page.index("and 2 more pages") < order[1]
    assert order[2] < page.index(f'id="match-{own}-{beside}"')
    assert "<bdi>scan</bdi>, page 2" in page
    assert 'href="/photos/b/scan?page=2"' in page
    assert 'href="/photos/b/scan?page=1"' not in page
    told = api.get("/api/jobs/b/own").json()["matches"]
    assert [match["page"] for match in told] == [2, 1, 3, 1, 1]


def test_what_was_decided_on_a_page_is_not_said_of_the_others() -> None:
    services = web_services()
    own = face(services, ("b", "own"))
    keep(services, ("b", "own"))
    pages = scan(services, ("b", "scan"), [1, 2, 3])
    matched(services, own, pages)
    api = client(services)
    api.post(f"/faces/{own}/matches/{pages[0]}", data={"verdict": "rejected"})

    told = api.get("/api/jobs/b/own").json()["matches"]
    assert [match["verdict"] for match in told] == ["rejected", "", ""]
    page = api.get("/photos/b/own").text
    assert "and 1 more page<" in page
    assert page.index(f"{own}-{pages[1]}") < page.index(f"{own}-{pages[0]}")


def test_a_scan_of_thirty_pages_and_its_copies_are_one_photo_of_a_face_search() -> None:
    services = web_services()
    services.batches.open_batch("red", "red-group")
    pages = scan(services, ("b", "scan"), list(range(1, 31)))
    copy = scan(services, ("b", "copy"), [1])
    hidden = scan(services, ("red", "copy"), [1])
    others = [face(services, ("b", f"other{at}"), f"photo {at}") for at in range(3)]
    services.recognizer = Recognizer(*pages, *copy, *hidden, *others)

    (found,) = search_faces(services, photo_bytes(), EVERYTHING, limit=3).faces
    assert [match.matched_face_id for match in found.matches] == [*pages, *others[:2]]
    assert (found.files, found.not_shown) == (3, 1)
    photo = {"file": ("a.png", photo_bytes(), "image/png")}
    api = client(services)
    (told,) = api.post("/api/faces/search?limit=3", files=photo).json()["faces"]
    assert [match["file"] for match in told["matches"]][29:] == ["b/scan", "b/other0", "b/other1"]
    assert "and 29 more pages" in api.post("/faces/search", files=photo).text
    for caller, copies in (
        (EVERYTHING, "2 copies"),
        (Caller("Bob", "viewer", frozenset()), "1 copy"),
    ):
        shown = io.StringIO()
        found_by = search_faces(services, photo_bytes(), caller)
        show_search(found_by, Console(file=shown, width=100))
        assert f"match and 29 more pages and {copies}" in shown.getvalue()
        assert shown.getvalue().count("0.9") == 4


def test_results_tell_a_file_once_and_the_page_that_is_most_alike() -> None:
    services = web_services()
    services.core_settings = replace(services.core_settings, match_limit=2)
    own = face(services, ("b", "own"))
    keep(services, ("b", "own"))
    first, second, third = scan(services, ("b", "scan"), [1, 2, 3])
    again = scan(services, ("b", "again"), [3])
    matched(services, own, [second, first, third, *again])

    (told,) = matched_photos(services, ("b", "own"))
    assert (told.job_id, told.told) == ("scan", "match on page 2 and 2 more pages and 1 copy")
    may_have_more = client(services).get("/api/jobs/b/own").json()["matches_may_have_more"]
    assert not may_have_more  # three pages of one file, where two files are kept
    assert {match.file for match in matches_of_job(services, ("b", "own"), EVERYTHING)} == {
        "b/scan"
    }
