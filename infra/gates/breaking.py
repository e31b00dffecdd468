"""Breaks a copy of the Bicep files in many ways, each of which the gates must notice."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.gates.breaks import deploying, files, platform, template

BREAKS = (*files.BREAKS, *platform.FLEX, *deploying.WORKFLOW, *deploying.AGAIN, *template.TEMPLATE)


def unreported(folder: Path, check: Callable[[Path], list[str]]) -> list[str]:
    """Return the breaks that a check does not report."""
    missed = []
    for change in BREAKS:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "infra"
            shutil.copytree(
                folder, copy, ignore=shutil.ignore_patterns("gates", "arm", "__pycache__")
            )
            shutil.copy(folder.parent / "host.json", scratch)
            path = copy / change.file
            text = path.read_text("utf-8")
            if change.old not in text:
                missed.append(
                    f"{change.what}: {change.file} has no {change.old!r} to break any more"
                )
                continue
            path.write_text(text.replace(change.old, change.new), "utf-8")
            problems = check(copy)
            if not any(change.reported in problem for problem in problems):
                missed.append(f"{change.what} ({change.file}); reported was {problems[:3]}")
    return missed
