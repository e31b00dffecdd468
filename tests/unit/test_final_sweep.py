"""What is written after an erasure by an execution that dies is swept; what is sent again stays."""

import contextlib
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from imaginem import JobResult
from imaginem.errors import NotFound, StorageUnavailable
from imaginem.ports import LandedJob
from imaginem.testing import photo_bytes
from imaginem.usecases.at_rest import finish_erasures
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.final_sweep import sweep_finally
from imaginem.usecases.kept_receipts import find_receipt, is_genuine, keep
from imaginem.usecases.receipts import Receipt
from tests.unit.test_tombstones import FACE, leaves_a_result, leaves_faces, left
from tests.workbench import KEY
from tests.yard import Yard

SOON, LATER = timedelta(minutes=89), timedelta(minutes=91)


class SweptYard(Yard):
    """A yard that knows the run of the job that was erased."""

    last_run = ""


@pytest.fixture
def yard() -> SweptYard:
    made = SweptYard()
    made.second_does, made.report_does = leaves_faces(made), leaves_a_result
    return made


def erased(yard: SweptYard, *, whole: bool = False) -> Receipt:
    """Run the job and erase it; return the receipt."""
    yard.last_run = yard.submit()
    yard.run()
    now = yard.clock.now()
    if whole:
        return forget_batch(yard.services, KEY[0], now=now)
    return forget_job(yard.services, KEY, now=now)


def write_and_die(yard: SweptYard) -> None:
    """Do what an execution does that was at work, whose process dies before it looks."""
    services = yard.services
    services.gallery.enrol(KEY, [FACE])
    services.blobs.put("faces", "batch-1/job-1/face.png", b"face", "image/png")
    services.blobs.put("largemessages", "batch-1/job-1/large", b"{}", "application/json")
    result = JobResult(*KEY, ("first",), "https://x.test/a", None, {})
    # SQL refuses it once it knows the tombstone; it was written a moment before.
    services.database.results[KEY] = replace(result, run=yard.last_run)


def sweep(yard: SweptYard, by: timedelta = LATER) -> int:
    yard.clock.move(by)
    return sweep_finally(yard.services, yard.names, yard.clock.now())


def planned(yard: SweptYard) -> dict[str, Any]:
    return yard.services.shared_state.list("sweep-")


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_what_an_execution_left_that_died_is_gone_and_then_the_receipt_is_final(
    yard: SweptYard, whole: bool
) -> None:
    given = erased(yard, whole=whole)
    write_and_die(yard)

    assert sweep(yard, SOON) == 0
    assert not find_receipt(yard.services, given.id).final
    assert left(yard) == {"result", "faces", "pictures", "large"}

    assert sweep(yard, LATER - SOON) == 1
    receipt = find_receipt(yard.services, given.id)
    assert left(yard) == set()
    assert receipt.final and is_genuine(yard.services, receipt)
    assert receipt.swept == {"face": 1, "faces": 1, "largemessages": 1, "pipeline_output": 1}
    assert receipt.removed == given.removed
    assert planned(yard) == {}, "nothing names the job any more"


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_job_that_was_sent_again_keeps_everything(yard: SweptYard, whole: bool) -> None:
    given = erased(yard, whole=whole)
    yard.clock.move(timedelta(seconds=2))
    yard.url = yard.services.blobs.put("inputimages", "batch-1/job-1/p", photo_bytes(), "")
    yard.submit()
    yard.run()
    for job in yard.services.landing.jobs():
        yard.services.landing.remove(job)  # as on Azure, where nothing lands
    kept = left(yard)
    assert kept == {"row", "submission", "result", "faces", "pictures"}

    assert sweep(yard) == 1
    assert left(yard) == kept
    assert yard.services.blobs.list("inputimages", "batch-1/job-1") == ["batch-1/job-1/p"]
    receipt = find_receipt(yard.services, given.id)
    assert receipt.final and given.left == {}
    places = ("face", "faces", "inputimages", "pipeline_output", "pipelinelogs", "submission")
    assert receipt.left == dict.fromkeys(places, 1)
    assert is_genuine(yard.services, receipt)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_what_was_left_is_counted_anew_when_the_receipt_becomes_final(
    yard: SweptYard, whole: bool
) -> None:
    given = erased(yard, whole=whole)
    keep(yard.services, replace(given, left={"face": 2, "submission": 1}))
    assert sweep(yard) == 1
    assert find_receipt(yard.services, given.id).left == {}


