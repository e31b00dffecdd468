"""Where a job's photo is read from, and what becomes of a job whose photo can't be had."""

import hashlib
import json
from typing import Any

import pytest

from imaginem import JobContext, PermanentError, RetryableError
from imaginem.images.limits import BYTE_LIMIT
from imaginem.images.photo_cache import PhotoCache
from imaginem.testing import message_for, photo_bytes
from tests.workbench import Bench, Found


def test_a_photo_host_that_is_down_costs_the_pixels_and_not_the_job() -> None:
    bench = Bench(max_attempts=2)
    fetches: list[str] = []

    def down(url: str) -> bytes:
        fetches.append(url)
        raise RetryableError("https://photos.test/a.jpg answered 503")

    bench.services.fetch = down
    bench.second_does = lambda job: Found(what=str(job.image.width))
    message = message_for(
        "https://photos.test/a.jpg?sig=very-secret", ["first", "second", "report"]
    )
    bench.services.queues.send("first", message.encode())
    bench.run()

    assert len(fetches) == 2
    assert bench.states("first", "second", "report") == ["success", "failed", "success"]
    assert "answered 503; tried in vain" in bench.entry.properties["second_exception"]
    assert bench.poisoned == []
    assert "very-secret" not in json.dumps(dict(bench.entry.properties), default=str)


ELSEWHERE = "https://photos.test/a.jpg"


class Seen:
    """What a step saw of its photo."""

    def __init__(self, bench: Bench) -> None:
        self.colors: list[Any] = []
        self.urls: list[str] = []
        bench.first_does = self
        bench.second_does = self

    def __call__(self, job: JobContext) -> Found:
        self.urls.append(job.photo_url)
        self.colors.append(job.image.pil.getpixel((0, 0)))
        return Found(what="seen")


