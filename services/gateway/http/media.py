"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over the media sessions of relays."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from google.rpc import status_pb2  # type: ignore[import-untyped]
from majlis.room_directory.v1 import room_pb2

from services.common.errors import DomainError
from services.common.ids import is_id
from services.gateway import reasons
from services.gateway.call.identity import bearer_of
from services.gateway.call.status import http_status
from services.gateway.domain.ice import IceServer
from services.gateway.domain.wish import LANGUAGE, THRIFT, UNDERSTANDS, Wish, wish_of
from services.gateway.http.asgi import Header, Request, Response, json_response, method_not_allowed
from services.gateway.http.problem import PROBLEM, problem
from services.gateway.media.ice import IceServers
from services.gateway.media.sessions import AUDIENCE, STAGE, MediaSessions, no_session, shown_token

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
_LARGEST_SDP = 64 * 1024
_LARGEST_FRAGMENT = 16 * 1024
_LONGEST_TAG = 128

# Bearer tokens only, so any page may ask; cookies are never looked at here.
_CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Location, ETag, Link, Accept-Patch, Retry-After"),
)
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-headers", b"Authorization, Content-Type, If-Match"),
    (b"access-control-max-age", b"86400"),
)
_WAIT_SECONDS = 2.0
_CHANNEL = "channel"
"""Below the address of a session: what it hears."""


