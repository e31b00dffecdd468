"""Checks the roles: what the code needs, and what a workflow may give that deploys these files."""

import re
from pathlib import Path

from infra.gates.model import Resource, Template
from infra.gates.source import source

BOOTSTRAP = "bootstrap.bicep"
_ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_ACCESS_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
_ROLE_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
# Patterns of code, and the role that such code needs.
_NEEDED = {
    r'client\(\w+, "blob"\)': "Storage Blob Data Owner",
    r'client\(\w+, "queue"\)': "Storage Queue Data Contributor",
    r'client\(\w+, "table"\)': "Storage Table Data Contributor",
    r"https://cognitiveservices\.azure\.com/\.default": "Cognitive Services User",
    r"AzureMonitorTraceExporter": "Monitoring Metrics Publisher",
}
# What a condition must ask of both the writing and the deleting of assignments, in Azure's words.
_CONDITION = (
    r"ActionMatches\{{'Microsoft\.Authorization/roleAssignments/{action}'\}}\)\)"
    r" OR \(@{side}\[[^\]]*:RoleDefinitionId\] ForAnyOfAnyValues:GuidEquals \{{([^}}]*)\}}"
    r" AND @{side}\[[^\]]*:PrincipalType\] ForAnyOfAnyValues:StringEqualsIgnoreCase"
    r" \{{'ServicePrincipal'\}}\)"
)


def problems(templates: list[Template], root: Path) -> list[str]:
    """Return what is wrong with the roles that are assigned, each for one resource.

    Args:
        templates: the deployed files and bootstrap.bicep.
        root: of the repository, whose code is compared.
    """
    deployed = [template for template in templates if template.path.name != BOOTSTRAP]
    found: list[str] = []
    numbers: set[str] = set()
    for template in deployed:
        for resource in template.resources:
            if resource.type.startswith("Microsoft.Authorization/"):
                found += _one(template, resource)
                numbers |= _role_numbers(template, resource)
    found += _handed_on(deployed)
    found += _needs(numbers, root)
    for template in templates:
        if template.path.name == BOOTSTRAP:
            return found + _bootstrap(template, numbers)
    return [*found, f"roles: there is no {BOOTSTRAP}"]


def _one(template: Template, resource: Resource) -> list[str]:
    """Check one assignment of the deployed files: a workflow must be able to write it.

    Azure asks for the right to write an assignment even where it exists (Azure/bicep#18226), so an
    assignment that the condition of bootstrap.bicep forbids fails each deployment of the workflow.
    """
    if resource.type != _ASSIGNMENT:
        return [f"roles: {resource.place}: the workflow's identity may not write {resource.type}"]
    found: list[str] = []
    if not _role_numbers(template, resource):
        found.append(f"roles: {resource.place} names no role by its number")
    if "scope" not in resource.body:
        found.append(f"roles: {resource.place} has no scope: it is for the whole resource group")
    elif str(resource.body["scope"]) not in {other.symbol for other in template.resources}:
        found.append(f"roles: {resource.place}: its scope must be one resource of the file")
    if resource.conditional:
        found.append(f"roles: {resource.place} is conditional")
    properties = resource.body["properties"]
    if properties.get("principalType") != "ServicePrincipal":
        found.append(f"roles: {resource.place}: principalType must be 'ServicePrincipal'")
    receiver = str(properties.get("principalId"))
    own = "'identity'" in receiver and "'principalId'" in receiver  # of a resource, by Azure
    if receiver != "appPrincipalId" and not own:
        found.append(f"roles: {resource.place}: only the app and identities of resources get roles")
    return found


def _handed_on(deployed: list[Template]) -> list[str]:
    """Check that `appPrincipalId` is the app's, never that of the workflow."""
    found = []
    for template in deployed:
        for symbol, module in template.modules.items():
            config = module["config"]
            given = config.get("config", config)["params"].get("appPrincipalId")
            if given is not None and "'appPrincipalId'" not in str(given):
                found.append(f"roles: module {symbol}: appPrincipalId must be the app's")
    return found


def _needs(numbers: set[str], root: Path) -> list[str]:
    """Compare the roles that are assigned with those that the code needs."""
    code = source(root)
    needed = {role for pattern, role in _NEEDED.items() if re.search(pattern, code)}
    assigned = {role for role, number in _ROLES.items() if number in numbers}
    return [
        *(
            f"roles: the code needs {role}, which is not assigned"
            for role in sorted(needed - assigned)
        ),
        *(f"roles: {role} is assigned, and nothing needs it" for role in sorted(assigned - needed)),
        *(
            f"roles: {number} is assigned, and is not a known role"
            for number in sorted(numbers - set(_ROLES.values()))
        ),
    ]


def _bootstrap(template: Template, deployed: set[str]) -> list[str]:
    """Check that the workflow's identity may give the deployed files' roles, and no others."""
    assignments = [item for item in template.resources if item.type == _ASSIGNMENT]
    own = [number for item in assignments for number in _role_numbers(template, item)]
    found = []
    if sorted(own) != sorted([_CONTRIBUTOR, _ACCESS_ADMINISTRATOR]):
        found.append(f"roles: {BOOTSTRAP} must give Contributor and, conditionally, the other role")
    for item in assignments:
        if _role_numbers(template, item) != {_ACCESS_ADMINISTRATOR}:
            continue
        properties = item.body["properties"]
        condition = _filled(template, str(properties.get("condition", "")))
        for action, side in (("write", "Request"), ("delete", "Resource")):
            match = re.search(_CONDITION.format(action=action, side=side), condition)
            if match is None or properties.get("conditionVersion") != "2.0":
                found.append(f"roles: {item.place}: its condition does not bound {action}")
                continue
            allowed = {number.strip() for number in match[1].split(",")}
            found += [
                f"roles: {BOOTSTRAP} does not allow to {action} {number}, which is assigned"
                for number in sorted(deployed - allowed)
            ]
            found += [
                f"roles: {BOOTSTRAP} allows to {action} {number}, which nothing assigns"
                for number in sorted(allowed - deployed)
            ]
    return found


def _filled(template: Template, text: str) -> str:
    """Return a text with the texts of variables in it, and without the escapes of quotes."""
    for _ in range(3):  # variables in variables
        text = re.sub(r"\$\{(\w+)\}", lambda match: str(template.variables[match[1]]), text)
    return text.replace("\\'", "'")


def _role_numbers(template: Template, resource: Resource) -> set[str]:
    """Return the ids of an assignment's roles, given directly, by a variable or by a loop."""
    expression = str(resource.body["properties"].get("roleDefinitionId"))
    texts = [expression]
    if isinstance(resource.loop, str):
        texts.append(str(template.variables.get(resource.loop)))
    for name, value in template.variables.items():
        if isinstance(value, str) and re.search(rf"\b{name}\b", expression):
            texts.append(value)
    return set(_ROLE_NUMBER.findall(" ".join(texts)))
