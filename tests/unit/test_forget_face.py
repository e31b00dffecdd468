"""The photo stays, the face goes: from everywhere, and for good, in this group's photos."""

import io
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from pydantic_core import from_json

from imaginem.config.settings import read_settings
from imaginem.errors import NotFound, StorageUnavailable
from imaginem.memory.storage import MemoryLog
from imaginem.pipeline.erased import ENTRY
from imaginem.pipeline.erased_faces import faces_in
from imaginem.pipeline.maintenance import run_maintenance
from imaginem.pipeline.offload import expand
from imaginem.pipeline.progress_row import read_row
from imaginem.ports import Box, JobKey, PoisonEntry, SuppressedMark
from imaginem.ports.suppressed_faces import is_same_place
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.at_rest import finish_erasures
from imaginem.usecases.erase import forget_job
from imaginem.usecases.forget_face import erase_suppressed, finish_faces, forget_face
from imaginem.usecases.kept_receipts import find_receipt, is_genuine
from imaginem.usecases.poison import replay_job
from imaginem.usecases.receipt_words import what_waits
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from tests.dashboard import client, principal
from tests.studio import LEFT, RIGHT, STEPS, Studio

KEY, OTHER, THIRD = ("a", "one"), ("a", "two"), ("b", "three")
NOBODY = Caller("Ben", "caseworker", frozenset())


@pytest.fixture(params=[0, 1500], ids=["small", "large"])
def studio(request: pytest.FixtureRequest) -> Studio:
    """A studio whose outputs fit into messages, or lie in blobs."""
    return Studio(detail=request.param)


def again(studio: Studio, key: JobKey, step: str) -> None:
    rerun_job(studio.services, key, prepare_rerun(studio.services, key[0], step, {}))
    studio.run()


def end_quietly(studio: Studio) -> None:
    """Let the timer run when all jobs have ended and nobody can be at work."""
    let_time_pass(studio)
    finish_faces(studio.services)


def let_time_pass(studio: Studio) -> None:
    """Let all jobs have ended an hour ago."""
    before = datetime.now(UTC) - timedelta(hours=1)
    log = studio.services.log
    for entry in list(log.batch("a")) + list(log.batch("b")):
        log._now = lambda: before
        log.merge((entry.batch_id, entry.job_id), {}, entry.fence)


def test_a_face_goes_from_every_store_and_the_other_one_stays_in_all(studio: Studio) -> None:
    services = studio.services
    faces = studio.develop(KEY)
    studio.develop(OTHER, photo_bytes(100, 50, "red"))
    again(studio, KEY, "facecrop")  # its message has the faces, and the result before is kept
    gone, stays = faces[LEFT], faces[RIGHT]
    body = services.submissions.message(KEY)
    services.poison.add(PoisonEntry("facecrop", "m", "because", body, 1, *KEY))
    pair = (gone, next(iter(studio.faces(OTHER).values())))
    services.reviews.review(pair, "confirmed", "Ann")
    everywhere = studio.places(stays)
    assert studio.places(gone) - {"reviews"} == everywhere
    assert everywhere >= {"blob faces", "earlier a", "gallery", "pairs", "rows a", "results a"} - (
        {"rows a"} if "blob largemessages" in everywhere else set()
    )

    done = forget_face(services, gone, EVERYTHING)

    assert studio.places(gone) == set()
    assert studio.places(stays) >= everywhere - {"blob largemessages"}
    assert studio.detected(KEY) == {RIGHT: stays}
    assert studio.output(KEY, "facedetection")["erased_faces"] == 1
    assert [f["face_id"] for f in studio.output(KEY, "facecrop")["faces"]] == [str(stays)]
    assert services.blobs.list("inputimages", "a/one/")  # the photo stays
    for place in ("face", "faces", "pipeline_output"):
        assert done.removed[place] == 1
    assert done.removed["earlier_output"] == 1
    if "poison" in everywhere:
        assert done.removed["pipelinepoison"] == 1
    assert done.left == {}


