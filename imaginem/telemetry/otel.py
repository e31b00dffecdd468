"""Traces, metrics and logs by OpenTelemetry: to a collector, Application Insights or the console.

The SDK is imported only when a setting names a destination. No library is instrumented
automatically: spans hold only what our code puts there, so no query of an address gets into one.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from imaginem.config.settings import TelemetrySettings
from imaginem.ports.log_lines import AddLabels
from imaginem.redaction import one_line

if TYPE_CHECKING:
    from imaginem.config.identity import TokenCredential

_CONTEXT = TraceContextTextMapPropagator()
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_SEND_SECONDS = 5  # a collector that does not answer must not delay the app
_TRACE_MILLISECONDS = 1_000
_METRIC_MILLISECONDS = 15_000
_SECONDS_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]


class OtelSpan:
    """A span of the SDK, made while it is the current one."""

    def __init__(self, span: Span) -> None:
        self._span = span
        headers: dict[str, str] = {}
        _CONTEXT.inject(headers)
        self.traceparent = headers.get("traceparent", "")

    def note(self, **attributes: str | int | float | bool) -> None:
        """Add attributes; texts are redacted and cut at 300 characters."""
        for name, value in attributes.items():
            self._span.set_attribute(name, _clean(value))

    def fail(self, reason: str) -> None:
        """Mark the span as failed."""
        self._span.set_status(Status(StatusCode.ERROR, one_line(reason, 200)))


class OtelTelemetry:
    """Sends spans, metrics and the log records of `imaginem` to exporters.

    Args:
        spans: the SDK's exporters of spans.
        metrics: exporters of metrics.
        logs: exporters of log records.
        version: version of Imaginem that the records name.
        host_samples: the setting of a sampler is meant for the Functions host, whose names the SDK
            does not know.
    """

    def __init__(
        self,
        spans: list[Any],
        metrics: list[Any],
        logs: list[Any],
        version: str,
        *,
        host_samples: bool = False,
    ) -> None:
        resource = Resource.create({"service.name": "imaginem", "service.version": version})
        sampler = ParentBased(ALWAYS_ON) if host_samples else None
        self._spans = TracerProvider(sampler, resource=resource)
        for exporter in spans:
            self._spans.add_span_processor(
                BatchSpanProcessor(exporter, schedule_delay_millis=_TRACE_MILLISECONDS)
            )
        readers = [
            PeriodicExportingMetricReader(exporter, export_interval_millis=_METRIC_MILLISECONDS)
            for exporter in metrics
        ]
        self._metrics = MeterProvider(readers, resource=resource)
        self._logs = LoggerProvider(resource=resource)
        for exporter in logs:
            self._logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._handler = LoggingHandler(logging.INFO, self._logs) if logs else None
        if self._handler is not None:
            self._handler.addFilter(AddLabels())
            logging.getLogger("imaginem").addHandler(self._handler)
        self._tracer = self._spans.get_tracer("imaginem")
        self._meter = self._metrics.get_meter("imaginem")
        self._counters: dict[str, Any] = {}
        self._histograms: dict[str, Any] = {}

    @contextmanager
    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: str | int
    ) -> Iterator[OtelSpan]:
        """Begin a span; of an error, only the class is noted: the text may hold a secret."""
        context = _CONTEXT.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(
            name,
            context,
            _KINDS[kind],
            {key: _clean(value) for key, value in attributes.items()},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield OtelSpan(span)
            except BaseException as problem:
                span.set_attribute("error.type", type(problem).__name__)
                span.set_status(Status(StatusCode.ERROR, type(problem).__name__))
                raise

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Add to a counter."""
        if name not in self._counters:
            self._counters[name] = self._meter.create_counter(name)
        self._counters[name].add(amount, attributes)

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Add to a histogram of seconds."""
        if name not in self._histograms:
            self._histograms[name] = self._meter.create_histogram(
                name, unit="s", explicit_bucket_boundaries_advisory=_SECONDS_BUCKETS
            )
        self._histograms[name].record(value, attributes)

    def flush(self) -> None:
        """Send the records that wait."""
        for provider in (self._spans, self._metrics, self._logs):
            provider.force_flush()

    def close(self) -> None:
        """Send the records that wait, and shut down."""
        if self._handler is not None:
            logging.getLogger("imaginem").removeHandler(self._handler)
        for provider in (self._spans, self._metrics, self._logs):
            provider.shutdown()


def _clean(value: str | int | float | bool) -> str | int | float | bool:
    return one_line(value, 300) if isinstance(value, str) else value


def make_telemetry(
    settings: TelemetrySettings,
    credential: "Callable[[], TokenCredential] | None",
    version: str,
) -> OtelTelemetry:
    """Return telemetry that sends to every destination that the settings name.

    Args:
        settings: the destinations.
        credential: returns the credential of the app's identity, with which Application
            Insights is written to; None to use the connection string only.
        version: version of Imaginem that the records name.
    """
    exporters = _Exporters()
    if settings.otlp:
        _add_otlp(exporters, settings.otlp)
    if settings.insights:
        _add_insights(exporters, settings.insights, credential() if credential else None)
    if settings.console:  # to stderr: a worker's stdout carries its messages to the host
        exporters.spans.append(ConsoleSpanExporter(out=sys.stderr))
        exporters.metrics.append(ConsoleMetricExporter(out=sys.stderr))
    return OtelTelemetry(
        exporters.spans,
        exporters.metrics,
        exporters.logs,
        version,
        host_samples=bool(settings.insights),
    )


@dataclass
class _Exporters:
    spans: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)


def _add_otlp(exporters: _Exporters, endpoint: str) -> None:
    """Add the exporters to a collector."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    root = f"{endpoint}/v1"
    exporters.spans.append(OTLPSpanExporter(f"{root}/traces", timeout=_SEND_SECONDS))
    exporters.metrics.append(OTLPMetricExporter(f"{root}/metrics", timeout=_SEND_SECONDS))
    exporters.logs.append(OTLPLogExporter(f"{root}/logs", timeout=_SEND_SECONDS))


def _add_insights(
    exporters: _Exporters, connection: str, credential: "TokenCredential | None"
) -> None:
    """Add the exporters to Application Insights."""
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    options: dict[str, Any] = {
        "connection_string": connection,
        "credential": credential,
        "disable_offline_storage": True,
    }
    # The Functions host would send the same records a second time, without the jobs' ids.
    logging.getLogger("imaginem").propagate = False
    exporters.spans.append(AzureMonitorTraceExporter(**options))
    exporters.metrics.append(AzureMonitorMetricExporter(**options))
    exporters.logs.append(AzureMonitorLogExporter(**options))
