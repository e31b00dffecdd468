"""Faces that stay away from their photos: in memory, on SQLite and on PostgreSQL alike."""

import io
import uuid
from dataclasses import replace
from pathlib import Path

from PIL import Image
from sqlalchemy import text

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.ports import JobResult, PoisonEntry, SuppressedFace
from imaginem.runtime import Runtime
from imaginem.sql import Database
from imaginem.storage import AzurePoisonLog
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.forget_face import forget_face
from tests.contract.rows import ONE, THREE, TWO, face
from tests.stores import Stores, keyed, sql_stores
from tests.studio import Studio

BOX, NEAR, FAR = (0, 0, 100, 100), (0, 0, 100, 50), (0, 0, 100, 49)


def erased(**changes: object) -> SuppressedFace:
    return replace(SuppressedFace(uuid.uuid4(), ONE, "photo", BOX), **changes)  # type: ignore[arg-type]


def test_a_face_is_suppressed_by_its_id_and_by_its_place_in_the_photo(stores: Stores) -> None:
    gone = erased()
    assert not stores.suppressed_faces.is_any("b")
    stores.suppressed_faces.suppress(gone)
    assert stores.suppressed_faces.is_any("b")
    near, far, unplaced = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    asked = {gone.face_id: None, near: NEAR, far: FAR, unplaced: None}
    assert stores.suppressed_faces.among("c", "photo", asked) == {gone.face_id, near}
    assert stores.suppressed_faces.among("c", "other", asked) == {gone.face_id}
    assert stores.suppressed_faces.among("c", "", asked) == {gone.face_id}


def test_each_group_has_its_own(stores: Stores) -> None:
    stores.batches.open_batch("b", "red")
    stores.batches.open_batch("red 2", "red")
    stores.suppressed_faces.suppress(erased())
    stores.batches.open_batch("red erased", "red")
    stores.batches.forget_batch("red erased")
    found = uuid.uuid4()
    for batch, there in (("red 2", True), ("b", True), ("red erased", True), ("c", False)):
        assert stores.suppressed_faces.is_any(batch) is there
        assert bool(stores.suppressed_faces.among(batch, "photo", {found: BOX})) is there


def test_an_erasure_is_unfinished_until_it_is_finished_or_its_job_erased(stores: Stores) -> None:
    faces = [erased(), erased(key=TWO), erased(key=THREE)]
    for each in [*faces, faces[0]]:
        stores.suppressed_faces.suppress(each)
    known = {each.face_id: each.key for each in stores.suppressed_faces.unfinished()}
    assert known == {each.face_id: each.key for each in faces}
    assert {each.box for each in stores.suppressed_faces.unfinished()} == {BOX}
    stores.suppressed_faces.finish(faces[0].face_id)
    stores.suppressed_faces.erase(TWO)
    assert [each.key for each in stores.suppressed_faces.unfinished()] == [THREE]
    stores.suppressed_faces.erase_batch("c", [])
    assert list(stores.suppressed_faces.unfinished()) == []
    stores.suppressed_faces.suppress(replace(faces[0], photo_sha256="", box=None))  # goes on
    (again,) = stores.suppressed_faces.unfinished()
    assert (again.key, again.box) == (ONE, BOX)
    asked = {each.face_id: None for each in faces}
    assert stores.suppressed_faces.among("b", "photo", asked) == set(asked)


def test_a_suppressed_face_is_not_enrolled_whatever_its_id(stores: Stores) -> None:
    gone, stays = face(1, 0), replace(face(1, 0.1), rectangle=(50, 50, 9, 9))
    stores.gallery.enrol(ONE, [gone, stays])
    stores.suppressed_faces.suppress(
        SuppressedFace(gone.face_id, ONE, gone.photo_sha256, gone.rectangle)
    )
    copy = replace(gone, face_id=uuid.uuid4())
    other_photo = replace(gone, face_id=uuid.uuid4(), photo_sha256="another")
    stores.gallery.enrol(ONE, [gone, stays])
    stores.gallery.enrol(TWO, [copy])
    stores.gallery.enrol(THREE, [other_photo])
    kept = {each.face_id for each in stores.gallery.faces_of(ONE, TWO, THREE)}
    assert kept == {stays.face_id, other_photo.face_id}
    found = stores.face_index.nearest("m", gone.embedding, min_similarity=0, limit=9)
    assert {each.face_id for each in found} == kept
    stores.gallery.remove([stays.face_id, uuid.uuid4()])
    assert stores.gallery.faces_of(ONE) == []


def test_the_table_keeps_hashes_and_boxes_alone(database: Database) -> None:
    stores, gone = sql_stores(database), erased()
    stores.suppressed_faces.suppress(gone)
    stores.suppressed_faces.finish(gone.face_id)
    with database.engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM suppressed_face")).all()
    told = set(map(str, row))
    assert "100" in told
    assert not told & {str(gone.face_id), gone.face_id.hex, "photo", *ONE}