def test_the_same_photo_never_brings_it_back_in_the_group(studio: Studio) -> None:
    faces = studio.develop(KEY)
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    studio.detector.name = "another detector"  # so that every face has another id
    studio.detector.boxes[0] = (12, 11, 20, 20)
    for step in STEPS[:-1]:
        again(studio, KEY, step)
        assert set(studio.faces(KEY)) == {RIGHT}
        assert set(studio.detected(KEY)) == {RIGHT}
        assert studio.output(KEY, "facedetection")["erased_faces"] == 1
    for key in (OTHER, THIRD, KEY):  # KEY: submitted again under its own id
        studio.develop(key)
        assert set(studio.faces(key)) == set(studio.detected(key)) == {RIGHT}
        noted = {face.key for face in studio.services.suppressed_faces.unfinished()}
        assert noted == {KEY}  # of later photos nothing was written that is to be removed
        crops = studio.output(key, "facecrop")["faces"]
        assert len(crops) == 1
        if key != KEY:  # whose first run's picture of the other face is still there
            assert len(studio.services.blobs.list("faces", "/".join(key))) == 1
    services = studio.services
    for face_id in studio.faces(OTHER).values():
        found = {match.matched_face_id for match in services.gallery.matches_of([face_id])}
        assert found <= {*studio.faces(THIRD).values(), *studio.faces(KEY).values()}


def test_other_photos_and_other_groups_are_not_touched() -> None:
    studio = Studio()
    studio.services.batches.open_batch("b", "red")
    faces = studio.develop(KEY)
    theirs = studio.develop(THIRD)
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    assert set(studio.faces(THIRD).values()) == set(theirs.values())
    assert set(studio.develop(OTHER, photo_bytes(100, 50, "red"))) == {LEFT, RIGHT}
    assert set(studio.develop(("b", "four"))) == {LEFT, RIGHT}
    forget_face(studio.services, theirs[RIGHT], EVERYTHING)
    assert set(studio.develop(("b", "five"))) == {LEFT}
    assert set(studio.develop(("a", "six"))) == {RIGHT}


@pytest.mark.parametrize(
    ("box", "same"),
    [
        ((0, 0, 100, 60), True),
        ((0, 0, 100, 50), True),  # exactly half
        ((0, 0, 100, 49), False),
        ((0, 0, 100, 200), True),
        ((0, 0, 100, 201), False),
        ((100, 0, 100, 100), False),
        ((200, 200, 10, 10), False),
        ((20, 20, 100, 100), False),
    ],
)
def test_a_face_is_the_same_if_the_boxes_share_half_of_what_they_cover(
    box: Box, same: bool
) -> None:
    assert is_same_place((0, 0, 100, 100), box) is same
    assert is_same_place(box, (0, 0, 100, 100)) is same


@pytest.mark.parametrize("done", range(1, len(STEPS)), ids=STEPS[:-1])
def test_of_a_job_at_work_the_face_goes_too(studio: Studio, done: int) -> None:
    """The message that is on its way carries the face, and names blobs that have it."""
    studio.send(KEY)
    for step in STEPS[:done]:
        studio.run_one(step)
    detected = detected_ids(studio)

    receipt = forget_face(studio.services, detected[LEFT], EVERYTHING, KEY)
    assert not receipt.final
    assert set(studio.run()) == {"success"}

    assert studio.places(detected[LEFT]) <= {"rows a"}
    assert set(studio.faces(KEY)) == set(studio.detected(KEY)) == {RIGHT}
    assert studio.output(KEY, "facedetection")["erased_faces"] == 1
    finish_faces(studio.services)
    assert studio.places(detected[LEFT]) == set()
    assert studio.services.suppressed_faces.unfinished()  # somebody may still be at work
    end_quietly(studio)
    assert studio.services.suppressed_faces.unfinished() == []
    receipt = find_receipt(studio.services, receipt.id)
    assert receipt.final and receipt.left == {}


def detected_ids(studio: Studio) -> dict[Box, uuid.UUID]:
    """Return the faces of a job that is at work, in the order of the detector."""
    row = read_row(studio.services.log, KEY)
    assert row is not None
    output = expand(from_json(row.output_of("facedetection")), KEY, studio.services.blobs)
    return {box: face_id for face_id, box in faces_in(output).items() if box is not None}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_face_that_is_erased_while_it_is_enrolled_is_gone_in_the_end(when: str) -> None:
    studio = Studio()
    studio.send(KEY)
    for step in STEPS[:2]:
        studio.run_one(step)
    gone = detected_ids(studio)[LEFT]

    def erase() -> None:
        forget_face(studio.services, gone, EVERYTHING, KEY)

    setattr(studio.recognizer, f"{when}_enrolling", erase)
    studio.run()
    assert set(studio.faces(KEY)) == {RIGHT}
    assert [f["face_id"] for f in studio.output(KEY, "faceprint")["faces"]] != [str(gone)]
    finish_faces(studio.services)
    assert studio.places(gone) == set()


