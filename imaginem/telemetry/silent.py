"""No telemetry: what is used unless the settings name a place to send it to."""

from collections.abc import Iterator
from contextlib import contextmanager

from imaginem.ports import Span


class SilentSpan:
    """A span that nobody sees; it hands on the trace that it was given."""

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
        """Begin a span that nobody sees."""
        yield SilentSpan(parent)

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Do nothing."""

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""
