"""The function app as Azure runs it: with nothing but requirements.txt, and in the real worker."""

import functools
import json
import os
import shutil
import subprocess
import sys
import uuid
import venv
from pathlib import Path
from typing import Any

import pytest

import steps  # noqa: F401 - registers them
from imaginem.host import Emulator
from imaginem.pipeline.steps import default_registry
from tests.conftest import ROOT
from tests.installation import ALL_STEPS

LIST_TRIGGERS = """
import json, sys
import function_app
print(json.dumps({
    "triggers": {
        f.get_function_name(): f.get_trigger().get_dict_repr().get("queueName")
        for f in function_app.app.get_functions()
    },
    "loaded": [m for m in ("onnxruntime", "cv2", "rapidocr", "numpy", "sqlalchemy", "PIL",
                           "pyodbc", "httpcore", "azure.identity", "azure.ai.vision.face",
                           "azure.cognitiveservices", "opentelemetry.sdk", "azure.monitor")
               if m in sys.modules],
}))
"""


def environment_of(python: str, folder: str, *requirements: str) -> Path:
    """Return the Python of a virtual environment with these requirements, created once."""
    home = ROOT / folder
    stamp = home / "ready"
    pins = "\n".join(requirements) + (ROOT / "requirements.txt").read_text()
    binary = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not stamp.exists() or stamp.read_text() != pins:
        shutil.rmtree(home, ignore_errors=True)
        if python == sys.executable:
            venv.create(home, with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", str(home)], check=True)
        pip = [str(binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        stamp.write_text(pins)
    return binary


@functools.cache
def python_313() -> str | None:
    """Return a Python 3.13 or newer, which azure-functions-runtime needs."""
    candidates = [sys.executable, *(shutil.which(f"python3.{minor}") or "" for minor in (13, 14))]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates += [str(path / "bin" / "python") for path in sorted(pyenv.glob("3.1[3-9]*"))]
    test = "import sys, ensurepip; sys.exit(sys.version_info < (3, 13))"
    for candidate in filter(None, candidates):
        try:
            if subprocess.run([candidate, "-c", test], capture_output=True).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


ON_AZURE = {
    "WEBSITE_SITE_NAME": "func-imaginem",
    "AzureWebJobsStorage__accountName": "stimaginem",
    "HTTP_ACCESS": "platform",
    "VISION_ENGINE": "azure",
    "FACE_ENGINE": "azure",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com",
    "FACE_ENDPOINT": "https://f.cognitiveservices.azure.com",
    "SQL_CONNECTION_STRING": "Server=tcp:s.database.windows.net,1433;Database=imaginem",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={uuid.UUID(int=0)}",
}


@pytest.mark.parametrize("settings", [{}, ON_AZURE], ids=["laptop", "azure"])
def test_the_app_imports_with_nothing_but_its_requirements(settings: dict[str, str]) -> None:
    python = environment_of(sys.executable, ".venv-azure", "-r", str(ROOT / "requirements.txt"))
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
    assert {q for q in triggers.values() if q} == queues | {f"{q}-poison" for q in queues}
    assert triggers["http_app_func"] is None
    timers = {"maintenance_timer"} if settings else set()
    assert set(triggers) >= timers
    assert len(triggers) == 2 * len(queues) + 1 + len(timers)
    assert report["loaded"] == []


@pytest.fixture(scope="module")
def worker_python() -> Path:
    python = python_313()
    if python is None:
        pytest.skip("no Python 3.13 or newer on this machine: azure-functions-runtime needs it")
    requirements = str(ROOT / "requirements.txt")
    worker = ("azure-functions-runtime==1.3.0", "grpcio==1.85.1", "protobuf==7.36.2")
    return environment_of(python, ".venv-worker", "-r", requirements, *worker)


@pytest.fixture(scope="module")
def protos(worker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The protobuf stubs of the Functions host's protocol, from another package of the runtime."""
    folder = tmp_path_factory.mktemp("protos")
    command = [str(worker_python), "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "azure-functions-runtime-v1==1.2.0", "-d", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("tests/protos/"):
                archive.extract(name, folder)
    (folder / "tests" / "protos").rename(folder / "azfunc_protos")
    return folder


def test_on_azure_a_wrong_installation_does_not_start() -> None:
    """Importing the app reports all that is wrong at once."""
    python = environment_of(sys.executable, ".venv-azure", "-r", str(ROOT / "requirements.txt"))
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


def test_the_real_worker_indexes_and_runs_the_app(
    worker_python: Path, protos: Path, azurite: Emulator, tmp_path: Path
) -> None:
    driver = Path(__file__).with_name("drive_worker.py")
    done = subprocess.run(
        [str(worker_python), str(driver), str(ROOT), str(protos)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        env={
            **os.environ,
            "AzureWebJobsStorage": azurite.connection_string,
            "IMAGINEM_HOME": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])

    assert report["init"] == "success"
    assert report["functions"]["sample"] == "sample"
    assert report["functions"]["sample_poison"] == "sample-poison"
    assert len(report["functions"]) == 2 * len(default_registry.names()) + 1
    assert report["success"]["status"] == "success"
    assert report["health"] == {"status": "success", "code": "200", "body": '{"status":"ok"'}
    assert report["failure"]["status"] == "failure"
    assert "StorageUnavailable" in report["failure"]["error"]

    from imaginem.config.settings import read_settings
    from imaginem.runtime import Runtime

    runtime = Runtime(read_settings({"AzureWebJobsStorage": azurite.connection_string}))
    entry = runtime.log.read(("worker", "job-1"))
    assert entry is not None
    assert entry.properties["sample"] == "step 0: success"
    assert entry.properties["job_state"] == "succeeded"


def test_decoding_is_imported_without_numpy_and_pillow() -> None:
    code = "import imaginem.images.decoding, sys; assert not {'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