def test_a_submission_keeps_another_message_of_its_run_alone(stores: Stores) -> None:
    stores.submissions.submitted(ONE, "run", message="before")
    stores.submissions.correct(ONE, "another", "x")
    assert stores.submissions.message(ONE) == "before"
    stores.submissions.correct(ONE, "run", "after")
    assert stores.submissions.message(ONE) == "after"
    sent = stores.submissions.submission(ONE)
    assert sent is not None
    assert sent.run == "run"


def test_a_face_that_goes_from_a_result_is_not_counted_any_more(stores: Stores) -> None:
    gone, stays = [
        {"face_id": str(uuid.uuid4()), "face_rectangle": {"left": 1, "top": 1}} for _ in range(2)
    ]
    outputs = {"facedetection": {"faces": [gone, stays]}}
    stores.results.save(JobResult(*ONE, ("facedetection",), "https://x.test/a", None, outputs))
    stores.results.drop_faces(ONE, {uuid.UUID(str(gone["face_id"]))})
    result, batch = stores.results.read(ONE), stores.batches.batch("b")
    assert result is not None and batch is not None
    assert result.job_output == {"facedetection": {"faces": [stays], "erased_faces": 1}}
    assert batch.faces == 1


def test_nothing_of_a_long_poisoned_body_stays_when_it_is_corrected(
    runtime: Runtime, name: str
) -> None:
    assert isinstance(runtime.poison, AzurePoisonLog)
    entry = PoisonEntry(name, "m", "because", "x" * 40_000, 5, "a", "b")
    runtime.poison.correct(entry)  # it is not there, and stays so
    assert runtime.poison.list(name) == []
    runtime.poison.add(entry)
    (blob,) = runtime.blobs.list("largemessages", f"!poison/{name}")
    runtime.poison.correct(replace(entry, body="short"))
    (kept,) = runtime.poison.list(name)
    assert (kept.body, kept.attempts) == ("short", 5)
    assert blob not in runtime.blobs.list("largemessages", "")


def test_local_models_leave_an_erased_face_out(tmp_path: Path) -> None:
    """A real photo of five people, as a camera that was turned writes it."""
    store = AssetStore(read_settings().assets)
    with Image.open(store.path("group5.jpg")) as opened:
        picture, exif, out = opened.convert("RGB"), Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    picture = picture.rotate(90, expand=True)
    picture.save(out, "JPEG", quality=90, exif=exif)
    runtime = Runtime(read_settings({"IMAGINEM_HOME": str(tmp_path)}))
    runtime.made["database"] = Database("", tmp_path, mark=keyed)
    stores = sql_stores(runtime.database)
    studio = Studio(**vars(stores))
    studio.services.faces, studio.services.recognizer = runtime.faces, runtime.recognizer
    first = studio.develop(("a", "one"), out.getvalue())
    assert len(first) == 5
    gone = next(iter(first))

    forget_face(studio.services, first[gone], EVERYTHING)
    gallery = runtime.gallery.faces_of(("a", "one"))
    assert {each.rectangle for each in gallery} == set(first) - {gone}
    later = studio.develop(("a", "two"), out.getvalue())

    assert set(later) == set(first) - {gone}
    assert set(studio.detected(("a", "two"))) == set(later)
    assert len(studio.services.blobs.list("faces", "a/two/")) == 4
    assert studio.output(("a", "two"), "facedetection")["erased_faces"] == 1
    runtime.database.close()


def test_faces_of_a_backup_are_suppressed_again_and_others_stay(stores: Stores) -> None:
    one, two = erased(), erased(box=None, photo_sha256="")
    for each in (one, two):
        stores.suppressed_faces.suppress(each)
        stores.suppressed_faces.finish(each.face_id)
    kept = stores.suppressed_faces.all()
    assert {mark.box for mark in kept} == {BOX, None}
    moved = [replace(mark, face=str(uuid.uuid4()), group="red") for mark in kept]
    stores.suppressed_faces.restore([*kept, *moved, *moved])
    marks = {mark.face: mark for mark in stores.suppressed_faces.all()}
    assert marks == {mark.face: mark for mark in [*kept, *moved]}
    assert stores.suppressed_faces.unfinished() == []


def test_a_group_suppresses_no_face_of_another_one_by_its_id(stores: Stores) -> None:
    for batch, group in (("b", "red"), ("theirs", "blue")):
        stores.batches.open_batch(batch, group)
    gone, own = face(1, 0), face(2, 0)
    stores.suppressed_faces.suppress(replace(erased(), face_id=gone.face_id, key=("b", "x")))
    stores.suppressed_faces.suppress(replace(erased(), face_id=own.face_id, key=("theirs", "y")))
    asked = {gone.face_id: None, own.face_id: None}
    assert stores.suppressed_faces.among("b", "", asked) == {gone.face_id}
    stores.gallery.enrol(("theirs", "y"), [gone, own])
    assert [kept.face_id for kept in stores.gallery.faces_of(("theirs", "y"))] == [gone.face_id]
