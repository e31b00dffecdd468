"""Writes `azuredeploy.json`, or compares it: `python -m infra.arm`.

Without options it says where azuredeploy.json differs from main.bicep. `--compare` takes what
`az bicep build` made of main.bicep, and says where the two deploy different things.
"""

import argparse
import json
import sys
from pathlib import Path

from infra.arm.compare import deployed_differences, differences
from infra.arm.lexer import BicepError
from infra.arm.scenarios import scenarios
from infra.arm.template import template_of

FOLDER = Path(__file__).parents[1]
NAME = "azuredeploy.json"


def written(folder: Path) -> str:
    """Return the text that a folder's azuredeploy.json should have.

    Raises:
        BicepError: a file has something that can't be translated.
    """
    template = template_of(folder / "main.bicep")
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def outdated(folder: Path) -> list[str]:
    """Return where a folder's azuredeploy.json differs from its main.bicep."""
    try:
        wanted = template_of(folder / "main.bicep")
    except BicepError as problem:
        return [str(problem)]
    try:
        found = json.loads((folder / NAME).read_text("utf-8"))
    except (OSError, ValueError) as problem:
        return [f"{NAME} can't be read: {problem}"]
    return list(differences(wanted, found, ("the Bicep", NAME)))


def compiled_otherwise(folder: Path, built: Path) -> list[str]:
    """Return where azuredeploy.json deploys something else than a compiled main.bicep."""
    ours = json.loads((folder / NAME).read_text("utf-8"))
    theirs = json.loads(built.read_text("utf-8"))
    return [
        f"{name}: {line}"
        for name, given in scenarios(folder).items()
        for line in deployed_differences(theirs, ours, given, (built.name, NAME))
    ]


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.arm", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {NAME} afresh")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="a build of main.bicep")
    options = parser.parse_args(arguments)
    if options.write:
        try:
            (FOLDER / NAME).write_text(written(FOLDER), "utf-8")
        except BicepError as problem:
            sys.exit(str(problem))
    found = compiled_otherwise(FOLDER, options.compare) if options.compare else outdated(FOLDER)
    for line in found[:30]:
        print(line)
    if found:
        print(f"{len(found)} differences. `make arm` writes {NAME} afresh.")
    else:
        print(f"{NAME} deploys what main.bicep deploys")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
