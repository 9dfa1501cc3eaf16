"""CaptionService: who may write captions, writing them, and what moderators do about them."""

from typing import Any

from majlis.room_directory.v1 import caption_service_pb2 as pb
from majlis.room_directory.v1 import caption_service_pb2_grpc

from services.room_directory.app.captions import CaptionCases
from services.room_directory.app.people import People
from services.room_directory.messages import captions as wire
from services.room_directory.rpc.asked import actor


class CaptionServicer(caption_service_pb2_grpc.CaptionServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, captions: CaptionCases, people: People) -> None:
        self._captions = captions
        self._people = people

    async def GrantCaptioning(self, request: pb.GrantCaptioningRequest, context: Any) -> pb.GrantCaptioningResponse:
        granted = await self._captions.grant(actor(), request.room_id, request.user_id, request.language)
        people = self._people.known((request.user_id,))
        return pb.GrantCaptioningResponse(captioner=wire.captioner(granted, people))

    async def RevokeCaptioning(self, request: pb.RevokeCaptioningRequest, context: Any) -> pb.RevokeCaptioningResponse:
        unsaved = await self._captions.revoke(actor(), request.room_id, request.user_id, request.language)
        return pb.RevokeCaptioningResponse(unsaved=unsaved)

    async def MuteCaptioner(self, request: pb.MuteCaptionerRequest, context: Any) -> pb.MuteCaptionerResponse:
        unsaved = await self._captions.mute(actor(), request.room_id, request.user_id, muted=request.muted)
        return pb.MuteCaptionerResponse(unsaved=unsaved)

    async def SendCaption(self, request: pb.SendCaptionRequest, context: Any) -> pb.SendCaptionResponse:
        written = await self._captions.send(actor(), request.room_id, request.language, wire.words(request))
        return pb.SendCaptionResponse(caption=wire.caption(written))

    async def CorrectCaption(self, request: pb.CorrectCaptionRequest, context: Any) -> pb.CorrectCaptionResponse:
        name = request.writer_id, request.caption_id
        corrected = await self._captions.correct(
            actor(), request.room_id, request.language, name=name, text=request.text
        )
        return pb.CorrectCaptionResponse(caption=wire.caption(corrected))

    async def HideCaption(self, request: pb.HideCaptionRequest, context: Any) -> pb.HideCaptionResponse:
        name = request.writer_id, request.caption_id
        await self._captions.hide(actor(), request.room_id, request.language, name=name)
        return pb.HideCaptionResponse()
