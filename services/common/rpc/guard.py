"""The interceptor chain of every RPC: identity, policy, limits, deadline, errors, metrics and one log line."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc
import protovalidate
import structlog
from google.protobuf.message import Message

from services.common.errors import DomainError, FieldInvalid, TooSlow
from services.common.rpc.caller import (
    FORWARDED_NETWORK,
    FORWARDED_REGION,
    FORWARDED_WAITED,
    REQUEST_ID,
    SERVICE_NAME,
    SERVICE_SECRET,
    caller_or_none,
    request_id_from,
    set_caller,
    set_remaining,
    waited_from,
)
from services.common.rpc.errors import STATUS_DETAILS, RemoteError, code_of, raise_for, status_of
from services.common.rpc.policy import MethodPolicy, admit
from services.common.rpc.reading import check_readable
from services.common.rpc.reasons import Refusal, kind_of
from services.common.sight import tracing
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.throttle import Throttles
from services.common.trust.peer_identity import PeerIdentities
from services.common.trust.tokens import TokenVerifier

if TYPE_CHECKING:
    # Generic only in its stubs.
    Handler = grpc.RpcMethodHandler[Any, Any]

DEFAULT_DEADLINE_SECONDS = 10.0
# Answers that are the server's own fault; the others are refusals, which are an RPC's everyday results.
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}

_log = get_logger("rpc")


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """How a calling service proves its name: by its certificate under mutual TLS, else by the shared secret."""

    secret: str
    peers: PeerIdentities | None

    def prove(self, metadata: Mapping[str, str], peer: Mapping[str, Iterable[bytes]]) -> str | None:
        """The proven name, or None when there is none or the proof fails."""
        if self.peers is not None:
            # What the metadata claims does not matter: the certificate says who it is.
            return self.peers.service_of(peer)
        name = metadata.get(SERVICE_NAME)
        if not name:
            return None
        given = metadata.get(SERVICE_SECRET, "")
        return name if hmac.compare_digest(given.encode(), self.secret.encode()) else None


class Guard(grpc.aio.ServerInterceptor):
    """Wraps the handler of every RPC that has a policy; health and reflection have none and pass as they are."""

    def __init__(
        self,
        identity: ServiceIdentity,
        verifier: TokenVerifier | None,
        metrics: Metrics,
        *,
        strict: bool,
        logged_fields: tuple[str, ...] = (),
        quiet: frozenset[str] = frozenset(),
    ) -> None:
        """`logged_fields` of requests are ids that each log line of the call carries, if the request has them.

        Of the methods in `quiet` a line is worth writing only where they are refused: they carry sound.
        """
        self._identity = identity
        self._verifier = verifier
        self._strict = strict
        self._logged_fields = logged_fields
        self._quiet = quiet
        self._policies: dict[str, MethodPolicy] = {}
        self._reasons: dict[str, Refusal] = {}
        # Bound once: the logger of a module is looked up anew for each line.
        self._log = _log.bind()
        self._wrapped: dict[str, Handler] = {}
        self._strangers = Throttles()
        self._faults = Throttles()
        self._requests = metrics.counter(
            "majlis_rpc_requests_total", "RPCs answered, by status code.", ("service", "method", "code")
        )
        self._durations = metrics.histogram(
            "majlis_rpc_duration_seconds", "Time to answer a unary RPC.", ("service", "method")
        )
        self._nonconforming = metrics.counter(
            "majlis_rpc_nonconforming_total",
            "RPCs refused in a way the contract does not document.",
            ("service", "method"),
        )

    def cover(self, policies: Mapping[str, MethodPolicy], reasons: Mapping[str, Refusal]) -> None:
        """Adds RPCs to guard and the reasons their contract documents."""
        self._policies.update(policies)
        self._reasons.update(reasons)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Called by gRPC for each call: the guarded handler, made once per RPC."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        policy = self._policies.get(path)
        if handler is None or policy is None:
            return handler
        wrapped = self._wrapped[path] = self._wrap(handler, policy)
        return wrapped

    def _wrap(self, handler: Any, policy: MethodPolicy) -> "Handler":
        async def unary(request: Message, context: Any) -> Any:
            metadata = text_metadata(context.invocation_metadata())
            with tracing.serve(policy.path[1:], metadata.get(tracing.TRACEPARENT, "")) as span:
                response: Any = None
                with _Call(self, policy, span) as call:
                    async with asyncio.timeout(_remaining(context)):
                        await self._check(policy, request, context, metadata, span)
                        response = await handler.unary_unary(request, context)
                await _tell(call.refusal, context)
                return response

        async def stream(request: Message, context: Any) -> AsyncIterator[Any]:
            # No span: a stream may last for hours.
            metadata, span = text_metadata(context.invocation_metadata()), tracing.NOTHING
            with _Call(self, policy, span) as call:
                async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS):
                    await self._check(policy, request, context, metadata, span)
                async for response in handler.unary_stream(request, context):
                    yield response
            await _tell(call.refusal, context)

        if policy.streams_out:
            return grpc.unary_stream_rpc_method_handler(
                stream, handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(unary, handler.request_deserializer, handler.response_serializer)

    async def _check(
        self, policy: MethodPolicy, request: Message, context: Any, metadata: dict[str, str], span: tracing.Span
    ) -> None:
        """Who calls, whether it may, and whether the request keeps the contract's limits."""
        service = self._identity.prove(metadata, context.auth_context())
        request_id = request_id_from(metadata.get(REQUEST_ID))
        structlog.contextvars.bind_contextvars(request_id=request_id)
        span.note("request_id", request_id)
        caller = await admit(
            policy,
            metadata,
            self._verifier,
            service=service,
            network=metadata.get(FORWARDED_NETWORK, "") if service is not None else "",
            region=metadata.get(FORWARDED_REGION, "") if service is not None else "",
            waited=waited_from(metadata.get(FORWARDED_WAITED)) if service is not None else 0,
            request_id=request_id,
        )
        set_caller(caller)
        check_readable(request)
        if not policy.streams_out:
            set_remaining(_remaining(context))
        validate(request)
        # Only now: what was not validated may be anything, and is in no log.
        for name in self._logged_fields:
            value = getattr(request, name, None)
            if value:
                structlog.contextvars.bind_contextvars(**{name: value})
                span.note(name, value)

    def refusal(self, policy: MethodPolicy, error: Exception) -> DomainError:
        if isinstance(error, grpc.RpcError) and not isinstance(error, grpc.aio.AbortError):
            error = raise_for(error)
        if isinstance(error, TimeoutError):
            return TooSlow("the answer was not there in time")
        if not isinstance(error, DomainError):
            left_out = self._faults.passes((policy.path, type(error)))
            if left_out is not None:
                self._log.error("RPC failed", method=policy.path, left_out=left_out, exc_info=error)
            return DomainError("a fault of ours; the log has it under this request's id")
        # Reasons of other services are documented in their contracts, and were checked where they arose.
        if not isinstance(error, RemoteError) and not self._documents(error):
            self._nonconforming.labels(policy.service, policy.method).inc()
            self._log.error("undocumented refusal", method=policy.path, reason=error.reason, kind=error.kind)
            if self._strict:
                return DomainError(f"the contract does not document {error.reason} as {error.kind}")
        return error

    def _documents(self, error: DomainError) -> bool:
        declared = self._reasons.get(error.reason)
        return declared is not None and kind_of(declared) == error.kind

    def account(self, policy: MethodPolicy, code: str, seconds: float, refusal: DomainError | None) -> None:
        self._requests.labels(policy.service, policy.method, code).inc()
        if not policy.streams_out:
            self._durations.labels(policy.service, policy.method).observe(seconds, tracing.exemplar())
        fields = {"method": policy.path, "code": code, "milliseconds": round(seconds * 1000, 1)}
        if refusal is not None:
            self._say_refused(policy, refusal.reason, fields)
        elif policy.no_side_effects or policy.method in self._quiet:
            self._log.debug("RPC served", **fields)
        else:
            self._log.info("RPC served", **fields)

    def _say_refused(self, policy: MethodPolicy, reason: str, fields: dict[str, Any]) -> None:
        """A line for each refusal of somebody known; of strangers one a kind now and then, or they would fill disks."""
        caller = caller_or_none()
        if caller is not None and caller.kind != "public":
            self._log.info("RPC refused", reason=reason, **fields)
            return
        left_out = self._strangers.passes((policy.path, reason))
        if left_out is not None:
            self._log.info("RPC refused", reason=reason, left_out=left_out, **fields)


