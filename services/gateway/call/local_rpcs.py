"""The RPCs the gateway answers itself: what it is, and what happens in a room."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import DecodeError
from majlis.gateway.v1 import caption_stream_service_pb2, event_service_pb2

from services.common.errors import FieldInvalid
from services.common.ids import is_id
from services.common.trust.tokens import AccessToken
from services.common.version import VERSION
from services.gateway.settings import Settings
from services.gateway.watch.streams import Watching

GET_SERVER_INFO = "/majlis.gateway.v1.ServerService/GetServerInfo"
WATCH = "/majlis.gateway.v1.EventService/Watch"
WATCH_CAPTIONS = "/majlis.gateway.v1.CaptionStreamService/WatchCaptions"
CAPTION_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|floor)\Z")
"""What captions can be of, as the contract has it."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a client needs to know before anybody signs in."""

    settings: Settings
    grpc_address: str
    """host:port of the public gRPC port as clients reach it; empty when closed."""

    async def answer(self, _request: bytes) -> bytes:
        """GetServerInfo, as bytes."""
        return event_service_pb2.GetServerInfoResponse(
            deployment=self.settings.deployment,
            version=VERSION,
            url=self.settings.origin,
            grpc_address=self.grpc_address,
            needs_owner=self.needs_owner(),
        ).SerializeToString()

    def describe(self) -> dict[str, object]:
        """The same in a few words, for /.well-known/majlis.json."""
        return {
            "deployment": self.settings.deployment,
            "version": VERSION,
            "url": self.settings.origin,
            "grpc": self.grpc_address,
            "needs_owner": self.needs_owner(),
        }

    def needs_owner(self) -> bool:
        """Whether the owner link still waits to be used."""
        return self.settings.owner_link_file is not None and self.settings.owner_link_file.exists()


async def watch(watching: Watching, access: AccessToken, request: bytes) -> AsyncGenerator[bytes, None]:
    """Watch: serialised responses until the stream ends. Raises why it ended, or what kept it from opening."""
    asked = _read(request)
    after = asked.after_revision or None
    subscriber = await watching.watch(access, asked.room_id, after, speakers=asked.speakers)
    try:
        while frames := await subscriber.take():
            for frame in frames:
                if frame.watch:
                    yield frame.watch
        if subscriber.why is not None:
            raise subscriber.why
    finally:
        watching.leave(subscriber)


async def watch_captions(watching: Watching, access: AccessToken, request: bytes) -> AsyncGenerator[bytes, None]:
    """WatchCaptions: serialised responses until the stream ends, or it is refused; what is past first."""
    room_id, language = _read_captions(request)
    reader = await watching.watch_captions(access, room_id, language)
    try:
        while (batch := await reader.take()) is not None:
            yield batch.watch
        if reader.why is not None:
            raise reader.why
    finally:
        watching.leave(reader)


def streams_of(watching: Watching) -> Mapping[str, Callable[[AccessToken, bytes], AsyncGenerator[bytes, None]]]:
    """What answers each RPC that streams, by path."""
    return {WATCH: partial(watch, watching), WATCH_CAPTIONS: partial(watch_captions, watching)}


def _read_captions(request: bytes) -> tuple[str, str]:
    try:
        message = caption_stream_service_pb2.WatchCaptionsRequest.FromString(request)
    except DecodeError:
        raise FieldInvalid("the request is not a WatchCaptionsRequest") from None
    if not is_id(message.room_id):
        raise FieldInvalid(fields=(("room_id", "must be a room's id"),))
    if not CAPTION_LANGUAGE.match(message.language):
        raise FieldInvalid(fields=(("language", "must be two or three small letters, or floor"),))
    return message.room_id, message.language


def _read(request: bytes) -> event_service_pb2.WatchRequest:
    try:
        message = event_service_pb2.WatchRequest.FromString(request)
    except DecodeError:
        raise FieldInvalid("the request is not a WatchRequest") from None
    if not is_id(message.room_id):
        raise FieldInvalid(fields=(("room_id", "must be a room's id"),))
    return message
