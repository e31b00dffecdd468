"""Says to the author of a step what is wrong with its file: where, what, and how to mend it."""

import inspect
import pkgutil
import sys
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from imaginem.errors import ImaginemError
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.registry import Registry
from imaginem.ports.card_reading import explained
from imaginem.redaction import one_line

_NOT_THE_APPS = frozenset({"imaginem", "site-packages", "node_modules"})
"""Folders in an app's that its author has not written."""
_TAKEN = ([JobContext], [list[JobContext]])
"""What the parameters of a step's function are."""


def why_not_imported(problem: Exception, app: Path) -> str:
    """Return in one line why an app's steps could not be imported.

    Args:
        problem: that the import raised.
        app: the app's folder.
    """
    reason = _reason(problem)
    place = _place(problem, app.resolve())
    return one_line(f"{place}: {reason}" if place else reason)


def _reason(problem: Exception) -> str:
    if isinstance(problem, ImaginemError):
        return str(problem)
    if isinstance(problem, SyntaxError):
        return f"this is no Python: {problem.msg}"
    if isinstance(problem, ModuleNotFoundError) and problem.name:
        return _missing(problem.name)
    if isinstance(problem, ValidationError):
        return f"{problem.title}: {explained(problem)}"
    return f"{type(problem).__name__}: {problem}"


def _missing(module: str) -> str:
    top = module.partition(".")[0]
    if top == "steps":
        return f"there is no {module.replace('.', '/')}.py: correct the import, or add that file"
    if top == "imaginem":
        return f"this version of Imaginem has no {module}: correct the import"
    return (
        f"{top} can't be imported: `pip install` the package that has it, name it in "
        "@step(requirements=…), and import it inside the function"
    )


def _place(problem: Exception, app: Path) -> str:
    """Return file and line of the app's own code that raised a problem; empty if none did."""
    frames = [
        (frame.filename, frame.lineno) for frame in traceback.extract_tb(problem.__traceback__)
    ]
    if isinstance(problem, SyntaxError):
        frames.append((problem.filename or "", problem.lineno))
    for filename, line in reversed(frames):
        path = Path(filename).resolve()
        if not path.is_relative_to(app):
            continue
        parts = path.relative_to(app).parts
        if _NOT_THE_APPS.isdisjoint(parts) and parts != ("steps", "__init__.py"):
            return f"{Path(*parts).as_posix()}, line {line}"
    return ""


def forgotten_steps(registry: Registry, package: str = "steps") -> list[str]:
    """Return what is to be said of functions that look like steps and are none.

    Args:
        registry: has the steps of the package, which was imported.
        package: of the steps.
    """
    files = {step.file for step in registry}
    return [
        f"{module.__name__.replace('.', '/')}.py: {name} is no step yet: write @step() above it"
        for module in _modules(package)
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and (module.__name__.endswith(f".{name}") or module.__file__ not in files)
        and _takes_jobs(value)
    ]


def _modules(package: str) -> Iterator[ModuleType]:
    path = getattr(sys.modules.get(package), "__path__", ())
    for found in pkgutil.iter_modules(path):
        module = sys.modules.get(f"{package}.{found.name}")
        if module is not None:
            yield module


def _takes_jobs(function: object) -> bool:
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # annotations may be anything
        return False
    hints.pop("return", None)
    return list(hints.values()) in _TAKEN
