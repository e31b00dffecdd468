"""Prints the queues to make, as the parameter `steps` of main.bicep takes them.

`python -m infra.steps [PARAMETERS_FILE]`: every step of steps/, then what the parameter file adds.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from imaginem.cli.shared import load_registry
from imaginem.errors import ImaginemError

ROOT = Path(__file__).parents[1]


def listed_queues(parameters: Path) -> list[str]:
    """Return the value of `steps` in a parameter file; none where it has no such parameter.

    Raises:
        ValueError: it is no list of texts.
    """
    given = json.loads(parameters.read_text("utf-8-sig"))["parameters"]
    listed = [one for name, one in given.items() if name.lower() == "steps"]  # as ARM reads names
    queues = listed[0].get("value", []) if listed else []
    if not isinstance(queues, list) or not all(isinstance(queue, str) for queue in queues):
        raise ValueError(f"{parameters}: steps must be a list of queue names")
    return queues


def queues_to_make(steps: Sequence[str], listed: Sequence[str]) -> list[str]:
    """Return each queue once: those of steps, then others, which another app may serve."""
    return list(dict.fromkeys([*steps, *listed]))


def main(arguments: Sequence[str]) -> None:
    """Print the list on one line; exit with a reason if a step can't be imported."""
    try:
        listed = [queue for path in arguments for queue in listed_queues(Path(path))]
        print(json.dumps(queues_to_make(load_registry(ROOT).names(), listed)))
    except (ImaginemError, ValueError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(sys.argv[1:])
