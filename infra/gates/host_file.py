"""Checks host.json: what the Functions host ignores, and where that is set instead."""

import json
from pathlib import Path

from infra.gates.model import Template

_SAMPLER = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG")
# Only these does the host's exporter know (azure-functions-host#11568); it ignores other names.
_KNOWN_SAMPLERS = ("microsoft.rate_limited", "microsoft.fixed_percentage")


def problems(templates: list[Template], root: Path) -> list[str]:
    """Return what host.json says in vain, and the settings that must say it.

    With `telemetryMode: OpenTelemetry` the host reads nothing below `logging.applicationInsights`
    (azure-functions-host#10770), sampling among it.
    """
    host = json.loads((root / "host.json").read_text("utf-8"))
    if host.get("telemetryMode") != "OpenTelemetry":
        return ["host.json: telemetryMode must be OpenTelemetry, as the app's telemetry is"]
    found = []
    if "applicationInsights" in host.get("logging", {}):
        found.append(
            "host.json: with OpenTelemetry logging.applicationInsights is ignored; "
            f"sample with {' and '.join(_SAMPLER)} in app.bicep"
        )
    settings = {
        name: value
        for template in templates
        for resource in template.resources
        if resource.body.get("name") == "appsettings"
        for name, value in resource.body["properties"].items()
    }
    if settings.get(_SAMPLER[0]) not in _KNOWN_SAMPLERS or _SAMPLER[1] not in settings:
        found.append(
            f"host.json: {_SAMPLER[0]} must be one of {', '.join(_KNOWN_SAMPLERS)}, "
            f"and {_SAMPLER[1]} its number"
        )
    return found
