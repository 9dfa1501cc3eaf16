"""Turns tracing on where the settings name an endpoint for traces."""

import os
import re

from services.common.forms import HTTP_URL
from services.common.settings import ServiceSettings, SettingsError
from services.common.sight import tracing
from services.common.sight.metrics import Metrics


def start_tracing(service: str, settings: ServiceSettings, metrics: Metrics) -> None:
    """Turns tracing on when the settings, or the standard OTEL_EXPORTER_OTLP_ENDPOINT, name an endpoint.

    Raises SettingsError for an endpoint that cannot be one.
    """
    spans = metrics.counter("majlis_trace_spans_total", "Spans of traces, by what became of them.", ("result",))
    endpoint = settings.traces_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not endpoint:
        return
    if not re.fullmatch(HTTP_URL.pattern, endpoint):
        raise SettingsError(f"OTEL_EXPORTER_OTLP_ENDPOINT is not allowed: it must be {HTTP_URL}")
    # The libraries are loaded only by who uses them: they cost each process several MiB.
    from services.common.sight.trace_export import SdkTracer, otlp  # noqa: PLC0415

    def count(result: str, number: int) -> None:
        spans.labels(result).inc(number)

    tracing.use(SdkTracer(service, otlp(endpoint, count), settings.traces_share, settings.deployment))
