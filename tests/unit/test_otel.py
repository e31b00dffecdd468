"""Traces by OpenTelemetry, without any place to send them to."""

import logging

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from imaginem.ports.log_lines import working_on
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


@pytest.mark.filterwarnings("ignore:.*LoggingHandler:DeprecationWarning")
def test_a_record_has_the_job_that_its_thread_works_on_and_comes_once() -> None:
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call] # the SDK's
    telemetry = OtelTelemetry([], [], [kept], "1.0")
    logger = logging.getLogger("imaginem.engines.local")
    logger.setLevel(logging.INFO)
    with working_on(batch_id="b", job_id="j", step="ocr"):
        logger.info("read")
        logger.info("read", extra={"job_id": "other"})
    logger.info("read")
    telemetry.flush()
    telemetry.close()

    told = [dict(each.log_record.attributes or {}) for each in kept.get_finished_logs()]
    names = ("batch_id", "job_id", "step")
    assert [[record.get(name) for name in names] for record in told] == [
        ["b", "j", "ocr"],
        ["b", "other", "ocr"],
        [None, None, None],
    ]
