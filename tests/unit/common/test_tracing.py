"""Traces are made only when they are wanted, from nothing a stranger sent, and are told apart in the logs."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.common.settings import SettingsError
from services.common.sight import log, tracing
from services.common.sight.metrics import Metrics
from services.common.sight.trace_export import SdkTracer
from services.common.sight.trace_start import start_tracing
from tests.support.rpc_harness import test_settings

REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    """Every trace is kept, here."""
    exporter = InMemorySpanExporter()
    tracing.use(SdkTracer("oven", exporter, 1.0, "bakery"))
    yield exporter
    tracing.stop()


@pytest.fixture
def unkept() -> Iterator[InMemorySpanExporter]:
    """No trace is kept."""
    exporter = InMemorySpanExporter()
    tracing.use(SdkTracer("oven", exporter, 0.0, "bakery"))
    yield exporter
    tracing.stop()


def test_an_endpoint_that_cannot_be_one_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
    with pytest.raises(SettingsError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT is not allowed: it must be http"):
        start_tracing("oven", test_settings(tmp_path), Metrics("oven"))


def test_a_step_in_another_process_continues_the_trace_it_was_told_of(kept: InMemorySpanExporter) -> None:
    with tracing.serve("bake", REMOTE):
        assert tracing.trace_id() == REMOTE.split("-")[1]
        outer = tracing.traceparent()
        with tracing.call("fetch flour"):
            assert tracing.traceparent() != outer
        assert tracing.traceparent() == outer
    assert tracing.traceparent() == ""


@pytest.mark.parametrize("broken", ["", "nonsense", REMOTE[:-5], "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_a_traceparent_that_is_none_continues_nothing(kept: InMemorySpanExporter, broken: str) -> None:
    with tracing.serve("bake", broken):
        assert tracing.trace_id() != REMOTE.split("-")[1]


def test_work_that_no_request_asked_for_begins_no_trace(kept: InMemorySpanExporter) -> None:
    with tracing.call("publish heartbeat", "producer") as span:
        assert span is tracing.NOTHING
        assert tracing.traceparent() == ""


def test_work_that_waited_in_a_queue_goes_on_in_its_trace(kept: InMemorySpanExporter) -> None:
    with tracing.begin("order"):
        carried, trace_id = tracing.traceparent(), tracing.trace_id()
    with tracing.resumed(carried), tracing.call("bake"):
        assert tracing.trace_id() == trace_id


def test_a_trace_that_is_not_kept_is_told_to_others_as_such_and_is_no_exemplar(unkept: InMemorySpanExporter) -> None:
    with tracing.begin("order"):
        flags = int(tracing.traceparent()[-2:], 16)
        assert flags & 1 == 0
        assert tracing.exemplar() is None
    tracing.stop()
    assert not unkept.get_finished_spans()


def test_a_failure_is_named_by_its_kind_and_never_by_its_words(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Omar"), tracing.begin("order"):
        raise ValueError("Omar Aziz wants olives")
    tracing.stop()
    (span,) = kept.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert "Omar" not in span.to_json()


def test_a_line_inside_a_trace_carries_its_id_and_others_carry_none(kept: InMemorySpanExporter) -> None:
    out = io.StringIO()
    log.configure("oven", "json", "info", out)
    with tracing.serve("bake", REMOTE):
        log.get_logger("bakery").info("in the oven")
    log.get_logger("bakery").info("closed")
    inside, outside = (json.loads(line) for line in out.getvalue().splitlines())
    assert inside["trace_id"] == REMOTE.split("-")[1]
    assert "trace_id" not in outside


def test_libraries_speak_only_of_what_is_wrong() -> None:
    out = io.StringIO()
    log.configure("oven", "text", "debug", out)
    library = logging.getLogger("flourlib")
    library.debug("executing INSERT with 'Omar Aziz'")
    library.info("asked for omar@example.org")
    library.warning("the mill is shut")
    log.get_logger("bakery").debug("ours")
    assert "Omar" not in out.getvalue()
    assert "omar" not in out.getvalue()
    assert "the mill is shut" in out.getvalue()
    assert "ours" in out.getvalue()