class _Call:
    """Around one call: whatever comes out of it becomes a documented status, a metric and a log line.

    Where the call is refused it ends without an exception, and `refusal` is what its caller is to be told.
    """

    __slots__ = ("_guard", "_policy", "_span", "_started", "refusal")

    def __init__(self, guard: Guard, policy: MethodPolicy, span: tracing.Span) -> None:
        self.refusal: DomainError | None = None
        self._guard = guard
        self._policy = policy
        self._span = span
        self._started = time.perf_counter()

    def __enter__(self) -> Self:
        structlog.contextvars.clear_contextvars()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        code = "OK"
        if isinstance(error, Exception):
            self.refusal = self._guard.refusal(self._policy, error)
            code = code_of(self.refusal).name
            self._span.note("reason", self.refusal.reason)
            if code in _FAULTS:
                self._span.fail(code)
        elif error is not None:
            code = grpc.StatusCode.CANCELLED.name
        self._span.note("rpc.response.status_code", code)
        self._guard.account(self._policy, code, time.perf_counter() - self._started, self.refusal)
        return self.refusal is not None


async def _tell(refusal: DomainError | None, context: Any) -> None:
    """Ends the call by what it is refused for, if it is."""
    if refusal is not None:
        status = status_of(refusal).SerializeToString()
        await context.abort(code_of(refusal), refusal.message, trailing_metadata=((STATUS_DETAILS, status),))


def validate(message: Message) -> None:
    """Holds a message against the field rules of its contract. Raises FieldInvalid naming every broken one."""
    violations = protovalidate.collect_violations(message)
    if violations:
        raise FieldInvalid(fields=tuple((_path(v.proto), v.proto.message or v.proto.rule_id) for v in violations))


def text_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str]:
    """The textual metadata of a call; of a repeated key the first value."""
    texts: dict[str, str] = {}
    for key, value in metadata or ():
        if isinstance(value, str):
            texts.setdefault(key, value)
    return texts


def _remaining(context: Any) -> float:
    remaining = context.time_remaining()
    return DEFAULT_DEADLINE_SECONDS if remaining is None else float(remaining)


def _path(violation: Any) -> str:
    """A field path as people write it: profile.spoken_languages[2]."""
    if violation.field is None:
        return ""
    parts: list[str] = []
    for element in violation.field.elements:
        subscript = element.subscript
        parts.append(str(element.field_name) + (f"[{subscript.value}]" if subscript is not None else ""))
    return ".".join(parts)
