"""Makes spans with the OpenTelemetry SDK and sends them to a collector by OTLP over gRPC."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

import grpc
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.ids import new_id
from services.common.sight.tracing import TRACEPARENT, Kind, Span, Value
from services.common.version import VERSION

MOST_WAITING = 4096
_BATCH = 512
_EVERY_MILLISECONDS = 2_000
_EXPORT_SECONDS = 3
_KINDS = {
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}
# How code ends when its caller has gone, or was refused by gRPC's own means; nothing failed.
_LEFT = (asyncio.CancelledError, GeneratorExit, grpc.aio.AbortError)


def otlp(endpoint: str, count: Callable[[str, int], None]) -> SpanExporter:
    """Sends spans to a collector; `count(result, number)` is told what became of them."""
    return _Counted(OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS), count)


class SdkTracer:
    """One a process. Spans wait in a bounded queue and leave from a thread of their own; a full queue drops new ones.

    `share` of the traces begun here are kept; the decision travels with the trace.
    """

    def __init__(self, service: str, exporter: SpanExporter, share: float, deployment: str) -> None:
        resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": deployment,
                "service.version": VERSION,
                "service.instance.id": new_id(),
            }
        )
        self._provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=MOST_WAITING,
                schedule_delay_millis=_EVERY_MILLISECONDS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("majlis", VERSION)
        self._wire = TraceContextTextMapPropagator()

    def span(self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value]) -> "_Running":
        """A span under `parent`, under the current one for None, or of a new trace for ''."""
        under = None if parent is None else self._context(parent)
        return _Running(self._tracer.start_span(name, under, _KINDS[kind], dict(attributes)))

    @contextmanager
    def resume(self, traceparent: str) -> Iterator[None]:
        """Makes the span of a traceparent the current one."""
        token = context.attach(self._context(traceparent))
        try:
            yield
        finally:
            context.detach(token)

    def current(self) -> tuple[str, str, bool] | None:
        """The current traceparent, its trace id, and whether it is kept."""
        now = trace.get_current_span().get_span_context()
        if not now.is_valid:
            return None
        trace_id, span_id = trace.format_trace_id(now.trace_id), trace.format_span_id(now.span_id)
        return f"00-{trace_id}-{span_id}-{now.trace_flags:02x}", trace_id, now.trace_flags.sampled

    def stop(self) -> None:
        """Sends what waits, for a few seconds at most."""
        self._provider.shutdown()

    def _context(self, traceparent: str) -> context.Context:
        """A context with the span of a traceparent; an empty one when it is malformed (W3C Trace Context §3.2)."""
        return self._wire.extract({TRACEPARENT: traceparent}, context.Context())


class _Running:
    """A span that is current inside the block. What failed is named by its type alone: messages may name people."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, _LEFT):
            self.fail(error.code().name if isinstance(error, grpc.aio.AioRpcError) else type(error).__name__)
        self._span.end()
        context.detach(self._token)

    def note(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, why: str) -> None:
        self._span.set_attribute("error.type", why)
        self._span.set_status(trace.StatusCode.ERROR)


class _Counted(SpanExporter):
    """Another exporter, whose successes and losses are counted."""

    def __init__(self, exporter: SpanExporter, count: Callable[[str, int], None]) -> None:
        self._exporter = exporter
        self._count = count

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self._count("sent" if result is SpanExportResult.SUCCESS else "lost", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
