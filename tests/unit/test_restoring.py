"""A backup that is restored brings nothing back that was erased since it was made."""

import copy
import json
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from imaginem.errors import InvalidMessage, PermanentError
from imaginem.ports import Drop, EnrolledFace, JobResult
from imaginem.testing import message_for
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.forget_face import forget_face
from imaginem.usecases.restoring import erase_again, erased_since
from imaginem.usecases.submit import send_message
from imaginem.usecases.tombstone_files import (
    BARS,
    FACES,
    check_lines,
    erased_by,
    export_lines,
    not_known,
    write_lines,
)
from tests.yard import Yard

JOBS = [("spring", "a"), ("spring", "b"), ("summer", "c"), ("spring", "d")]
_TOLD = {
    "blobs": ("_blobs", "_infos"),
    "queues": ("_queues",),
    "log": ("_entries",),
    "shared_state": ("_texts",),
    "tombstones": ("_marks",),
    "drops": ("_drops",),
    "database": (
        "results",
        "submissions",
        "faces",
        "opened",
        "erased",
        "barred",
        "suppressed",
        "erased_runs",
    ),
}


def snapshot(yard: Yard) -> dict[tuple[str, str], Any]:
    return {
        (store, name): copy.deepcopy(getattr(getattr(yard.services, store), name))
        for store, names in _TOLD.items()
        for name in names
    }


def restore(yard: Yard, saved: dict[tuple[str, str], Any]) -> None:
    for (store, name), value in saved.items():
        there = getattr(getattr(yard.services, store), name)
        there.clear()
        there.update(copy.deepcopy(value))
    yard.services.erased._known = b""  # another process


@pytest.fixture
def yard() -> Yard:
    made = Yard()
    for key in JOBS:
        message = message_for(made.url, made.names, batch_id=key[0], job_id=key[1])
        send_message(made.services, message)
        name = f"{key[0]}/{key[1]}/face"
        made.services.blobs.put("faces", name, b"face", "image/png")
    return made


def known(yard: Yard) -> set[tuple[str, str]]:
    services = yard.services
    names = {(b, j) for b in ("spring", "summer") for j in services.submissions.submissions(b)}
    blobs = [name.split("/") for name in services.blobs.list("faces", "")]
    names |= {(batch_id, job_id) for batch_id, job_id, _ in blobs}
    return names | set(services.log.keys())


def apply(yard: Yard, lines: list[str]) -> Counter[str]:
    key, _ = check_lines(lines)
    bars = not_known(yard.services, BARS, lines)
    write_lines(yard.services, key, lines)
    found = erased_since(yard.services, yard.services.erased)
    faces = erase_again(yard.services, found)
    told = {"jobs": len(found.jobs), "batches": len(found.batches), "photos": found.photos}
    return +Counter({**told, "faces": faces, "bars": bars})


def test_what_was_erased_after_the_backup_goes_again_and_its_messages_are_dropped(
    yard: Yard,
) -> None:
    yard.services.blobs.put("inputimages", "spring/a/photo", b"photo", "image/png")
    yard.services.blobs.put("inputimages", "summer/dropped", b"photo", "image/png")
    yard.services.drops.write(Drop("summer", "summer/dropped", "etag", "c", "", 5, sent=True))
    backup = snapshot(yard)
    yard.clock.move(timedelta(hours=1))
    forget_job(yard.services, ("spring", "a"))
    forget_batch(yard.services, "summer")
    lines = list(export_lines(yard.services, yard.clock.now()))
    restore(yard, backup)
    yard.clock.move(timedelta(hours=1))

    key, count = check_lines(lines)
    assert count == 10, "a job and a batch; their runs and landed entries, in the table and SQL"
    dry = erased_since(yard.services, erased_by(key, lines))
    assert dry.jobs == [("spring", "a"), ("summer", "c")]
    assert (dry.batches, dry.photos) == (["summer"], 2)
    assert known(yard) == set(JOBS), "a dry run changes nothing"
    assert yard.services.erased.key() == ""

    assert apply(yard, lines) == {"jobs": 2, "batches": 1, "photos": 2}
    assert known(yard) == {("spring", "b"), ("spring", "d")}
    yard.run()
    assert set(yard.services.log.keys()) == {("spring", "b"), ("spring", "d")}
    assert yard.telemetry.times("imaginem.erased", step="first") == 2
    assert apply(yard, lines) == {}