@dataclass(frozen=True, slots=True)
class Media:
    """Serves /whip/<room>, /whep/<room>, /media/<relay>/<session>[/<sealed permit>] and, below that, /channel."""

    sessions: MediaSessions
    ice: IceServers

    async def __call__(self, request: Request) -> Response:
        """The response, with the CORS headers on each."""
        try:
            response = await self._route(request)
        except DomainError as error:
            return refuse(error)
        response.headers.extend(_CORS)
        return response

    async def _route(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[0] in ("whip", "whep") and len(parts) == 2:
            return await self._endpoint(request, parts[0], parts[1])
        if parts[0] == "media" and len(parts) in (4, 5) and parts[-1] == _CHANNEL:
            return await self._channel(request, parts[1], parts[2], parts[3] if len(parts) == 5 else None)
        if parts[0] == "media" and len(parts) in (3, 4):
            return await self._session(request, parts[1], parts[2], parts[3] if len(parts) == 4 else None)
        raise no_session()

    async def _endpoint(self, request: Request, protocol: str, room_id: str) -> Response:
        kind = STAGE if protocol == "whip" else AUDIENCE
        if request.method == "OPTIONS":
            return await self._endpoint_options(request, kind)
        if request.method != "POST":
            return method_not_allowed("POST", "OPTIONS")
        if request.content_type() != SDP:
            return unsupported(SDP, b"accept-post")
        shown = shown_token(bearer_of(request.header(b"authorization")))
        if not is_id(room_id):
            raise reasons.refuse("ROOM_NOT_FOUND", "no such room")
        # Nobody on a stage chooses a channel: what they understand says whom they need an interpreter for.
        wish = _wish(request, UNDERSTANDS) if kind == STAGE else _wish(request, LANGUAGE, UNDERSTANDS, THRIFT)
        offer = _text(await request.body(_LARGEST_SDP))
        if len(offer) < 10:
            return _problem("FIELD_INVALID", "the body is no SDP offer")
        opened = await self.sessions.open(room_id, kind, shown, request.network, offer, wish=wish)
        headers = [
            (b"content-type", SDP.encode()),
            (b"location", opened.location.encode()),
            (b"etag", opened.etag.encode()),
            (b"accept-patch", FRAGMENT.encode()),
            (b"cache-control", b"no-store"),
            *_links(self.ice.fresh()),
        ]
        return Response(201, headers, opened.answer_sdp.encode())

    async def _endpoint_options(self, request: Request, kind: "room_pb2.MediaKind.ValueType") -> Response:
        """What the endpoint takes; who shows a token that may open sessions also gets the ICE servers (RFC 9725 §4.6).

        A browser's preflight shows none, and a permit is checked by its relay alone: its bearer has them with it.
        """
        response = _options("POST, OPTIONS", (b"accept-post", SDP.encode()))
        shown = bearer_of(request.header(b"authorization"))
        if shown is not None and self.ice and await self.sessions.may_open(kind, shown, request.network):
            response.headers += [(b"cache-control", b"no-store"), *_links(self.ice.fresh())]
        return response

    async def _session(self, request: Request, relay_id: str, session_id: str, sealed: str | None) -> Response:
        if request.method == "OPTIONS":
            return _options("PATCH, DELETE, OPTIONS", (b"accept-patch", FRAGMENT.encode()))
        if request.method not in ("PATCH", "DELETE"):
            return method_not_allowed("PATCH", "DELETE", "OPTIONS")
        shown = shown_token(bearer_of(request.header(b"authorization")))
        if not is_id(relay_id) or not is_id(session_id):
            raise no_session()
        request.words()
        if request.method == "PATCH" and request.content_type() != FRAGMENT:
            return unsupported(FRAGMENT, b"accept-patch")
        if_match = request.header(b"if-match")
        if request.method == "PATCH" and not if_match:
            return _problem("IF_MATCH_MISSING", "If-Match must carry the session's ETag, or * to restart ICE")
        if request.method == "DELETE":
            await request.no_body()
        permit = await self.sessions.permit_of(session_id, sealed, shown, request.network)
        if request.method == "DELETE":
            await self.sessions.delete(relay_id, session_id, permit)
            return Response(200, [(b"cache-control", b"no-store")])
        return await self._patch(request, relay_id, session_id, permit, (if_match or "")[: _LONGEST_TAG + 1])

    async def _channel(self, request: Request, relay_id: str, session_id: str, sealed: str | None) -> Response:
        """Lets a session hear something else, by a new permit or, for the bearer of a token, as the query wishes."""
        if request.method == "OPTIONS":
            return _options("PUT, OPTIONS")
        if request.method != "PUT":
            return method_not_allowed("PUT", "OPTIONS")
        shown = shown_token(bearer_of(request.header(b"authorization")))
        if not is_id(relay_id) or not is_id(session_id):
            raise no_session()
        wish = _wish(request, LANGUAGE, UNDERSTANDS, THRIFT)
        await request.no_body()
        channel = await self.sessions.change(relay_id, session_id, sealed, shown, request.network, wish=wish)
        return json_response(200, {"channel": channel})

    async def _patch(self, request: Request, relay_id: str, session_id: str, permit: str, if_match: str) -> Response:
        if len(if_match) > _LONGEST_TAG:
            return _problem("ETAG_MISMATCH", "that ETag is not one of ours")
        fragment = _text(await request.body(_LARGEST_FRAGMENT))
        patched = await self.sessions.patch(relay_id, session_id, permit, if_match, fragment)
        if not patched.fragment:
            return Response(204, [(b"cache-control", b"no-store")])
        headers = [
            (b"content-type", FRAGMENT.encode()),
            (b"etag", patched.etag.encode()),
            (b"cache-control", b"no-store"),
        ]
        return Response(200, headers, patched.fragment.encode())


def refuse(error: DomainError) -> Response:
    """The problem response of a refusal, with the status these protocols have for it."""
    if reasons.waits_for_room(error.reason) and error.retry_after_seconds is None:
        error.retry_after_seconds = _WAIT_SECONDS
    return problem(error, *_CORS, status_code=reasons.refusal_of(error.reason).http_status or None)


def _options(methods: str, *headers: Header) -> Response:
    allow = methods.encode()
    return Response(204, [(b"allow", allow), (b"access-control-allow-methods", allow), *_PREFLIGHT, *headers])


def unsupported(media_type: str, header: bytes) -> Response:
    """415 with the type that is wanted, in the header that names it."""
    response = _problem("MEDIA_TYPE_UNSUPPORTED", f"the body must be {media_type}")
    response.headers.append((header, media_type.encode()))
    return response


def _problem(reason: str, detail: str) -> Response:
    refusal = reasons.refusal_of(reason)
    status = refusal.http_status or http_status(status_pb2.Status(code=refusal.code))
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json_response(status, {**body, "reason": reason}, media_type=PROBLEM)


def _links(servers: Iterable[IceServer]) -> list[Header]:
    """Link headers for ICE servers (RFC 9725 §4.6), one an address."""
    return [
        (b"link", "; ".join([f"<{url}>", 'rel="ice-server"', *_parameters(server)]).encode())
        for server in servers
        for url in server.urls
    ]


def _parameters(server: IceServer) -> list[str]:
    if not server.username:
        return []
    return [f'username="{server.username}"', f'credential="{server.credential}"', 'credential-type="password"']


def _wish(request: Request, *known: str) -> Wish:
    try:
        return wish_of(request.words(*known))
    except ValueError as error:
        raise reasons.refuse("LANGUAGE_INVALID", str(error)) from None


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
