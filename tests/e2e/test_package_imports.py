"""What the deployed package imports is in it, or in its requirements.txt."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.package import collect
from tests.azure_worker import own_environment

BY_ALEMBIC = "imaginem.sql.migrations.env"
"""Alembic runs this file; it can't be imported."""
WITH_THE_LOCAL_ENGINE = {
    ("imaginem/images/decoding.py", "numpy"),
    ("imaginem/images/jpeg_xl.py", "pylibjxl"),  # without it such a photo is refused with advice
    ("imaginem/runtime.py", "imaginem"),  # engines/onnx, for steps that bring a model
    ("imaginem/sql/choosing.py", "imaginem"),  # its flat_index, which needs numpy
}
"""What only photos and embeddings of the local engine need; its requirements bring it."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.path.insert(0, ".")
failed, seen = {}, ["function_app", "imaginem", "steps"]
for name in seen:
    try:
        module = importlib.import_module(name)
    except Exception as problem:
        failed[name] = f"{type(problem).__name__}: {problem}"
    else:
        inside = pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}.")
        seen += [found.name for found in inside if found.name != sys.argv[1]]
print(json.dumps([failed, len(seen)]))
"""

IMPORTS_ANYWHERE = """
import ast, importlib.util, json, pathlib, sys
sys.path.insert(0, ".")

def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False

missing = set()
for path in pathlib.Path(".").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        missing |= {(path.as_posix(), name) for name in names if not found(name)}
print(json.dumps(sorted(missing)))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is zipped and deployed."""
    folder = tmp_path_factory.mktemp("package") / "wwwroot"
    collect({"azure"}, folder)
    return folder


def test_every_module_can_be_imported(package: Path) -> None:
    failed, seen = run(package, IMPORT_ALL, BY_ALEMBIC)
    assert failed == {}
    assert seen > 150


def test_imports_inside_functions_find_their_module_too(package: Path) -> None:
    missing = {(path, name.partition(".")[0]) for path, name in run(package, IMPORTS_ANYWHERE)}
    assert missing == WITH_THE_LOCAL_ENGINE


def run(package: Path, code: str, *arguments: str) -> list[Any]:
    """Run code in the package's folder with requirements.txt alone; return what it prints."""
    command = [str(own_environment()), "-I", "-c", code, *arguments]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
    answer: list[Any] = json.loads(done.stdout)
    return answer
