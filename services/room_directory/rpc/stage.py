"""StageService: hands, offers, microphones and roles."""

from typing import Any

from majlis.room_directory.v1 import stage_service_pb2 as pb
from majlis.room_directory.v1 import stage_service_pb2_grpc
from majlis.room_directory.v1.languages_pb2 import SetSpokenLanguageRequest, SetSpokenLanguageResponse

from services.room_directory.app.people import People
from services.room_directory.app.stage import StageCases
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.seats import DeedKind
from services.room_directory.messages import rooms as messages
from services.room_directory.rpc.asked import actor, own_seat

_DEEDS = {
    pb.DEED_MUTE: DeedKind.MUTE,
    pb.DEED_MAKE_MODERATOR: DeedKind.MAKE_MODERATOR,
    pb.DEED_DISMISS_HAND: DeedKind.DISMISS_HAND,
}


class StageServicer(stage_service_pb2_grpc.StageServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, stage: StageCases, people: People) -> None:
        self._stage = stage
        self._people = people

    async def RaiseHand(self, request: pb.RaiseHandRequest, context: Any) -> pb.RaiseHandResponse:
        room = await self._stage.raise_hand(actor(), request.room_id, request.question, request.language)
        return pb.RaiseHandResponse(seat=own_seat(room, self._people))

    async def LowerHand(self, request: pb.LowerHandRequest, context: Any) -> pb.LowerHandResponse:
        room = await self._stage.lower_hand(actor(), request.room_id)
        return pb.LowerHandResponse(seat=own_seat(room, self._people))

    async def ListHands(self, request: pb.ListHandsRequest, context: Any) -> pb.ListHandsResponse:
        room = await self._stage.list_hands(actor(), request.room_id)
        queue = messages.hand_queue(room, self._people.known(room.hands))
        return pb.ListHandsResponse(hands=queue.hands, queue_revision=queue.queue_revision)

    async def AttendHands(self, request: pb.AttendHandsRequest, context: Any) -> pb.AttendHandsResponse:
        await self._stage.attend_hands(actor(), request.room_id)
        return pb.AttendHandsResponse()

    async def DismissHand(self, request: pb.DismissHandRequest, context: Any) -> pb.DismissHandResponse:
        unsaved = await self._stage.dismiss_hand(actor(), request.room_id, request.user_id)
        return pb.DismissHandResponse(unsaved=unsaved)

    async def OfferStage(self, request: pb.OfferStageRequest, context: Any) -> pb.OfferStageResponse:
        offer = await self._stage.offer_stage(actor(), request.room_id, request.user_id)
        return pb.OfferStageResponse(offer=messages.offer(offer))

    async def WithdrawOffer(self, request: pb.WithdrawOfferRequest, context: Any) -> pb.WithdrawOfferResponse:
        unsaved = await self._stage.withdraw_offer(actor(), request.room_id, request.user_id)
        return pb.WithdrawOfferResponse(unsaved=unsaved)

    async def AcceptOffer(self, request: pb.AcceptOfferRequest, context: Any) -> pb.AcceptOfferResponse:
        wish = Wish.of("", request.understands)
        seated = await self._stage.accept_offer(actor(), request.room_id, request.offer_id, wish)
        return pb.AcceptOfferResponse(
            seat=own_seat(seated.room, self._people), permit=messages.media_permit(seated.permit)
        )

    async def DeclineOffer(self, request: pb.DeclineOfferRequest, context: Any) -> pb.DeclineOfferResponse:
        room = await self._stage.decline_offer(actor(), request.room_id, request.offer_id)
        return pb.DeclineOfferResponse(seat=own_seat(room, self._people))

    async def LeaveStage(self, request: pb.LeaveStageRequest, context: Any) -> pb.LeaveStageResponse:
        seated = await self._stage.leave_stage(actor(), request.room_id, Wish.of("", request.understands))
        return pb.LeaveStageResponse(
            seat=own_seat(seated.room, self._people), permit=messages.media_permit(seated.permit)
        )

    async def SetSpokenLanguage(self, request: SetSpokenLanguageRequest, context: Any) -> SetSpokenLanguageResponse:
        await self._stage.set_spoken_language(actor(), request.room_id, request.user_id, request.language)
        return SetSpokenLanguageResponse()

    async def SetOwnMute(self, request: pb.SetOwnMuteRequest, context: Any) -> pb.SetOwnMuteResponse:
        room = await self._stage.set_own_mute(actor(), request.room_id, request.muted)
        return pb.SetOwnMuteResponse(seat=own_seat(room, self._people))

    async def MuteSpeaker(self, request: pb.MuteSpeakerRequest, context: Any) -> pb.MuteSpeakerResponse:
        unsaved = await self._stage.mute_speaker(actor(), request.room_id, request.user_id)
        return pb.MuteSpeakerResponse(unsaved=unsaved)

    async def MoveToAudience(self, request: pb.MoveToAudienceRequest, context: Any) -> pb.MoveToAudienceResponse:
        unsaved = await self._stage.move_to_audience(actor(), request.room_id, request.user_id)
        return pb.MoveToAudienceResponse(unsaved=unsaved)

    async def MakeModerator(self, request: pb.MakeModeratorRequest, context: Any) -> pb.MakeModeratorResponse:
        await self._stage.make_moderator(actor(), request.room_id, request.user_id)
        return pb.MakeModeratorResponse()

    async def NameSuccessor(self, request: pb.NameSuccessorRequest, context: Any) -> pb.NameSuccessorResponse:
        await self._stage.name_successor(actor(), request.room_id, request.user_id, request.named)
        return pb.NameSuccessorResponse()

    async def TakeBack(self, request: pb.TakeBackRequest, context: Any) -> pb.TakeBackResponse:
        await self._stage.take_back(actor(), request.room_id, _DEEDS[request.deed], request.user_id)
        return pb.TakeBackResponse()
