"""Erasing in memory: what is known of a job, what its poison entries are called, interruptions."""

import json
import uuid
from typing import Any

import pytest

from imaginem.errors import NotFound, StorageUnavailable
from imaginem.memory.results import MemoryResults
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.poison import keep_invalid
from imaginem.ports import EnrolledFace, JobKey, JobResult, PoisonEntry
from imaginem.testing import MemoryServices
from imaginem.usecases.erase import forget_batch, forget_job

KEY = ("default", "job-1")


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def body(**definition: Any) -> str:
    return json.dumps({"job_definition": {"input": {"image_url": 5}, **definition}})


def poison(services: MemoryServices, **definition: Any) -> None:
    """Keep a message that could not be read as a job."""
    keep_invalid(services, "ocr", str(uuid.uuid4()), body(**definition), "because")


def finish(services: MemoryServices, key: JobKey) -> None:
    """Put what a job that ended leaves into the stores."""
    services.results.save(JobResult(*key, ("ocr",), "https://x.test/a", None, {}))
    services.log.insert(key, {"job_state": "succeeded", "imaginem_run": "run"})


class TestPoisonEntries:
    @pytest.mark.parametrize(
        "definition", [{"id": "job-1"}, {"id": "job-1", "batch_id": None}], ids=["no batch", "null"]
    )
    def test_one_without_a_batch_goes_with_its_job_in_the_default_batch(
        self, services: MemoryServices, definition: dict[str, Any]
    ) -> None:
        finish(services, KEY)
        poison(services, **definition)
        (entry,) = services.poison.list()
        assert (entry.batch_id, entry.job_id) == KEY
        forget_job(services, KEY)
        assert services.poison.list() == []

    def test_one_that_an_earlier_version_noted_under_another_batch_goes_too(
        self, services: MemoryServices
    ) -> None:
        finish(services, KEY)
        kept = body(id="job-1", batch_id=None)
        services.poison.add(PoisonEntry("ocr", "m1", "because", kept, 1, "None", "job-1"))
        forget_job(services, KEY)
        assert services.poison.list() == []

    def test_one_that_is_no_json_goes_with_its_job_and_with_its_batch(
        self, services: MemoryServices
    ) -> None:
        for whole in (False, True):
            finish(services, KEY)
            for text in (body(id="job-1", batch_id=None)[:-1], body(id="job-1", x=float("nan"))):
                keep_invalid(services, "ocr", str(uuid.uuid4()), text, "because")
            # An earlier version did not note whose it is.
            old = body(id="job-1", batch_id=None) + "."
            services.poison.add(PoisonEntry("ocr", "m1", "because", old))
            forget_batch(services, KEY[0]) if whole else forget_job(services, KEY)
            assert services.poison.list() == []

    def test_one_of_a_job_that_left_nothing_else_can_be_erased(
        self, services: MemoryServices
    ) -> None:
        poison(services, id=7, batch_id="b")
        with pytest.raises(NotFound):
            forget_job(services, ("b", "8"))
        forget_job(services, ("b", "7"))
        assert services.poison.list() == []
        with pytest.raises(NotFound):
            forget_job(services, ("b", "7"))

    def test_those_of_unknown_jobs_and_of_none_go_with_their_batch(
        self, services: MemoryServices
    ) -> None:
        for batch in ("b", "c"):
            poison(services, id="never-began", batch_id=batch)
            poison(services, batch_id=batch)
        assert forget_batch(services, "b").jobs == 0
        assert [entry.batch_id for entry in services.poison.list()] == ["c", "c"]
        with pytest.raises(NotFound):
            forget_batch(services, "b")

    def test_those_of_other_jobs_stay(self, services: MemoryServices) -> None:
        finish(services, KEY)
        for name in ("job-10", "job", "Job-1", None):
            poison(services, id=name)
        services.poison.add(PoisonEntry("ocr", "m1", "because", "job-1 is no JSON"))
        forget_job(services, KEY)
        assert len(services.poison.list()) == 5


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (body(id="a", batch_id="b"), ("b", "a")),
        (body(id=5, batch_id=6), ("6", "5")),
        (body(id="a", batch_id=None), ("default", "a")),
        (body(id=None), ("default", "")),
        ("{}", ("", "")),
        ("nonsense", ("", "")),
        (body(id="a", batch_id="b", note=float("nan")), ("b", "a")),
        (body(id="a", batch_id=None, note=float("nan")), ("default", "a")),
        (body(id="a", batch_id=None) + " and more", ("default", "a")),
        (body(id="a", batch_id=None)[:-2], ("default", "a")),
        (json.dumps(body(id="a", batch_id="b")), ("b", "a")),
        (json.dumps(body(id="a", batch_id=None))[:-3], ("default", "a")),
        (body(id="a\ud800", batch_id="b", note=float("nan")), ("b", "a?")),
    ],
)
def test_a_body_tells_its_job_as_the_message_does(text: str, ids: JobKey) -> None:
    assert ids_in(text) == ids


def test_an_erasure_that_was_interrupted_is_done_again() -> None:
    class AwayOnce(MemoryResults):
        """Results that can't be erased at the first try."""

        tries = 0

        def erase(self, key: JobKey) -> None:
            self.tries += 1
            if self.tries == 1:
                raise StorageUnavailable("SQL did not answer")
            super().erase(key)

    services = MemoryServices(results=AwayOnce())
    finish(services, KEY)
    services.submissions.submitted(KEY, "run")
    services.blobs.put("inputimages", "default/job-1", b"photo", "image/png")
    face = EnrolledFace(uuid.uuid4(), "m", b"", 0.9, (1, 2, 3, 4))
    services.gallery.enrol(KEY, [face])

    with pytest.raises(StorageUnavailable):
        forget_job(services, KEY)
    assert services.log.read(KEY) is not None  # so that the job can still be named
    forget_job(services, KEY)
    assert services.log.read(KEY) is None
    assert services.results.read(KEY) is None
    assert services.gallery.faces_of(KEY) == []
    assert services.blobs.list("inputimages", "") == []
