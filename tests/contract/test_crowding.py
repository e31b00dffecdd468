"""Faces that are hidden from somebody never take the place of a match that he may see."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaginem.engines.local.recognizer import LocalRecognizer
from imaginem.engines.match_tiers import MatchTiers
from imaginem.images.decoding import decode_photo
from imaginem.ports import (
    COPIES_KEPT,
    FACES_OF_A_FILE,
    SEARCH_LIMIT,
    CallContext,
    EnrolledFace,
    JobKey,
)
from imaginem.ports.face_places import place_in_file
from imaginem.sql import Database
from imaginem.testing import MemoryFaceIndex, MemoryServices, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.faces import matches_of_face, search_faces
from tests.ai_emulator import portrait
from tests.contract.rows import face
from tests.contract.test_azure_engines import CALL, Bench
from tests.stores import Stores, memory_stores, sql_gallery, sql_stores

ANN = Caller("Ann", "caseworker", frozenset({"red"}))
BOB = Caller("Bob", "caseworker", frozenset({"blue", "open"}))
MINE: JobKey = ("red-1", "mine")
TRUE: JobKey = ("red-2", "true")
LIMIT, CROWD = 20, SEARCH_LIMIT + 5


class Embedder:
    """Gives every face the same embedding."""

    name = "m"

    def embed(self, photo: object, seen: object) -> EnrolledFace:
        return face(1, 0)


def recognizer(stores: Stores, limit: int = LIMIT) -> LocalRecognizer:
    embedder: Any = Embedder()
    tiers = MatchTiers(0.5, 0.3)
    return LocalRecognizer(
        embedder, stores.gallery, stores.face_index, tiers=tiers, match_limit=limit
    )


def crowd(stores: Stores) -> tuple[EnrolledFace, EnrolledFace]:
    """Enrol a red face, its true match in another red batch, and nearer faces of other groups."""
    for batch_id, group in (("red-1", "red"), ("red-2", "red"), ("blue-1", "blue")):
        stores.batches.open_batch(batch_id, group)
    mine, true = face(1, 0), face(1, 0.5)
    for batch_id in ("blue-1", "everybodys"):
        nearer = [face(1, number / 1000) for number in range(CROWD)]
        stores.gallery.enrol((batch_id, "all"), nearer)
    stores.gallery.enrol(TRUE, [true])
    stores.gallery.enrol(MINE, [mine])
    return mine, true


@pytest.fixture(params=("memory", "sqlite", "postgresql", "another index"))
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        return memory_stores()
    if request.param != "another index":
        return sql_stores(request.getfixturevalue(request.param))
    made = sql_stores(request.getfixturevalue("sqlite"))
    index = MemoryFaceIndex(made.batches.groups_of)
    database: Database = request.getfixturevalue("sqlite")
    return Stores(**{**vars(made), "gallery": sql_gallery(database, index), "face_index": index})


def test_the_match_in_ones_own_group_is_stored_and_shown(stores: Stores) -> None:
    mine, true = crowd(stores)
    services = MemoryServices(**vars(stores))
    call = CallContext(*MINE, "facematch")
    matches = recognizer(stores).match(MINE, [mine.face_id], lambda: pytest.fail("read"), call)

    confidences = [match.confidence for match in matches]
    assert confidences == sorted(confidences, reverse=True)
    shown = matches_of_face(services, mine.face_id, ANN)
    assert shown[-1].matched_face_id == true.face_id
    assert {one.batch_id for one in shown} == {"everybodys", "red-2"}
    assert len(shown) == LIMIT + 1
    # Each group has its best ones, and no more than a face may have.
    every = matches_of_face(services, mine.face_id, EVERYTHING)
    assert len(every) == 2 * LIMIT + 1
    assert min(one.confidence for one in every if one.batch_id == "blue-1") > 0.999


def test_a_search_by_photo_finds_the_match_in_ones_own_group(stores: Stores) -> None:
    _, true = crowd(stores)
    services = MemoryServices(**vars(stores), recognizer=recognizer(stores))
    (found,) = search_faces(services, photo_bytes(), ANN, limit=CROWD).faces
    assert true.face_id in {match.matched_face_id for match in found.matches}
    (found,) = search_faces(services, photo_bytes(), BOB, limit=CROWD).faces
    assert true.face_id not in {match.matched_face_id for match in found.matches}


def test_a_batch_that_a_group_takes_later_counts_for_that_group(stores: Stores) -> None:
    probe, index = np.array([1, 0], np.float32).tobytes(), stores.face_index
    first, second = face(1, 0.1), face(1, 0.2)
    stores.gallery.enrol(("later", "one"), [first])
    stores.gallery.enrol(("other", "one"), [second])

    def found() -> list[uuid.UUID]:
        return [n.face_id for n in index.nearest("m", probe, min_similarity=0, limit=1)]

    assert found() == [first.face_id]
    stores.batches.open_batch("later", "red")
    assert found() == [first.face_id, second.face_id]


def test_copies_of_one_photo_take_nobodys_place(stores: Stores) -> None:
    mine, others = face(1, 0), [face(1, 0.1 + number / 1000) for number in range(LIMIT)]
    copies = [face(1, 0.01, photo="sent often") for _ in range(COPIES_KEPT + 5)]
    for number, copy in enumerate(copies):
        stores.gallery.enrol(("many", str(number)), [copy])
    for number, other in enumerate(others[:-1]):
        stores.gallery.enrol(("few", str(number)), [other])
    stores.gallery.enrol(("few", "last"), [others[-1]])
    stores.gallery.enrol(MINE, [mine])
    sent, call = {copy.face_id for copy in copies}, CallContext(*MINE, "facematch")
    matches = recognizer(stores).match(MINE, [mine.face_id], lambda: pytest.fail("read"), call)

    found = [match.matched_face_id for match in matches]
    assert len(sent.intersection(found)) == COPIES_KEPT
    # The copies count as one of the 20, so that one of the others does not find room.
    kept = [face_id for face_id in found if face_id not in sent]
    assert kept == [other.face_id for other in others[: LIMIT - 1]]


def test_pages_of_one_file_take_nobodys_place(stores: Stores) -> None:
    pages = [
        replace(
            face(1, number / 1000, photo="scan"),
            rectangle=place_in_file((1, 2, 3, 4), number % 100 + 1),
        )
        for number in range(FACES_OF_A_FILE + 5)
    ]
    unknown = [replace(face(1, 0.3), photo_sha256="") for _ in range(3)]
    others = [face(1, 0.4 + number / 1000) for number in range(LIMIT)]
    stores.gallery.enrol(("scans", "one"), pages)
    stores.gallery.enrol(("scans", "unknown"), unknown)
    for number, other in enumerate(others):
        stores.gallery.enrol(("few", str(number)), [other])
    probe = np.array([1, 0], np.float32).tobytes()
    near = stores.face_index.nearest("m", probe, min_similarity=0.5, limit=LIMIT)

    # Faces of which nobody knows the file are each in one of their own.
    kept = [*pages[:FACES_OF_A_FILE], *unknown, *others[: LIMIT - 4]]
    assert [one.face_id for one in near] == [one.face_id for one in kept]


def test_blurred_faces_that_are_near_take_nobodys_place(stores: Stores) -> None:
    mine, clear = face(1, 0), [face(1, 1.75 + number / 100) for number in range(3)]
    blurred = [replace(face(1, 1.6 + number / 1000), quality=0.1) for number in range(40)]
    stores.gallery.enrol(MINE, [mine])
    for number, other in enumerate([*blurred, *clear]):
        stores.gallery.enrol(("few", str(number)), [other])
    call = CallContext(*MINE, "facematch")
    matches = recognizer(stores, 3).match(MINE, [mine.face_id], lambda: pytest.fail("read"), call)
    assert [match.matched_face_id for match in matches] == [other.face_id for other in clear]


def test_azure_face_matches_are_limited_by_group_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FACE_MATCH_LIMIT="3")
    try:
        batches, recognize = bench.runtime.batches, bench.runtime.recognizer
        batches.open_batch("hidden", "blue")
        batches.open_batch("own", "red")
        ids = {}
        for number in range(26):
            key = ("hidden" if number < 25 else "own", str(number))
            photo = decode_photo(portrait("ann", noise=number + 1))
            ids[key] = recognize.enrol(key, photo, bench.detect(key, photo), CALL)
        mine = bench.enrol("mine", portrait("ann"))
        for searched in ("among fresh faces", "in the trained list"):
            matches = bench.match(mine)
            owners = bench.runtime.gallery.owners([match.matched_face_id for match in matches])
            hidden = [owner for owner in owners.values() if owner.batch_id == "hidden"]
            assert len(hidden) == 3, searched
            assert ids["own", "25"][0].face_id in owners, searched
            bench.maintain()
        assert bench.runtime.gallery.matches_of([ids["own", "25"][0].face_id])
    finally:
        bench.close()
