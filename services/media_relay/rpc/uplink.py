"""Microphones over gateways: contract in, use case, contract out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import grpc
from majlis.media_relay.v1 import uplink_service_pb2 as pb
from majlis.media_relay.v1 import uplink_service_pb2_grpc as pb_grpc

from services.common.errors import DomainError
from services.media_relay.messages import session_cause
from services.media_relay.sessions.speaking import Speaking, Voice

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]


class UplinkRpc(pb_grpc.UplinkServiceServicer):
    def __init__(self, speaking: Speaking, count_join: Callable[[str], None]) -> None:
        self._speaking = speaking
        self._count_join = count_join

    async def Speak(self, request: pb.SpeakRequest, _context: Context) -> AsyncIterator[pb.SpeakResponse]:
        try:
            voice = await self._speaking.open(request.permit)
        except DomainError as error:
            self._count_join(error.reason)
            raise
        self._count_join("OK")
        try:
            async for told in _told(voice):
                yield told
        finally:
            # Whoever asked has gone, or the session has ended already.
            self._speaking.close(voice)

    async def PutSound(self, request: pb.PutSoundRequest, _context: Context) -> pb.PutSoundResponse:
        """Brings sound of a session that Speak opened."""
        self._speaking.put(request.session_id, [(each.timestamp, each.opus) for each in request.sounds])
        return pb.PutSoundResponse()


async def _told(voice: Voice) -> AsyncIterator[pb.SpeakResponse]:
    muted = voice.muted
    session = voice.session
    opened = pb.SpeakOpened(session_id=session.session_id, member=session.permit.member, muted=muted)
    yield pb.SpeakResponse(opened=opened)
    while voice.ended is None:
        await voice.changed()
        if voice.muted != muted and voice.ended is None:
            muted = voice.muted
            yield pb.SpeakResponse(muted=pb.SpeakMuted(muted=muted))
    yield pb.SpeakResponse(ended=pb.SpeakEnded(cause=session_cause(voice.ended)))
