"""The captions of the small server for tests of clients."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from majlis.auth.v1 import account_pb2
from majlis.gateway.v1 import caption_stream_service_pb2, caption_stream_service_pb2_grpc
from majlis.room_directory.v1 import caption_pb2, caption_service_pb2


class CaptionDesk:
    """Keeps who may write captions, and tells what is written."""

    hall: Any

    async def SendCaption(self, request: Any, context: Any) -> Any:
        if self.hall.caption_refusals:
            raise self.hall.caption_refusals.pop(0)
        caption = caption_pb2.Caption(
            caption_id=request.caption_id, writer_id="omar", language=request.language, text=request.text,
            final=request.final, speaker_user_id=request.speaker_user_id, spoken_at=request.spoken_at,
        )  # fmt: skip
        caption.changed_at.GetCurrentTime()
        self.hall.captions.append(caption)
        for stream in self.hall.caption_streams:
            stream.put_nowait(caption)
        return caption_service_pb2.SendCaptionResponse(caption=caption)

    async def GrantCaptioning(self, request: Any, context: Any) -> Any:
        captioner = self.hall.captioners.setdefault(
            request.user_id, caption_pb2.Captioner(person=account_pb2.Profile(user_id=request.user_id, handle="omar"))
        )
        captioner.languages.append(request.language)
        return caption_service_pb2.GrantCaptioningResponse(captioner=captioner)

    async def RevokeCaptioning(self, request: Any, context: Any) -> Any:
        captioner = self.hall.captioners[request.user_id]
        captioner.languages.remove(request.language)
        if not captioner.languages:
            del self.hall.captioners[request.user_id]
        return caption_service_pb2.RevokeCaptioningResponse()

    async def MuteCaptioner(self, request: Any, context: Any) -> Any:
        self.hall.captioners[request.user_id].muted = request.muted
        return caption_service_pb2.MuteCaptionerResponse()


class FakeCaptionStreams(caption_stream_service_pb2_grpc.CaptionStreamServiceServicer):
    """What was written, then what is; None among the captions breaks the streams off."""

    def __init__(self, hall: Any) -> None:
        self.hall = hall

    async def WatchCaptions(self, request: Any, context: Any) -> AsyncIterator[Any]:
        stream: asyncio.Queue[caption_pb2.Caption | None] = asyncio.Queue()
        self.hall.caption_streams.append(stream)
        try:
            past = [each for each in self.hall.captions if each.language == request.language]
            yield caption_stream_service_pb2.WatchCaptionsResponse(captions=past, past=True)
            while (caption := await stream.get()) is not None:
                yield caption_stream_service_pb2.WatchCaptionsResponse(captions=[caption])
        finally:
            self.hall.caption_streams.remove(stream)
