"""Runs all gates, and proves that each of them can fail."""

import sys
import time
from pathlib import Path

from infra.gates import breaking, code, security, wiring
from infra.gates.model import read_templates
from infra.gates.properties import Properties
from infra.gates.schemas import Schemas

FOLDER = Path(__file__).parents[1]


def check(folder: Path, schemas: Schemas, *, with_checkov: bool = True) -> list[str]:
    """Return all that is wrong with a folder of Bicep files."""
    try:
        templates = read_templates(folder)
    except ValueError as problem:
        return [f"syntax: {problem}"]
    schemas.load(each.type for template in templates for each in template.resources)
    properties = Properties(schemas)
    for template in templates:
        properties.check(template)
    found = [
        *properties.problems,
        *wiring.problems(templates),
        *code.problems(templates),
        *security.values(templates),
    ]
    return found + (security.problems(folder) if with_checkov else [])


def main() -> int:
    """Check, print what is wrong, and return the exit code."""
    begun = time.monotonic()
    schemas = Schemas()
    found = check(FOLDER, schemas)
    for problem in found:
        print(problem)
    if found:
        return 1
    unseen = breaking.unseen(FOLDER, lambda folder: check(folder, schemas, with_checkov=False))
    for break_ in unseen:
        print(f"the gates don't see: {break_}")
    seconds = time.monotonic() - begun
    seen = f"{len(breaking.BREAKS) - len(unseen)} of {len(breaking.BREAKS)} breaks were seen"
    print(f"infra: every gate passes, and {seen} ({seconds:.0f} s)")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
