"""Azure's side of the function app: its package, its Pythons, and Microsoft's worker code."""

import fcntl
import functools
import os
import shutil
import subprocess
import sys
import uuid
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

REQUIREMENTS = ROOT / "requirements.txt"

LIST_TRIGGERS = """
import asyncio, json, sys
import function_app
report = {
    "triggers": {
        f.get_function_name(): f.get_trigger().get_dict_repr().get("queueName")
        for f in function_app.app.get_functions()
    },
    "loaded": [m for m in ("onnxruntime", "openvino", "cv2", "rapidocr", "numpy", "sqlalchemy",
                           "PIL", "pyodbc", "httpcore", "azure.identity", "azure.ai",
                           "azure.cognitiveservices", "opentelemetry.sdk", "azure.monitor",
                           "alembic", "fastapi")
               if m in sys.modules],
}
async def ask(path):
    answers = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        answers.append(message)
    await function_app.http({
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "https", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"localhost")], "root_path": "", "server": ("localhost", 443),
    }, receive, send)
    return answers[0]["status"]
report["status"] = asyncio.run(ask("/static/app.css"))
print(json.dumps(report))
"""
"""What a worker does first: it imports the app, and answers a request once one comes."""

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


@dataclass(frozen=True)
class Worker:
    """Azure's code that calls the app's functions, for some versions of Python.

    Attributes:
        module: the module that is driven.
        minors: the versions 3.x that it is for, the first choice first.
        package: of the worker that Azure runs with these versions; empty if PyPI has it not
            and only the package azure-functions, which it calls functions through, can be driven.
    """

    module: str
    minors: Sequence[int]
    package: str

    def find_python(self) -> str | None:
        """Return a Python of these versions on this machine: the running one, if it is."""
        if sys.version_info.minor in self.minors:
            return sys.executable
        return next((found for minor in self.minors if (found := _python(minor))), None)


WORKERS = (
    Worker("azure_functions_runtime", (13,), "azure-functions-runtime==1.3.0"),
    Worker("azure.functions", (12, 11), ""),
)
WORKER_NEEDS = ("azurefunctions-extensions-base==1.2.0", "grpcio==1.85.1")
"""What the worker imports besides what the app requires."""
PROTOCOL = "azure-functions-runtime-v1==1.2.0"
"""Its tests hold the messages of the protocol between the host and workers."""


def deployable() -> list[str]:
    """Return the versions of Python whose worker the tests drive."""
    return [f"3.{minor}" for worker in WORKERS if worker.package for minor in worker.minors]


def environment_of(python: str, folder: str) -> Path:
    """Return the Python of a virtual environment with requirements.txt alone, created once."""
    with alone(ROOT / f"{folder}.lock"):
        return _environment_of(python, ROOT / folder)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process of the tests makes what this file stands for."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _environment_of(python: str, home: Path) -> Path:
    binary = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = home / "ready"
    pins = f"{python}\n" + REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != pins:
        shutil.rmtree(home, ignore_errors=True)
        if python == sys.executable:
            venv.create(home, with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", str(home)], check=True)
        # Wheels alone: the build on Azure has no compiler for what it installs.
        pip_install(binary, "--only-binary=:all:", "-r", str(REQUIREMENTS))
        stamp.write_text(pins)
    return binary


def own_environment() -> Path:
    """Return the environment of this Python with requirements.txt alone."""
    return environment_of(sys.executable, ".venv-azure")


def worker_packages(python: Path, worker: Worker) -> list[Path]:
    """Return the folders of a worker and of its protocol, installed once beside an environment.

    They are not in the environment: on Azure the worker brings what it imports, too.
    """
    if not worker.package:
        return []
    home = python.parents[1] / worker.module
    with alone(home.with_suffix(".lock")):
        return _worker_packages(python, worker, home)


def _worker_packages(python: Path, worker: Worker, home: Path) -> list[Path]:
    folders = {"packages": (worker.package, *WORKER_NEEDS), "protocol": (PROTOCOL,)}
    stamp = home / "ready"
    pins = repr(folders)
    if not stamp.exists() or stamp.read_text() != pins:
        shutil.rmtree(home, ignore_errors=True)
        for folder, packages in folders.items():
            pip_install(python, "--no-deps", "--target", str(home / folder), *packages)
        stamp.write_text(pins)
    return [home / folder for folder in folders]


def pip_install(python: Path, *arguments: str) -> None:
    """Install packages into an environment."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


@functools.cache
def _python(minor: int) -> str | None:
    """Return a Python 3.x on this machine that can make environments."""
    candidates = [shutil.which(f"python3.{minor}") or ""]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates += [str(path / "bin" / "python") for path in sorted(pyenv.glob(f"3.{minor}.*"))]
    test = f"import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
    for candidate in filter(None, candidates):
        try:
            if subprocess.run([candidate, "-c", test], capture_output=True).returncode == 0:
                return candidate
        except OSError:
            continue
    return None
