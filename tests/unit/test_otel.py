"""Traces by OpenTelemetry, without any place to send them to."""

import pytest

from imaginem.telemetry.otel import OtelSpan, OtelTelemetry


def is_sampled(span: OtelSpan) -> bool:
    """Tell the lowest bit of the flags, which end a traceparent."""
    return bool(int(span.traceparent.rpartition("-")[2], 16) & 1)


def test_a_sampler_that_only_the_functions_host_knows_loses_no_trace_and_warns_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "microsoft.rate_limited")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "5")

    telemetry = OtelTelemetry([], [], [], "1.0", host_samples=True)

    with telemetry.span("ocr") as span:
        assert is_sampled(span)
    assert not caplog.records


def test_a_sampler_of_a_collectors_operator_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")

    telemetry = OtelTelemetry([], [], [], "1.0")

    with telemetry.span("ocr") as span:
        assert not is_sampled(span)
