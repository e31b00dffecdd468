"""No telemetry: used when no setting names a destination."""

from collections.abc import Iterator
from contextlib import contextmanager

from imaginem.ports import Span


class SilentSpan:
    """A span that is recorded nowhere; it passes its parent's trace context on."""

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent

    def note(self, **attributes: str | int | float | bool) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""


class SilentTelemetry:
    """Drops everything."""

    @contextmanager
    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: str | int
    ) -> Iterator[Span]:
        """Begin a span that is recorded nowhere."""
        yield SilentSpan(parent)

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Do nothing."""

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""