@pytest.mark.parametrize("done", range(1, len(STEPS)), ids=STEPS[:-1])
def test_a_copy_of_the_photo_that_is_at_work_loses_the_face_too(studio: Studio, done: int) -> None:
    faces = studio.develop(OTHER)
    studio.send(KEY)
    for step in STEPS[:done]:
        studio.run_one(step)
    copy = detected_ids(studio)[LEFT]
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    assert set(studio.run()) == {"success"}
    finish_faces(studio.services)
    assert studio.places(copy) == set()
    assert set(studio.faces(KEY)) == set(studio.detected(KEY)) == {RIGHT}


def test_a_poisoned_message_that_is_replayed_brings_no_face_back() -> None:
    studio = Studio()
    studio.send(KEY)
    studio.run_one("facedetection")
    (item,) = studio.services.queues.receive("facecrop", 1, 0)
    studio.services.queues.clear("facecrop")
    entry = PoisonEntry("facecrop", item.id, "because", item.body, 5, *KEY)
    gone = detected_ids(studio)[LEFT]
    forget_face(studio.services, gone, EVERYTHING, KEY)
    studio.services.poison.add(entry)  # from a copy that was on a queue
    replay_job(studio.services, "facecrop", item.id)
    studio.run()
    assert set(studio.faces(KEY)) == set(studio.detected(KEY)) == {RIGHT}
    finish_faces(studio.services)
    assert studio.places(gone) == set()


def test_a_face_that_was_never_enrolled_is_erased_by_its_job() -> None:
    studio = Studio()
    studio.send(KEY)
    studio.run_one("facedetection")
    studio.run_one("facecrop")
    gone = detected_ids(studio)[LEFT]
    with pytest.raises(NotFound, match=f"there is no face {gone} in the gallery: if .+ `--job`"):
        forget_face(studio.services, gone, EVERYTHING)
    with pytest.raises(NotFound, match=f"^there is no face {gone}$"):
        forget_face(studio.services, gone, EVERYTHING, OTHER)
    browser, place = client(studio.services), f"/api/faces/{gone}"
    assert browser.delete(place).status_code == 404
    assert browser.delete(place, params={"batch": "a", "job": "two"}).status_code == 404
    for one in ("batch", "job"):
        refused = browser.delete(place, params={one: "a"})
        assert refused.status_code == 422 and "give both" in refused.text
    answer = browser.delete(place, params={"batch": "a", "job": "one"})
    assert (answer.status_code, answer.json()["removed"]["faces"]) == (200, 1)
    assert studio.places(gone) == {"rows a"}


def test_what_is_hidden_is_as_if_it_were_not_there() -> None:
    studio = Studio()
    studio.services.batches.open_batch("a", "red")
    face_id = studio.develop(KEY)[LEFT]
    for key in (None, KEY):
        with pytest.raises(NotFound, match=f"there is no face {face_id}"):
            forget_face(studio.services, face_id, NOBODY, key)
    assert set(studio.faces(KEY)) == {LEFT, RIGHT}


class Failing:
    """A port whose calls fail from some call on, counted over several ports."""

    calls, most = 0, 10**6

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name in ("locate", "address", "holds"):
            return method

        def call(*given: Any, **more: Any) -> Any:
            Failing.calls += 1
            if Failing.calls > Failing.most:
                raise StorageUnavailable("no answer")
            return method(*given, **more)

        return call


@pytest.fixture
def counted() -> Iterator[type[Failing]]:
    Failing.calls, Failing.most = 0, 10**6
    yield Failing


PORTS = ("blobs", "log", "poison", "gallery", "results", "suppressed_faces", "submissions")


def interrupted(most: int) -> tuple[Studio, uuid.UUID, int]:
    """Erase a face, and be stopped at a call; return how many calls there were."""
    studio = Studio()
    gone = studio.develop(KEY)[LEFT]
    studio.develop(OTHER, photo_bytes(100, 50, "red"))
    plain = {name: getattr(studio.services, name) for name in PORTS}
    for name, port in plain.items():
        setattr(studio.services, name, Failing(port))
    Failing.calls, Failing.most = 0, most
    with suppress(StorageUnavailable):
        forget_face(studio.services, gone, EVERYTHING)
    calls = Failing.calls
    for name, port in plain.items():
        setattr(studio.services, name, port)
    return studio, gone, calls


