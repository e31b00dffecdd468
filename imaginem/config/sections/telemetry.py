"""Where traces, metrics and logs go."""

import re
from typing import Annotated

from pydantic import AfterValidator

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import WebAddress, one_of

_PRINTERS = ("console",)
_INSTRUMENTATION_KEY = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _insights(text: str) -> str:
    """Refuse what the exporter, which is strict, would refuse later."""
    # A part with more or less than one equals sign is a ValueError here.
    parts = (part.split("=") for part in text.split(";"))
    values = {name.lower(): value for name, value in parts}
    if values.get("authorization", "ikey").lower() != "ikey":
        raise ValueError
    if not _INSTRUMENTATION_KEY.fullmatch(values.get("instrumentationkey", "")):
        raise ValueError
    return text


InsightsConnection = Annotated[
    str,
    AfterValidator(_insights),
    Expected(
        "the connection string of an Application Insights resource, from its overview",
        shown=False,
    ),
]
Printer = Annotated[str, one_of(_PRINTERS), Expected(" or ".join(_PRINTERS))]


class TelemetrySettings(Section):
    """Where traces, metrics and logs go; nowhere if all is empty."""

    insights: InsightsConnection = setting(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "",
        "sends traces, metrics and logs to Application Insights",
        secret=True,
    )
    otlp: WebAddress = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "sends them to an OpenTelemetry collector, by OTLP over HTTP",
        not_on_azure="Application Insights is there",
    )
    printer: Printer = setting(
        "IMAGINEM_TELEMETRY", "", "`console` prints spans and metrics", not_on_azure="for a laptop"
    )

    @property
    def console(self) -> bool:
        """Tell whether spans and metrics are printed."""
        return self.printer == "console"

    @property
    def wanted(self) -> bool:
        """Tell whether there is any place to send to."""
        return bool(self.insights or self.otlp or self.printer)