def test_of_a_batch_only_those_jobs_stay_that_were_sent_again(yard: SweptYard) -> None:
    yard.services.results.save(JobResult(KEY[0], "other", ("a",), "https://x.test/a", None, {}))
    erased(yard, whole=True)
    yard.clock.move(timedelta(seconds=2))
    yard.url = yard.services.blobs.put("inputimages", "batch-1/job-1/p", photo_bytes(), "")
    yard.submit()
    yard.services.gallery.enrol((KEY[0], "other"), [replace(FACE, face_id=uuid.uuid4())])
    assert sweep(yard) == 0, "the message of the other waits"
    yard.run()
    assert sweep(yard) == 1
    assert yard.services.gallery.faces_of((KEY[0], "other")) == []
    assert yard.state == "succeeded"


@pytest.mark.parametrize("known", ["a result", "a result that names no run", "landed"])
def test_what_names_no_run_that_was_erased_keeps_the_job(yard: SweptYard, known: str) -> None:
    erased(yard)
    yard.services.blobs.put("faces", "batch-1/job-1/face.png", b"face", "image/png")
    if known == "landed":
        yard.services.landing.land(LandedJob(KEY, "first", "{}", "", None, "later"), None)
    else:
        run = "later" if known == "a result" else ""
        result = JobResult(*KEY, ("first",), "https://x.test/a", None, {})
        yard.services.results.save(replace(result, run=run))
    before = left(yard)
    sweep(yard)
    assert left(yard) == before >= {"pictures"}


def test_a_row_that_a_dying_worker_left_goes_and_a_new_message_lives(yard: SweptYard) -> None:
    yard.submit()
    run = yard.services.submissions.submission(KEY).run  # type: ignore[union-attr]  # just sent
    yard.services.queues.clear("first")
    forget_job(yard.services, KEY, now=yard.clock.now())
    yard.services.log.insert(KEY, {"imaginem_run": run, "job_state": "running"})
    yard.services.submissions.submitted(KEY, run)
    yard.clock.move(LATER)
    yard.drop()  # another program sends the job again; nothing names it but its message
    assert sweep_finally(yard.services, [], yard.clock.now()) == 1
    assert left(yard) == set()
    yard.run()
    assert yard.state == "succeeded"


def test_our_copy_of_a_photo_goes_and_what_others_put_there_stays(yard: SweptYard) -> None:
    from imaginem.pipeline.source import keep_photo

    erased(yard)
    keep_photo(yard.services, KEY, photo_bytes())
    yard.services.blobs.put("inputimages", "batch-1/job-1/theirs", photo_bytes(), "")
    sweep(yard)
    assert yard.services.blobs.list("inputimages", "batch-1/job-1/") == ["batch-1/job-1/theirs"]


def test_it_waits_for_messages_from_before(yard: SweptYard) -> None:
    given = erased(yard)
    yard.services.queues.send("second", "put while something may still have been at work")
    assert sweep(yard) == 0
    yard.services.queues.clear("second")
    yard.services.queues.send("second", "later")
    assert sweep(yard, timedelta()) == 1
    assert find_receipt(yard.services, given.id).final


def test_at_rest_nothing_is_waited_for_but_an_empty_queue(yard: SweptYard) -> None:
    given = erased(yard)
    write_and_die(yard)
    yard.services.queues.send("second", "of the erased job, perhaps")
    finish_erasures(yard.services, ["second"])
    assert not find_receipt(yard.services, given.id).final
    yard.services.queues.clear("second")
    finish_erasures(yard.services, ["second"])
    assert left(yard) == set()
    assert find_receipt(yard.services, given.id).final


