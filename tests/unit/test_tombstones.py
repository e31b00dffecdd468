"""What was erased does not come back, whatever is still on its way; what is sent later does."""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from imaginem import JobContext, JobResult
from imaginem.errors import NotFound, StorageUnavailable
from imaginem.images.photo_cache import PhotoCache
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, process_step
from imaginem.ports import EnrolledFace, JobErased, PoisonFilter, QueueItem
from imaginem.testing import message_for, photo_bytes
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.poison import replay_job
from imaginem.usecases.poison_many import replay_some
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from imaginem.usecases.submit import record_sent, run_again, send_message
from tests.workbench import KEY, Found
from tests.yard import Yard

FACE = EnrolledFace(uuid.uuid5(uuid.NAMESPACE_URL, "face"), "m", b"", 0.9, (1, 2, 3, 4))


@pytest.fixture
def yard() -> Yard:
    """Two steps that leave faces, pictures and a result."""
    made = Yard()
    made.services.photos = PhotoCache()
    made.second_does, made.report_does = leaves_faces(made), leaves_a_result
    return made


def leaves_faces(yard: Yard) -> Callable[[JobContext], Found]:
    def do(job: JobContext) -> Found:
        assert job.image.width
        yard.executed.append("second")
        yard.services.gallery.enrol(job.key, [FACE])
        yard.services.blobs.put("faces", "batch-1/job-1/face.png", b"face", "image/png")
        return Found(what="two")

    return do


def leaves_a_result(job: JobContext) -> Found:
    job.results.save(JobResult(*job.key, job.pipeline, job.image_url, None, dict(job.outputs)))
    return Found(what="reported")


def left(yard: Yard) -> set[str]:
    """Return the stores that have something of the job."""
    services = yard.services
    kept: dict[str, Any] = {
        "row": services.log.read(KEY),
        "submission": services.submissions.submission(KEY),
        "result": services.results.read(KEY),
        "faces": services.gallery.faces_of(KEY),
        "poison": services.poison.list(),
        "pictures": services.blobs.list("faces", "batch-1/job-1"),
        "large": services.blobs.list("largemessages", "batch-1/job-1"),
    }
    return {name for name, value in kept.items() if value}


def take(yard: Yard, queue: str) -> QueueItem:
    """Return the message of a queue, and leave it there."""
    (item,) = yard.services.queues.receive(queue, 1, 0)
    return item


def deliver(yard: Yard, queue: str, item: QueueItem, count: int = 1) -> str:
    delivery = Delivery(item.body, item.id, count, item.inserted)
    return process_step(yard.registry.get(queue), delivery, yard.services, yard.registry).state


def erase(yard: Yard) -> None:
    yard.clock.move(timedelta(seconds=1))
    forget_job(yard.services, KEY)
    yard.clock.move(timedelta(seconds=1))


