"""Checks that Bicep and code agree on settings, roles, queues, tables, containers and metrics."""

import ast
import json
import re
from pathlib import Path

from infra.gates import app_settings
from infra.gates.model import Resource, Template

ROOT = Path(__file__).parents[2]
_ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
_TEMPLATE_STEP = "sample"  # ships beside the steps of the default pipeline
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
        *app_settings.problems(templates, root),
        *_roles(templates, root),
        *_queues(templates, root),
        *_names(templates, root),
        *_metrics(templates, root),
        *_parameters(templates),
    ]


def _roles(templates: list[Template], root: Path) -> list[str]:
    """Compare the roles that are assigned, each for one resource, with those the code needs."""
    differences: list[str] = []
    numbers: set[str] = set()
    for template in templates:
        for resource in template.resources:
            if resource.type != "Microsoft.Authorization/roleAssignments":
                continue
            assigned_here = _role_numbers(template, resource)
            if not assigned_here:
                differences.append(f"roles: {resource.place} names no role by its number")
            if "scope" not in resource.body:
                differences.append(
                    f"roles: {resource.place} has no scope: it is for the whole resource group"
                )
            if resource.conditional and not assigned_here <= _DEPLOYMENT_ROLES:
                differences.append(f"roles: {resource.place} is conditional")
            numbers |= assigned_here
    code = "\n".join(path.read_text("utf-8") for path in (root / "imaginem").rglob("*.py"))
    needed = {role for pattern, role in _NEEDED.items() if re.search(pattern, code)}
    assigned = {role for role, number in _ROLES.items() if number in numbers}
    for role in sorted(needed - assigned):
        differences.append(f"roles: the code needs {role}, which is not assigned")
    for role in sorted(assigned - needed):
        differences.append(f"roles: {role} is assigned, and nothing needs it")
    for number in sorted(numbers - set(_ROLES.values()) - _DEPLOYMENT_ROLES):
        differences.append(f"roles: {number} is assigned, and is not a known role")
    return differences


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


def _queues(templates: list[Template], root: Path) -> list[str]:
    """Compare Bicep's default queues with the steps that ship.

    A step file that Bicep does not list is fine: deploy.sh passes every step's name.
    """
    (main,) = [template for template in templates if template.path.name == "main.bicep"]
    pipeline = _default_pipeline(root)
    queues = list(main.parameters["steps"]["default"])
    differences = [
        f"queues: the code ships the step {name}, which Bicep's default does not list"
        for name in (*pipeline, _TEMPLATE_STEP)
        if name not in queues
    ]
    differences += [
        f"queues: Bicep's default lists {name}, and there is no steps/{name}.py"
        for name in queues
        if not (root / "steps" / f"{name}.py").exists()
    ]
    bicep_pipeline = main.parameters["pipelineDefinition"]["default"]
    if bicep_pipeline != ",".join(pipeline):
        differences.append(
            f"pipelineDefinition: the code has {','.join(pipeline)}, Bicep has {bicep_pipeline}"
        )
    return differences


def _default_pipeline(root: Path) -> tuple[str, ...]:
    """Return `DEFAULT_PIPELINE` of the settings, read without importing them."""
    code = (root / "imaginem" / "config" / "sections" / "pipeline.py").read_text("utf-8")
    (value,) = [
        node.value
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT_PIPELINE"
    ]
    return tuple(ast.literal_eval(value))


def _names(templates: list[Template], root: Path) -> list[str]:
    """Compare tables and containers with what the code calls them."""
    (storage,) = [template for template in templates if template.path.name == "storage.bicep"]
    code = "\n".join(
        path.read_text("utf-8")
        for path in (root / "imaginem").rglob("*.py")
        if "cli" not in path.parts
    )
    tables = set(re.findall(r'_TABLE = "(\w+)"', code))
    containers = {"deployment", *re.findall(r'_container: str = "(\w+)"', code)}
    containers |= set(re.findall(r'CONTAINER = "(\w+)"', code)) - {"AzureWebJobsStorage"}
    compared = (
        ("tables", tables, set(storage.variables["tables"])),
        ("containers", containers, set(storage.variables["containers"])),
    )
    return [
        f"{kind}: the code has {', '.join(sorted(in_code))}, "
        f"Bicep makes {', '.join(sorted(in_bicep))}"
        for kind, in_code, in_bicep in compared
        if in_code != in_bicep
    ]


def _metrics(templates: list[Template], root: Path) -> list[str]:
    """Compare the metrics that alerts query with those that the code records."""
    code = "\n".join(path.read_text("utf-8") for path in (root / "imaginem").rglob("*.py"))
    counted = set(re.findall(r'\.(?:count|measure)\(\s*"([\w.]+)"', code))
    text = "\n".join(template.path.read_text("utf-8") for template in templates)
    queried = set(re.findall(r'Name == "([\w.]+)"', text))
    return [f"alerts: nothing counts {name}" for name in sorted(queried - counted)]


def _parameters(templates: list[Template]) -> list[str]:
    """Compare the parameter file with main.bicep, and the poison queues with the queues."""
    (main,) = [template for template in templates if template.path.name == "main.bicep"]
    (storage,) = [template for template in templates if template.path.name == "storage.bicep"]
    path = main.path.with_name("main.parameters.json")
    given = set(json.loads(path.read_text("utf-8"))["parameters"])
    unknown = sorted(given - set(main.parameters))
    differences = [f"{path.name}: main.bicep has no parameter {name}" for name in unknown]
    if "-poison" not in str(storage.variables["queues"]):
        differences.append("queues: Bicep makes no poison queues")
    for name in ("queue", "table", "container"):
        loops = [str(resource.loop) for resource in storage.resources if resource.symbol == name]
        if loops != [f"{name}s"]:
            differences.append(f"storage.bicep: {name} is not a loop over {name}s")
    return differences
