"""The functions and triggers of a function app, read from the app object itself."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imaginem.errors import ConfigurationError


@dataclass(frozen=True)
class Trigger:
    """What makes a function run.

    Attributes:
        function: the function's name.
        kind: `queue`, `blob`, `timer` or `http`.
        argument: name of the parameter that receives the message, blob, timer or request.
        queue: name of the queue; empty for other kinds.
        path: container and pattern of the names of a blob trigger; empty for other kinds.
        schedule: NCRONTAB expression of a timer; empty for other kinds.
        route: path of an HTTP function, without the prefix; empty for other kinds.
        methods: HTTP methods that it takes; empty for all.
    """

    function: str
    kind: str
    argument: str
    queue: str = ""
    schedule: str = ""
    route: str = ""
    methods: tuple[str, ...] = field(default=())
    path: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the trigger as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Bound:
    """A function with its trigger."""

    trigger: Trigger
    call: Callable[..., Any]


def load_app(folder: Path) -> list[Bound]:
    """Import `function_app.py` of a folder and return its functions.

    Raises:
        ConfigurationError: the file is missing, does not hold exactly one app, or has a trigger
            of a kind that the local host does not serve.
    """
    path = folder / "function_app.py"
    if not path.is_file():
        raise ConfigurationError(
            f"there is no function_app.py in {folder}: name the function app's folder with --app"
        )
    sys.path.insert(0, str(folder.resolve()))
    from azure.functions import FunctionApp
    from azure.functions.decorators.function_app import ExternalHttpFunctionApp

    module = importlib.import_module("function_app")
    apps = [
        value
        for value in vars(module).values()
        if isinstance(value, FunctionApp | ExternalHttpFunctionApp)
    ]
    if len(apps) != 1:
        raise ConfigurationError(
            f"function_app.py must hold one app at its top level, and it holds {len(apps)}"
        )
    return [_bound(function) for function in apps[0].get_functions()]


def _bound(function: Any) -> Bound:
    name = function.get_function_name()
    binding = function.get_trigger().get_dict_repr()
    kind = str(binding["type"]).removesuffix("Trigger")
    if kind not in ("queue", "blob", "timer", "http"):
        raise ConfigurationError(
            f"{name}: the local host serves queue, blob, timer and HTTP triggers, not "
            f"{binding['type']!r}"
        )
    methods = tuple(_method_name(method) for method in binding.get("methods") or ())
    trigger = Trigger(
        function=name,
        kind=kind,
        argument=binding["name"],
        queue=binding.get("queueName", ""),
        schedule=binding.get("schedule", ""),
        path=binding.get("path", ""),
        route=binding.get("route") or name if kind == "http" else "",
        methods=methods,
    )
    return Bound(trigger, function.get_user_function())


def _method_name(method: Any) -> str:
    return str(getattr(method, "value", method))  # the SDK takes enum members and plain text
