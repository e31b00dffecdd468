"""Checks that Bicep and code agree on settings, roles, queues, tables, containers and metrics."""

import json
import re
from pathlib import Path
from typing import Any

from infra.gates.model import Resource, Template

ROOT = Path(__file__).parents[2]
# Settings that the Functions host or the platform needs, and our code does not read.
_HOSTS_OWN = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureFunctionsJobHost__extensions__queues__batchSize",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
}
# Settings that our code reads and Bicep does not set, each with the reason.
_NOT_ON_AZURE = {
    "AzureWebJobsStorage": "keys are off",
    "AzureWebJobsStorage__blobServiceUri": "the name is enough in Azure's own clouds",
    "AzureWebJobsStorage__queueServiceUri": "the same",
    "AzureWebJobsStorage__tableServiceUri": "the same",
    "FACE_LIST": "one installation has an account of its own",
    "FACE_MODEL": "a file of a package with the local engine",
    "FACES_CONTAINER": "the name that Bicep gives",
    "INPUT_CONTAINER": "the name that Bicep gives",
    "FACE_MATCH_LIMIT": "its default serves",
    "IMAGINEM_ASSETS": "the package says where its weights are",
    "IMAGINEM_HOME": "there is no SQLite on Azure",
    "IMAGINEM_TELEMETRY": "for a laptop",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Application Insights is there",
    "MAX_ATTEMPTS": "its default serves",
    "MAX_WAITS": "its default serves",
    "RETRY_SECONDS": "its default serves",
    "WEBSITE_SITE_NAME": "set by Azure itself",
    "WEBSITE_AUTH_ENABLED": "set by Azure itself",
}
_ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
# Roles of the workflow that deploys, not of the app.
_DEPLOYMENT_ROLES = {
    "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",  # Role Based Access Control Administrator
}
_ROLE_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Patterns of code, and the role that such code needs.
_NEEDED = {
    r'client\(\w+, "blob"\)': "Storage Blob Data Owner",
    r'client\(\w+, "queue"\)': "Storage Queue Data Contributor",
    r'client\(\w+, "table"\)': "Storage Table Data Contributor",
    r"https://cognitiveservices\.azure\.com/\.default": "Cognitive Services User",
    r"AzureMonitorTraceExporter": "Monitoring Metrics Publisher",
}


def problems(templates: list[Template], root: Path = ROOT) -> list[str]:
    """Return where Bicep and code differ."""
    return [
        *_settings(templates, root),
        *_roles(templates, root),
        *_names(templates, root),
        *_metrics(templates, root),
        *_parameters(templates),
    ]


def _settings(templates: list[Template], root: Path) -> list[str]:
    code = (root / "imaginem" / "config" / "settings.py").read_text("utf-8")
    read = set(re.findall(r'"((?:[A-Z][A-Z]+_[A-Z_]+|AzureWebJobsStorage\w*))"', code))
    set_there: set[str] = set()
    for resource in _all(templates, "Microsoft.Web/sites/config"):
        if resource["name"] == "appsettings":
            set_there |= set(resource["properties"])
    found = [
        f"app settings: the code reads {name}, and Bicep does not set it"
        for name in sorted(read - set_there - _NOT_ON_AZURE.keys())
    ]
    found += [
        f"app settings: Bicep sets {name}, and nothing reads it"
        for name in sorted(set_there - read - _HOSTS_OWN)
    ]
    found += [
        f"app settings: the Functions host needs {name}, and Bicep does not set it"
        for name in sorted(_HOSTS_OWN - set_there)
    ]
    idle = sorted(_NOT_ON_AZURE.keys() - read)
    return [*found, *(f"app settings: {name} is no setting any more" for name in idle)]


def _all(templates: list[Template], kind: str) -> list[dict[str, Any]]:
    return [each.body for template in templates for each in template.resources if each.type == kind]


