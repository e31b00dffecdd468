"""Runs checkov: no finding that isn't explained beside the resource."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.gates.model import Template

_EXPLAINED = re.compile(r"checkov:skip=(\w+):(.+)")


_ABSENT = object()
# What must stand there, whatever checkov thinks of it. A tuple: one of these.
_MUST: dict[str, dict[str, Any]] = {
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.supportsHttpsTrafficOnly": True,
        "properties.minimumTlsVersion": "TLS1_2",
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {
        "properties.publicAccess": "None"
    },
    "Microsoft.CognitiveServices/accounts": {"properties.disableLocalAuth": True},
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.Sql/servers": {"properties.minimalTlsVersion": "1.2"},
    "Microsoft.Sql/servers/firewallRules": {"properties.endIpAddress": "0.0.0.0"},  # noqa: S104
    "Microsoft.Web/sites": {"properties.httpsOnly": True},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}
_MUST_CONFIG: dict[str, dict[str, Any]] = {
    "authsettingsV2": {
        "properties.platform.enabled": True,
        "properties.globalValidation.requireAuthentication": True,
        "properties.globalValidation.excludedPaths": ["/api/health"],
        "properties.httpSettings.requireHttps": True,
    },
    "appsettings": {"properties.HTTP_ACCESS": ("health", "platform")},
}


def values(templates: list[Template]) -> list[str]:
    """Return where a value that guards something is another one, or may be."""
    found: list[str] = []
    for template in templates:
        for resource in template.resources:
            must = dict(_MUST.get(resource.type, {}))
            if resource.type == "Microsoft.Web/sites/config":
                must |= _MUST_CONFIG.get(str(resource.body.get("name")), {})
            if resource.existing or not must:
                continue
            for path, wanted in must.items():
                allowed = wanted if isinstance(wanted, tuple) else (wanted,)
                for value in template.values(_at(resource.body, path)):
                    if value not in allowed or isinstance(value, bool) != isinstance(
                        allowed[0], bool
                    ):
                        found.append(f"security: {resource.place}.{path} must be {wanted!r}")
    servers = [r for t in templates for r in t.resources if r.type == "Microsoft.Sql/servers"]
    for server in servers:
        path = "properties.administrators.azureADOnlyAuthentication"
        if _at(server.body, path) in (False, _ABSENT):
            found.append(f"security: {server.place}.{path} must follow from the parameters")
    return found


def _at(body: dict[str, Any], path: str) -> Any:
    value: Any = body
    for name in path.split("."):
        value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


def problems(folder: Path) -> list[str]:
    """Return checkov's findings, and skips without a reason."""
    command = [str(Path(sys.executable).with_name("checkov")), "-d", str(folder)]
    command += ["--config-file", str(Path(__file__).with_name("checkov.yaml"))]
    command += ["--framework", "bicep", "--quiet", "--compact", "--skip-download", "-o", "json"]
    environment = {**os.environ, "LOG_LEVEL": "CRITICAL"}
    ran = subprocess.run(  # noqa: S603 - a pinned package's own program
        command, capture_output=True, text=True, env=environment
    )
    try:
        told = json.loads(ran.stdout)
    except ValueError:
        return [f"checkov: {ran.stdout[-300:]} {ran.stderr[-300:]}"]
    reports = told if isinstance(told, list) else [told]
    found = []
    for report in reports:
        summary = report["summary"]
        if summary["parsing_errors"] or not summary["resource_count"]:
            found.append(f"checkov: it could not read everything: {summary}")
        found += [
            f"checkov: {each['check_id']} {each['check_name']} "
            f"({Path(each['file_path']).name}, {each['resource']})"
            for each in report["results"]["failed_checks"]
        ]
    return found + _bare_skips(folder)


def _bare_skips(folder: Path) -> list[str]:
    return [
        f"{path.name}: {line.strip()}: say why"
        for path in sorted(folder.rglob("*.bicep"))
        for line in path.read_text("utf-8").splitlines()
        if "checkov:skip" in line and not _EXPLAINED.search(line)
    ]
