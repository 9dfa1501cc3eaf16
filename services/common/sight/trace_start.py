"""Turns tracing on where the settings name an endpoint for traces."""

import os

from services.common.settings import ServiceSettings, SettingsError
from services.common.sight import tracing
from services.common.sight.metrics import Metrics


def start_tracing(service: str, settings: ServiceSettings, metrics: Metrics) -> None:
    """Turns tracing on when the settings, or the standard OTEL_EXPORTER_OTLP_ENDPOINT, name an endpoint.

    Raises SettingsError for an endpoint or a share that cannot be one.
    """
    spans = metrics.counter("majlis_trace_spans_total", "Spans of traces, by what became of them.", ("result",))
    endpoint = settings.traces_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not endpoint:
        return
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError(f"the endpoint for traces, {endpoint!r}, must begin with http:// or https://")
    if not 0.0 <= settings.traces_share <= 1.0:
        raise SettingsError(f"traces_share must be between 0 and 1; it is {settings.traces_share}")
    # The libraries are loaded only by who uses them: they cost each process several MiB.
    from services.common.sight.trace_export import SdkTracer, otlp  # noqa: PLC0415

    def count(result: str, number: int) -> None:
        spans.labels(result).inc(number)

    tracing.use(SdkTracer(service, otlp(endpoint, count), settings.traces_share, settings.deployment))