@pytest.mark.parametrize("queue", ["first", "second", "report"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_late_copy_of_any_message_of_an_erased_job_brings_nothing_back(
    yard: Yard, queue: str, count: int
) -> None:
    yard.submit()
    copies = {}
    for name in yard.names:
        copies[name] = take(yard, name)
        yard.run_one(name)
    assert left(yard) >= {"row", "submission", "result", "faces", "pictures"}
    erase(yard)
    assert left(yard) == set()

    assert deliver(yard, queue, copies[queue], count) == "erased"
    assert left(yard) == set()
    assert yard.telemetry.times("imaginem.erased", step=queue) == 1
    assert all(yard.services.queues.count(name) == 0 for name in yard.names)


def test_a_first_message_of_another_program_is_dropped_if_it_came_before_the_erasure(
    yard: Yard,
) -> None:
    yard.drop()
    early = take(yard, "first")
    yard.services.log.insert(KEY, {"job_state": "succeeded", "imaginem_run": "another"})
    erase(yard)
    assert deliver(yard, "first", early) == "erased"
    assert left(yard) == set()

    yard.services.queues.clear("first")
    yard.drop()
    assert deliver(yard, "first", take(yard, "first")) == "success"


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_later_job_of_the_same_id_lives_and_nothing_of_the_erased_one_takes_it_over(
    yard: Yard, whole: bool
) -> None:
    yard.submit()
    first = take(yard, "first")
    yard.run_one("first")
    second = take(yard, "second")
    yard.services.queues.clear("second")
    yard.clock.move(timedelta(seconds=1))
    forget_batch(yard.services, KEY[0]) if whole else forget_job(yard.services, KEY)
    yard.clock.move(timedelta(seconds=1))
    yard.url = yard.services.blobs.put("inputimages", "batch-1/p", photo_bytes(), "image/png")
    run = yard.submit()
    yard.run_one("first")

    assert deliver(yard, "first", first, 2) == "erased"
    assert deliver(yard, "second", second) == "erased"
    yard.run()
    assert (yard.state, yard.row.run) == ("succeeded", run)
    assert left(yard) == {"row", "submission", "result", "faces", "pictures"}


def test_a_later_submission_lives_though_a_clock_was_set_back(yard: Yard) -> None:
    yard.submit()
    yard.run()
    erase(yard)
    yard.clock.move(timedelta(hours=-3))
    yard.submit()
    yard.run()
    assert yard.state == "succeeded"


@pytest.mark.parametrize("step", ["first", "second", "report"])
def test_a_job_that_is_erased_while_a_step_runs_leaves_nothing(yard: Yard, step: str) -> None:
    does = getattr(yard, f"{step}_does")

    def erased_meanwhile(job: JobContext) -> Found:
        assert job.image.width
        forget_job(yard.services, KEY)
        return Found.model_validate(does(job).model_dump())

    setattr(yard, f"{step}_does", erased_meanwhile)
    yard.submit()
    yard.run()
    assert left(yard) == set()


@pytest.mark.parametrize("step", ["second", "report"])
def test_what_a_step_writes_and_records_while_the_stores_are_emptied_goes_too(
    yard: Yard, step: str
) -> None:
    yard.submit()
    while not (yard.services.queues.count(step) or 0):
        yard.run_one("first" if not yard.executed else "second")
    remove = yard.services.log.delete
    begun: list[Any] = []

    def records_first(key: Any, fence: str = "") -> None:
        if not begun:
            begun.append(key)
            yard.run_one(step)
        remove(key, fence)

    yard.services.log.delete = records_first  # type: ignore[method-assign]
    forget_job(yard.services, KEY)
    yard.run()
    assert left(yard) == set()


def test_a_job_that_begins_while_it_is_erased_finds_that_out(yard: Yard) -> None:
    yard.submit()
    insert = yard.services.log.insert

    def late(key: Any, properties: Any) -> str:
        forget_job(yard.services, KEY)
        return insert(key, properties)

    yard.services.log.insert = late  # type: ignore[method-assign]
    yard.run()
    assert left(yard) == set()


def meanwhile(yard: Yard, whole: bool, act: Callable[[], None]) -> None:
    """Erase, and let something happen once runs were looked for, before submissions are removed."""
    submissions = yard.services.submissions
    name = "erase_batch" if whole else "erase"
    remove = getattr(submissions, name)

    def acts_first(*given: Any) -> None:
        setattr(submissions, name, remove)
        yard.clock.move(timedelta(seconds=1))
        act()
        remove(*given)

    setattr(submissions, name, acts_first)
    forget_batch(yard.services, KEY[0]) if whole else forget_job(yard.services, KEY)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_run_that_only_its_row_tells_of_is_erased_with_it(yard: Yard, whole: bool) -> None:
    message = message_for(yard.url, yard.names)
    record_sent(yard.services, message, "", None)  # its sender stands still before it notes the run
    run = yard.services.queues.send("first", message.encode())
    meanwhile(yard, whole, lambda: yard.run_one("first"))
    assert yard.services.queues.count("second") == 1

    yard.run()
    assert left(yard) == set()
    assert yard.services.erased.covers(KEY, (run,), None)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_job_that_is_sent_and_begins_while_it_is_erased_is_erased_whole(
    yard: Yard, whole: bool
) -> None:
    yard.submit()
    yard.run()
    runs: list[str] = []

    def sends_and_begins() -> None:
        runs.append(yard.submit())
        yard.run_one("first")

    meanwhile(yard, whole, sends_and_begins)
    with pytest.raises(JobErased):  # of a worker that goes on with it
        yard.services.gallery.enrol(KEY, [FACE], run=runs[0])
    yard.run()
    assert left(yard) == set()


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_run_that_takes_the_row_over_just_before_it_is_removed_is_erased_too(
    yard: Yard, whole: bool
) -> None:
    yard.submit()
    yard.run()
    runs: list[str] = []
    remove = yard.services.log.delete

    def taken_over_first(key: Any, fence: str = "") -> None:
        if not runs:
            yard.clock.move(timedelta(seconds=1))
            runs.append(yard.submit())
            yard.run_one("first")
        remove(key, fence)

    yard.services.log.delete = taken_over_first  # type: ignore[method-assign]
    forget_batch(yard.services, KEY[0]) if whole else forget_job(yard.services, KEY)
    assert yard.services.log.read(KEY) is None
    assert yard.services.erased.covers(KEY, runs, None)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_what_such_a_run_found_goes_though_the_job_is_sent_again_before_the_end(
    yard: Yard, whole: bool
) -> None:
    erased: list[str] = []
    later: list[str] = []
    remove = yard.services.log.delete

    def sends_again(key: Any, fence: str = "") -> None:
        remove(key, fence)
        if not later:
            later.append(yard.submit())

    def sends_and_finds_faces() -> None:
        erased.append(yard.submit())
        yard.run_one("first")
        yard.services.gallery.enrol(KEY, [FACE], run=erased[0])
        yard.services.log.delete = sends_again  # type: ignore[method-assign]

    yard.submit()
    yard.run()
    meanwhile(yard, whole, sends_and_finds_faces)
    assert left(yard) == {"submission"}
    assert not yard.services.erased.covers(KEY, later, None)


def test_a_worker_that_died_before_it_looked_is_no_way_back(yard: Yard) -> None:
    yard.submit()
    item = take(yard, "first")
    erase(yard)
    opened = {"imaginem_run": item.id, "imaginem_delivery": item.id, "job_state": "running"}
    yard.services.log.insert(KEY, {**opened, "first": "step 0: processing"})
    assert deliver(yard, "first", item, 2) == "erased"
    assert yard.executed == []
    assert left(yard) == set()


def test_a_message_that_comes_again_runs_nothing_while_its_job_is_erased(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    yard.services.erased.begin(KEY[0], [KEY[1]])
    yard.services.erased.add_runs(KEY[0], {KEY[1]: [yard.row.run]})
    assert deliver(yard, "second", take(yard, "second"), 2) == "erased"
    assert yard.executed == ["first"]


@pytest.mark.parametrize("many", [False, True])
def test_a_poison_entry_of_an_erased_run_is_refused_and_goes(yard: Yard, many: bool) -> None:
    yard.submit()
    yard.run_one("first")
    item = take(yard, "second")
    yard.services.queues.clear("second")
    bury(yard.services, "second", "poisoned", item.body, item.inserted)
    (entry,) = yard.services.poison.list()
    erase(yard)
    yard.services.poison.add(entry)  # as if storage had forgotten that it went

    if many:
        handled = replay_some(yard.services, PoisonFilter(), force=True)
        assert (handled.done, sum(handled.left.values())) == (0, 1)
    else:
        with pytest.raises(NotFound, match="was erased"):
            replay_job(yard.services, "second", "poisoned", force=True)
    assert yard.services.poison.list() == []
    assert left(yard) == set()


@pytest.mark.parametrize("again", ["replay", "rerun", "run again"])
def test_who_read_a_job_before_it_was_erased_starts_no_run_of_it(yard: Yard, again: str) -> None:
    def breaks(job: JobContext) -> Found:
        raise ZeroDivisionError

    yard.submit()
    if again == "replay":
        yard.run_one("first")
        item = take(yard, "second")
        yard.services.queues.clear("second")
        bury(yard.services, "second", "poisoned", item.body, item.inserted)
    else:
        yard.run()
    begin: dict[str, Callable[[], object]] = {
        "replay": lambda: replay_job(yard.services, "second", "poisoned"),
        "rerun": lambda: rerun_job(
            yard.services, KEY, prepare_rerun(yard.services, KEY[0], "second", {})
        ),
        "run again": lambda: run_again(yard.services, KEY),
    }
    send = yard.services.queues.send
    erased: list[str] = []

    def too_late(queue: str, body: str, *, delay: float = 0) -> str:
        if not erased:
            erased.append(queue)
            erase(yard)
        return send(queue, body, delay=delay)

    yard.services.queues.send = too_late  # type: ignore[method-assign]
    begin[again]()
    yard.executed.clear()
    yard.run()
    assert erased
    assert yard.executed == []
    assert left(yard) <= {"submission"}
    yard.watch()
    yard.watch()
    assert left(yard) == set(), "the watchdog finds the submission of a message that was dropped"


def test_what_does_an_erased_run_again_is_not_sent(yard: Yard) -> None:
    yard.submit()
    yard.run()
    run = yard.row.run
    erase(yard)
    message = yard.message()
    value = json.loads(message)
    value["job_definition"]["_imaginem"] = {"replay_of": run}
    from imaginem.message import decode_message

    with pytest.raises(NotFound, match="job job-1 of batch batch-1 was erased"):
        send_message(yard.services, decode_message(json.dumps(value), ()))


def test_a_message_that_the_host_gives_up_after_the_erasure_is_not_kept_either(yard: Yard) -> None:
    yard.drop()
    item = take(yard, "first")
    yard.services.log.insert(KEY, {"job_state": "succeeded", "imaginem_run": "another"})
    erase(yard)
    bury(yard.services, "first", "p1", item.body, yard.clock.now())
    assert left(yard) == set()

    yard.submit()
    bury(yard.services, "first", "p2", item.body, yard.clock.now())
    assert "poison" in left(yard), "it may be the later job's"


@pytest.mark.parametrize("body", ["first message", "later message", "no message"])
def test_the_poison_trigger_keeps_nothing_of_an_erased_job(yard: Yard, body: str) -> None:
    yard.submit()
    item = take(yard, "first")
    if body == "later message":
        yard.run_one("first")
        item = take(yard, "second")
    text = item.body
    if body == "no message":
        value = json.loads(text)
        value["job_definition"]["processing_step"] = 77
        text = json.dumps(value)
    put = yard.clock.now()
    erase(yard)
    bury(yard.services, "first", "p1", text, put)
    assert left(yard) == set()


def test_a_message_that_is_no_job_of_an_erased_one_is_not_kept(yard: Yard) -> None:
    yard.submit()
    value = json.loads(take(yard, "first").body)
    value["job_definition"]["processing_step"] = 77
    early = QueueItem("m", json.dumps(value), 1, "", yard.clock.now())
    erase(yard)
    assert deliver(yard, "first", early) == "erased"
    assert left(yard) == set()


def test_an_erasure_that_ends_at_any_call_is_done_again_and_leaves_nothing() -> None:
    class Stopped:
        def __init__(self, port: Any, counted: list[int]) -> None:
            self._port, self._counted = port, counted

        def __getattr__(self, name: str) -> Any:
            value = getattr(self._port, name)
            if not callable(value):
                return value

            def call(*given: Any, **named: Any) -> Any:
                self._counted[0] -= 1
                if self._counted[0] == 0:
                    raise StorageUnavailable(name)
                return value(*given, **named)

            return call

    ports = ("log", "results", "gallery", "submissions", "blobs", "poison", "shared_state")
    for number in range(1, 500):
        yard = Yard()
        yard.second_does, yard.report_does = leaves_faces(yard), leaves_a_result
        yard.submit()
        yard.run()
        raw, counted = {name: getattr(yard.services, name) for name in ports}, [number]
        for name, port in raw.items():
            setattr(yard.services, name, Stopped(port, counted))
        try:
            erase(yard)
        except StorageUnavailable:
            vars(yard.services).update(raw)
            erase(yard)
            assert left(yard) == set(), f"stopped at call {number}"
        else:
            assert number > 20
            return
    raise AssertionError("the erasure does not come to an end")


def test_what_a_worker_keeps_of_the_photo_goes_too(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    run = yard.row.run
    yard.services.photos.photo(f"{run} inputimages/batch-1/photo", photo_bytes)
    item = take(yard, "second")
    erase(yard)
    deliver(yard, "second", item)

    def gone() -> bytes:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        yard.services.photos.photo(f"{run} inputimages/batch-1/photo", gone)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_the_receipt_tells_what_went_from_where_and_names_nobody(yard: Yard, whole: bool) -> None:
    yard.services.blobs.put("inputimages", "batch-1/job-10", b"a neighbour", "image/png")
    yard.submit()
    yard.run()
    done = forget_batch(yard.services, KEY[0]) if whole else forget_job(yard.services, KEY)
    photos = {"inputimages": 2} if whole else {}
    assert done.jobs == 1
    assert done.removed == {
        "face": 1,
        "faces": 1,
        "landing": 1,
        "pipeline_output": 1,
        "pipelinelogs": 1,
        "submission": 1,
        **photos,
    }
    assert done.left == {}


def test_the_receipt_tells_what_came_while_it_was_erased(yard: Yard) -> None:
    yard.submit()
    yard.run()
    forgotten = yard.services.log.delete

    def sent_again(key: Any, fence: str = "") -> None:
        forgotten(key, fence)
        yard.submit()

    yard.services.log.delete = sent_again  # type: ignore[method-assign]
    assert forget_job(yard.services, KEY).left == {"landing": 1, "submission": 1}


@pytest.mark.parametrize("erased_before", [False, True])
def test_a_job_costs_one_read_more_and_a_step_none(yard: Yard, erased_before: bool) -> None:
    if erased_before:
        yard.submit()
        yard.run()
        erase(yard)
        yard.services.erased.covers(KEY, (), None)  # this process has the key
    calls: Counter[str] = Counter()
    find, read = yard.services.tombstones.find, yard.services.shared_state.read

    def finding(batch: str, marks: Any) -> Any:
        calls["find"] += 1
        return find(batch, marks)

    def reading(name: str) -> Any:
        calls["key"] += name == "tombstone-key"
        return read(name)

    yard.services.tombstones.find = finding  # type: ignore[method-assign]
    yard.services.shared_state.read = reading  # type: ignore[method-assign]
    yard.drop()
    yard.run()
    assert +calls == ({"find": 1} if erased_before else {"key": 1})
