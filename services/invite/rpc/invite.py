"""InviteService: protobuf in, use case, protobuf out."""

from dataclasses import dataclass
from typing import Any

from majlis.invite.v1 import invite_facts_pb2, invite_service_pb2_grpc
from majlis.invite.v1 import invite_service_pb2 as pb

from services.common.facts.outbox import wrap_fact
from services.common.rpc.server import current_caller
from services.invite import messages as to
from services.invite.app.doors import Doorkeeper
from services.invite.app.invitations import Invitations
from services.invite.app.ports import Visitor
from services.invite.app.redemption import Redemptions
from services.invite.app.tree import Tree

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
USER_AGENT = "user-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the RPCs call."""

    redemptions: Redemptions
    doors: Doorkeeper
    invitations: Invitations
    tree: Tree


class InviteServicer(invite_service_pb2_grpc.InviteServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, app: UseCases, deployment: str) -> None:
        self._app = app
        self._deployment = deployment

    async def GetInvitation(self, request: pb.GetInvitationRequest, context: Any) -> pb.GetInvitationResponse:
        invitation, inviter = await self._app.redemptions.get_invitation(request.code, visitor(context))
        return pb.GetInvitationResponse(
            inviter=to.profile(inviter),
            note=invitation.note,
            expires_at=to.moment(invitation.expires_at),
            room_id=invitation.room_id,
            deployment=self._deployment,
            doors=to.doors(await self._app.doors.get_doors()),
            place=to.place(await self._app.doors.find_place(request.code)),
        )

    async def RedeemInvitation(self, request: pb.RedeemInvitationRequest, context: Any) -> pb.RedeemInvitationResponse:
        account, room_id = await self._app.redemptions.redeem(
            request.code, request.request_id, request.profile, visitor(context)
        )
        return pb.RedeemInvitationResponse(
            account=account.answer.account, tokens=account.answer.tokens, room_id=room_id
        )

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Any) -> pb.ListInvitationsResponse:
        found, quota, more = await self._app.invitations.list_own(
            current_caller().user, request.page_size, request.page_token
        )
        return pb.ListInvitationsResponse(
            invitations=[to.invitation(shown, drawn=False) for shown in found],
            left=quota.left,
            granted=quota.granted,
            next_page_token=more,
            doors=to.doors(await self._app.doors.get_doors()),
        )

    async def GetInvitationCode(
        self, request: pb.GetInvitationCodeRequest, context: Any
    ) -> pb.GetInvitationCodeResponse:
        link = await self._app.invitations.link_to_draw(current_caller().user, request.invitation_id)
        return pb.GetInvitationCodeResponse(qr_svg=to.drawing(link))

    async def CreateInvitation(self, request: pb.CreateInvitationRequest, context: Any) -> pb.CreateInvitationResponse:
        shown = await self._app.invitations.create(
            current_caller().user, request.request_id, request.note, request.room_id
        )
        return pb.CreateInvitationResponse(invitation=to.invitation(shown))

    async def RevokeInvitation(self, request: pb.RevokeInvitationRequest, context: Any) -> pb.RevokeInvitationResponse:
        quota = await self._app.invitations.revoke(current_caller().user, request.invitation_id)
        return pb.RevokeInvitationResponse(left=quota.left)

    async def UpdateInvitationNote(
        self, request: pb.UpdateInvitationNoteRequest, context: Any
    ) -> pb.UpdateInvitationNoteResponse:
        shown = await self._app.invitations.update_note(current_caller().user, request.invitation_id, request.note)
        return pb.UpdateInvitationNoteResponse(invitation=to.invitation(shown))

    async def GetMyTree(self, request: pb.GetMyTreeRequest, context: Any) -> pb.GetMyTreeResponse:
        inviter, nodes = await self._app.tree.get_my_tree(current_caller().user)
        return pb.GetMyTreeResponse(
            inviter=None if inviter is None else to.profile(inviter), people=[to.tree_node(node) for node in nodes]
        )

    async def GrantInvitations(self, request: pb.GrantInvitationsRequest, context: Any) -> pb.GrantInvitationsResponse:
        quota = await self._app.invitations.grant(
            current_caller().user, request.request_id, request.user_id, request.count
        )
        return pb.GrantInvitationsResponse(left=quota.left)

    async def GetTree(self, request: pb.GetTreeRequest, context: Any) -> pb.GetTreeResponse:
        nodes, next_token = await self._app.tree.get_tree(request.root_user_id, request.page_size, request.page_token)
        return pb.GetTreeResponse(people=[to.tree_node(node) for node in nodes], next_page_token=next_token)

    async def ListFacts(self, request: pb.ListFactsRequest, context: Any) -> pb.ListFactsResponse:
        stored = await self._app.invitations.list_facts(request.after, request.limit)
        return pb.ListFactsResponse(facts=[wrap_fact(invite_facts_pb2.InviteFact, fact) for fact in stored])


def visitor(context: Any) -> Visitor:
    """Where a call comes from; what a proven service says of its client counts more than its own name."""
    caller = current_caller()
    metadata = dict(context.invocation_metadata() or ())
    agent = str(metadata.get(FORWARDED_USER_AGENT if caller.service else USER_AGENT, ""))
    return Visitor(caller.network, agent[:400])
