"""A step that goes on after its job was erased writes nothing to SQL, even if it dies then."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from imaginem import JobContext, JobResult
from imaginem.engines.local.recognizer import LocalRecognizer
from imaginem.engines.match_tiers import MatchTiers
from imaginem.errors import NotFound, StorageUnavailable
from imaginem.images.decoding import decode_photo
from imaginem.message import JobMessage
from imaginem.names import own_photo_metadata
from imaginem.outputs import Face, Rectangle
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.ports import EnrolledFace, JobErased, QueueItem
from imaginem.testing import MemoryServices, message_for, photo_bytes
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from tests.crashes import Killed
from tests.workbench import KEY, Found
from tests.yard import Yard


def face(name: str) -> EnrolledFace:
    return EnrolledFace(uuid.uuid5(uuid.NAMESPACE_URL, name), "m", b"", 0.9, (1, 2, 3, 4))


def enrols(yard: Yard, name: str) -> Callable[[JobContext], Found]:
    def do(job: JobContext) -> Found:
        yard.services.gallery.enrol(job.key, [face(name)], run=job.call.run)
        return Found(what="enrolled")

    return do


def saves(job: JobContext) -> Found:
    job.results.save(JobResult(*job.key, job.pipeline, job.image_url, None, dict(job.outputs)))
    return Found(what="reported")


def in_sql(yard: Yard) -> list[object]:
    result = yard.services.results.read(KEY)
    return [*yard.services.gallery.faces_of(KEY), *([result] if result else [])]


@pytest.fixture
def yard() -> Yard:
    made = Yard()
    made.second_does, made.report_does = enrols(made, "old"), saves
    return made


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
@pytest.mark.parametrize("step", ["second", "report"])
def test_a_step_that_writes_after_the_erasure_and_dies_leaves_nothing(
    yard: Yard, step: str, whole: bool
) -> None:
    does = getattr(yard, f"{step}_does")

    def is_erased_and_dies(job: JobContext) -> Found:
        forget_batch(yard.services, KEY[0]) if whole else forget_job(yard.services, KEY)
        does(job)
        raise Killed  # its message is lost, too

    setattr(yard, f"{step}_does", is_erased_and_dies)
    yard.submit()
    yard.run()
    assert in_sql(yard) == []
    assert yard.telemetry.times("imaginem.erased", step=step) == 1


@pytest.mark.parametrize("step", ["second", "report"])
def test_a_step_of_an_erased_run_changes_nothing_of_a_job_that_was_sent_again(
    yard: Yard, step: str
) -> None:
    does = getattr(yard, f"{step}_does")
    later: list[str] = []

    def is_erased_and_sent_again(job: JobContext) -> Found:
        setattr(yard, f"{step}_does", saves if step == "report" else enrols(yard, "new"))
        yard.clock.move(timedelta(seconds=1))
        forget_job(yard.services, KEY)
        yard.clock.move(timedelta(seconds=1))
        yard.url = yard.services.blobs.put("inputimages", "batch-1/new", photo_bytes(), "image/png")
        later.append(yard.submit())
        yard.second_does = enrols(yard, "new")
        yard.run()
        return Found.model_validate(does(job).model_dump())

    setattr(yard, f"{step}_does", is_erased_and_sent_again)
    yard.submit()
    yard.run()
    assert (yard.state, yard.row.run) == ("succeeded", *later)
    assert [owner.face_id for owner in yard.services.gallery.faces_of(KEY)] == [face("new").face_id]
    result = yard.services.results.read(KEY)
    assert result is not None
    assert result.run == later[0]


def test_a_late_message_of_an_erased_run_leaves_the_photo_of_a_job_that_waits(yard: Yard) -> None:
    yard.submit()
    (late,) = yard.services.queues.receive("first", 1, 0)
    forget_job(yard.services, KEY)
    place = "inputimages", f"{'/'.join(KEY)}/new"
    own = own_photo_metadata(*place)
    yard.url = yard.services.blobs.put(*place, photo_bytes(), "image/png", metadata=own)
    yard.clock.move(timedelta(seconds=1))
    yard.submit()  # by its address: nobody has noted a hash of the photo
    delivery = Delivery(late.body, late.id, late.dequeue_count, late.inserted)
    moved = process_step(yard.registry.get("first"), delivery, yard.services, yard.registry)
    assert moved.state == "erased"
    assert place[1] in yard.services.blobs.list("inputimages", KEY[0])


def test_what_a_job_had_found_before_is_not_kept_of_one_that_is_erased_meanwhile(
    yard: Yard,
) -> None:
    yard.submit()
    yard.run()
    keep = yard.services.earlier_outputs.keep

    def too_late(*given: Any, **named: Any) -> None:
        forget_job(yard.services, KEY)
        keep(*given, **named)

    yard.services.earlier_outputs.keep = too_late  # type: ignore[method-assign]
    with pytest.raises(NotFound, match="any more"):
        rerun_job(yard.services, KEY, prepare_rerun(yard.services, KEY[0], "second", {}))
    assert yard.services.earlier_outputs.of_job(KEY) == []
    yard.run()
    assert in_sql(yard) == []


def of_run(run: str) -> JobMessage:
    return message_for("https://x.test/a", ["faceprint"]).noting(run=run, fence="f")


@pytest.mark.parametrize("run", ["run-1", "made up/by a sender"])
def test_the_local_recognizer_enrols_nothing_for_an_erased_run(run: str) -> None:
    class Embedder:
        name, dimensions = "m", 1

        def embed(self, photo: object, seen: object) -> EnrolledFace:
            return face("any")

    services = MemoryServices()
    embedder: Any = Embedder()
    recognizer = LocalRecognizer(
        embedder,
        services.gallery,
        services.face_index,
        tiers=MatchTiers(0.5, 0.3),
        match_limit=1,
    )
    seen = Face(face_rectangle=Rectangle(left=0, top=0, width=8, height=8))
    photo = decode_photo(photo_bytes())
    call = JobContext(of_run(run), services).call
    services.erased.add_runs(KEY[0], {KEY[1]: ["another", run]})
    with pytest.raises(JobErased):
        recognizer.enrol(KEY, photo, [seen], call)
    assert services.gallery.faces_of(KEY) == []
    recognizer.enrol(KEY, photo, [seen], JobContext(of_run("later"), services).call)
    assert services.gallery.faces_of(KEY)


def received_of_an_erased_job(yard: Yard) -> QueueItem:
    """Return a first message that was received, and whose job, run by another, was erased then."""
    yard.drop()
    (item,) = yard.services.queues.receive("first", 1, 0)
    yard.services.log.insert(KEY, {"job_state": "succeeded", "imaginem_run": "another"})
    yard.clock.move(timedelta(seconds=1))
    forget_job(yard.services, KEY)
    return item


def test_a_first_message_that_comes_again_opens_no_job_that_was_erased(yard: Yard) -> None:
    item = received_of_an_erased_job(yard)
    inserted: list[object] = []

    def insert(key: Any, properties: Any) -> str:
        inserted.append(key)
        return "fence"

    yard.services.log.insert = insert  # type: ignore[method-assign]
    delivery = Delivery(item.body, item.id, 2, item.inserted)
    moved = process_step(yard.first, delivery, yard.services, yard.registry)
    assert (moved.state, inserted) == ("erased", []), "it may die before it removes the row"


def test_a_message_of_an_unknown_run_that_is_given_up_leaves_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = received_of_an_erased_job(yard)
    opened = {"imaginem_run": item.id, "imaginem_delivery": item.id, "job_state": "running"}
    yard.services.log.insert(KEY, {**opened, "first": "step 0: processing"})
    with monkeypatch.context() as broken:
        broken.setattr(yard.services.results, "erase_runs", fails)
        with pytest.raises(StorageUnavailable):
            delivery = Delivery(item.body, item.id, 2, item.inserted)
            process_step(yard.first, delivery, yard.services, yard.registry)
    yard.clock.move(timedelta(seconds=1))
    bury(yard.services, "first", "moved by the host", item.body, yard.clock.now())
    assert yard.services.log.read(KEY) is None
    assert yard.services.poison.list() == []


def test_one_that_dies_at_each_look_and_is_given_up_is_known_by_when_it_was_put(yard: Yard) -> None:
    item = received_of_an_erased_job(yard)
    covers = yard.services.erased.covers

    def dies(*_: object) -> bool:
        raise Killed

    yard.services.erased.covers = dies
    with pytest.raises(Killed):
        delivery = Delivery(item.body, item.id, 1, item.inserted)
        process_step(yard.first, delivery, yard.services, yard.registry)
    assert yard.services.log.read(KEY) is not None
    yard.services.erased.covers = covers
    yard.clock.move(timedelta(minutes=5))
    bury(yard.services, "first", "moved by the host", item.body, yard.clock.now())
    assert yard.services.log.read(KEY) is None
    assert yard.services.poison.list() == []


def test_one_that_is_given_up_leaves_nothing_though_a_slow_sender_notes_its_run_late(
    yard: Yard,
) -> None:
    item = received_of_an_erased_job(yard)
    yard.services.submissions.submitted(KEY, "another")  # which was erased, too
    yard.clock.move(timedelta(minutes=5))
    bury(yard.services, "first", "moved by the host", item.body, yard.clock.now())
    assert yard.services.log.read(KEY) is None
    assert yard.services.poison.list() == []

    yard.services.submissions.submitted(KEY, "later")
    bury(yard.services, "first", "moved by the host", item.body, yard.clock.now())
    assert len(yard.services.poison.list()) == 1, "it may be the later job's"


def fails(*_: object) -> None:
    raise StorageUnavailable("no answer")
