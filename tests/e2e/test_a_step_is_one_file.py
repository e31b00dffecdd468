"""A step of one's own is one file: beside it and its test, nothing in the repository changes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.azure_worker import LIST_TRIGGERS, ON_AZURE
from tests.conftest import GUIDE_STEP, ROOT

STEP, TEST = f"steps/{GUIDE_STEP}", f"tests/unit/test_{GUIDE_STEP}"
NOT_COPIED = (
    *(
        ".git",
        ".venv*",
        ".imaginem",
        ".*_cache",
        "__pycache__",
        "node_modules",
        "dist",
        "test-output",
    ),
    *(GUIDE_STEP, f"test_{GUIDE_STEP}"),
)
GATES_PYTHON = ROOT / ".venv-infra" / "bin" / "python"
AGREEMENT_GATE = """
from pathlib import Path
from infra.gates import code
from infra.gates.model import read_templates
problems = code.problems(read_templates(Path("infra")))
assert not problems, problems
"""
RUN_A_JOB = """
import steps
from imaginem.pipeline.steps import default_registry
from imaginem.config.settings import read_settings
from imaginem.engines.onnx import OwnModels
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
models = OwnModels(read_settings().assets, lambda seconds, act: None)
services = MemoryServices(models=models)
url = services.blobs.put("inputimages", "batch-1/photo", photo_bytes(40, 30), "image/png")
services.queues.send("blurriness", message_for(url, ["blurriness", "pipelineoutput"]).encode())
run_all(services, default_registry)
print(services.results.read(("batch-1", "job-1")).job_output)
"""
RUN_A_GROUP = """
import json
import steps
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.steps import default_registry
from imaginem.testing import MemoryServices, message_for, photo_bytes, run_all
services = MemoryServices()
for number in range(9):
    data = b"no photo" if number == 3 else photo_bytes(40, 30)
    url = services.blobs.put("inputimages", f"batch-1/{number}", data, "image/png")
    message = message_for(url, ["sharpest", "pipelineoutput"], job_id=f"job-{number}")
    services.queues.send("sharpest", message.encode())
run_all(services, default_registry)
rows = [ProgressRow(entry) for entry in services.log.batch("batch-1")]
print(json.dumps({
    row.job_id: json.loads(row.output_of("sharpest") or "null") or row.reason_of("sharpest")
    for row in rows
}))
"""


class Repository:
    """A copy of this repository, and commands that run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (root / "node_modules").symlink_to(ROOT / "node_modules")
        if (ROOT / ".mypy_cache").is_dir():  # without it mypy checks every module anew
            shutil.copytree(ROOT / ".mypy_cache", root / ".mypy_cache")

    def run(self, *arguments: str, python: Path | str = sys.executable, **environment: str) -> str:
        ran = subprocess.run(
            [str(python), *arguments],
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), **environment},
        )
        assert ran.returncode == 0, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def files(self) -> set[tuple[str, str]]:
        """Return every file with a hash of what is in it."""
        return {
            (path.relative_to(self.root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def check_code(self, *files: str) -> None:
        self.run("-m", "ruff", "format", "--check", *files)
        self.run("-m", "ruff", "check", *files)
        self.run("-m", "mypy", *files)
        self.run(str(Path(sys.executable).with_name("lint-imports")))

    def check_infra(self) -> None:
        """Run all gates, or without their environment the one that knows of steps."""
        if GATES_PYTHON.exists():
            assert "every gate passes" in self.run("-m", "infra.gates", python=GATES_PYTHON)
        else:
            assert not os.environ.get("CI"), "`make check` installs .venv-infra: run it first"
            self.run("-c", AGREEMENT_GATE)

    def check_function_app(self) -> None:
        told = json.loads(self.run("-c", LIST_TRIGGERS, **ON_AZURE))
        assert told["triggers"]["blurriness"] == "blurriness"
        assert told["triggers"]["blurriness_poison"] == "blurriness-poison"
        assert told["loaded"] == []


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_a_new_step_and_its_test_are_all_that_a_step_takes(repository: Repository) -> None:
    before = repository.files()
    new_step = ("-m", "imaginem.cli", "new-step", "blurriness")
    repository.run(*new_step, PYTHONDONTWRITEBYTECODE="1")
    assert {name for name, _ in repository.files() ^ before} == {STEP, TEST}

    with ThreadPoolExecutor(1) as beside:
        gates = beside.submit(repository.check_infra)
        repository.check_code(STEP, TEST)
        repository.check_function_app()
        units = (f"tests/unit/test_{name}.py" for name in ("docs", "registry", "steps"))
        repository.run("-m", "pytest", "-q", "-p", "no:cacheprovider", TEST, *units)
        assert "'blurriness': {'width': 40, 'height': 30}" in repository.run("-c", RUN_A_JOB)
        assert "blurriness" in json.loads(repository.run("-m", "infra.steps"))
        gates.result()


def test_the_steps_of_the_guide_pass_the_same_checks(repository: Repository) -> None:
    guide = (ROOT / "docs" / "add-a-step.md").read_text("utf-8")
    for code in re.findall(r"```python\n(.+?)```", guide, re.DOTALL):
        name = code.removeprefix('"""').partition(":")[0]
        (repository.root / "steps" / f"{name}.py").write_text(code, "utf-8")
        repository.check_code(f"steps/{name}.py")
        if name == "blurriness":
            repository.run("-m", "imaginem.cli", "assets", "fetch", "--only-steps")
            repository.check_function_app()
            assert "'sharpness': " in repository.run("-c", RUN_A_JOB)


def test_the_group_step_of_the_guide_passes_them_and_compares_photos(
    repository: Repository,
) -> None:
    guide = (ROOT / "docs" / "add-a-step.md").read_text("utf-8")
    (code,) = re.findall(r"## A step over several photos\n.+?```python\n(.+?)```", guide, re.DOTALL)
    (repository.root / "steps" / "sharpest.py").write_text(code, "utf-8")
    repository.check_code("steps/sharpest.py")
    triggers = json.loads(repository.run("-c", LIST_TRIGGERS, **ON_AZURE))["triggers"]
    assert triggers["sharpest_poison"] == "sharpest-poison"
    told = repository.run("-m", "imaginem.cli", "steps")
    assert "sharpest works on up to 9 photos of a batch at once; one waits 30 s" in told
    found = json.loads(repository.run("-c", RUN_A_GROUP))
    assert "not a photo that can be read" in found.pop("job-3")
    assert sorted(places["place"] for places in found.values()) == [1] * 8
    assert {places["compared"] for places in found.values()} == {8}


def test_a_new_group_step_works_and_passes_the_checks(repository: Repository) -> None:
    files = ("steps/alikes.py", "tests/unit/test_alikes.py")
    repository.run("-m", "imaginem.cli", "new-step", "alikes", "--group", "9")
    repository.check_code(*files)
    assert "2 passed" in repository.run("-m", "pytest", "-q", "-p", "no:cacheprovider", files[1])
