"""BoothService: booths, who sits in them and who of them is heard."""

from typing import Any

from majlis.room_directory.v1 import booth_pb2, booth_service_pb2_grpc, languages_pb2
from majlis.room_directory.v1 import booth_service_pb2 as pb

from services.programme.channels import Channel
from services.programme.messages import channel_message
from services.room_directory.app.booth_desk import BoothDesk
from services.room_directory.app.booths import BoothCases
from services.room_directory.app.people import People
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.room import Room
from services.room_directory.messages import rooms as messages
from services.room_directory.rpc.asked import actor, own_seat

_RULES = {number: value for value, number in messages.BOOTH_RULES.items()}
_SIGNALS = {number: value for value, number in messages.SIGNAL_KINDS.items()}


class BoothServicer(booth_service_pb2_grpc.BoothServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, booths: BoothCases, desk: BoothDesk, people: People) -> None:
        self._booths = booths
        self._desk = desk
        self._people = people

    async def OpenBooth(self, request: pb.OpenBoothRequest, context: Any) -> pb.OpenBoothResponse:
        room = await self._booths.open_booth(actor(), request.room_id, request.language)
        return pb.OpenBoothResponse(booth=self._booth(room, request.language))

    async def CloseBooth(self, request: pb.CloseBoothRequest, context: Any) -> pb.CloseBoothResponse:
        unsaved = await self._booths.close_booth(actor(), request.room_id, request.language)
        return pb.CloseBoothResponse(unsaved=unsaved)

    async def OfferBooth(self, request: pb.OfferBoothRequest, context: Any) -> pb.OfferBoothResponse:
        offer = await self._booths.offer_booth(actor(), request.room_id, request.user_id, request.language)
        return pb.OfferBoothResponse(offer=messages.offer(offer))

    async def SitInBooth(self, request: pb.SitInBoothRequest, context: Any) -> pb.SitInBoothResponse:
        seated = await self._booths.sit_in_booth(
            actor(), request.room_id, request.language, Wish.of("", request.understands)
        )
        return pb.SitInBoothResponse(
            seat=own_seat(seated.room, self._people), permit=messages.media_permit(seated.permit)
        )

    async def TakeOver(self, request: pb.TakeOverRequest, context: Any) -> pb.TakeOverResponse:
        return pb.TakeOverResponse(booth=self._booth(*await self._booths.take_over(actor(), request.room_id)))

    async def SetBooth(self, request: pb.SetBoothRequest, context: Any) -> pb.SetBoothResponse:
        room = await self._booths.set_booth(
            actor(),
            request.room_id,
            request.language,
            rule=_RULES.get(request.rule),
            floor_after_seconds=request.floor_after_seconds if request.HasField("floor_after_seconds") else None,
            floor_level_db=request.floor_level_db if request.HasField("floor_level_db") else None,
        )
        return pb.SetBoothResponse(booth=self._booth(room, request.language))

    async def SetHearing(self, request: pb.SetHearingRequest, context: Any) -> pb.SetHearingResponse:
        room, own = await self._booths.set_hearing(actor(), request.room_id, request.language)
        return pb.SetHearingResponse(booth=self._booth(room, own))

    async def SendBoothSignal(self, request: pb.SendBoothSignalRequest, context: Any) -> pb.SendBoothSignalResponse:
        await self._desk.send_signal(actor(), request.room_id, _SIGNALS[request.kind], request.text)
        return pb.SendBoothSignalResponse()

    async def ListChannels(self, request: pb.ListChannelsRequest, context: Any) -> pb.ListChannelsResponse:
        channels = await self._desk.list_channels(actor(), request.room_id)
        return pb.ListChannelsResponse(
            channels=[
                languages_pb2.ChannelAudience(channel=channel_message(Channel(request.room_id, name)), listeners=many)
                for name, many in channels
            ]
        )

    def _booth(self, room: Room, language: str) -> booth_pb2.Booth:
        people = self._people.known(seat.user_id for seat in room.in_booth(language))
        return messages.booth_of(room, language, people)
