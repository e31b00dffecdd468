"""The package that is deployed, in Microsoft's own worker code, with requirements.txt alone."""

import base64
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import steps  # noqa: F401 - registers them
from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.message import decode_message
from imaginem.pipeline.steps import default_registry
from imaginem.runtime import Runtime
from infra.package import collect
from tests.ai_emulator import KEY, ColorEngines, portrait
from tests.azure_worker import ON_AZURE, WORKERS, Worker, environment_of, worker_packages
from tests.conftest import ROOT
from tests.e2e.conftest import azure_settings
from tests.installation import ALL_STEPS
from tests.unit.test_routes import routes

NOBODY = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
    "BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:1/a;"
    "TableEndpoint=http://127.0.0.1:1/a;"
)
"""A storage account that does not answer."""
LIST_FUNCTIONS = """
import json
import function_app
print(json.dumps({
    f.get_function_name(): f.get_trigger().get_dict_repr() for f in function_app.app.get_functions()
}, default=lambda value: value.name))
"""
TOLD_TO_THE_HOST = (
    "name",
    "type",
    "queueName",
    "connection",
    "schedule",
    "path",
    "source",
    "authLevel",
)
PIPELINE = [*(name for name in default_registry.names() if name not in ALL_STEPS), *ALL_STEPS]
JOB = ("worker", "job-1")
DROPPED = "inputimages/dropped/photo.png"
FUSED = PIPELINE[:3]
POISON = [f"{name}_poison" for name in PIPELINE]


