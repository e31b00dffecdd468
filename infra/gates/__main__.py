"""Runs all gates, and proves that each of them can fail."""

import sys
import time
from pathlib import Path

from infra.gates import arm, breaking, code, flex, host_file, once, security, wiring
from infra.gates.model import read_templates
from infra.gates.properties import Properties
from infra.gates.schemas import Schemas

FOLDER = Path(__file__).parents[1]


def check(folder: Path, schemas: Schemas, *, with_checkov: bool = True) -> list[str]:
    """Return the problems of a folder of Bicep files.

    Args:
        folder: of main.bicep.
        schemas: of the resource types.
        with_checkov: run checkov too, which takes most of the time.
    """
    try:
        templates = read_templates(folder)
    except ValueError as problem:
        return [f"syntax: {problem}"]
    schemas.load(resource.type for template in templates for resource in template.resources)
    properties = Properties(schemas)
    for template in templates:
        properties.check(template)
    problems = [
        *properties.problems,
        *wiring.problems(templates),
        *code.problems(templates),
        *flex.problems(templates),
        *once.problems(templates),
        *host_file.problems(templates, folder.parent),
        *security.values(templates),
        *arm.problems(folder, templates, schemas),
    ]
    return problems + (security.problems(folder) if with_checkov else [])


def main() -> int:
    """Check the files, then check that the gates notice broken copies; return the exit code."""
    begun = time.monotonic()
    schemas = Schemas()
    problems = check(FOLDER, schemas)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    unreported = breaking.unreported(
        FOLDER, lambda folder: check(folder, schemas, with_checkov=False)
    )
    for change in unreported:
        print(f"the gates don't see: {change}")
    seconds = time.monotonic() - begun
    total = len(breaking.BREAKS)
    summary = f"{total - len(unreported)} of {total} breaks were seen"
    print(f"infra: every gate passes, and {summary} ({seconds:.0f} s)")
    return 1 if unreported else 0


if __name__ == "__main__":
    sys.exit(main())
