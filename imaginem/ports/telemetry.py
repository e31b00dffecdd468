"""Traces and metrics."""

from contextlib import AbstractContextManager
from typing import Protocol


class Span(Protocol):
    """An operation in a trace."""

    @property
    def traceparent(self) -> str:
        """Return the W3C trace context by which another process continues; may be empty."""

    def note(self, **attributes: str | int | float | bool) -> None:
        """Add attributes."""

    def fail(self, reason: str) -> None:
        """Mark it as failed."""


class Telemetry(Protocol):
    """Traces and metrics. Attributes never hold an address's query, a key or a face."""

    def span(
        self, name: str, *, parent: str = "", kind: str = "internal", **attributes: str | int
    ) -> AbstractContextManager[Span]:
        """Begin a span; without `parent`, inside the span that this thread is in.

        Args:
            name: of few values.
            parent: W3C trace context of what caused it.
            kind: `internal`, `client` (a call to a service) or `consumer` (a received message).
            attributes: to find the span by.
        """

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Add to a counter."""

    def measure(self, name: str, value: float, **attributes: str) -> None:
        """Add to a histogram."""

    def flush(self) -> None:
        """Send what is waiting, before the process ends."""
