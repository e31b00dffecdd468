"""Erasing a job takes all that is its own, and nothing of its neighbours."""

import pytest

from imaginem.errors import NotFound
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey, PoisonEntry
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
from imaginem.usecases.erase import forget_batch, forget_job
from tests.dashboard import keep, web_services

KEY = ("batch-1", "job-1")
NEIGHBOURS = [("batch-1", "job-10"), ("batch-1", "job"), ("batch-2", "job-1"), ("", "")]


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def poison(services: MemoryServices, *keys: JobKey) -> None:
    for number, (batch_id, job_id) in enumerate(keys):
        entry = PoisonEntry("ocr", f"m{number}", "because", "{}", 1, batch_id, job_id)
        services.poison.add(entry)


def poisoned(services: MemoryServices) -> list[JobKey]:
    return [(entry.batch_id, entry.job_id) for entry in services.poison.list()]


def test_an_erased_jobs_poisoned_messages_go_and_all_others_stay(services: MemoryServices) -> None:
    keep(services, KEY)
    poison(services, KEY, *NEIGHBOURS, KEY)
    forget_job(services, KEY)

    assert poisoned(services) == NEIGHBOURS


def test_an_erased_batchs_poisoned_messages_go_and_all_others_stay(
    services: MemoryServices,
) -> None:
    for key in (KEY, ("batch-1", "job-10")):
        keep(services, key)
    poison(services, KEY, ("batch-1", "job-10"), ("batch-2", "job-1"), ("", ""))

    assert forget_batch(services, "batch-1").jobs == 2
    assert poisoned(services) == [("batch-2", "job-1"), ("", "")]


def test_an_erased_job_leaves_no_blob_and_its_neighbours_all_theirs(
    services: MemoryServices,
) -> None:
    keep(services, KEY)
    blobs = services.blobs
    own, others = [], []
    for container in ("inputimages", "faces", "largemessages", "thumbnails"):
        own += [(container, "batch-1/job-1"), (container, "batch-1/job-1/a")]
        others += [(container, name) for name in ("batch-1/job-10", "batch-1/job-10/a", "x")]
    for container, name in own + others:
        blobs.put(container, name, b"data", "")
    forget_job(services, KEY)

    containers = {container for container, _ in own}
    left = [(c, name) for c in sorted(containers) for name in blobs.list(c, "batch-1/")]
    assert left == sorted(place for place in others if place[1] != "x")
    assert services.results.read(KEY) is None
    assert services.log.read(KEY) is None


def test_a_job_at_work_is_erased_and_what_is_on_its_way_is_dropped(
    services: MemoryServices,
) -> None:
    url = services.blobs.put("inputimages", "batch-1/job-1", photo_bytes(), "image/png")
    services.queues.send("sample", message_for(url, ["sample", "outside", "sample2"]).encode())
    services.log.insert(KEY, {"job_state": "running", "imaginem_run": "m1"})
    poison(services, KEY)
    forget_job(services, KEY)
    moved = [state.state for _, state in run_all(services, default_registry)]

    assert moved == ["erased"]
    assert poisoned(services) == []
    assert services.blobs.list("inputimages", "batch-1/job-1") == []
    assert services.log.read(KEY) is None


def test_what_is_not_there_can_not_be_erased(services: MemoryServices) -> None:
    with pytest.raises(NotFound, match="no job job-1 in batch batch-1"):
        forget_job(services, KEY)
    with pytest.raises(NotFound, match="no batch batch-1"):
        forget_batch(services, "batch-1")