def _roles(templates: list[Template], root: Path) -> list[str]:
    """Compare the roles that are assigned, each for one resource, with those the code needs."""
    found: list[str] = []
    numbers: set[str] = set()
    for template in templates:
        for resource in template.resources:
            if resource.type != "Microsoft.Authorization/roleAssignments":
                continue
            mine = _role_numbers(template, resource)
            if not mine:
                found.append(f"roles: {resource.place} names no role by its number")
            if "scope" not in resource.body:
                found.append(f"roles: {resource.place} has no scope: it is for the whole group")
            if resource.conditional and not mine <= _DEPLOYMENT_ROLES:
                found.append(f"roles: {resource.place} is conditional")
            numbers |= mine
    code = "\n".join(path.read_text("utf-8") for path in (root / "imaginem").rglob("*.py"))
    needed = {role for pattern, role in _NEEDED.items() if re.search(pattern, code)}
    assigned = {role for role, number in _ROLES.items() if number in numbers}
    for role in sorted(needed - assigned):
        found.append(f"roles: the code needs {role}, which is not assigned")
    for role in sorted(assigned - needed):
        found.append(f"roles: {role} is assigned, and nothing needs it")
    for number in sorted(numbers - set(_ROLES.values()) - _DEPLOYMENT_ROLES):
        found.append(f"roles: {number} is assigned, and is none that is known")
    return found


def _role_numbers(template: Template, resource: Resource) -> set[str]:
    """Return the ids of an assignment's roles, which a variable or a loop over one may hold."""
    told = [str(resource.body["properties"].get("roleDefinitionId"))]
    if isinstance(resource.loop, str):
        told.append(str(template.variables.get(str(resource.loop))))
    for name, value in template.variables.items():
        if isinstance(value, str) and re.search(rf"\b{name}\b", told[0]):
            told.append(value)
    return set(_ROLE_NUMBER.findall(" ".join(told)))


def _names(templates: list[Template], root: Path) -> list[str]:
    """Compare the names of queues, tables and containers with those in the code."""
    (main,) = [template for template in templates if template.path.name == "main.bicep"]
    (storage,) = [template for template in templates if template.path.name == "storage.bicep"]
    steps = {path.stem for path in (root / "steps").glob("[a-z]*.py")}
    code = "\n".join(
        path.read_text("utf-8")
        for path in (root / "imaginem").rglob("*.py")
        if "cli" not in path.parts
    )
    tables = set(re.findall(r'_TABLE = "(\w+)"', code))
    containers = {"deployment", *re.findall(r'_container: str = "(\w+)"', code)}
    containers |= set(re.findall(r'CONTAINER = "(\w+)"', code)) - {"AzureWebJobsStorage"}
    expected = (
        ("queues", steps, set(main.parameters["steps"]["default"])),
        ("tables", tables, set(storage.variables["tables"])),
        ("containers", containers, set(storage.variables["containers"])),
    )
    return [
        f"{what}: the code has {', '.join(sorted(ours))}, Bicep makes {', '.join(sorted(theirs))}"
        for what, ours, theirs in expected
        if ours != theirs
    ]


def _metrics(templates: list[Template], root: Path) -> list[str]:
    """Compare the metrics that alerts query with those that the code records."""
    code = "\n".join(path.read_text("utf-8") for path in (root / "imaginem").rglob("*.py"))
    counted = set(re.findall(r'\.(?:count|measure)\(\s*"([\w.]+)"', code))
    text = "\n".join(template.path.read_text("utf-8") for template in templates)
    asked = set(re.findall(r'Name == "([\w.]+)"', text))
    return [f"alerts: nothing counts {name}" for name in sorted(asked - counted)]


def _parameters(templates: list[Template]) -> list[str]:
    """Compare the parameter file with main.bicep, and the poison queues with the queues."""
    (main,) = [template for template in templates if template.path.name == "main.bicep"]
    (storage,) = [template for template in templates if template.path.name == "storage.bicep"]
    path = main.path.with_name("main.parameters.json")
    given = set(json.loads(path.read_text("utf-8"))["parameters"])
    unknown = sorted(given - set(main.parameters))
    found = [f"{path.name}: main.bicep has no parameter {name}" for name in unknown]
    if "-poison" not in str(storage.variables["queues"]):
        found.append("queues: Bicep makes no poison queues")
    for name in ("queue", "table", "container"):
        loops = [str(each.loop) for each in storage.resources if each.symbol == name]
        if loops != [f"{name}s"]:
            found.append(f"storage.bicep: {name} does not go through {name}s")
    return found
