"""Bicep and code agree on app settings.

The gates run without the app's packages, so they read declarations from the source.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.gates.model import Template

# Read by the Functions host or the platform, not by our code; each is needed there.
_HOSTS_OWN = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "AzureFunctionsJobHost__extensions__queues__batchSize",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
}


def declared_settings(root: Path) -> dict[str, str]:
    """Return the name of every setting of the code, and why Bicep does not set it.

    The reason is empty where Bicep must set it.

    Raises:
        ValueError: a name or a reason is not a literal.
    """
    return dict(_declared(root))


@cache  # between the breaks of the Bicep files the code does not change
def _declared(root: Path) -> tuple[tuple[str, str], ...]:
    return tuple(_declarations(root))


def _declarations(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "imaginem" / "config").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "setting":
                continue
            options = {option.arg: option.value for option in node.keywords}
            reason = options.get("not_on_azure", ast.Constant(""))
            yield ast.literal_eval(node.args[0]), ast.literal_eval(reason)


def problems(templates: "list[Template]", root: Path) -> list[str]:
    """Return where the app settings of Bicep differ from those of the code."""
    declared = declared_settings(root)
    set_there = _set_by_bicep(templates)
    expected = {name for name, reason in declared.items() if not reason}
    return [
        *(
            f"app settings: the code reads {name}, and Bicep does not set it"
            for name in sorted(expected - set_there)
        ),
        *(
            f"app settings: Bicep sets {name}, and nothing reads it"
            for name in sorted(set_there - declared.keys() - _HOSTS_OWN)
        ),
        *(
            f"app settings: Bicep sets {name}, and its declaration says why it does not"
            for name in sorted(set_there & (declared.keys() - expected))
        ),
        *(
            f"app settings: the Functions host needs {name}, and Bicep does not set it"
            for name in sorted(_HOSTS_OWN - set_there)
        ),
    ]


def _set_by_bicep(templates: "list[Template]") -> set[str]:
    names: set[str] = set()
    for template in templates:
        for resource in template.resources:
            if resource.type != "Microsoft.Web/sites/config":
                continue
            if resource.body["name"] == "appsettings":
                names |= set(resource.body["properties"])
    return names
