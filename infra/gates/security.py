"""Checks values that security depends on, and runs checkov, whose skips must give a reason."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.gates.model import Resource, Template

_EXPLAINED = re.compile(r"checkov:skip=(\w+):(.+)")
_ABSENT = object()
# Values that are required, whatever checkov says; a tuple allows each of its members.
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
        "properties.globalValidation.excludedPaths": ["/api/health", "/runtime/webhooks/blobs"],
        "properties.httpSettings.requireHttps": True,
    },
    "appsettings": {"properties.HTTP_ACCESS": ("health", "platform")},
}


def values(templates: list[Template]) -> list[str]:
    """Return a problem for each required value that is, or may be, another one."""
    found: list[str] = []
    for template in templates:
        for resource in template.resources:
            found += _wrong_values(template, resource)
    return found


def _wrong_values(template: Template, resource: Resource) -> list[str]:
    required = dict(_MUST.get(resource.type, {}))
    if resource.type == "Microsoft.Web/sites/config":
        required |= _MUST_CONFIG.get(str(resource.body.get("name")), {})
    if resource.existing:
        return []
    if resource.type == "Microsoft.CognitiveServices/accounts" and (
        _at(resource.body, "properties.customSubDomainName") is _ABSENT
    ):
        return [f"security: {resource.place}: no identity may call it without customSubDomainName"]
    return [
        f"security: {resource.place}.{path} must be {wanted!r}"
        for path, wanted in required.items()
        for value in template.values(_at(resource.body, path))
        if not _is_allowed(value, wanted if isinstance(wanted, tuple) else (wanted,))
    ]


def _is_allowed(value: Any, allowed: tuple[Any, ...]) -> bool:
    # In Python 1 equals True, but in Bicep it does not.
    return value in allowed and isinstance(value, bool) == isinstance(allowed[0], bool)


def _at(body: dict[str, Any], path: str) -> Any:
    """Return the value at a dotted path of a body, or `_ABSENT`."""
    value: Any = body
    for name in path.split("."):
        value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


def problems(folder: Path) -> list[str]:
    """Return checkov's findings, and the skips of its checks that give no reason."""
    command = [str(Path(sys.executable).with_name("checkov")), "-d", str(folder)]
    command += ["--config-file", str(Path(__file__).with_name("checkov.yaml"))]
    command += ["--framework", "bicep", "--quiet", "--compact", "--skip-download", "-o", "json"]
    environment = {**os.environ, "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(  # noqa: S603 - a pinned package's own program
        command, capture_output=True, text=True, env=environment
    )
    try:
        output = json.loads(done.stdout)
    except ValueError:
        return [f"checkov: {done.stdout[-300:]} {done.stderr[-300:]}"]
    reports = output if isinstance(output, list) else [output]
    found = []
    for report in reports:
        summary = report["summary"]
        if summary["parsing_errors"] or not summary["resource_count"]:
            found.append(f"checkov: it could not read everything: {summary}")
        found += [
            f"checkov: {failed['check_id']} {failed['check_name']} "
            f"({Path(failed['file_path']).name}, {failed['resource']})"
            for failed in report["results"]["failed_checks"]
        ]
    return found + _unexplained_skips(folder)


def _unexplained_skips(folder: Path) -> list[str]:
    return [
        f"{path.name}: {line.strip()}: say why"
        for path in sorted(folder.rglob("*.bicep"))
        for line in path.read_text("utf-8").splitlines()
        if "checkov:skip" in line and not _EXPLAINED.search(line)
    ]
