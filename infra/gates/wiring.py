"""Files fit together: what a module is given is what it asks for, and nothing is unused."""

import re

from infra.gates.model import Template

_WORD = re.compile(r"[A-Za-z_]\w*")


def problems(templates: list[Template]) -> list[str]:
    """Return what doesn't fit."""
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
            given = set(config.get("config", config)["params"])
            wanted = set(called.parameters)
            optional = {n for n, p in called.parameters.items() if p.get("default") is not None}
            found += [f"{place}: {name} is no parameter of it" for name in sorted(given - wanted)]
            missing = sorted(wanted - given - optional)
            found += [f"{place}: the parameter {name} is missing" for name in missing]
            asked = set(re.findall(rf"\b{symbol}!?\.outputs\.(\w+)", text))
            unknown = sorted(asked - set(called.outputs))
            found += [f"{place}: it has no output {name}" for name in unknown]
    return found


def _unused(template: Template, text: str) -> list[str]:
    names = [*template.parameters, *template.variables]
    counts = {name: 0 for name in names}
    for word in _WORD.findall(re.sub(r"//[^\n]*|@description\([^\n]*", "", text)):
        if word in counts:
            counts[word] += 1
    return [
        f"{template.path.name}: {name} is never used" for name, count in counts.items() if count < 2
    ]
