"""The function app as Azure imports it: with nothing but requirements.txt."""

import json
import os
import subprocess
import sys

import pytest

import steps  # noqa: F401 - registers them
from imaginem.pipeline.steps import default_registry
from tests.azure_worker import LIST_TRIGGERS, ON_AZURE, own_environment
from tests.conftest import ROOT
from tests.installation import ALL_STEPS


@pytest.mark.parametrize("settings", [{}, ON_AZURE], ids=["laptop", "azure"])
def test_the_app_imports_with_nothing_but_its_requirements(settings: dict[str, str]) -> None:
    python = own_environment()
    done = subprocess.run(
        [str(python), "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){LIST_TRIGGERS}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    triggers = report["triggers"]

    queues = set(default_registry.names())
    assert queues >= {*ALL_STEPS, "sample"}
    blobs = {"photo_dropped": None, "photo_dropped_poison": "webjobs-blobtrigger-poison"}
    poison = {f"{q}-poison" for q in queues} | {"webjobs-blobtrigger-poison"}
    assert {q for q in triggers.values() if q} == queues | poison
    assert triggers["http_app_func"] is None
    timers = {"maintenance_timer"}
    assert set(triggers) >= {*timers, *blobs}
    assert len(triggers) == 2 * len(queues) + 1 + len(blobs) + len(timers)
    assert report["loaded"] == []
    assert report["status"] == 200  # with what requirements.txt brings


def test_on_azure_a_wrong_installation_does_not_start() -> None:
    """Importing the app reports all that is wrong at once."""
    python = own_environment()
    wrong = {**ON_AZURE, "FACE_PRINT_ENGINE": "local", "SQL_CONNECTION_STRING": ""}
    done = subprocess.run(
        [str(python), "-c", "import function_app"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **wrong},
    )
    assert done.returncode != 0
    error = done.stderr.splitlines()[-1]
    assert "ConfigurationError" in error
    assert "SQL_CONNECTION_STRING" in error
    assert "onnxruntime" in error


def test_decoding_is_imported_without_numpy_and_pillow() -> None:
    code = "import imaginem.images.decoding, sys; assert not {'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