def fetching(bench: Bench, photo: bytes) -> list[str]:
    """Let the bench fetch this photo from everywhere; return the addresses that were asked."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return photo

    bench.services.fetch = fetch
    return asked


def send(bench: Bench, url: str, **bookkeeping: Any) -> None:
    value = json.loads(message_for(url, ["first", "second", "report"]).encode())
    if bookkeeping:
        value["job_definition"]["_imaginem"] = bookkeeping
    bench.services.queues.send("first", json.dumps(value))


TEAL, RED = (0, 128, 128), (255, 0, 0)


def test_a_photo_from_elsewhere_is_fetched_once_and_kept_in_the_jobs_folder(bench: Bench) -> None:
    asked, seen = fetching(bench, photo := photo_bytes(color="red")), Seen(bench)
    send(bench, f"{ELSEWHERE}?sig=secret")
    bench.run()

    name = f"batch-1/job-1/{hashlib.sha256(photo).hexdigest()[:32]}"
    assert asked == [f"{ELSEWHERE}?sig=secret"]
    assert seen.colors == [RED, RED]
    assert seen.urls == [bench.services.blobs.address("inputimages", name)] * 2
    assert bench.services.blobs.get("inputimages", name, 10_000) == photo


def test_a_fetched_photo_is_written_as_bytes_of_no_declared_kind(bench: Bench) -> None:
    written: list[str] = []
    put = bench.services.blobs.put

    def watched(container: str, name: str, data: bytes, content_type: str, **more: Any) -> str:
        written.append(content_type)
        return put(container, name, data, content_type, **more)

    bench.services.blobs.put = watched  # type: ignore[method-assign]
    fetching(bench, photo_bytes())
    send(bench, ELSEWHERE)
    bench.run()

    assert written == ["application/octet-stream"]


def test_a_copy_that_is_at_hand_is_not_fetched_again(bench: Bench) -> None:
    asked, seen = fetching(bench, photo_bytes(color="red")), Seen(bench)
    copy = bench.services.blobs.put("inputimages", "batch-1/job-1/copy", photo_bytes(), "")
    send(bench, ELSEWHERE, image=copy)
    bench.run()

    assert asked == []
    assert seen.colors == [TEAL, TEAL]


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ("inputimages", "batch-2/job-2/photo"),
        ("inputimages", "batch-1/job-10/photo"),
        ("inputimages", "batch-1/photo-of-another"),
        ("faces", "batch-1/job-1/photo"),
        ("azure-webjobs-secrets", "batch-1/job-1/photo"),
    ],
)
def test_a_forged_copy_in_anothers_folder_is_not_looked_at(
    bench: Bench, container: str, name: str
) -> None:
    stolen = bench.services.blobs.put(container, name, photo_bytes(color="red"), "image/png")
    own, seen = fetching(bench, photo_bytes(color="teal")), Seen(bench)
    for url in (bench.url, ELSEWHERE):
        send(bench, url, image=stolen)
        bench.run()

    assert seen.colors == [TEAL] * 4
    assert stolen not in seen.urls
    assert own == [ELSEWHERE]


def test_a_photo_lies_in_the_input_or_the_faces_container_and_nowhere_else(bench: Bench) -> None:
    seen = Seen(bench)
    blobs = bench.services.blobs
    crop = blobs.put("faces", "batch-1/job-1/crop.png", photo_bytes(color="red"), "image/png")
    secret = blobs.put("azure-webjobs-secrets", "host.json", photo_bytes(), "")
    send(bench, f"{crop}?sig=secret")
    bench.run()
    assert (seen.colors, seen.urls) == ([RED, RED], [crop, crop])

    send(bench, secret)
    bench.run()
    assert seen.urls[2:] == [""]
    assert bench.entry.properties["first_exception"] == (
        "PermanentError: image_url is in the container 'azure-webjobs-secrets', and photos are "
        "read from inputimages and faces only"
    )


def test_a_photo_that_is_not_there_is_told_with_its_address(bench: Bench) -> None:
    Seen(bench)
    url = bench.services.blobs.address("inputimages", "batch-1/none")
    send(bench, url)
    bench.run()

    assert bench.entry.properties["first_exception"] == (
        f"PermanentError: there is no photo at {url}: upload it, then send the job again"
    )


def test_a_photo_that_was_never_fetched_is_not_read(bench: Bench) -> None:
    job = JobContext(message_for(f"{ELSEWHERE}?sig=secret", ["first"]), bench.services)

    assert job.photo_url == ""
    with pytest.raises(PermanentError, match=f"{ELSEWHERE} was not fetched: send the job again"):
        _ = job.image


def test_why_a_photo_can_not_be_had_is_remembered_within_a_run_and_asked_anew_in_the_next(
    bench: Bench,
) -> None:
    asked: list[str] = []

    def gone(url: str) -> bytes:
        asked.append(url)
        raise PermanentError("https://photos.test/a.jpg answered 404")

    bench.services.fetch = gone
    urls = []

    def look(job: JobContext) -> Found:
        urls.append(job.photo_url)
        return Found(what=str(job.image.width))

    bench.first_does = bench.second_does = look
    send(bench, ELSEWHERE)
    bench.run()
    assert (asked, urls) == ([ELSEWHERE], [""])
    assert bench.entry.properties["first_exception"].endswith("answered 404")

    fetching(bench, photo_bytes())
    send(bench, ELSEWHERE, image_error="answered 404")
    bench.run()
    assert bench.states("first", "second") == ["success", "success"]


def test_a_photo_stays_the_same_during_one_run_of_its_job(bench: Bench) -> None:
    bench.services.photos = PhotoCache()
    seen = Seen(bench)
    for color in ("red", "teal"):
        bench.services.blobs.put("inputimages", "batch-1/photo", photo_bytes(color=color), "")
        send(bench, bench.url)
        bench.run()
    assert seen.colors == [RED, RED, TEAL, TEAL]

    other = bench.services.blobs.put("inputimages", "batch-1/other", photo_bytes(color="red"), "")
    send(bench, other)
    bench.run()
    assert seen.colors[4:] == [RED, RED]


def test_a_photo_is_read_once_for_all_steps_of_a_run(bench: Bench) -> None:
    reads: list[str] = []
    get = bench.services.blobs.get

    def watched(container: str, name: str, limit: int, **more: Any) -> bytes:
        reads.append(name)
        assert limit == BYTE_LIMIT
        return get(container, name, limit, **more)

    bench.services.blobs.get = watched  # type: ignore[method-assign]
    bench.services.photos = PhotoCache()
    Seen(bench)
    send(bench, bench.url)
    bench.run()

    assert reads == ["batch-1/photo"]
