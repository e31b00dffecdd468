"""Compares templates: as they are written, and by what they deploy."""

import json
from collections.abc import Iterator

from infra.arm.evaluate.checks import before, walk
from infra.arm.evaluate.deployment import DEPLOYMENTS, Deployment
from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.values import GROUP, Value

_NOTHING = "nothing"


def differences(one: Value, other: Value, names: tuple[str, str], place: str = "") -> Iterator[str]:
    """Yield a line for each value that differs, resource by resource and property by property.

    Args:
        one: a part of a template.
        other: the same part of another one.
        names: of the two, for the lines.
        place: where the part is.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys([*one, *other]):
            inner = f"{place}/{name}" if place else name
            if name in one and name in other:
                yield from differences(one[name], other[name], names, inner)
            else:
                texts = [_text(part[name]) if name in part else _NOTHING for part in (one, other)]
                yield _line(inner, texts, names)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, names, f"{place}[{index}]")
    elif one != other or isinstance(one, bool) != isinstance(other, bool):
        yield _line(place, [_text(one), _text(other)], names)


def _line(place: str, texts: list[str], names: tuple[str, str]) -> str:
    shown = place.replace("/properties/template/", "/")
    return f"{shown}: {names[0]} has {texts[0]}, {names[1]} has {texts[1]}"


def _text(value: Value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 90 else f"{text[:87]}..."


def deployed(template: dict[str, Value], given: dict[str, Value]) -> dict[str, Value]:
    """Return what a template deploys, in a form that does not depend on how it is written.

    Compilers write the same thing in many ways (`format` or `concat`, ids or symbolic names), but
    what is deployed, after what, and with which properties is the same.

    Raises:
        TemplateError: Azure would refuse it.
    """
    deployment = Deployment(template, given)
    resources: dict[str, Value] = {}
    for _, resource in walk(deployment):
        version = "" if resource.type == DEPLOYMENTS else resource.version
        resources[_short(resource.id)] = {"apiVersion": version, **resource.body}
    return {
        "resources": resources,
        "before": dict(_orders(deployment)),
        "outputs": dict(deployment.outputs.items()),
    }


def _orders(deployment: Deployment) -> Iterator[tuple[str, Value]]:
    """Yield each resource with all that must be there before it."""
    earlier = before(deployment)
    made = {resource.id for resource in deployment.resources if resource.made}
    for resource in deployment.resources:
        if not resource.made:
            continue
        yield _short(resource.id), [_short(one) for one in sorted(earlier[resource.id] & made)]
        if resource.inner is not None:
            yield from _orders(resource.inner)


def _short(resource_id: str) -> str:
    return resource_id.removeprefix(GROUP).replace("/providers/", " ").strip()


def placeholder_differences(template: dict[str, Value], given: dict[str, Value]) -> list[str]:
    """Return where a template takes placeholders of parameters for values."""
    try:
        default, found = deployed(template, {}), deployed(template, given)
    except (TemplateError, KeyError, RecursionError) as problem:
        return [f"{type(problem).__name__}: {problem}"]
    return list(differences(default, found, ("a deployment of nothing", "one of placeholders")))


def deployed_differences(
    one: dict[str, Value],
    other: dict[str, Value],
    given: dict[str, Value],
    names: tuple[str, str],
) -> list[str]:
    """Return where two templates deploy different things with the same parameters."""
    try:
        return list(differences(deployed(one, given), deployed(other, given), names))
    except (TemplateError, KeyError, RecursionError) as problem:
        return [f"{type(problem).__name__}: {problem}"]
