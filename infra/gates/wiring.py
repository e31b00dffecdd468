"""Checks that modules are given the parameters they declare, and that nothing is unused."""

import re
from typing import Any

from infra.gates.model import Template

_WORD = re.compile(r"[A-Za-z_]\w*")


def problems(templates: list[Template]) -> list[str]:
    """Return where modules and their callers differ, and what is never used."""
    by_path = {template.path.resolve(): template for template in templates}
    found: list[str] = []
    for template in templates:
        text = template.path.read_text("utf-8")
        found += _unused(template, text)
        for symbol, module in template.modules.items():
            place = f"{template.path.name}: module {symbol}"
            path = (template.path.parent / module["detail"]["full"]).resolve()
            called = by_path.get(path)
            if called is None:
                found.append(f"{place}: there is no {path.name}")
                continue
            config = module["config"]
            found += _parameters(place, set(config.get("config", config)["params"]), called)
            used = set(re.findall(rf"\b{symbol}!?\.outputs\.(\w+)", text))
            unknown = sorted(used - set(called.outputs))
            found += [f"{place}: it has no output {name}" for name in unknown]
    return found


def _parameters(place: str, given: set[str], called: Template) -> list[str]:
    """Compare the parameters that a module is given with those that it declares."""
    declared = set(called.parameters)
    optional = {
        name for name, entry in called.parameters.items() if entry.get("default") is not None
    }
    missing = sorted(declared - given - optional)
    return [
        *(f"{place}: {name} is no parameter of it" for name in sorted(given - declared)),
        *(f"{place}: the parameter {name} is missing" for name in missing),
    ]


def _unused(template: Template, text: str) -> list[str]:
    """Return the parameters and variables that occur only where they are declared.

    A parameter whose description says that it is ignored is there for old parameter files.
    """
    declared = [name for name, entry in template.parameters.items() if not _is_ignored(entry)]
    names = [*declared, *template.variables]
    counts = {name: 0 for name in names}
    for word in _WORD.findall(re.sub(r"//[^\n]*|@description\([^\n]*", "", text)):
        if word in counts:
            counts[word] += 1
    return [
        f"{template.path.name}: {name} is never used" for name, count in counts.items() if count < 2
    ]


def _is_ignored(parameter: dict[str, Any]) -> bool:
    return any(
        decorator["type"] == "description" and str(decorator["argument"]).startswith("Ignored:")
        for decorator in parameter.get("decorators") or ()
    )
