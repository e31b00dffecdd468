"""Each import wall is broken once in a copy of the code, and the check notices it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.break_walls import broken

# Where a line is added, the line, and what the check must say of it.
BREAKS = {
    "the core imports the web": (
        "imaginem/usecases/submit.py",
        "from imaginem.web import make_app",
        "imaginem.usecases is not allowed to import imaginem.web",
    ),
    "a use case imports the command line": (
        "imaginem/usecases/submit.py",
        "import imaginem.cli.shared",
        "imaginem.usecases is not allowed to import imaginem.cli",
    ),
    "a use case imports an adapter": (
        "imaginem/usecases/submit.py",
        "from imaginem.storage import AzureQueues",
        "imaginem.usecases is not allowed to import imaginem.storage",
    ),
    "the pipeline imports a use case": (
        "imaginem/pipeline/process.py",
        "import imaginem.usecases.submit",
        "imaginem.pipeline is not allowed to import imaginem.usecases",
    ),
    "the pipeline imports an adapter": (
        "imaginem/pipeline/process.py",
        "import imaginem.sql",
        "imaginem.pipeline is not allowed to import imaginem.sql",
    ),
    "the vocabulary imports the pipeline": (
        "imaginem/errors.py",
        "import imaginem.pipeline.fence",
        "imaginem.errors is not allowed to import imaginem.pipeline",
    ),
    "the vocabulary imports the public API": (
        "imaginem/names.py",
        "from imaginem import step",
        "imaginem.names is not allowed to import imaginem.pipeline",
    ),
    "a port imports the pipeline": (
        "imaginem/ports/storage.py",
        "import imaginem.pipeline.fence",
        "imaginem.ports is not allowed to import imaginem.pipeline",
    ),
    "an adapter imports another": (
        "imaginem/storage/blob.py",
        "import imaginem.sql.database",
        "imaginem.storage is not allowed to import imaginem.sql",
    ),
    "an adapter imports the pipeline": (
        "imaginem/sql/database.py",
        "import imaginem.pipeline.fence",
        "imaginem.sql may import imaginem.ports",
    ),
    "a fake imports a use case": (
        "imaginem/memory/storage.py",
        "import imaginem.usecases.submit",
        "imaginem.memory may import imaginem.ports",
    ),
    "an adapter imports what is another's": (
        "imaginem/storage/blob.py",
        "from imaginem import assets",
        "imports imaginem.assets: imaginem.storage may import imaginem.ports",
    ),
    "an adapter imports the runtime": (
        "imaginem/engines/pacing.py",
        "import imaginem.runtime",
        "imaginem.engines is not allowed to import imaginem.runtime",
    ),
    "the web imports the host": (
        "imaginem/web/app.py",
        "import imaginem.host.config",
        "imaginem.web is not allowed to import imaginem.host",
    ),
    "a type alone is imported across a wall": (
        "imaginem/pipeline/fence.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import imaginem.web.app",
        "imaginem.pipeline is not allowed to import imaginem.web",
    ),
    "an import is hidden in a function": (
        "imaginem/pipeline/fence.py",
        "def hidden() -> None:\n    import imaginem.runtime",
        "imaginem.pipeline is not allowed to import imaginem.runtime",
    ),
    "imaginem imports a step": (
        "imaginem/functions.py",
        "import steps.ocr",
        "imaginem is not allowed to import steps",
    ),
    "a step imports what is not public": (
        "steps/ocr.py",
        "from imaginem.ports import Blobs",
        "steps.ocr (l.",
    ),
    "the registry imports the context, which imports it": (
        "imaginem/pipeline/steps.py",
        "from imaginem.pipeline.context import JobContext",
        "No cycles are allowed in imaginem.pipeline",
    ),
    "a step imports a module of the public package": (
        "steps/ocr.py",
        "from imaginem import ports",
        "imports imaginem.ports: steps may import imaginem, imaginem.outputs",
    ),
    "a step imports a module by its whole name": (
        "steps/ocr.py",
        "import imaginem.runtime",
        "imports imaginem.runtime: steps may import imaginem, imaginem.outputs",
    ),
    "a step imports over several lines": (
        "steps/ocr.py",
        "from imaginem.runtime import (\n    default_runtime,\n)",
        "imports imaginem.runtime.default_runtime: steps may import",
    ),
    "a comment follows an import": (
        "imaginem/web/app.py",
        "import sqlalchemy  # type: ignore[import-untyped]",
        "sqlalchemy belongs in imaginem.sql",
    ),
    "a module has no room": ("imaginem/attic.py", '"""Of no layer."""', "attic"),
    "a package has no room": ("imaginem/attic/__init__.py", '"""Of no layer."""', "attic"),
    "a new dependency has no room": (
        "imaginem/storage/blob.py",
        "import aiohttp",
        "no room is named for it",
    ),
    "the fence imports the queues of Azure": (
        "imaginem/pipeline/fence.py",
        "import azure.storage.queue",
        "imports azure.storage.queue: azure belongs in imaginem.storage",
    ),
    "the web imports the binding of functions": (
        "imaginem/web/app.py",
        "import azure.functions",
        "imports azure.functions: azure.functions belongs in imaginem.functions",
    ),
    "an engine imports the exporter": (
        "imaginem/engines/azure/calls.py",
        "import azure.monitor.opentelemetry.exporter",
        "azure.monitor belongs in imaginem.telemetry",
    ),
    "functions are imported from azure over several lines": (
        "imaginem/storage/blob.py",
        "from azure import (\n    functions,\n)",
        "imports azure.functions: azure.functions belongs in imaginem.functions",
    ),
    "one of several imports in a line": (
        "imaginem/usecases/submit.py",
        "import json, fastapi as web",
        "fastapi belongs in imaginem.web",
    ),
    "a use case imports SQLAlchemy": (
        "imaginem/usecases/submit.py",
        "from sqlalchemy import select",
        "sqlalchemy belongs in imaginem.sql",
    ),
    "an image is decoded by OpenCV": (
        "imaginem/images/decoding.py",
        "import cv2",
        "cv2 belongs in imaginem.engines.local",
    ),
    "the azure engines import a runtime of models": (
        "imaginem/engines/azure/vision.py",
        "import onnxruntime",
        "onnxruntime belongs in imaginem.engines.local",
    ),
    "the assets import the local reader": (
        "imaginem/assets/store.py",
        "import rapidocr",
        "rapidocr belongs in imaginem.engines.local",
    ),
    "a use case imports FastAPI": (
        "imaginem/usecases/submit.py",
        "from fastapi import (\n    HTTPException,\n)",
        "fastapi belongs in imaginem.web",
    ),
}


Reports = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walls")
    ignored = shutil.ignore_patterns("__pycache__", "static", "templates")
    for name in ("imaginem", "steps"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "infra").mkdir()
    for name in ("infra/__init__.py", "infra/walls.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def reports(copy: Path) -> Reports:
    """What the check says with each break alone, and under "" what it says without any."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("break_walls.py"))],
        input=json.dumps({name: (file, line) for name, (file, line, _) in BREAKS.items()}),
        capture_output=True,
        text=True,
        cwd=copy,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: Reports = json.loads(done.stdout)
    return found


def test_the_walls_stand(reports: Reports) -> None:
    code, report = reports[""]

    assert code == 0, report


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_wall_is_seen(name: str, reports: Reports) -> None:
    code, report = reports[name]

    assert code == 1, report
    assert BREAKS[name][2] in report


def test_the_command_of_the_checks_sees_a_broken_wall(copy: Path) -> None:
    """`make check` runs this one."""
    file, line, seen = BREAKS["the core imports the web"]
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    with broken(copy / file, line):
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300)

    assert done.returncode == 1
    assert seen in " ".join(done.stdout.split())
