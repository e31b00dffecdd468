"""A photo is erased by its file, wherever it is; only what has exactly its bytes goes."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imaginem import JobContext, JobResult
from imaginem.errors import InvalidMessage, NotFound, StorageUnavailable
from imaginem.names import job_prefix
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.source import keep_photo
from imaginem.ports import EnrolledFace, JobKey
from imaginem.testing import MemoryLanding, MemoryServices, message_for, photo_bytes
from imaginem.usecases.access import EVERYTHING, Caller
from imaginem.usecases.admission import Wish, admit
from imaginem.usecases.drops import give_up_drop, receive_drop
from imaginem.usecases.final_sweep import sweep_finally
from imaginem.usecases.forget_photo import Reach, find_photo, forget_photo
from imaginem.usecases.kept_receipts import find_receipt, is_genuine
from imaginem.usecases.same_photo import sought, sought_by_hash
from imaginem.usecases.unsent import withdraw
from tests.dashboard import enrol
from tests.workbench import Bench, Found

RED, BLUE = photo_bytes(color="red"), photo_bytes(color="blue")
SHA = hashlib.sha256(RED).hexdigest()
ALL = Reach(EVERYTHING)
KEY = ("spring", "one")


def upload(bench: Bench, key: JobKey, photo: bytes | str = RED, *, run: bool = True) -> JobKey:
    """Send a photo under an id; let its job end."""
    admit(bench.services, Wish(key[0], "a.png", photo, bench.names, job_id=key[1]))
    if run:
        bench.run()
    return key


def save_results(bench: Bench) -> None:
    """Let the last step write a result, as `pipelineoutput` does."""

    def report(job: JobContext) -> Found:
        job.results.save(
            JobResult(*job.key, job.pipeline, job.image_url, None, {}, photo_url=job.photo_url)
        )
        return Found(what="reported")

    bench.report_does = report


def found(bench: Bench, photo: bytes = RED, reach: Reach = ALL) -> list[JobKey]:
    return find_photo(bench.services, sought(photo), reach)


def found_by_hash(bench: Bench) -> list[JobKey]:
    return find_photo(bench.services, sought_by_hash(SHA), ALL)


def forget_records(bench: Bench, key: JobKey) -> None:
    """Leave of a job what stays when rows have become too old: result, photo, faces."""
    bench.services.submissions.erase(key)
    bench.services.log.delete(key)


def uploaded(bench: Bench) -> JobKey:
    return upload(bench, KEY)


def uploaded_and_at_work(bench: Bench) -> JobKey:
    return upload(bench, KEY, run=False)


def uploaded_and_failed(bench: Bench) -> JobKey:
    def fails(job: JobContext) -> Found:
        raise ZeroDivisionError

    bench.first_does = fails
    upload(bench, KEY, run=False)
    with pytest.raises(ZeroDivisionError):
        bench.run()
    return KEY


def fetched(bench: Bench) -> JobKey:
    bench.services.fetch = lambda url: RED
    return upload(bench, KEY, "https://93.184.216.34/a.png?sig=secret")


def fetched_and_only_its_row_is_left(bench: Bench) -> JobKey:
    fetched(bench)
    bench.services.submissions.erase(KEY)
    for name in bench.services.blobs.list("inputimages", "spring/"):
        bench.services.blobs.delete("inputimages", name)
    return KEY


def lies_in_place(bench: Bench) -> JobKey:
    """Another program has put the photo elsewhere in our account, and named it in a message."""
    url = bench.services.blobs.put("inputimages", "theirs/a.png", RED, "")
    message = message_for(url, bench.names, batch_id="spring", job_id="one")
    bench.services.queues.send("first", message.encode())
    bench.run()
    return KEY


def is_a_crop_that_was_sent(bench: Bench) -> JobKey:
    url = bench.services.blobs.put("faces", "a/b/face.png", RED, "image/png")
    return upload(bench, KEY, url)


def dropped(bench: Bench) -> JobKey:
    bench.services.blobs.put("inputimages", "spring/a.png", RED, "")
    drop = receive_drop(bench.services, "spring/a.png")
    assert drop is not None
    bench.run()
    return drop.batch_id, drop.job_id


def dropped_and_given_up(bench: Bench) -> JobKey:
    bench.services.blobs.put("inputimages", "spring/a.png", RED, "")
    give_up_drop(bench.services, b'{"ContainerName": "inputimages", "BlobName": "spring/a.png"}')
    (entry,) = bench.poisoned
    return entry.batch_id, entry.job_id


def only_its_result_is_left(bench: Bench) -> JobKey:
    save_results(bench)
    uploaded(bench)
    forget_records(bench, KEY)
    return KEY


def only_its_result_in_place_is_left(bench: Bench) -> JobKey:
    save_results(bench)
    lies_in_place(bench)
    forget_records(bench, KEY)
    return KEY


def only_its_faces_are_left(bench: Bench) -> JobKey:
    face = enrol_with(bench.services, KEY, SHA)
    result = JobResult(*KEY, bench.names, "https://elsewhere.test/a.png", None, {})
    bench.services.results.save(result)
    assert face
    return KEY


def enrol_with(services: MemoryServices, key: JobKey, sha256: str) -> bool:
    (face_id,) = enrol(services, key, 1)
    embedding = bytes([0, 0, 128, 63]) * 4
    face = EnrolledFace(face_id, "m", embedding, 0.9, (1, 2, 3, 4), sha256)
    services.gallery.enrol(key, [face])
    return True


def was_not_sent_after_all(bench: Bench) -> JobKey:
    keep_photo(bench.services, KEY, RED)
    withdraw(bench.services, KEY)
    return KEY


WAYS: list[Callable[[Bench], JobKey]] = [
    uploaded,
    uploaded_and_at_work,
    uploaded_and_failed,
    fetched,
    fetched_and_only_its_row_is_left,
    lies_in_place,
    is_a_crop_that_was_sent,
    dropped,
    dropped_and_given_up,
    only_its_result_is_left,
    only_its_result_in_place_is_left,
    only_its_faces_are_left,
    was_not_sent_after_all,
]


def nothing_of(bench: Bench, key: JobKey) -> None:
    services = bench.services
    assert read_row(services.log, key) is None
    assert services.submissions.submission(key) is None
    assert services.results.read(key) is None
    assert services.gallery.faces_of(key) == []
    assert services.blobs.list("inputimages", job_prefix(*key)) == []
    assert bench.poisoned == []


@pytest.mark.parametrize("comes", WAYS, ids=[way.__name__ for way in WAYS])
@pytest.mark.parametrize("by", [found, found_by_hash], ids=["file", "hash"])
def test_a_photo_is_found_however_its_job_came_and_erased(
    bench: Bench, comes: Callable[[Bench], JobKey], by: Callable[[Bench], list[JobKey]]
) -> None:
    key = comes(bench)
    assert by(bench) == [key]
    assert found(bench, BLUE) == []

    done = forget_photo(bench.services, sought(RED), ALL)

    assert list(done.jobs) == [key]
    assert (done.receipt.jobs, list(done.barred)) == (1, [])
    nothing_of(bench, key)
    assert found(bench) == []


def test_it_goes_from_every_batch_and_no_other_photo_does(bench: Bench) -> None:
    save_results(bench)
    same = [upload(bench, ("spring", "one")), upload(bench, ("summer", "two"))]
    other = upload(bench, ("spring", "other"), BLUE)
    same_size = upload(bench, ("spring", "other-2"), bytes(reversed(RED)))

    done = forget_photo(bench.services, sought(RED), ALL)

    assert list(done.jobs) == same
    assert done.receipt.removed["inputimages"] == done.receipt.removed["pipeline_output"] == 2
    for key in same:
        nothing_of(bench, key)
    for key in (other, same_size):
        assert bench.services.results.read(key) is not None
        assert len(bench.services.blobs.list("inputimages", job_prefix(*key))) == 1


def test_a_landed_job_is_found_before_anything_else_knows_it(bench: Bench) -> None:
    bench.services.landing = MemoryLanding()
    upload(bench, KEY, run=False)
    (landed,) = bench.services.landing.jobs()
    bench.services.submissions.erase(KEY)
    for name in bench.services.blobs.list("inputimages", "spring/"):
        bench.services.blobs.delete("inputimages", name)
    assert landed.key == KEY
    assert found(bench) == [KEY]


def test_an_older_job_whose_dropped_photo_was_replaced_by_this_one_stays(bench: Bench) -> None:
    save_results(bench)
    older = dropped_as(bench, BLUE)
    newer = dropped_as(bench, RED)
    assert found(bench) == [newer]
    forget_records(bench, older)
    assert bench.services.results.read(older) is not None
    assert found(bench) == [newer]


def dropped_as(bench: Bench, photo: bytes) -> JobKey:
    bench.services.blobs.put("inputimages", "spring/a.png", photo, "")
    drop = receive_drop(bench.services, "spring/a.png")
    assert drop is not None
    bench.run()
    return drop.batch_id, drop.job_id


def test_of_an_untold_photo_only_blobs_of_its_size_are_read(bench: Bench) -> None:
    lies_in_place(bench)
    for number in range(3):
        bench.services.blobs.put("inputimages", f"theirs/{number}.png", RED + b"x" * 9, "")
    read: list[str] = []
    get = bench.services.blobs.get

    def reading(container: str, name: str, *more: Any, **named: Any) -> bytes:
        read.append(name)
        return get(container, name, *more, **named)

    bench.services.blobs.get = reading  # type: ignore[method-assign]
    assert found(bench) == [KEY]
    assert read == ["theirs/a.png"]


def test_what_nobody_has_is_told(bench: Bench) -> None:
    upload(bench, KEY, BLUE)
    with pytest.raises(NotFound, match="no job has this photo, byte for byte"):
        forget_photo(bench.services, sought(RED), ALL)
    assert [entry.deed for entry in bench.services.audit_trail.read()] == ["submitted"]


def test_somebody_erases_what_she_may_see_and_learns_nothing_of_the_rest(bench: Bench) -> None:
    for group in ("red", "blue"):
        bench.services.batches.open_batch(group, group)
        upload(bench, (group, "one"))
    upload(bench, ("open", "one"))
    ann = Reach(Caller("Ann", "caseworker", frozenset({"blue"})))

    done = forget_photo(bench.services, sought(RED), ann)

    assert list(done.jobs) == [("blue", "one"), ("open", "one")]
    assert found(bench) == [("red", "one")]
    with pytest.raises(NotFound) as hidden:
        forget_photo(bench.services, sought(RED), ann)
    with pytest.raises(NotFound) as absent:
        forget_photo(bench.services, sought(BLUE), ann)
    assert str(hidden.value) == str(absent.value)
    with pytest.raises(InvalidMessage, match="you are not in this group"):
        find_photo(bench.services, sought(RED), Reach(ann.caller, "red"))


def test_one_groups_batches_alone_are_chosen(bench: Bench) -> None:
    bench.services.batches.open_batch("red", "red")
    for batch in ("red", "open"):
        upload(bench, (batch, "one"))
    assert found(bench, reach=Reach(EVERYTHING, "red")) == [("red", "one")]
    assert found(bench, reach=Reach(EVERYTHING, "")) == [("open", "one")]


def test_what_was_interrupted_is_completed_when_it_is_done_again(bench: Bench) -> None:
    keys = [upload(bench, ("spring", name)) for name in ("one", "two", "three")]
    delete = bench.services.log.delete
    calls = iter(range(100))

    def dies(key: JobKey, fence: str = "") -> None:
        if next(calls) == 1:
            raise StorageUnavailable("table storage did not answer")
        delete(key, fence)

    bench.services.log.delete = dies  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        forget_photo(bench.services, sought(RED), ALL)
    assert forget_photo(bench.services, sought(RED), ALL).jobs
    for key in keys:
        nothing_of(bench, key)


def test_it_leaves_one_receipt_for_all_jobs_and_is_looked_for_once_more(bench: Bench) -> None:
    upload(bench, KEY, RED)
    upload(bench, ("elsewhere", "two"), RED)
    done = forget_photo(bench.services, sought(RED), ALL)
    assert (done.receipt.kind, done.receipt.jobs, done.receipt.final) == ("photo", 2, False)
    later = datetime.now(UTC) + timedelta(hours=2)
    assert sweep_finally(bench.services, (), later) == 1
    kept = find_receipt(bench.services, done.receipt.id)
    assert kept.final and is_genuine(bench.services, kept)
