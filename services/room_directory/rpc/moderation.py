"""ModerationService: removals, blocks and reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

from majlis.room_directory.v1 import moderation_service_pb2 as pb
from majlis.room_directory.v1 import moderation_service_pb2_grpc

from services.common.errors import FieldInvalid
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.people import People
from services.room_directory.messages import rooms as messages
from services.room_directory.rpc.asked import PAGE, actor

_REPORT_KINDS = {number: value for value, number in messages.REPORT_KINDS.items()}


class ModerationServicer(moderation_service_pb2_grpc.ModerationServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, moderation: ModerationCases, people: People) -> None:
        self._moderation = moderation
        self._people = people

    async def RemovePerson(self, request: pb.RemovePersonRequest, context: Any) -> pb.RemovePersonResponse:
        unsaved = await self._moderation.remove_person(actor(), request.room_id, request.user_id)
        return pb.RemovePersonResponse(unsaved=unsaved)

    async def ReadmitPerson(self, request: pb.ReadmitPersonRequest, context: Any) -> pb.ReadmitPersonResponse:
        await self._moderation.readmit_person(actor(), request.room_id, request.user_id)
        return pb.ReadmitPersonResponse()

    async def ReportPerson(self, request: pb.ReportPersonRequest, context: Any) -> pb.ReportPersonResponse:
        kind = _REPORT_KINDS.get(request.kind, "other")
        report_id = await self._moderation.report_person(
            actor(), request.room_id, request.user_id, kind=kind, text=request.text
        )
        return pb.ReportPersonResponse(report_id=report_id)

    async def BlockPerson(self, request: pb.BlockPersonRequest, context: Any) -> pb.BlockPersonResponse:
        blocked = await self._moderation.block_person(actor(), request.user_id)
        rooms = [pb.RoomOfBlocked(room_id=room_id, title=title) for room_id, title in blocked.rooms]
        return pb.BlockPersonResponse(rooms=rooms, unsaved=blocked.unsaved)

    async def UnblockPerson(self, request: pb.UnblockPersonRequest, context: Any) -> pb.UnblockPersonResponse:
        await self._moderation.unblock_person(actor(), request.user_id)
        return pb.UnblockPersonResponse()

    async def ListBlocked(self, request: pb.ListBlockedRequest, context: Any) -> pb.ListBlockedResponse:
        blocked = await self._moderation.list_blocked(actor())
        people = self._people.known(blocked)
        return pb.ListBlockedResponse(people=[messages.profile(people[user_id]) for user_id in blocked])

    async def ListReports(self, request: pb.ListReportsRequest, context: Any) -> pb.ListReportsResponse:
        limit = request.page_size or PAGE
        reports = await self._moderation.list_reports(
            open_only=request.open_only, limit=limit + 1, before=_report_place(request.page_token)
        )
        page = reports[:limit]
        people = self._people.known(who for each in page for who in (each.reporter_id, each.subject_id))
        token = ""
        if len(reports) > limit:
            micros = (page[-1].created_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
            token = f"{micros}-{page[-1].report_id}"
        return pb.ListReportsResponse(reports=[messages.report(each, people) for each in page], next_page_token=token)

    async def ResolveReport(self, request: pb.ResolveReportRequest, context: Any) -> pb.ResolveReportResponse:
        await self._moderation.resolve_report(actor(), request.report_id, request.resolution)
        return pb.ResolveReportResponse()


def _report_place(token: str) -> tuple[datetime, str] | None:
    micros, dash, report_id = token.partition("-")
    if not token:
        return None
    if not dash or not micros.isdecimal():
        raise FieldInvalid(fields=(("page_token", "is not from the page before"),))
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), report_id
