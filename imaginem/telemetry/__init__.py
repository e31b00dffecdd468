"""Traces and metrics: none, or OpenTelemetry."""