def test_an_erasure_that_was_interrupted_anywhere_is_completed(counted: type[Failing]) -> None:
    _, _, calls = interrupted(10**6)
    for most in range(calls):
        studio, gone, _ = interrupted(most)
        if not studio.services.suppressed_faces.is_any("a"):  # nothing goes before that
            assert len(studio.places(gone)) >= 5, f"stopped at call {most}"
            continue
        studio.develop(("b", "copy"))
        assert set(studio.faces(("b", "copy"))) == {RIGHT}
        if most % 2:
            finish_faces(studio.services)  # the timer
        else:
            forget_face(studio.services, gone, EVERYTHING)
        assert studio.places(gone) == set(), f"stopped at call {most}"


def test_a_face_goes_under_the_ids_that_earlier_detectors_gave_it() -> None:
    studio = Studio()
    earlier = studio.develop(KEY)[LEFT]
    studio.detector.name = "another detector"
    again(studio, KEY, "facedetection")
    now = studio.faces(KEY)[LEFT]
    assert now != earlier
    assert studio.places(earlier) == {"blob faces", "earlier a"}
    forget_face(studio.services, now, EVERYTHING)
    assert studio.places(earlier) == studio.places(now) == set()


def test_where_no_face_was_erased_nothing_more_is_read_and_no_key_is_made() -> None:
    studio = Studio()
    reads: list[str] = []
    get = studio.services.blobs.get

    def note(container: str, *given: Any, **more: Any) -> bytes:
        reads.append(container)
        return get(container, *given, **more)

    studio.services.blobs.get = note  # type: ignore[method-assign]
    studio.services.batches.open_batch("b", "red")
    theirs = studio.develop(THIRD)
    before = list(reads)
    assert before == ["inputimages"] * 3  # detection, crops, prints
    assert studio.services.shared_state.read(ENTRY) is None
    forget_face(studio.services, theirs[LEFT], EVERYTHING)
    reads.clear()
    studio.develop(KEY)  # in batches of no group nothing was erased
    assert reads == before


def test_an_upright_photo_is_what_boxes_refer_to() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (50, 100), "teal").save(out, "JPEG", exif=turned)
    studio = Studio()
    faces = studio.develop(KEY, out.getvalue())
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    assert set(studio.develop(OTHER, out.getvalue())) == {RIGHT}


def test_two_faces_of_one_photo_are_erased_one_by_one() -> None:
    studio = Studio()
    faces = studio.develop(KEY)
    for face_id in faces.values():
        forget_face(studio.services, face_id, EVERYTHING)
    assert studio.output(KEY, "facedetection") == {"faces": [], "erased_faces": 2}
    assert studio.develop(OTHER) == {}
    assert studio.output(OTHER, "facedetection") == {"faces": [], "erased_faces": 2}
    assert studio.output(OTHER, "facematch") == {"matches": []}


def test_an_erased_job_leaves_its_faces_suppressed_and_no_id() -> None:
    studio = Studio()
    faces = studio.develop(KEY)
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    forget_job(studio.services, KEY)
    assert studio.services.suppressed_faces.unfinished() == []
    assert set(studio.develop(OTHER)) == {RIGHT}


def test_a_job_that_ended_long_ago_is_finished_at_once() -> None:
    studio = Studio(log=MemoryLog(lambda: datetime.now(UTC) - timedelta(hours=1)))
    faces = studio.develop(KEY)
    forget_face(studio.services, faces[LEFT], EVERYTHING)
    assert studio.services.suppressed_faces.unfinished() == []
    with pytest.raises(NotFound):
        forget_face(studio.services, faces[LEFT], EVERYTHING)


def test_the_api_erases_a_face_and_tells_what_went() -> None:
    studio = Studio()
    faces = studio.develop(KEY)
    browser = client(studio.services)
    answer = browser.delete(f"/api/faces/{faces[LEFT]}")
    assert answer.status_code == 200
    assert answer.json()["removed"]["face"] == 1
    assert browser.delete(f"/api/faces/{uuid.uuid4()}").status_code == 404
    told = [(entry.deed, entry.kind) for entry in studio.services.audit_trail.read()]
    assert told == [("erased", "face")]
    refused = client(studio.services, "platform", **principal("viewer"))
    assert refused.delete(f"/api/faces/{faces[RIGHT]}").status_code == 403


