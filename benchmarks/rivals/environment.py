"""The virtual environment of what we compare with, and the scripts that run in it."""

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.installation import ROOT

FOLDER = ROOT / ".venv-bench"
REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
WITHOUT_DEPENDENCIES = ("face_recognition==1.3.0",)
"""It asks for dlib, which would be compiled for half an hour; dlib-bin has it compiled."""
_SCRIPTS = Path(__file__).with_name("scripts")
_SECONDS = 1500


class Missing(Exception):
    """A competitor can't be measured on this machine; says why."""


def python() -> Path:
    """Return the interpreter of the environment, which is made if it is missing or outdated.

    A package that can't be installed is left out: the script that needs it tells.
    """
    interpreter, mark = FOLDER / "bin" / "python", FOLDER / ".ready"
    wanted = REQUIREMENTS.read_text("utf-8") + "".join(WITHOUT_DEPENDENCIES)
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if not mark.is_file() or mark.read_text("utf-8") != digest:
        venv.create(FOLDER, with_pip=True, symlinks=True, clear=True)
        if not _install(interpreter, "-r", str(REQUIREMENTS)):
            for package in packages():
                _install(interpreter, package)
        _install(interpreter, "--no-deps", *WITHOUT_DEPENDENCIES)
        mark.write_text(digest, "utf-8")
    return interpreter


def packages() -> list[str]:
    """Return the pinned packages."""
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _install(interpreter: Path, *what: str) -> bool:
    command = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    return subprocess.run([*command, *what], capture_output=True).returncode == 0


def run_script(
    name: str,
    *words: str,
    interpreter: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Run a script of `scripts/` and return the JSON value on the last line that it prints.

    Args:
        name: of the script, without `.py`.
        words: its arguments.
        interpreter: another one than the environment's.
        environment: more variables for it.

    Raises:
        Missing: it ended with an error, the last line of which is the reason.
    """
    command = [str(interpreter or python()), "-W", "ignore", str(_SCRIPTS / f"{name}.py"), *words]
    return last_json(command, environment or {})


def last_json(command: Sequence[str], environment: Mapping[str, str]) -> Any:
    """Run a command and return the JSON value on its last line.

    Raises:
        Missing: it ended with an error, or did not end in time.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=variables, stdout=pipe, stderr=pipe, text=True)
    try:
        printed, errors = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise Missing(f"not done after {_SECONDS} seconds") from None
    finally:
        if process.poll() is None:
            process.terminate()  # not killed: it may have to stop a server
            process.communicate()
    if process.returncode:
        raise Missing(_reason(errors))
    return json.loads(printed.strip().splitlines()[-1])


def _reason(errors: str) -> str:
    """Return the last line of an error, in words for the table."""
    last = (errors.strip().splitlines() or ["it ended without saying why"])[-1]
    kind, _, words = last.partition(": ")
    if kind == "ModuleNotFoundError":
        version = ".".join(map(str, sys.version_info[:2]))
        return f"{words}: it could not be installed for Python {version}"
    return last
