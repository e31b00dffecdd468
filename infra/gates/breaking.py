"""Breaks a copy of the Bicep files in many ways, change of which the gates must notice."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Break:
    """A change that makes a file wrong, and a part of the problem that must be reported."""

    what: str
    file: str
    old: str
    new: str
    reported: str


BREAKS = (
    Break(
        "a brace is gone", "modules/ai.bicep", "param tags object", "param tags object }", "syntax"
    ),
    Break(
        "a property is misspelt",
        "modules/app.bicep",
        "functionAppConfig:",
        "functionAppConfigg:",
        "functionAppConfigg: unknown",
    ),
    Break(
        "a property deep inside is misspelt",
        "modules/storage.bicep",
        "daysAfterModificationGreaterThan: crop",
        "daysAfterModification: crop",
        "daysAfterModification: unknown",
    ),
    Break(
        "a value is not one of those allowed",
        "modules/app.bicep",
        "'RedirectToLoginPage'",
        "'Return402'",
        "'Return402' is none of",
    ),
    Break(
        "a number is a text",
        "modules/network.bicep",
        "registrationEnabled: false",
        "registrationEnabled: 'no'",
        "bool is wanted",
    ),
    Break(
        "what is required is missing",
        "modules/monitoring.bicep",
        "    Application_Type: 'web'\n",
        "",
        "Application_Type: is missing",
    ),
    Break(
        "a type does not exist",
        "modules/sql.bicep",
        "Microsoft.Sql/servers/firewallRules@",
        "Microsoft.Sql/servers/fireRules@",
        "there is no type",
    ),
    Break(
        "a version does not exist",
        "modules/ai.bicep",
        "accounts@2025-06-01",
        "accounts@2015-06-01",
        "can't be checked",
    ),
    Break(
        "a setting of the code is not set",
        "modules/app.bicep",
        "    VISION_ENDPOINT: visionEndpoint\n",
        "",
        "the code reads VISION_ENDPOINT",
    ),
    Break(
        "a setting is set that nothing reads",
        "modules/app.bicep",
        "    FACE_ENDPOINT:",
        "    FACE_ENDPOINTS:",
        "nothing reads it",
    ),
    Break(
        "a setting is set though its declaration says why Bicep does not",
        "modules/app.bicep",
        "    FACE_ENDPOINT:",
        "    MAX_ATTEMPTS: '5'\n    FACE_ENDPOINT:",
        "Bicep sets MAX_ATTEMPTS",
    ),
    Break(
        "a role is not assigned",
        "modules/storage.bicep",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "needs Storage Queue Data Contributor",
    ),
    Break(
        "a role is another one",
        "modules/ai.bicep",
        "a97b65f3-24c7-4388-baec-2e87135dc908",
        "b97b65f3-24c7-4388-baec-2e87135dc908",
        "is not a known role",
    ),
    Break("a queue is missing", "main.bicep", "  'ocr'\n", "", "the code ships the step ocr"),
    Break(
        "the queue of the template is missing",
        "main.bicep",
        "  'sample'\n",
        "",
        "the code ships the step sample",
    ),
    Break(
        "a queue has no step",
        "main.bicep",
        "  'ocr'\n",
        "  'ocr'\n  'nosuchstep'\n",
        "there is no steps/nosuchstep.py",
    ),
    Break(
        "the default pipelines differ",
        "main.bicep",
        "param pipelineDefinition string = '",
        "param pipelineDefinition string = 'nosuchstep,",
        "pipelineDefinition: the code has",
    ),
    Break(
        "a table is missing", "modules/storage.bicep", ", 'pipelinestate'", "", "tables: the code"
    ),
    Break(
        "a parameter is not handed on",
        "main.bicep",
        "    allowedImageHosts: allowedImageHosts\n",
        "",
        "the parameter allowedImageHosts is missing",
    ),
    Break(
        "an output does not exist",
        "main.bicep",
        "sql.outputs.databaseName",
        "sql.outputs.database",
        "it has no output database",
    ),
    Break(
        "a role assignment is for the whole group",
        "modules/ai.bicep",
        "  scope: account\n  properties: {\n    principalId",
        "  properties: {\n    principalId",
        "has no scope",
    ),
    Break(
        "only some roles are assigned",
        "modules/storage.bicep",
        "for role in roles:",
        "for role in take(roles, 1):",
        "needs Storage Queue Data Contributor",
    ),
    Break(
        "a role is assigned on a condition",
        "modules/monitoring.bicep",
        "roleAssignments@2022-04-01' = {",
        "roleAssignments@2022-04-01' = if (false) {",
        "is conditional",
    ),
    Break(
        "no login is required",
        "modules/app.bicep",
        "requireAuthentication: true",
        "requireAuthentication: false",
        "requireAuthentication must be True",
    ),
    Break(
        "every path is open without a login",
        "modules/app.bicep",
        "['/api/health']",
        "['/*']",
        "excludedPaths must be",
    ),
    Break(
        "the API is open",
        "modules/app.bicep",
        "? 'health' : 'platform'",
        "? 'local' : 'platform'",
        "HTTP_ACCESS must be",
    ),
    Break(
        "storage takes keys",
        "modules/storage.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess must be False",
    ),
    Break(
        "SQL takes passwords",
        "modules/sql.bicep",
        "azureADOnlyAuthentication: !withPassword",
        "azureADOnlyAuthentication: false",
        "must follow from the parameters",
    ),
    Break(
        "SQL is open to the world",
        "modules/sql.bicep",
        "endIpAddress: '0.0.0.0'",
        "endIpAddress: '255.255.255.255'",
        "endIpAddress must be",
    ),
    Break(
        "a setting of the host is gone",
        "modules/app.bicep",
        "    AzureWebJobsStorage__credential: 'managedidentity'\n",
        "",
        "host needs AzureWebJobsStorage__credential",
    ),
    Break(
        "an alert queries a metric that nothing counts",
        "modules/alerts.bicep",
        "imaginem.poisoned",
        "imaginem.poison",
        "nothing counts imaginem.poison",
    ),
    Break(
        "there are no poison queues",
        "modules/storage.bicep",
        "concat(steps, map(steps, name => '${name}-poison'))",
        "steps",
        "no poison queues",
    ),
    Break(
        "the parameter file names an unknown parameter",
        "main.parameters.json",
        '"alertEmail"',
        '"alertMail"',
        "no parameter alertMail",
    ),
)


def unreported(folder: Path, check: Callable[[Path], list[str]]) -> list[str]:
    """Return the breaks that a check does not report."""
    missed = []
    for change in BREAKS:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "infra"
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("gates", "__pycache__"))
            path = copy / change.file
            text = path.read_text("utf-8")
            if change.old not in text:
                missed.append(
                    f"{change.what}: {change.file} has no {change.old!r} to break any more"
                )
                continue
            path.write_text(text.replace(change.old, change.new), "utf-8")
            problems = check(copy)
            if not any(change.reported in problem for problem in problems):
                missed.append(f"{change.what} ({change.file}); reported was {problems[:3]}")
    return missed