def test_the_photos_page_erases_a_face_and_says_how_many_are_left_out() -> None:
    studio = Studio()
    faces = studio.develop(KEY)
    browser = client(studio.services, "platform", **principal("caseworker"))
    erase = f"/photos/a/one/faces/{faces[LEFT]}/erase"
    assert erase in browser.get("/photos/a/one").text
    answer = browser.post(erase, headers={"Origin": "http://testserver"})
    assert answer.status_code == 204
    receipt = browser.get(answer.headers["HX-Redirect"]).text
    assert "A face was erased." in receipt and "crops of faces" in receipt
    page = browser.get("/photos/a/one").text
    assert "1 more was found, and left out since it was erased." in page
    assert str(faces[LEFT]) not in page and str(faces[RIGHT]) in page
    seen = client(studio.services, "platform", **principal("viewer")).get("/photos/a/one").text
    assert "Erase this face" in page and "Erase this face" not in seen


def test_its_receipt_is_final_once_nobody_can_write_of_it_any_more() -> None:
    studio = Studio()
    faces = studio.develop(KEY)
    services = studio.services
    done = forget_face(services, faces[LEFT], EVERYTHING)
    assert (done.kind, done.final, done.removed["face"]) == ("face", False, 1)
    finish_faces(services)
    assert not find_receipt(services, done.id).final
    end_quietly(studio)
    assert find_receipt(services, done.id).final
    assert services.shared_state.list("face-receipt-") == {}
    assert is_genuine(services, find_receipt(services, done.id))
    assert str(faces[LEFT]) not in str(vars(done))


def test_without_a_watchdog_the_timer_makes_its_receipt_final_too() -> None:
    studio = Studio()
    services, faces = studio.services, studio.develop(KEY)
    services.core_settings = replace(services.core_settings, looks_again=False)
    done = forget_face(services, faces[LEFT], EVERYTHING)
    assert not done.final
    assert what_waits(services, done)[0].startswith("This is final at ")
    let_time_pass(studio)

    runtime = Runtime(read_settings({"WATCHDOG_MINUTES": "0"}))
    runtime.made.update(vars(services))
    jobs = [job for job in runtime.maintenance_jobs if job.name not in ("audit", "landing")]
    run_maintenance(jobs, services.telemetry)

    kept = find_receipt(services, done.id)
    assert kept.final and is_genuine(services, kept)
    assert services.suppressed_faces.unfinished() == []


def test_when_a_laptop_stops_nothing_names_the_face_any_more_and_its_receipt_is_final() -> None:
    studio = Studio()
    services, faces = studio.services, studio.develop(KEY)
    studio.develop(OTHER)
    of_a_job = studio.faces(OTHER)[LEFT]
    done = forget_face(services, faces[LEFT], EVERYTHING)
    other = forget_face(services, of_a_job, EVERYTHING)
    forget_job(services, OTHER)

    services.queues.send("faceprint", "perhaps of the job")
    finish_erasures(services, STEPS)
    assert services.suppressed_faces.unfinished(), "the message may bring the face on"
    assert not find_receipt(services, done.id).final

    services.queues.clear("faceprint")
    finish_erasures(services, STEPS)
    assert services.suppressed_faces.unfinished() == []
    assert services.shared_state.list("face-receipt-") == {}
    for receipt_id in (done.id, other.id):
        kept = find_receipt(services, receipt_id)
        assert kept.final and is_genuine(services, kept)


def test_a_stop_forgets_no_face_of_a_job_that_has_not_ended() -> None:
    studio = Studio()
    studio.send(KEY)
    studio.run_one("facedetection")
    gone = detected_ids(studio)[LEFT]
    forget_face(studio.services, gone, EVERYTHING, KEY)
    studio.services.queues.clear("facecrop")  # the message was lost; the watchdog sends it again
    finish_erasures(studio.services, STEPS)
    assert [face.face_id for face in studio.services.suppressed_faces.unfinished()] == [gone]


def test_a_face_that_was_never_enrolled_goes_from_a_restored_backup_too() -> None:
    studio = Studio()
    studio.send(KEY)
    studio.run()
    gone = studio.detected(KEY)[LEFT]
    studio.services.gallery.remove(list(studio.faces(KEY).values()))  # a pipeline without faceprint
    face = SuppressedMark(str(gone), "photo", "", LEFT)
    assert str(gone) in str(studio.output(KEY, "facedetection"))
    studio.services.suppressed_faces.restore([face])

    assert erase_suppressed(studio.services, [KEY]) == 1
    finish_erasures(studio.services, STEPS)
    assert studio.places(gone) == set()
    assert set(studio.detected(KEY)) == {RIGHT}
    assert erase_suppressed(studio.services, [KEY]) == 0
