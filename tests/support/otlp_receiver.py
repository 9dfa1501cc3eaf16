"""A collector for traces: a real OTLP server that keeps what it is sent."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

KINDS = {
    trace_pb2.Span.SPAN_KIND_SERVER: "server",
    trace_pb2.Span.SPAN_KIND_CLIENT: "client",
    trace_pb2.Span.SPAN_KIND_PRODUCER: "producer",
    trace_pb2.Span.SPAN_KIND_CONSUMER: "consumer",
}


@dataclass(frozen=True)
class Span:
    """One step of a trace, as a backend would show it."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    attributes: dict[str, Any]

    @property
    def step(self) -> tuple[str, str, str]:
        return self.service, self.kind, self.name.rsplit(".", 1)[-1]


class OtlpReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span."""

    def __init__(self) -> None:
        self.port = 0
        self.raw: list[bytes] = []
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> pb.ExportTraceServiceResponse:
        with self._lock:
            self.raw.append(request.SerializeToString())
            for resource in request.resource_spans:
                service = str(_values(resource.resource.attributes)["service.name"])
                self._spans += [_span(service, span) for scope in resource.scope_spans for span in scope.spans]
        return pb.ExportTraceServiceResponse()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def begun_by(self, name: str) -> list[Span]:
        """The whole trace whose first span has this name; empty while it is not there."""
        roots = [span for span in self.spans if not span.parent_id and span.name.endswith(name)]
        return self.trace(roots[-1].trace_id) if roots else []


@contextmanager
def receiving() -> Iterator[OtlpReceiver]:
    """A receiver on a free loopback port."""
    receiver = OtlpReceiver()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
    receiver.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield receiver
    finally:
        server.stop(1).wait(5)


def _span(service: str, span: trace_pb2.Span) -> Span:
    failed = span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    return Span(service, span.name, KINDS[span.kind], *ids, failed, _values(span.attributes))


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
