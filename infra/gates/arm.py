"""Checks that azuredeploy.json belongs to main.bicep, and that Azure would take it."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from infra.arm.__main__ import NAME, outdated
from infra.arm.compare import placeholder_differences
from infra.arm.evaluate import checks
from infra.arm.evaluate.deployment import DEPLOYMENTS, Deployment
from infra.arm.evaluate.expression import TemplateError
from infra.arm.scenarios import PLACEHOLDERS, scenarios, unfilled
from infra.gates import outline
from infra.gates.model import Resource, Template
from infra.gates.properties import Properties
from infra.gates.schemas import Schemas

_SHOWN = 8  # differences; one change of Bicep may be many


class Evaluated(Template):
    """The resources of a template with values in place of expressions."""

    def values(self, expression: Any) -> Iterator[Any]:
        """Yield a value; None for what only Azure will know."""
        late = isinstance(expression, str) and "«" in expression
        yield None if late else expression


def problems(folder: Path, templates: list[Template], schemas: Schemas) -> list[str]:
    """Return what is wrong with a folder's azuredeploy.json."""
    stale = outdated(folder)
    found = [f"{NAME}: {line}" for line in stale[:_SHOWN]]
    if stale:
        found.append(f"{NAME}: {len(stale)} differences: `make arm` writes it afresh")
    try:
        text = (folder / NAME).read_text("utf-8")
        template = json.loads(text)
    except (OSError, ValueError):
        return found  # says so
    main = folder / "main.bicep"
    found += [f"{NAME}: {line}" for line in outline.problems(templates, main, template)]
    for name, given in scenarios(folder).items():
        wrong = _evaluated(text, json.dumps(given), schemas)
        found += [f"{NAME} with {name}: {line}" for line in wrong[:_SHOWN]]
        if wrong:
            return found
    for placeholder in PLACEHOLDERS:
        taken = _taken(text, placeholder)
        found += [f"{NAME} with {placeholder}: {line}" for line in taken[:_SHOWN]]
    return found


@cache
def _taken(text: str, placeholder: str) -> list[str]:
    """Return where a template takes a placeholder for a value."""
    template = json.loads(text)
    return placeholder_differences(template, unfilled(template, placeholder))


@cache
def _evaluated(text: str, given: str, schemas: Schemas) -> list[str]:
    """Return what is wrong with a template and its parameters.

    Cached: most of the broken copies that the gates are tried on have the same template.
    """
    template, parameters = json.loads(text), json.loads(given)
    return checks.problems(template, parameters) or _by_schema(template, parameters, schemas)


def _by_schema(template: dict[str, Any], given: dict[str, Any], schemas: Schemas) -> list[str]:
    """Compare what is deployed with Microsoft's schemas: read from JSON, without any Bicep."""
    evaluated = Evaluated(Path(NAME))
    try:
        made = [one for one in checks.walk(Deployment(template, given)) if one[1].inner is None]
    except TemplateError as problem:
        return [f"{NAME}: {problem}"]
    for place, one in made:
        if one.type == DEPLOYMENTS:
            continue
        body = {"name": one.name.rpartition("/")[2], **one.body}
        evaluated.resources.append(Resource(Path(NAME), place, one.type, one.version, False, body))
    schemas.load(resource.type for resource in evaluated.resources)
    properties = Properties(schemas)
    properties.check(evaluated)
    return properties.problems
