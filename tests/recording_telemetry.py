"""Telemetry that tests can look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imaginem.ports import Span
from imaginem.telemetry.silent import SilentSpan


class RecordingSpan(SilentSpan):
    """A span that keeps whether it failed."""

    failed = False

    def fail(self, reason: str) -> None:
        self.failed = True


class RecordingTelemetry:
    """Keeps everything.

    Attributes:
        spans: name and attributes of each, and the span.
        metrics: attributes of each point, by the metric's name.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any], RecordingSpan]] = []
        self.metrics: dict[str, list[dict[str, str]]] = {}

    @contextmanager
    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: str | int
    ) -> Iterator[Span]:
        span = RecordingSpan(parent)
        self.spans.append((name, attributes, span))
        yield span

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        self.metrics.setdefault(name, []).append(attributes)

    def measure(self, name: str, value: float, **attributes: str) -> None:
        self.metrics.setdefault(name, []).append(attributes)

    def flush(self) -> None:
        pass
