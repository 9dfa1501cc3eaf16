"""Follows a request through the services as a trace, once a tracer is in use (`trace_start`); otherwise does nothing.

A trace begins where a request enters the system (`begin`), is carried as W3C Trace Context in gRPC metadata and NATS
headers, and is never taken from outside. Work that no request asked for has no trace.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self

TRACEPARENT = "traceparent"

Kind = Literal["server", "client", "producer", "consumer"]
Value = str | int | float | bool


class Span(Protocol):
    """One step of a trace, as the code inside it sees it."""

    def note(self, name: str, value: Value) -> None:
        """Adds an attribute; never personal data."""
        ...

    def fail(self, why: str) -> None:
        """Marks the step as failed, with the name of the failure."""
        ...


class Tracer(Protocol):
    """What makes spans once tracing is on."""

    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Value]
    ) -> AbstractContextManager[Span]:
        """A span under `parent` (a traceparent), under the current one when that is None, or a new trace for ''."""
        ...

    def resume(self, traceparent: str) -> AbstractContextManager[None]:
        """Makes the span of a traceparent the current one, without a new span."""
        ...

    def current(self) -> tuple[str, str, bool] | None:
        """The current traceparent, its trace id, and whether it is recorded."""
        ...

    def stop(self) -> None:
        """Sends what waits, for a few seconds at most."""
        ...


class _Nothing:
    """The span of a process that traces nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, stack: TracebackType | None) -> None:
        pass

    def note(self, name: str, value: Value) -> None: ...

    def fail(self, why: str) -> None: ...


NOTHING = _Nothing()
"""The span of what is not traced."""
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Makes `tracer` the one of this process; None turns tracing off."""
    global _tracer  # noqa: PLW0603 (one a process, like the logging configuration)
    _tracer = tracer


def stop() -> None:
    """Sends what waits and turns tracing off. Blocks for a few seconds at most."""
    if _tracer is not None:
        _tracer.stop()
    use(None)


def begin(name: str, **attributes: Value) -> AbstractContextManager[Span]:
    """A new trace, for a request that enters the system."""
    return NOTHING if _tracer is None else _tracer.span(name, "server", "", attributes)


def serve(name: str, traceparent: str, kind: Kind = "server", **attributes: Value) -> AbstractContextManager[Span]:
    """The serving side of a step that another process began; nothing when no trace came along."""
    if _tracer is None or not traceparent:
        return NOTHING
    return _tracer.span(name, kind, traceparent, attributes)


def call(name: str, kind: Kind = "client", **attributes: Value) -> AbstractContextManager[Span]:
    """The asking side of a step in another process; nothing outside of a trace."""
    if _tracer is None or _tracer.current() is None:
        return NOTHING
    return _tracer.span(name, kind, None, attributes)


def resumed(traceparent: str) -> "AbstractContextManager[object]":
    """The trace that queued work was asked for in, while that work is done; see `traceparent`."""
    if _tracer is None or not traceparent:
        return NOTHING
    return _tracer.resume(traceparent)


def traceparent() -> str:
    """The current span as other processes, or work queued for later, are told of it; empty outside of a trace."""
    now = None if _tracer is None else _tracer.current()
    return "" if now is None else now[0]


def trace_id() -> str:
    """The id of the current trace, empty outside of one."""
    now = None if _tracer is None else _tracer.current()
    return "" if now is None else now[1]


def exemplar() -> dict[str, str] | None:
    """The current trace as an exemplar of a histogram; None when it is not kept."""
    now = None if _tracer is None else _tracer.current()
    return {"trace_id": now[1]} if now is not None and now[2] else None
