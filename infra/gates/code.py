"""Checks that Bicep and code agree on settings, roles, queues, tables, containers and metrics."""

import ast
import json
import re
from pathlib import Path

from infra.gates import app_settings, roles
from infra.gates.model import Template
from infra.gates.source import source

ROOT = Path(__file__).parents[2]
_TEMPLATE_STEP = "sample"  # ships beside the steps of the default pipeline


def problems(templates: list[Template], root: Path = ROOT) -> list[str]:
    """Return where Bicep and code differ."""
    return [
        *app_settings.problems(templates, root),
        *roles.problems(templates, root),
        *_queues(templates, root),
        *_names(templates, root),
        *_events(templates, root),
        *_metrics(templates, root),
        *_parameters(templates),
    ]


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
    code = source(root, without="cli")
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


def _events(templates: list[Template], root: Path) -> list[str]:
    """Compare what Event Grid reports, and to which function, with the blob trigger."""
    code = (root / "imaginem" / "functions.py").read_text("utf-8")
    functions = set(re.findall(r'function_name\(name="(\w+)"\)', code))
    settings = (root / "imaginem" / "config" / "sections" / "pipeline.py").read_text("utf-8")
    (container,) = re.findall(r'"INPUT_CONTAINER",\s*"(\w+)"', settings)
    text = "\n".join(template.path.read_text("utf-8") for template in templates)
    told = re.findall(r"functionName=Host\.Functions\.(\w+)", text)
    reported = re.findall(r"/containers/(\w+)/blobs/", text)
    return [
        *(f"events: the app has no function {name}" for name in told if name not in functions),
        *(
            f"events: Event Grid reports the container {name}, and the code has {container}"
            for name in reported
            if name != container
        ),
        *(
            f"events: the endpoint of {name} needs {needed}"
            for name in told
            for needed in ("systemKeys.blobs_extension", "eventDeliverySchema: 'EventGridSchema'")
            if needed not in text
        ),
    ]


def _metrics(templates: list[Template], root: Path) -> list[str]:
    """Compare the metrics that alerts query with those that the code records."""
    code = source(root)
    counted = set(re.findall(r'\.(?:count|measure)\(\s*"([\w.]+)"', code))
    text = "\n".join(template.path.read_text("utf-8") for template in templates)
    queried = set(re.findall(r'Name == "([\w.]+)"', text))
    return [
        *(f"alerts: nothing counts {name}" for name in sorted(queried - counted)),
        *_unwatched_refusals(text, root),
    ]


def _unwatched_refusals(alerts: str, root: Path) -> list[str]:
    """Return the statuses with which an account refuses every photo, and which alert nobody."""
    path = root / "imaginem" / "engines" / "azure" / "account_faults.py"
    (told,) = re.findall(r"^STATUSES = frozenset\(\{([\d, ]+)\}\)", path.read_text("utf-8"), re.M)
    watched = re.findall(r"Properties\.outcome\) in \(([^)]*)\)", alerts)
    return [
        f"alerts: nobody hears of accounts that answer {status}"
        for status in told.split(", ")
        if f'"{status}"' not in " ".join(watched)
    ]


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