def test_killed_at_any_call_the_next_sweep_completes_it() -> None:
    ports = ("log", "results", "gallery", "submissions", "blobs", "poison", "shared_state")
    for number in range(1, 200):
        yard = SweptYard()
        given = erased(yard, whole=True)
        write_and_die(yard)
        raw, calls = {name: getattr(yard.services, name) for name in ports}, [number]
        raw["receipts"] = yard.services.receipts
        for name, port in raw.items():
            setattr(yard.services, name, Stopping(port, calls))
        with contextlib.suppress(StorageUnavailable):
            sweep(yard)
        ended = calls[0] > 0
        vars(yard.services).update(raw)
        sweep(yard)
        assert left(yard) == set(), f"stopped at call {number}"
        assert find_receipt(yard.services, given.id).final, f"stopped at call {number}"
        if ended:
            assert number > 15
            return
    raise AssertionError("the sweep does not come to an end")


class Stopping:
    """A port at one call of which the process ends."""

    def __init__(self, port: Any, calls: list[int]) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if not callable(value):
            return value

        def call(*given: Any, **named: Any) -> Any:
            self._calls[0] -= 1
            if self._calls[0] == 0:
                raise StorageUnavailable(name)
            return value(*given, **named)

        return call


def test_an_erasure_that_was_interrupted_is_completed_without_a_receipt(yard: SweptYard) -> None:
    yard.submit()
    yard.run()
    forget = yard.services.results.erase

    def fails(key: Any) -> None:
        raise StorageUnavailable("SQL did not answer")

    yard.services.results.erase = fails  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        forget_job(yard.services, KEY, now=yard.clock.now())
    yard.services.results.erase = forget  # type: ignore[method-assign]
    sweep(yard)
    assert left(yard) == set()
    assert (planned(yard), yard.services.receipts.all()) == ({}, [])


def test_where_nothing_was_erased_it_costs_one_call(yard: SweptYard) -> None:
    calls: Counter[str] = Counter()

    class Counted:
        def __init__(self, name: str) -> None:
            self._name, self._port = name, getattr(yard.services, name)

        def __getattr__(self, name: str) -> Any:
            calls[f"{self._name}.{name}"] += 1
            return getattr(self._port, name)

    for name in ("queues", "blobs", "log", "results", "gallery", "shared_state", "receipts"):
        setattr(yard.services, name, Counted(name))
    assert sweep(yard) == 0
    assert calls == {"shared_state.list": 1}


def test_without_a_timer_erasing_the_same_again_makes_it_final(yard: SweptYard) -> None:
    settings = yard.services.core_settings
    yard.services.core_settings = replace(settings, looks_again=False)
    given = erased(yard)
    write_and_die(yard)
    yard.services.results.erase(KEY)  # or the job would be known, and erased as any other
    yard.clock.move(LATER)
    again = forget_job(yard.services, KEY, now=yard.clock.now())
    assert (again.id, again.final) == (given.id, True)
    assert left(yard) == set()
    with pytest.raises(NotFound):
        forget_job(yard.services, KEY, now=yard.clock.now())


def test_ids_of_a_large_batch_are_kept_in_entries_that_a_table_takes(yard: SweptYard) -> None:
    for number in range(300):
        key = (KEY[0], f"{'é' * 200}-{number}")
        yard.services.results.save(JobResult(*key, ("a",), "https://x.test/a", None, {}))
    given = forget_batch(yard.services, KEY[0], now=yard.clock.now())
    texts = [text for text, _ in planned(yard).values()]
    assert len(texts) > 1
    assert max(map(len, texts)) < 32_000
    sweep(yard)
    assert find_receipt(yard.services, given.id).final
    assert planned(yard) == {}