@dataclass(frozen=True)
class Driver:
    """Runs drive_worker.py: the package in a worker, in an environment of its own.

    Attributes:
        command: of a process.
        app: folder of the package.
    """

    command: list[str]
    app: Path

    def __call__(self, environment: dict[str, str], **task: Any) -> dict[str, Any]:
        """Start the app, do a task's calls, and return the report."""
        done = subprocess.run(
            self.command,
            input=json.dumps({"settings": None, "at_once": [], "calls": [], **task}),
            capture_output=True,
            text=True,
            cwd=self.app.parent,
            timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": str(self.app.parent), **environment},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        report["log"] = done.stderr
        return report


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is zipped and deployed."""
    folder = tmp_path_factory.mktemp("package") / "wwwroot"
    collect({"azure"}, folder)
    return folder


@pytest.fixture(scope="module", params=WORKERS, ids=lambda worker: worker.module)
def driver(request: pytest.FixtureRequest, package: Path) -> Driver:
    worker: Worker = request.param
    found = worker.find_python()
    if found is None:
        wanted = " or ".join(f"3.{minor}" for minor in worker.minors)
        pytest.skip(f"{worker.module} is driven in Python {wanted}, which is not on this machine")
    own = "" if found == sys.executable else f"-3.{worker.minors[0]}"
    python = environment_of(found, f".venv-azure{own}")
    folders = [str(folder) for folder in worker_packages(python, worker)]
    script = str(Path(__file__).with_name("drive_worker.py"))
    # -P: this folder's and the repository's modules are not to be found.
    return Driver([str(python), "-P", script, worker.module, str(package), *folders], package)


@dataclass(frozen=True)
class Life:
    """What a worker did between its start and its end.

    Attributes:
        report: of the driver.
        functions: of the app, with their triggers, as the app itself says.
        runtime: sees what the worker left.
    """

    report: dict[str, Any]
    functions: dict[str, dict[str, Any]]
    runtime: Runtime

    def outcomes(self, method: str) -> dict[str, Any]:
        """Return the outcomes of the calls whose key begins with a word, by the rest of it."""
        calls: dict[str, Any] = self.report["calls"]
        return {
            key.removeprefix(f"{method} "): outcome
            for key, outcome in calls.items()
            if key.startswith(f"{method} ")
        }


@pytest.fixture(scope="module")
def life(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """First requests at once, a job through all steps, poison, timers, all routes.

    Storage and database are new, as after the first deployment.
    """
    with (
        AiEmulatorServer(AiEmulator(ColorEngines(), AiEmulatorOptions(key=KEY))) as services,
        Emulator(None, EmulatorPorts.free(), ROOT) as storage,
    ):
        connection = storage.connection_string
        settings = {
            "AzureWebJobsStorage": connection,
            "IMAGINEM_HOME": str(tmp_path_factory.mktemp("home")),
            **azure_settings(services.address),
            "PIPELINE_FUSION": "+".join(FUSED),
        }
        runtime = Runtime(read_settings(settings))
        functions = functions_of_the_app(settings)
        timers = [name for name, found in functions.items() if found["type"] == "timerTrigger"]
        send_messages(runtime)
        pages, others = requests_to_routes()
        report = driver(
            {},
            settings=settings,
            at_once=[call for page in pages for call in 2 * [http_call(functions, page)]],
            calls=[
                *([f"drain {name}", "drain", name, connection] for name in [*PIPELINE, *POISON]),
                *([f"timer {name}", "timer", name] for name in timers),
                ["drop", "blob", "photo_dropped", DROPPED, drop_photo(runtime)],
                *(http_call(functions, other) for other in others),
            ],
        )
        assert report["start"] == "success", report["log"]
        yield Life(report, functions, runtime)
        runtime.database.close()


def functions_of_the_app(settings: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the triggers of the app's functions, which the worker must find too."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_FUNCTIONS],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    functions: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return functions


def send_messages(runtime: Runtime) -> None:
    """Send a job of all steps, and a message that no step could process to each poison queue."""
    url = runtime.blobs.put("inputimages", "worker/photo", portrait("anna"), "image/png")
    definition = {
        "id": JOB[1],
        "batch_id": JOB[0],
        "input": {"image_url": url},
        "processing_pipeline": PIPELINE,
    }
    for name in PIPELINE:
        runtime.queues.create(name)  # as the deployment does
        runtime.queues.send(f"{name}-poison", "nobody could process this")
    runtime.queues.send(PIPELINE[0], json.dumps({"job_definition": definition}))


def drop_photo(runtime: Runtime) -> str:
    """Put a photo into the input container as another program does; return it as base64."""
    photo = portrait("berta")
    container, _, name = DROPPED.partition("/")
    runtime.blobs.put(container, name, photo, "image/png")
    return base64.b64encode(photo).decode()


def requests_to_routes() -> tuple[list[str], list[str]]:
    """Return what looks without naming anything, and all other requests, with unknown names."""
    requests = [
        f"{method} {re.sub(r'{[^}]+}', str(uuid.UUID(int=1)), route.path)}"
        for route in routes()
        for method in sorted(route.methods or ())
    ]
    whole = {f"GET {route.path}" for route in routes() if "{" not in route.path}
    pages = [request for request in requests if request in whole]
    return pages, [request for request in requests if request not in whole]


def http_call(functions: dict[str, dict[str, Any]], request: str) -> list[str]:
    """Return the driver's call for a method and a path."""
    name = next(name for name, found in functions.items() if found["type"] == "httpTrigger")
    return [f"http {request}", "http", name, *request.split(" ")]


def test_the_worker_finds_the_functions_of_the_app(life: Life) -> None:
    told = {
        name: {key: trigger[key] for key in TOLD_TO_THE_HOST if key in trigger}
        for name, trigger in life.report["triggers"].items()
    }
    assert told == {
        name: {key: trigger[key] for key in TOLD_TO_THE_HOST if key in trigger}
        for name, trigger in life.functions.items()
    }
    assert {*default_registry.names()} < {*told}


def test_the_first_requests_are_answered_though_they_come_at_once(life: Life) -> None:
    statuses = life.report["at_once"]
    refused = {tuple(call) for call in statuses if not "200" <= call[1] < "400"}
    assert refused == {("http GET /api/forecast", "422")}  # it lacks the number of photos
    assert sum(status == "200" for _, status in statuses) > 20


def test_no_route_needs_more_than_the_requirements(life: Life) -> None:
    statuses = life.outcomes("http")
    assert len(statuses) > 30
    refused = {request: status for request, status in statuses.items() if status >= "500"}
    assert refused == {}


def test_a_job_passes_every_step(life: Life) -> None:
    entry = life.runtime.log.read(JOB)
    assert entry is not None
    drained = life.outcomes("drain")
    # Its second and third step run in the execution of the first.
    executions = {name: [] if name in FUSED[1:] else ["success"] for name in PIPELINE}
    assert {name: drained[name] for name in PIPELINE} == executions
    assert entry.properties["job_state"] == "succeeded"
    result = life.runtime.results.read(JOB)
    assert result is not None
    assert {*result.job_output} == {*PIPELINE} - {"pipelineoutput"}


def test_what_no_step_could_process_is_kept(life: Life) -> None:
    drained = life.outcomes("drain")
    assert {name: drained[name] for name in POISON} == {name: ["success"] for name in POISON}
    assert {entry.queue for entry in life.runtime.poison.list()} == {*PIPELINE}


def test_a_dropped_photo_starts_its_job(life: Life) -> None:
    trigger = life.report["triggers"]["photo_dropped"]
    assert (trigger["type"], trigger["path"]) == ("blobTrigger", "inputimages/{name}")
    assert trigger["source"] == "EventGrid"
    assert life.report["calls"]["drop"] == "success"
    (drop,) = life.runtime.drops.of_batch("dropped")
    assert drop.sent
    (message,) = life.runtime.queues.receive(ALL_STEPS[0], 32, 60)
    assert decode_message(message.body, ()).key == ("dropped", drop.job_id)


def test_timers_run(life: Life) -> None:
    outcomes = life.outcomes("timer")
    assert outcomes == dict.fromkeys(outcomes, "success")
    assert "maintenance_timer" in outcomes


def test_a_message_fails_when_storage_does_not_answer(driver: Driver) -> None:
    """The process has its settings from the beginning here, as after a restart on Azure."""
    definition = {
        "id": "x",
        "input": {"image_url": "http://127.0.0.1:1/a/inputimages/b"},
        "processing_pipeline": ["sample"],
    }
    body = json.dumps({"job_definition": definition})
    call = ["queue", "queue", "sample", "message-1", body]
    report = driver({"AzureWebJobsStorage": NOBODY}, calls=[call])
    assert report["start"] == "success"
    assert report["calls"]["queue"].startswith("failure: ")
    assert "StorageSilent" in report["calls"]["queue"]


def test_wrong_settings_are_the_reason_that_the_host_hears(driver: Driver) -> None:
    report = driver({}, settings={**ON_AZURE, "SQL_CONNECTION_STRING": ""})
    assert "ConfigurationError" in report["start"]
    assert "SQL_CONNECTION_STRING" in report["start"]
