"""The git hooks run what `make check` and `make test-unit` run, so that neither drifts."""

import re
from pathlib import Path
from typing import Any

import pytest
from pre_commit.clientlib import load_config

ROOT = Path(__file__).parents[2]


def hooks(stage: str) -> dict[str, dict[str, Any]]:
    """Return the hooks of a stage by what they run."""
    config = load_config(ROOT / ".pre-commit-config.yaml")
    (local,) = config["repos"]  # hooks of other repositories would be fetched at a commit
    assert local["repo"] == "local"
    return {
        hook["entry"]: hook
        for hook in local["hooks"]
        if stage in (hook["stages"] or config["default_stages"])
    }


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile, its variables replaced."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    values = dict(re.findall(r"^(\w+) :?= (.+)$", makefile, re.MULTILINE)) | {"ARGS": ""}
    match = re.search(rf"^{target}:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert match, target
    lines = match.group(1)
    while "$(" in lines:
        lines = re.sub(r"\$\((\w+)\)", lambda name: values[name.group(1)], lines)
    return [line.strip() for line in lines.splitlines()]


@pytest.mark.parametrize(
    ("stage", "targets"),
    [("pre-commit", ["check-code", "check-infra"]), ("pre-push", ["test-unit"])],
)
def test_hooks_and_make_run_the_same_commands(stage: str, targets: list[str]) -> None:
    assert list(hooks(stage)) == [command for target in targets for command in recipe(target)]


def test_make_check_makes_both_of_its_parts() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert "\ncheck: check-code check-infra\n" in makefile


@pytest.mark.parametrize(
    "path", ["infra/main.bicep", "steps/ocr.py", "imaginem/config/settings.py"]
)
def test_the_gates_run_when_what_they_compare_changes(path: str) -> None:
    gates = hooks("pre-commit")[".venv-infra/bin/python -m infra.gates"]

    assert re.search(gates["files"], path)


def test_every_hook_looks_at_the_whole_tree_as_make_does() -> None:
    every = {**hooks("pre-commit"), **hooks("pre-push")}

    assert {entry for entry, hook in every.items() if hook["pass_filenames"]} == set()
