"""Matches on several pages of one file stand together, and are decided on one by one."""

import uuid

from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, JobKey
from imaginem.ports.face_places import place_in_file
from imaginem.testing import MemoryServices
from tests.dashboard import client, face, keep, web_services


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
    assert "scan, page 2" in page
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
