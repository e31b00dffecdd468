"""What must hold of everything that a template deploys."""

import re
from collections.abc import Iterator

from infra.arm.evaluate.deployment import Deployed, Deployment
from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.values import GROUP, Value, texts_in

_WORDS = r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"
# Azure's rules of naming, for the types whose names are made of parameters.
_NAMES = {
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.Storage/storageAccounts/blobServices/containers": _WORDS,
    "Microsoft.Storage/storageAccounts/queueServices/queues": _WORDS,
    "Microsoft.Storage/storageAccounts/tableServices/tables": r"[A-Za-z][A-Za-z0-9]{2,62}",
    "Microsoft.Web/sites": r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
    "Microsoft.Web/serverfarms": r"[A-Za-z0-9-]{1,60}",
    "Microsoft.Sql/servers": r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]",
    "Microsoft.CognitiveServices/accounts": r"[A-Za-z0-9][A-Za-z0-9-]{0,62}[A-Za-z0-9]",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[A-Za-z0-9][\w-]{2,127}",
    "Microsoft.OperationalInsights/workspaces": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "Microsoft.Authorization/roleAssignments": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "Microsoft.Resources/deployments": r"[\w.()-]{1,64}",
}
_LEFT = re.compile(r"\[[A-Za-z]+\(.*\)\]|<[^<>]*>|.*\$\{")


def problems(template: dict[str, Value], given: dict[str, Value]) -> list[str]:
    """Return what is wrong with a template and these values of its parameters."""
    try:
        deployment = Deployment(template, given)
        everything = list(walk(deployment))
        found = [f"{place}: {text}" for place, one in everything for text in _of(one)]
        ids = [one.id.lower() for _, one in everything]
        found += [
            f"{one} is deployed twice" for one in sorted({i for i in ids if ids.count(i) > 1})
        ]
        found += _waits(deployment, {})
        outputs = texts_in(deployment.outputs)
        found += [f"an output holds {text!r}" for text in outputs if _LEFT.fullmatch(text)]
    except (TemplateError, KeyError, RecursionError) as problem:
        return [f"{type(problem).__name__}: {problem}"]
    return found


def walk(deployment: Deployment) -> Iterator[tuple[str, Deployed]]:
    """Yield each resource that is made, with its place; those of nested deployments too."""
    for resource in deployment.resources:
        if not resource.made:
            continue
        yield f"{deployment.place}/{resource.symbol}", resource
        if resource.inner is not None:
            yield from walk(resource.inner)


def _of(resource: Deployed) -> Iterator[str]:
    pattern = _NAMES.get(resource.type)
    own = resource.name.rpartition("/")[2]
    if pattern and not re.fullmatch(pattern, own):
        yield f"{own!r} is no name of a {resource.type}"
    for text in texts_in(resource.body):
        if _LEFT.match(text) and "«" not in text:
            yield f"{text[:80]!r} was left in it"


def before(deployment: Deployment) -> dict[str, set[str]]:
    """Return which resources must be there before each: `dependsOn`, and what that needs.

    Raises:
        TemplateError: an entry names nothing, or resources wait for each other.
    """
    direct: dict[str, set[str]] = {}
    for resource in deployment.resources:
        ids = direct.setdefault(resource.id, set())
        for entry in resource.entries:
            named = [
                other.id
                for other in deployment.resources
                if entry.lower() in {alias.lower() for alias in other.aliases}
            ]
            if not named:
                raise TemplateError(f"{deployment.place}/{resource.symbol} waits for {entry}")
            ids |= set(named)
    return {one: _all_before(one, direct, ()) for one in direct}


def _all_before(one: str, direct: dict[str, set[str]], path: tuple[str, ...]) -> set[str]:
    if one in path:
        raise TemplateError(f"{one} waits for itself")
    found = set(direct[one])
    for other in direct[one]:
        found |= _all_before(other, direct, (*path, one))
    return found


def _waits(deployment: Deployment, there: dict[str, bool]) -> list[str]:
    """Find resources that name others which may not be there yet.

    Args:
        deployment: to look through.
        there: ids of resources outside of it, and whether they are there when it begins.
    """
    earlier = before(deployment)
    inside = {
        resource.id: [one.id for _, one in walk(resource.inner)] if resource.inner else []
        for resource in deployment.resources
    }
    found: list[str] = []
    for resource in deployment.resources:
        if not resource.made:
            continue
        known = dict(there)
        for other, nested in inside.items():
            if other != resource.id:
                known |= dict.fromkeys([other, *nested], other in earlier[resource.id])
        if resource.inner is not None:
            given = {name: resource.inner.parameter(name) for name in resource.inner.declared}
            found += _too_early(f"{deployment.place}/{resource.symbol}", given, known)
            found += _waits(resource.inner, known)
        else:
            named: Value = [resource.body, resource.name, resource.id]
            found += _too_early(f"{deployment.place}/{resource.symbol}", named, known)
    return found


def _too_early(place: str, value: Value, known: dict[str, bool]) -> list[str]:
    """Return a problem for each id in a value whose resource need not be there yet."""
    texts = texts_in(value)
    return [
        f"{place} names {other.removeprefix(GROUP)} and does not wait for it"
        for other, is_there in known.items()
        if not is_there and any(_names(text, other) for text in texts)
    ]


def _names(text: str, other: str) -> bool:
    at = text.find(other)
    return at >= 0 and text[at + len(other) : at + len(other) + 1] in ("", "/", "»", "'")
