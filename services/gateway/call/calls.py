"""Admits the calls of people and carries each to whom it is for: the one use case of both edges."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.common.errors import DomainError, NotSignedIn
from services.common.trust.tokens import AccessToken
from services.gateway.call.caller import Caller
from services.gateway.call.crowds import Crowds
from services.gateway.call.faults import Faults
from services.gateway.call.forwarder import Metadata, UpstreamRefused
from services.gateway.call.identity import Identities
from services.gateway.call.offered import ACCESS, REFRESH, Catalogue, Offered, read_field, write_field
from services.gateway.call.status import status_from
from services.gateway.domain.cookies import Credentials
from services.gateway.messages.reading import as_bytes, parse_proto

Read = Callable[[], Awaitable[bytes | Message]]
"""Gives the request, as a message or as bytes that are known to be one. Raises BodyInvalid."""
LocalRpc = Callable[[bytes], Awaitable[bytes]]
PersonalRpc = Callable[[AccessToken, bytes], Awaitable[bytes]]
LocalStream = Callable[[AccessToken, bytes], AsyncGenerator[bytes, None]]


class Owners(Protocol):
    """The services that calls are forwarded to."""

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        """The response's bytes."""
        ...

    def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncGenerator[bytes, None]:
        """The responses' bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with."""

    message: bytes | Message
    credentials: Credentials | None = None
    """What was taken out of the message, for who keeps it elsewhere; an empty text means that it is over."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Every call of people comes through here, whatever it is about and however it was spelt."""

    catalogue: Catalogue
    owners: Owners
    identities: Identities
    local: Mapping[str, LocalRpc]
    """RPCs the gateway answers itself, by path."""
    local_of_people: Mapping[str, PersonalRpc]
    """Those of them that ask who calls."""
    local_streams: Mapping[str, LocalStream]
    faults: Faults
    crowds: Crowds

    async def unary(self, offered: Offered, caller: Caller, read: Read, seconds: float) -> Answer:
        """The answer to one call. Nothing is read for somebody who may not call.

        Raises NotSignedIn, BodyInvalid, what the owner refuses, or that it is away or too slow, and Crowded.
        """
        token = await self._admit(offered, caller)
        request = _with_refresh_token(await read(), offered, caller)
        personal = self.local_of_people.get(offered.path)
        if personal is not None:
            access = await self.identities.verify(token or "", offered.policy.scope)
            return Answer(await personal(access, as_bytes(request)))
        if not offered.policy.draws_crowds:
            return await self._carried(offered, caller, as_bytes(request), caller.metadata(token), seconds)
        # Read before it has its turn: nobody waits for a body that comes slowly.
        message = parse_proto(request, offered.request_type) if isinstance(request, bytes) else request
        knock = await self.crowds.believed(self.crowds.knock(offered, message, token), token)
        async with self.crowds.turn(knock):
            told = caller.metadata(token) + knock.waited(self.crowds.now())
            return await self._carried(offered, caller, as_bytes(message), told, seconds)

    async def _carried(
        self, offered: Offered, caller: Caller, request: bytes, told: Metadata, seconds: float
    ) -> Answer:
        local = self.local.get(offered.path)
        if local is not None:
            return Answer(await local(request))
        response = await self.owners.unary(offered, request, told, seconds)
        if caller.is_browser and offered.response_credentials:
            return _without_credentials(offered, response)
        return Answer(response)

    async def stream(self, offered: Offered, caller: Caller, read: Read) -> AsyncGenerator[bytes, None]:
        """The responses of an RPC that streams them. Raises as `unary` does."""
        token = await self._admit(offered, caller)
        request = as_bytes(await read())
        local = self.local_streams.get(offered.path)
        if local is not None:
            responses = local(await self.identities.verify(token or "", offered.policy.scope), request)
        else:
            responses = self.owners.stream(offered, request, caller.metadata(token))
        # Left early, it ends at once: a watcher's place is free for somebody else.
        async with aclosing(responses):
            async for response in responses:
                yield response

    def refusal(self, offered: Offered, error: Exception) -> status_pb2.Status:
        """What a client is told of what a call raised; a fault of ours is in the log, and called one."""
        if isinstance(error, DomainError | UpstreamRefused):
            return status_from(error)
        return status_from(self.faults.note(offered.path, error))

    async def _admit(self, offered: Offered, caller: Caller) -> str | None:
        """The access token, unverified: the owner does that. Raises NotSignedIn, or why there is none for this one."""
        if caller.shown is not None:
            return await self.identities.access_token(caller.shown, caller.network)
        if offered.policy.needs_token:
            raise NotSignedIn("this RPC needs an access token")
        return None


def _with_refresh_token(request: bytes | Message, offered: Offered, caller: Caller) -> bytes | Message:
    """The request with the cookie's refresh token where the contract has a place for one."""
    path = offered.request_credentials.get(REFRESH)
    if path is None or caller.refresh_token is None:
        return request
    message = parse_proto(request, offered.request_type) if isinstance(request, bytes) else request
    write_field(message, path, caller.refresh_token)
    return message


def _without_credentials(offered: Offered, response: bytes) -> Answer:
    message = offered.response_type.FromString(response)
    found: dict[int, str] = {}
    for kind, path in offered.response_credentials.items():
        found[kind] = read_field(message, path)
        write_field(message, path, "")
    return Answer(message, Credentials(found.get(ACCESS), found.get(REFRESH)))
