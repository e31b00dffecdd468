"""What a step brings to be deployed with it: files of its own, and packages that it needs."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from imaginem.errors import ConfigurationError, RegistrationError
from imaginem.ports.weights import Weights

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?(?:==([\w.+!-]+))?")


def check_weights(step: str, declared: Sequence[Weights]) -> None:
    """Check what `@step(weights=…)` was given.

    Raises:
        RegistrationError: it is something else, or the path of a file is not a whole one.
    """
    for weights in declared:
        if not isinstance(weights, Weights):
            raise RegistrationError(
                f"step {step!r}: `weights` must be a list of Weights, such as weights=(NET,): "
                "`from imaginem import Weights`"
            )
        if weights.file and not Path(weights.file).is_absolute():
            raise RegistrationError(
                f"step {step!r}: write the file {weights.file} as "
                f'str(Path(__file__).with_name("{weights.file}"))'
            )


def check_requirements(step: str, declared: Sequence[str]) -> None:
    """Check what `@step(requirements=…)` was given.

    Raises:
        RegistrationError: one is no name and no pinned version.
    """
    if isinstance(declared, str):
        raise RegistrationError(
            f'step {step!r}: `requirements` is a list: write requirements=("{declared}",)'
        )
    for text in declared:
        if not _REQUIREMENT.fullmatch(text):
            raise RegistrationError(
                f"step {step!r}: requirement {text!r}: write name==1.2, or a name alone that the "
                "repository's requirements files pin"
            )


def requirement_parts(text: str) -> tuple[str, str]:
    """Return name and version of a requirement; no version where it has none."""
    found = _REQUIREMENT.fullmatch(text)
    return (found[1], found[2] or "") if found else (text, "")


@cache
def installed_versions(declared: tuple[str, ...]) -> dict[str, str]:
    """Return which version of each required package is installed; empty for one that is not.

    It is looked up once a process: what is installed meanwhile, the process does not use.
    """
    return {text: _version_of(requirement_parts(text)[0]) for text in declared}


def check_installed(declared: Iterable[tuple[str, str]]) -> None:
    """Check that this machine has the packages that steps need.

    Args:
        declared: steps with their requirements.

    Raises:
        ConfigurationError: names each that is missing or of another version, and its step.
    """
    problems: dict[str, str] = {}
    for step, text in declared:
        name, wanted = requirement_parts(text)
        found = _version_of(name)
        if not found:
            problems[text] = f"the step {step} needs {text}, which is not installed"
        elif wanted and found != wanted:
            problems[text] = f"the step {step} needs {text}, and {found} is installed"
    if problems:
        told = "; ".join(problems.values())
        raise ConfigurationError(f"{told}: `pip install {' '.join(problems)}`")


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