def test_a_job_that_was_sent_again_before_the_backup_stays(yard: Yard) -> None:
    yard.clock.move(timedelta(hours=1))
    forget_job(yard.services, ("spring", "a"))
    yard.clock.move(timedelta(hours=1))
    send_message(yard.services, message_for(yard.url, yard.names, batch_id="spring", job_id="a"))
    lines = list(export_lines(yard.services, yard.clock.now()))
    assert apply(yard, lines) == {}
    assert ("spring", "a") in known(yard)


def test_a_result_alone_and_a_blob_alone_are_found(yard: Yard) -> None:
    yard.clock.move(timedelta(hours=1))
    forget_job(yard.services, ("spring", "a"))
    forget_job(yard.services, ("spring", "b"))
    lines = list(export_lines(yard.services, yard.clock.now()))
    yard.services.blobs.put("inputimages", "spring/b/photo", b"photo", "image/png")
    yard.clock.move(timedelta(hours=-1, minutes=-30))
    result = JobResult("spring", "a", ("first",), "https://x.test/a", None, {})
    yard.services.results.save(result)
    assert apply(yard, lines) == {"jobs": 2, "photos": 1}
    assert yard.services.results.read(("spring", "a")) is None
    assert yard.services.blobs.list("inputimages", "spring/b") == []


def test_a_file_that_was_changed_cut_or_is_of_another_installation_is_refused(yard: Yard) -> None:
    forget_job(yard.services, ("spring", "a"))
    lines = list(export_lines(yard.services, yard.clock.now()))
    for wrong in (lines[:-1], lines[:1] + lines[2:], [*lines, lines[-1]], [], ["[]"], ["{"]):
        with pytest.raises(InvalidMessage):
            check_lines(wrong)
    changed = [*lines]
    changed[1] = changed[1].replace("2100", "2101")
    with pytest.raises(InvalidMessage, match="was changed or is not whole"):
        check_lines(changed)
    changed[1] = json.dumps({"section": "of tomorrow", "row": []})
    with pytest.raises(InvalidMessage, match="of tomorrow"):
        check_lines(changed)

    other = Yard()
    other.submit()
    forget_job(other.services, ("batch-1", "job-1"))
    with pytest.raises(PermanentError, match="another key"):
        apply(other, lines)


def test_a_mark_keeps_the_later_time(yard: Yard) -> None:
    table, at = yard.services.tombstones, yard.clock.now()
    table.restore([("b", "m", at), ("b", "m", at - timedelta(hours=1))])
    assert table.find("b", ["m"]) == {"m": at}


def test_bars_faces_and_runs_of_sql_come_back_with_the_tombstones(yard: Yard) -> None:
    services, key = yard.services, ("spring", "d")
    mark = services.erased.mark("barred", "", "sha")
    face = EnrolledFace(uuid.uuid4(), "m", b"", 0.9, (1, 2, 3, 4), photo_sha256="photo")
    other = replace(face, face_id=uuid.uuid4(), rectangle=(50, 50, 3, 4))
    services.gallery.enrol(key, [face, other])
    backup = snapshot(yard)
    forget_face(services, face.face_id, EVERYTHING)
    services.barred.bar("", mark, "Ann")
    forget_job(services, ("spring", "a"))
    lines = list(export_lines(services, yard.clock.now()))
    bars, runs = services.barred.all(), services.erased_runs.all()
    restore(yard, backup)
    assert not services.barred.all() and not services.erased_runs.all()
    assert len(services.gallery.faces_of(key)) == 2

    assert not_known(services, FACES, lines) == 1
    assert apply(yard, lines) == {"jobs": 1, "faces": 1, "bars": 1}
    assert apply(yard, lines) == {}

    assert services.barred.all() == bars
    assert set(services.erased_runs.all()) >= set(runs)
    assert [each.face_id for each in services.gallery.faces_of(key)] == [other.face_id]
    assert services.suppressed_faces.is_any("spring")


def test_a_batch_that_was_erased_without_jobs_does_not_come_back(yard: Yard) -> None:
    services = yard.services
    for batch_id in ("empty", "kept"):
        services.batches.open_batch(batch_id)
    backup = snapshot(yard)
    yard.clock.move(timedelta(days=400))
    forget_batch(services, "empty", now=yard.clock.now())
    lines = list(export_lines(services, yard.clock.now()))
    restore(yard, backup)
    assert services.batches.batch("empty") is not None

    assert apply(yard, lines) == {"batches": 1}
    assert services.batches.batch("empty") is None
    assert services.batches.batch("kept") is not None
    assert services.batches.batch("spring") is not None
