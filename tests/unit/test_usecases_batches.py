"""How a batch stands, stopping its jobs, and letting it take photos again."""

from typing import Any

import pytest

from imaginem.errors import NotFound, PermanentError
from imaginem.pipeline.steps import default_registry
from imaginem.ports import JobKey
from imaginem.testing import Failing, MemoryServices, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.batches import StepProblem, batch_overview, cancel_batch, reopen_batch
from imaginem.usecases.intake import Upload, receive_photo
from imaginem.usecases.submit import run_again
from tests.dashboard import web_services


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def send(services: MemoryServices, job_id: str = "one") -> JobKey:
    """Send a photo to the batch `b`; return its job's key."""
    upload = Upload("b", photo_bytes, "a.png", ["ocr"], job_id)
    return receive_photo(services, default_registry, upload, EVERYTHING).key


class TestBatch:
    def test_jobs_that_wait_are_counted_with_those_that_ended(
        self, services: MemoryServices
    ) -> None:
        send(services, "done")
        run_all(services, default_registry)
        send(services, "waits")
        overview = batch_overview(services, "b")
        assert overview.jobs == {"done": "succeeded", "waits": "queued"}
        assert overview.ended == 1
        assert overview.steps == {"ocr": {"success": 1}}
        assert overview.problems == []

    def test_a_problem_is_forgotten_when_its_job_is_run_again(
        self, services: MemoryServices
    ) -> None:
        services.ocr = Failing(PermanentError("no text engine"))
        key = send(services, "one")
        run_all(services, default_registry)
        assert batch_overview(services, "b").problems == [
            StepProblem("one", "ocr", "no text engine")
        ]
        run_again(services, key)
        assert batch_overview(services, "b").problems == []

    def test_a_cancelled_batch_takes_no_photo_until_it_is_reopened(
        self, services: MemoryServices
    ) -> None:
        send(services)
        cancel_batch(services, "b")
        assert batch_overview(services, "b").cancelled
        with pytest.raises(PermanentError, match="was cancelled"):
            send(services)
        reopen_batch(services, "b")
        assert not batch_overview(services, "b").cancelled
        send(services)

    def test_cancelling_tells_how_many_jobs_have_begun_and_not_ended(
        self, services: MemoryServices
    ) -> None:
        send(services, "done")
        run_all(services, default_registry)
        send(services, "waits")
        for job_id in ("runs", "runs too"):
            services.log.insert(("b", job_id), {"job_state": "running"})
        assert cancel_batch(services, "b") == 2

    @pytest.mark.parametrize("act", [batch_overview, cancel_batch, reopen_batch])
    def test_a_batch_that_nobody_knows_is_told(self, services: MemoryServices, act: Any) -> None:
        with pytest.raises(NotFound, match=r"^there is no batch b$"):
            act(services, "b")
        assert not services.cancellations.is_cancelled("b")
