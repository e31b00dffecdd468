"""The timer runs every maintenance job, whatever becomes of the others."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import azure.functions as func
import pytest

from imaginem.config.settings import read_settings
from imaginem.errors import RetryableError
from imaginem.functions import add_maintenance
from imaginem.pipeline.maintenance import run_maintenance
from imaginem.ports import MaintenanceJob
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from tests.recording_telemetry import RecordingTelemetry

WITH_ACCOUNT = {"FACE_ENDPOINT": "https://f.cognitiveservices.azure.com"}


def failing(problem: Exception) -> Callable[[], None]:
    def run() -> None:
        raise problem

    return run


def timer(services: MemoryServices) -> Any:
    """Return the timer function."""
    app = func.FunctionApp()
    add_maintenance(app, lambda: services)
    (function,) = app.get_functions()
    return function


def test_a_job_that_fails_stops_no_other_and_is_told_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []
    telemetry = RecordingTelemetry()
    jobs = [
        MaintenanceJob("first", failing(RetryableError("the account is away"))),
        MaintenanceJob("second", failing(ValueError("a defect"))),
        MaintenanceJob("third", lambda: done.append("third")),
    ]
    with caplog.at_level(logging.INFO), pytest.raises(RetryableError, match="account is away"):
        run_maintenance(jobs, telemetry)

    assert done == ["third"]
    assert telemetry.metrics["imaginem.maintenance"] == [
        {"job": "first", "outcome": "failed"},
        {"job": "second", "outcome": "failed"},
        {"job": "third", "outcome": "ok"},
    ]
    assert [span.failed for _, _, span in telemetry.spans] == [True, True, False]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
    assert "maintenance job first failed: RetryableError: the account is away" in caplog.text
    assert "Traceback" in caplog.text  # of the defect


def test_the_timer_runs_what_the_runtime_lists() -> None:
    done: list[str] = []
    jobs = [MaintenanceJob(name, partial(done.append, name)) for name in ("a", "b")]
    telemetry = RecordingTelemetry()
    services = MemoryServices(maintenance_jobs=jobs, telemetry=telemetry)
    maintenance = timer(services)

    assert maintenance.get_function_name() == "maintenance_timer"
    maintenance.get_user_function()(None)
    assert done == ["a", "b"]
    assert len(telemetry.metrics["imaginem.maintenance"]) == 2


ON_AZURE = {"AzureWebJobsStorage__accountName": "photos"}
WITHOUT_WATCHDOG = {"WATCHDOG_MINUTES": "0"}


def names(environment: dict[str, str]) -> list[str]:
    return [job.name for job in Runtime(read_settings(environment)).maintenance_jobs]


def test_settings_say_which_jobs_the_timer_has() -> None:
    watching = ["watchdog", "unsent photos"]
    always = ["erased faces", "index of faces", "audit", "ledger"]
    watched = [*watching, "erasures", *always]
    assert names(WITH_ACCOUNT) == ["face lists", *watched, "landing"]
    assert names(ON_AZURE | WITH_ACCOUNT) == ["face lists", *watched]
    assert names(ON_AZURE) == watched
    assert names(WITHOUT_WATCHDOG) == [*always, "landing"]
    assert names(ON_AZURE | WITHOUT_WATCHDOG) == always


def test_listing_the_jobs_makes_nothing() -> None:
    runtime = Runtime(read_settings(WITH_ACCOUNT))
    assert len(runtime.maintenance_jobs) == 9
    assert runtime.made == {}
