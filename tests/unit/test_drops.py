"""A photo dropped in the container becomes one job, whatever happens meanwhile."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func
import pytest
from azure.functions.blob import InputStream

from imaginem import JobContext
from imaginem.config.settings import read_settings
from imaginem.errors import Conflict, NotFound, PermanentError
from imaginem.functions import add_drops
from imaginem.images.limits import BYTE_LIMIT
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.ports import Drop, JobKey
from imaginem.testing import MemoryDrops, message_for, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.drops import give_up_drop, receive_drop
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.usecases.jobs import view_job
from imaginem.usecases.poison import replay_job
from imaginem.usecases.renditions import original
from imaginem.usecases.submit import run_again
from tests.unit.test_interleavings import Ports, Shaky, WorkerDied
from tests.workbench import Bench, Found

RED, BLUE = photo_bytes(color="red"), photo_bytes(color="blue")


def put(bench: Bench, blob: str, data: bytes = RED, **metadata: str) -> None:
    bench.services.blobs.put("inputimages", blob, data, "image/png", metadata=metadata)


def job_of(blob: str, data: bytes = RED, batch: str = "spring") -> JobKey:
    name = blob.rsplit("/", 1)[-1]
    return batch, f"{name}-{hashlib.sha256(data).hexdigest()[:8]}"


def row_of(bench: Bench, key: JobKey) -> ProgressRow:
    row = read_row(bench.services.log, key)
    assert row is not None
    return row


def look(bench: Bench) -> None:
    """Let the first step read the photo."""
    bench.first_does = lambda job: Found(what=job.image.sha256)


@pytest.mark.parametrize(
    ("blob", "batch"),
    [("spring//a.jpg", "spring"), ("/spring/a.jpg", "spring"), ("/a.jpg", "default")],
)
def test_a_blob_whose_name_has_empty_segments_is_a_photo_as_any_other(
    bench: Bench, blob: str, batch: str
) -> None:
    look(bench)

    key = dropped(bench, blob)

    assert key == job_of("a.jpg", batch=batch)
    assert row_of(bench, key).job_state == "succeeded"


def waiting(bench: Bench) -> int:
    return bench.services.queues.count("first") or 0


def dropped(bench: Bench, blob: str, data: bytes = RED) -> JobKey:
    """Drop a photo and run its job to the end."""
    put(bench, blob, data)
    drop = receive_drop(bench.services, blob)
    assert drop is not None
    run_all(bench.services, bench.registry)
    return drop.batch_id, drop.job_id


def test_a_dropped_photo_has_the_ids_that_the_api_would_give_it(bench: Bench) -> None:
    key = dropped(bench, "spring/photo.png")
    upload = Upload("spring", lambda: RED, "photo.png", ("first",))
    sent = receive_photo(bench.services, bench.registry, upload, EVERYTHING)

    assert key == sent.key == job_of("photo.png")
    assert read_row(bench.services.log, key) is not None


@pytest.mark.parametrize(
    ("blob", "batch", "name"),
    [
        ("photo.png", "default", "photo.png"),
        ("spring/a/b/photo.png", "spring", "photo.png"),
        ("my photos/ü & 50%.png", "my photos", "ü-50-.png"),
        ("a%20b/c%2Fd.png", "a%20b", "c-2Fd.png"),
        ("spring/..png", "spring", "..png"),
    ],
)
def test_the_first_folder_is_the_batch(bench: Bench, blob: str, batch: str, name: str) -> None:
    look(bench)
    key = dropped(bench, blob)

    assert key == job_of(name, batch=batch)
    row = row_of(bench, key)
    assert row.job_state == "succeeded"
    assert row.dropped is not None
    assert row.dropped.source == f"inputimages/{blob}"
    assert row.dropped.etag == bench.services.blobs.stat("inputimages", blob).etag
    info = bench.services.batches.batch(batch)
    assert info is not None
    assert (info.group, info.submitted) == ("", 1)


def test_a_drop_that_is_reported_again_starts_nothing(bench: Bench) -> None:
    key = dropped(bench, "spring/photo.png")
    run = row_of(bench, key).run
    for _ in range(3):
        receive_drop(bench.services, "spring/photo.png")

    assert waiting(bench) == 0
    assert run.startswith("drop-")
    assert row_of(bench, key).runs == [run]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_any_call_neither_loses_nor_doubles_the_job(after: bool) -> None:
    call = 0
    while True:
        call += 1
        bench, ports = Bench(), Ports()
        executed: list[int] = []

        def counted(job: JobContext, executed: list[int] = executed) -> Found:
            executed.append(1)
            return Found(what="one")

        bench.first_does = counted
        services = bench.services
        put(bench, "spring/photo.png")
        for name in ("blobs", "queues", "log", "poison", "drops", "batches", "submissions"):
            setattr(services, name, Shaky(getattr(services, name), ports))
        ports.arm(call, after, WorkerDied())
        try:
            receive_drop(services, "spring/photo.png")
        except WorkerDied:
            died = True
        else:
            died = False
        ports.disarm()
        receive_drop(services, "spring/photo.png")  # the event comes again
        run_all(services, bench.registry)

        row = row_of(bench, job_of("photo.png"))
        assert row.job_state == "succeeded"
        assert len(row.runs) == 1
        assert executed == [1], f"died at call {call}"
        assert services.poison.list() == []
        view = view_job(services, row.key, EVERYTHING)
        assert view.state == "succeeded"
        if not died:
            break
    assert call > 8  # every call of a port was one at which it died


def test_a_second_message_of_a_drop_is_a_duplicate_even_after_the_job_has_ended(
    bench: Bench,
) -> None:
    put(bench, "spring/photo.png")
    receive_drop(bench.services, "spring/photo.png")
    (item,) = bench.services.queues.receive("first", 1, 0)
    bench.services.queues.send("first", item.body)
    run_all(bench.services, bench.registry)
    bench.services.queues.send("first", item.body)
    run_all(bench.services, bench.registry)

    assert len(row_of(bench, job_of("photo.png")).runs) == 1


def test_a_run_of_a_drop_that_a_sender_made_up_makes_no_message_a_duplicate(bench: Bench) -> None:
    message = message_for(bench.url, ["first"]).noting(drop=f"drop-{'0' * 32}")
    for _ in range(2):
        bench.services.queues.send("first", message.encode())
        run_all(bench.services, bench.registry)

    runs = row_of(bench, message.key).runs
    assert len(runs) == 2
    assert not any(run.startswith("drop-") for run in runs)


class Racing(MemoryDrops):
    """Lets another worker do something just before a record is written."""

    other: Callable[[], object] | None = None

    def write(self, drop: Any) -> Any:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().write(drop)


def test_of_two_workers_with_the_same_event_one_starts_the_job(bench: Bench) -> None:
    services = bench.services
    services.drops = racing = Racing()
    put(bench, "spring/photo.png")
    racing.other = lambda: receive_drop(services, "spring/photo.png")
    receive_drop(services, "spring/photo.png")

    assert waiting(bench) == 1


def test_a_photo_replaced_while_its_event_is_worked_on_starts_the_newer_job_alone(
    bench: Bench,
) -> None:
    look(bench)
    services = bench.services
    services.drops = racing = Racing()
    put(bench, "spring/photo.png")

    def replaced() -> None:
        put(bench, "spring/photo.png", BLUE)
        receive_drop(services, "spring/photo.png")

    racing.other = replaced
    receive_drop(services, "spring/photo.png")
    run_all(services, bench.registry)

    assert read_row(services.log, job_of("photo.png")) is None
    assert row_of(bench, job_of("photo.png", BLUE)).job_state == "succeeded"


def test_a_photo_replaced_before_it_is_read_is_named_by_what_was_read(bench: Bench) -> None:
    look(bench)
    services = bench.services
    put(bench, "spring/photo.png", RED)
    get, waiting_to_replace = services.blobs.get, [BLUE]

    def replaced(container: str, name: str, limit: int, *, etag: str = "") -> bytes:
        while waiting_to_replace:
            put(bench, name, waiting_to_replace.pop())
        return get(container, name, limit, etag=etag)

    services.blobs.get = replaced  # type: ignore[method-assign]
    receive_drop(services, "spring/photo.png")
    run_all(services, bench.registry)

    assert row_of(bench, job_of("photo.png", BLUE)).job_state == "succeeded"
    (drop,) = services.drops.of_batch("spring")
    assert drop.etag == services.blobs.stat("inputimages", drop.blob).etag


def test_an_older_job_never_gets_the_newer_photo_and_says_so(bench: Bench) -> None:
    look(bench)
    put(bench, "spring/photo.png", RED)
    receive_drop(bench.services, "spring/photo.png")
    put(bench, "spring/photo.png", BLUE)
    receive_drop(bench.services, "spring/photo.png")
    run_all(bench.services, bench.registry)

    older = row_of(bench, job_of("photo.png", RED))
    assert older.job_state == "failed"
    assert "was replaced" in older.reason_of("first")
    newer = row_of(bench, job_of("photo.png", BLUE))
    assert newer.job_state == "succeeded"
    assert hashlib.sha256(BLUE).hexdigest() in newer.job_output


def test_a_job_that_had_ended_is_told_that_its_photo_was_replaced(bench: Bench) -> None:
    older = dropped(bench, "spring/photo.png", RED)
    assert row_of(bench, older).replaced == ""
    newer = dropped(bench, "spring/photo.png", BLUE)

    view = view_job(bench.services, older, EVERYTHING)
    assert view.replaced.startswith("20")
    assert view.source == "inputimages/spring/photo.png"
    assert view.state == "succeeded"
    assert view_job(bench.services, newer, EVERYTHING).replaced == ""
    run_again(bench.services, older)
    look(bench)
    run_all(bench.services, bench.registry)
    assert "was replaced" in row_of(bench, older).reason_of("first")


@pytest.mark.parametrize("ended", [False, True])
def test_the_same_photo_written_again_sends_nothing(bench: Bench, ended: bool) -> None:
    look(bench)
    put(bench, "spring/photo.png")
    receive_drop(bench.services, "spring/photo.png")
    if ended:
        bench.run()
    waits = waiting(bench)
    for _ in range(2):
        put(bench, "spring/photo.png")  # a new ETag each time
        for _ in range(2):
            drop = receive_drop(bench.services, "spring/photo.png")
    bench.run()

    assert waits == (0 if ended else 1)
    assert drop is not None and drop.sent
    assert drop.etag == bench.services.blobs.stat("inputimages", "spring/photo.png").etag
    row = row_of(bench, job_of("spring/photo.png"))
    assert len(row.runs) == 1
    assert row.job_state == "succeeded"  # the photo there is still the same
    assert row.replaced == ""
    forget_job(bench.services, row.key)
    assert bench.services.blobs.list("inputimages", "spring/") == []


def test_the_same_photo_written_again_starts_a_job_that_had_failed(bench: Bench) -> None:
    def fail(job: JobContext) -> Found:
        raise PermanentError("no")

    bench.first_does = fail
    key = dropped(bench, "spring/photo.png")
    assert row_of(bench, key).job_state == "failed"
    look(bench)
    dropped(bench, "spring/photo.png")

    row = row_of(bench, key)
    assert (row.job_state, len(row.runs)) == ("succeeded", 2)


def test_the_same_photo_in_another_folder_is_a_new_run_that_reads_it_there(bench: Bench) -> None:
    look(bench)
    key = dropped(bench, "spring/a/photo.png")
    assert dropped(bench, "spring/b/photo.png") == key
    row = row_of(bench, key)
    assert len(row.runs) == 2
    assert row.dropped is not None
    assert row.dropped.source == "inputimages/spring/b/photo.png"


@pytest.mark.parametrize("how", ["upload", "fetched"])
def test_photos_that_we_keep_ourselves_start_nothing(bench: Bench, how: str) -> None:
    if how == "upload":
        upload = Upload("spring", lambda: RED, "photo.png", ("first",))
        receive_photo(bench.services, bench.registry, upload, EVERYTHING)
    else:
        bench.services.fetch = lambda url: RED
        bench.url = "https://elsewhere.test/photo.png"
        bench.drop("first")
    run_all(bench.services, bench.registry)
    own = [blob for blob in bench.services.blobs.list("inputimages", "") if blob != "batch-1/photo"]
    assert len(own) == 1

    assert receive_drop(bench.services, own[0]) is None
    assert waiting(bench) == 0
    metadata = bench.services.blobs.stat("inputimages", own[0]).metadata
    put(bench, "elsewhere/copy.png", RED, **metadata)  # copied with its metadata: somebody's photo
    assert receive_drop(bench.services, "elsewhere/copy.png") is not None


def test_what_is_gone_or_marks_a_folder_starts_nothing(bench: Bench) -> None:
    put(bench, "spring", b"", hdi_isfolder="true")
    assert receive_drop(bench.services, "spring") is None
    assert receive_drop(bench.services, "spring/gone.png") is None
    assert waiting(bench) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "not a photo"), (b"hello", "photo"), (bytes(BYTE_LIMIT + 1), "limit")],
    ids=["empty", "text", "too large"],
)
def test_what_is_no_photo_is_a_failed_job_that_says_why(
    bench: Bench, data: bytes, reason: str
) -> None:
    look(bench)
    key = dropped(bench, "spring/notes.txt", data)

    row = row_of(bench, key)
    assert row.job_state == "failed"
    assert reason in row.reason_of("first")


def test_a_drop_in_a_cancelled_batch_waits_among_the_poisoned_messages(bench: Bench) -> None:
    bench.services.cancellations.cancel("spring")
    put(bench, "spring/photo.png")
    for _ in range(2):
        receive_drop(bench.services, "spring/photo.png")

    assert waiting(bench) == 0
    (entry,) = bench.services.poison.list()
    assert (entry.queue, entry.batch_id, entry.job_id) == ("first", *job_of("photo.png"))
    assert "cancelled" in entry.reason
    bench.services.cancellations.reopen("spring")
    look(bench)
    replay_job(bench.services, entry.queue, entry.id)
    run_all(bench.services, bench.registry)
    row = row_of(bench, job_of("photo.png"))
    assert row.job_state == "succeeded"
    assert row.dropped is not None  # so the replayed job never gets a newer photo


@pytest.mark.parametrize("blob", ["spring/./photo.png", "a/../b.png", f"{'x' * 600}/photo.png"])
def test_a_name_that_no_job_can_have_is_told_once(bench: Bench, blob: str) -> None:
    put(bench, blob)
    for _ in range(2):
        assert receive_drop(bench.services, blob) is None

    (entry,) = bench.services.poison.list()
    assert entry.reason.startswith("inputimages/")
    assert waiting(bench) == 0


def test_a_blob_that_the_host_gave_up_is_told_and_can_be_replayed(bench: Bench) -> None:
    put(bench, "spring/photo.png")
    give_up_drop(
        bench.services,
        b'{"FunctionId": "Host.Functions.photo_dropped", "BlobType": "BlockBlob",'
        b'"ContainerName": "inputimages", "BlobName": "spring/photo.png", "ETag": "e"}',
    )
    give_up_drop(bench.services, b'{"ContainerName": "another", "BlobName": "x"}')

    (entry,) = bench.services.poison.list()
    assert "5 tries" in entry.reason
    look(bench)
    replay_job(bench.services, entry.queue, entry.id)
    run_all(bench.services, bench.registry)
    key = (entry.batch_id, entry.job_id)
    assert row_of(bench, key).job_state == "succeeded"
    forget_job(bench.services, key)
    assert bench.services.blobs.list("inputimages", "spring") == []


def test_a_drop_that_died_on_its_way_is_given_up_under_the_id_that_it_had(bench: Bench) -> None:
    put(bench, "spring/photo.png")
    etag = bench.services.blobs.stat("inputimages", "spring/photo.png").etag
    batch, job_id = job_of("spring/photo.png")
    digest = hashlib.sha256(RED).hexdigest()
    bench.services.drops.write(Drop(batch, "spring/photo.png", etag, job_id, digest))
    give_up_drop(
        bench.services, b'{"ContainerName": "inputimages", "BlobName": "spring/photo.png"}'
    )

    (entry,) = bench.services.poison.list()
    assert entry.job_id == job_id
    receive_drop(bench.services, "spring/photo.png")  # the event once more
    assert bench.services.log.read((batch, job_id)) is None


@pytest.mark.parametrize("report", [b"", b"null", b"[]", b"{}", b"\xff", b'{"BlobName": "a"}'])
def test_a_report_that_is_not_on_our_photos_does_not_come_again(
    bench: Bench, report: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    give_up_drop(bench.services, report)

    assert bench.services.poison.list() == []
    assert "not on a photo of ours" in caplog.text


def test_a_batch_of_a_group_stays_the_groups(bench: Bench) -> None:
    bench.services.batches.open_batch("spring", "team-a")
    dropped(bench, "spring/photo.png")
    info = bench.services.batches.batch("spring")
    assert info is not None
    assert info.group == "team-a"


@pytest.mark.parametrize("whole_batch", [False, True], ids=["job", "batch"])
def test_erasing_removes_the_dropped_photo_wherever_it_lies(
    bench: Bench, whole_batch: bool
) -> None:
    key = dropped(bench, "my photos/a/photo.png")
    again = dropped(bench, "my photos/b/photo.png")  # the same photo lies there twice
    assert key == again
    forget_batch(bench.services, key[0]) if whole_batch else forget_job(bench.services, key)

    assert bench.services.blobs.list("inputimages", "my photos") == []
    assert bench.services.drops.of_batch("my photos") == []
    with pytest.raises(NotFound):
        view_job(bench.services, key, EVERYTHING)


def test_erasing_an_older_job_leaves_the_newer_photo(bench: Bench) -> None:
    older = dropped(bench, "spring/photo.png", RED)
    put(bench, "spring/photo.png", BLUE)  # its event has not come yet
    forget_job(bench.services, older)
    assert bench.services.blobs.get("inputimages", "spring/photo.png", 10_000) == BLUE
    newer = dropped(bench, "spring/photo.png", BLUE)
    assert row_of(bench, newer).job_state == "succeeded"


@pytest.mark.parametrize("blob", ["spring/summer", "spring/summer/photo.png"])
def test_erasing_a_job_leaves_photos_dropped_in_a_folder_of_its_name(
    bench: Bench, blob: str
) -> None:
    key = dropped(bench, blob)
    message = message_for(bench.url, ["first"], job_id="summer", batch_id="spring")
    bench.services.queues.send("first", message.encode())
    run_all(bench.services, bench.registry)
    bench.services.blobs.put("inputimages", "spring/summer/copy-of-ours", RED, "")
    forget_job(bench.services, ("spring", "summer"))

    assert bench.services.blobs.list("inputimages", "spring") == [blob]
    assert row_of(bench, key).job_state == "succeeded"
    forget_job(bench.services, key)
    assert bench.services.blobs.list("inputimages", "spring") == []


def test_erasing_a_batch_leaves_photos_dropped_in_a_folder_that_is_another_batch(
    bench: Bench,
) -> None:
    other = dropped(bench, "a%20b/photo.png")  # where uploads into the batch `a b` are kept
    upload = Upload("a b", lambda: BLUE, "photo.png", ("first",))
    receive_photo(bench.services, bench.registry, upload, EVERYTHING)
    run_all(bench.services, bench.registry)
    forget_batch(bench.services, "a b")

    assert bench.services.blobs.list("inputimages", "a") == ["a%20b/photo.png"]
    forget_batch(bench.services, other[0])
    assert bench.services.blobs.list("inputimages", "a") == []


def test_the_original_of_an_older_job_is_not_the_newer_photo(bench: Bench) -> None:
    import steps  # noqa: F401
    from imaginem.ports import JobResult

    def result(key: JobKey) -> JobResult:
        url = bench.services.blobs.address("inputimages", "spring/photo.png")
        return JobResult(*key, ["first"], url, None, {}, photo_url=url)

    older = dropped(bench, "spring/photo.png", RED)
    assert original(bench.services, result(older)) == RED
    newer = dropped(bench, "spring/photo.png", BLUE)
    assert original(bench.services, result(newer)) == BLUE
    with pytest.raises(PermanentError, match="was replaced"):
        original(bench.services, result(older))


def function_of(app: func.FunctionApp, name: str) -> Callable[..., Any]:
    (found,) = [each for each in app.get_functions() if each.get_function_name() == name]
    call: Callable[..., Any] = found.get_user_function()
    return call


def trigger(bench: Bench, **settings: str) -> func.FunctionApp:
    app = func.FunctionApp()
    add_drops(app, lambda: bench.services, read_settings(settings))
    return app


def test_the_trigger_starts_the_job_of_the_blob_it_is_given(bench: Bench) -> None:
    run = function_of(trigger(bench), "photo_dropped")
    put(bench, "spring/photo.png")
    run(InputStream(data=b"", name="inputimages/spring/photo.png"))
    assert waiting(bench) == 1


def test_the_trigger_needs_no_storage_to_know_our_own_photos(bench: Bench) -> None:
    upload = Upload("spring", lambda: RED, "photo.png", ("first",))
    sent = receive_photo(bench.services, bench.registry, upload, EVERYTHING)
    (blob,) = bench.services.blobs.list("inputimages", "/".join(sent.key))
    metadata: Mapping[str, str] = bench.services.blobs.stat("inputimages", blob).metadata
    app = func.FunctionApp()
    add_drops(app, never, read_settings({}))
    run = function_of(app, "photo_dropped")
    run(InputStream(data=b"", name=f"inputimages/{blob}", metadata=dict(metadata)))


def never() -> Any:
    raise AssertionError("storage was asked")


def test_without_the_setting_there_is_no_trigger(bench: Bench) -> None:
    assert trigger(bench, DROPPED_PHOTOS="off").get_functions() == []


def test_a_blob_that_never_stays_the_same_is_tried_again_later(bench: Bench) -> None:
    from imaginem.errors import StorageUnavailable

    class Restless(MemoryDrops):
        def write(self, drop: Any) -> Any:
            raise Conflict("again")

    bench.services.drops = Restless()
    put(bench, "spring/photo.png")
    with pytest.raises(StorageUnavailable, match="keeps changing"):
        receive_drop(bench.services, "spring/photo.png")
