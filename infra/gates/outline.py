"""Compares azuredeploy.json with Bicep files as another parser than `infra/arm/` reads them.

Parameters, outputs, resources and modules by name, each resource with its type and version: a
declaration that one parser overlooks is seen here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.gates.model import Template

_DEPLOYMENT = "Microsoft.Resources/deployments"


def problems(templates: list[Template], main: Path, template: dict[str, Any]) -> Iterator[str]:
    """Yield where a template has other declarations than main.bicep and its modules."""
    by_path = {bicep.path.resolve(): bicep for bicep in templates}
    yield from _of(by_path, main.resolve(), template, main.name)


def _of(
    by_path: dict[Path, Template], path: Path, template: dict[str, Any], place: str
) -> Iterator[str]:
    bicep = by_path.get(path)
    if bicep is None:
        return  # the gate of modules says so
    resources = template.get("resources", {})
    declared = {one.symbol: f"{one.type}@{one.version}" for one in _deployed(bicep)}
    written = {
        symbol: f"{entry['type']}@{entry['apiVersion']}"
        for symbol, entry in resources.items()
        if entry["type"] != _DEPLOYMENT
    }
    nested = {symbol for symbol, entry in resources.items() if entry["type"] == _DEPLOYMENT}
    for kind, mine, theirs in (
        ("parameters", set(bicep.parameters), set(template.get("parameters", {}))),
        ("outputs", set(bicep.outputs), set(template.get("outputs", {}))),
        ("resources", set(declared.items()), set(written.items())),
        ("modules", set(bicep.modules), nested),
    ):
        for one in sorted(mine - theirs, key=str):
            yield f"{place}: {kind}: azuredeploy.json lacks {_text(one)}"
        for one in sorted(theirs - mine, key=str):
            yield f"{place}: {kind}: azuredeploy.json has {_text(one)} besides"
    for symbol in sorted(nested & bicep.modules.keys()):
        inner = resources[symbol]["properties"]["template"]
        full = (path.parent / bicep.modules[symbol]["detail"]["full"]).resolve()
        yield from _of(by_path, full, inner, f"{place}/{symbol}")


def _deployed(bicep: Template) -> Iterator[Any]:
    return (resource for resource in bicep.resources if not resource.existing)


def _text(one: Any) -> str:
    return " ".join(one) if isinstance(one, tuple) else str(one)
