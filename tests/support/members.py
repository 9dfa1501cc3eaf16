"""People without a browser: accounts made through the public API, for stories about what happens underneath."""

import secrets
from dataclasses import dataclass

from majlis.auth.v1 import account_pb2, sign_in_service_pb2
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import room_service_pb2
from majlis_client import Client, FixedToken

from tests.support.stack import Stack

MANY_INVITATIONS = 200


@dataclass
class Member:
    """Somebody with an account and a connection."""

    user_id: str
    access_token: str
    client: Client

    async def leave_for_good(self) -> None:
        await self.client.close()


async def member(stack: Stack, account: account_pb2.Account, tokens: account_pb2.Tokens) -> Member:
    client = await Client.connect(stack.url, FixedToken(tokens.access_token))
    return Member(account.profile.user_id, tokens.access_token, client)


async def owner_of(stack: Stack) -> Member:
    """The owner: by the one-time link at first, later by the sign-in that made; with invitations for everybody."""
    if stack.owner_refresh_token:
        return await _owner_again(stack)
    profile = account_pb2.NewProfile(handle="salma", display_name="Salma Nour")
    request = sign_in_service_pb2.SetUpOwnerRequest(token=stack.owner_link.partition("#")[2], profile=profile)
    async with await Client.connect(stack.url) as client:
        answer = await client.sign_ins.SetUpOwner(request)
    stack.owner_refresh_token = answer.tokens.refresh_token
    owner = await member(stack, answer.account, answer.tokens)
    grant = invite_service_pb2.GrantInvitationsRequest(
        request_id=secrets.token_hex(16), user_id=owner.user_id, count=MANY_INVITATIONS
    )
    await owner.client.invites.GrantInvitations(grant)
    return owner


async def _owner_again(stack: Stack) -> Member:
    async with await Client.connect(stack.url) as client:
        request = sign_in_service_pb2.RefreshSessionRequest(refresh_token=stack.owner_refresh_token)
        tokens = (await client.sign_ins.RefreshSession(request)).tokens
    stack.owner_refresh_token = tokens.refresh_token
    async with await Client.connect(stack.url, FixedToken(tokens.access_token)) as client:
        account = await client.me()
    return await member(stack, account, tokens)


async def end_rooms(stack: Stack) -> None:
    """Ends every open room that is live, as an operator may: the next test finds a quiet hallway."""
    owner = await owner_of(stack)
    for room in await owner.client.list_rooms():
        await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room.room_id))
    await owner.leave_for_good()


def unused(handle: str) -> str:
    """A handle that nobody else of a shared system has."""
    return f"{handle}_{secrets.token_hex(3)}"


async def friend_of(stack: Stack, host: Member, handle: str) -> Member:
    """A friend who redeems a fresh invitation of the host's."""
    link = (await host.client.invite()).url
    request = invite_service_pb2.RedeemInvitationRequest(
        code=link.rsplit("/", 1)[-1],
        request_id=secrets.token_hex(16),
        profile=account_pb2.NewProfile(handle=unused(handle), display_name=handle.title()),
    )
    async with await Client.connect(stack.url) as client:
        answer = await client.invites.RedeemInvitation(request)
    return await member(stack, answer.account, answer.tokens)
