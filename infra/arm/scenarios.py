"""Parameters to evaluate templates with: together they make every resource."""

import json
from pathlib import Path

from infra.arm.evaluate.values import Value, get

Scenario = dict[str, Value]

SCENARIOS: dict[str, Scenario] = {
    "defaults": {},
    "everything": {
        "privateNetworking": True,
        "alertEmail": "operator@example.org",
        "authClientId": "00000000-0000-0000-0000-000000000009",
        "deploymentPostFix": "prod",
        "tags": {"team": "photos"},
        "stepSettings": {"BLURRINESS_LIMIT": "80"},
        "alwaysReady": [{"name": "function:ocr", "instanceCount": 1}],
    },
    "accounts of one's own": {
        "visionEndpoint": "https://vision.example.org/",
        "visionApiKey": "key-of-vision",
        "faceEndpoint": "https://face.example.org/",
        "sqlAdministratorObjectId": "00000000-0000-0000-0000-000000000008",
        "sqlAdministratorName": "administrators",
        "sqlAdministratorType": "Group",
        "location": "northeurope",
    },
    "the successors of Computer Vision": {
        "visionEngine": "contentunderstanding",
        "contentUnderstandingLocation": "swedencentral",
        "privateNetworking": True,
    },
    "successors of one's own": {
        "visionEngine": "contentunderstanding",
        "contentUnderstandingEndpoint": "https://content.example.org/",
        "documentIntelligenceEndpoint": "https://document.example.org/",
        "documentIntelligenceApiKey": "key-of-document",
    },
    "an OpenAI-compatible server": {
        "visionEngine": "openai",
        "openAiEndpoint": "https://account.openai.azure.com/",
        "openAiIdentity": "on",
        "openAiModel": "gpt-5.2",
    },
    "nothing of Azure's AI": {
        "visionEngine": "local",
        "faceEngine": "local",
        "facePrintEngine": "local",
        "steps": ["ocr", "own"],
    },
}


# Beside those whose default is empty: parameters whose default takes the place of a placeholder.
_REPLACED = (
    "collation",
    "deploymentPostFix",
    "location",
    "requestedServiceObjectiveName",
)
PLACEHOLDERS = ("<X>", "${X}")


def unfilled(template: dict[str, Value], placeholder: str) -> Scenario:
    """Return each parameter that may be empty with a placeholder that nobody filled in.

    Azure itself refuses one where only some words are allowed.
    """
    declared = template.get("parameters")
    entries = declared.items() if isinstance(declared, dict) else ()
    return {
        name: placeholder
        for name, entry in entries
        if name in _REPLACED
        or (
            get(entry, "defaultValue", safe=True) == ""
            and not get(entry, "allowedValues", safe=True)
        )
    }


def values_of(path: Path) -> Scenario:
    """Return the parameters of a parameter file."""
    parameters = json.loads(path.read_text("utf-8"))["parameters"]
    return {name: entry["value"] for name, entry in parameters.items()}


def scenarios(folder: Path) -> dict[str, Scenario]:
    """Return every scenario, and those of a folder's parameter files."""
    files = sorted(folder.glob("*.parameters.json"))
    return SCENARIOS | {path.name: values_of(path) for path in files}
