"""An OpenTelemetry collector for tests: keeps what it receives by OTLP over HTTP."""

import gzip
import http.server
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class SeenSpan:
    name: str
    trace: str
    id: str
    parent: str
    milliseconds: float
    failed: bool
    attributes: dict[str, Any]


class Collector:
    """Receives spans, metrics and log records.

    Attributes:
        spans: in the order in which they came.
        metrics: attributes of the points of each metric, by its name.
        logs: text and attributes of each record.
        bodies: the requests' bodies, to search for secrets.
    """

    def __init__(self) -> None:
        self.spans: list[SeenSpan] = []
        self.metrics: dict[str, list[dict[str, Any]]] = {}
        self.logs: list[tuple[str, dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.bodies.append(body)
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            self._take_spans(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            self._take_metrics(ExportMetricsServiceRequest.FromString(body))
        else:
            self._take_logs(ExportLogsServiceRequest.FromString(body))

    def _take_spans(self, message: Any) -> None:
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [
                    SeenSpan(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
                        span.status.code == 2,
                        _values(span.attributes),
                    )
                    for span in scope.spans
                ]

    def _take_metrics(self, message: Any) -> None:
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    self.metrics.setdefault(metric.name, []).extend(
                        _values(point.attributes) for point in points
                    )

    def _take_logs(self, message: Any) -> None:
        for resource in message.resource_logs:
            for scope in resource.scope_logs:
                self.logs += [
                    (record.body.string_value, _values(record.attributes))
                    for record in scope.log_records
                ]

    def tree(self) -> str:
        """Return the spans as a text with a child indented below its parent."""
        return "\n".join(self._lines({span.id for span in self.spans}, None, 0))

    def _lines(self, known: set[str], parent: str | None, depth: int) -> Iterable[str]:
        for span in self.spans:
            top = span.parent not in known
            if (parent is None and top) or (parent is not None and span.parent == parent):
                state = span.attributes.get("state", "")
                yield f"{'  ' * depth}{span.name}  {span.milliseconds:.0f} ms  {state}".rstrip()
                yield from self._lines(known, span.id, depth + 1)


def _values(attributes: Any) -> dict[str, Any]:
    return {
        attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value"))
        for attribute in attributes
        if attribute.value.WhichOneof("value")
    }
