"""People without a browser: accounts made through the public API, for stories about what happens underneath."""

import secrets
from dataclasses import dataclass

from majlis.auth.v1 import account_pb2, auth_service_pb2
from majlis.invite.v1 import invite_service_pb2
from majlis_client import Client, FixedToken

from tests.support.stack import Stack


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
    """The first person, by the owner link."""
    profile = account_pb2.NewProfile(handle="lina", display_name="Lina Haddad")
    request = auth_service_pb2.SetUpOwnerRequest(token=stack.owner_link.partition("#")[2], profile=profile)
    async with await Client.connect(stack.url) as client:
        answer = await client.auth.SetUpOwner(request)
    return await member(stack, answer.account, answer.tokens)


async def friend_of(stack: Stack, host: Member, handle: str) -> Member:
    """A friend who redeems a fresh invitation of the host's."""
    link = (await host.client.invite()).url
    request = invite_service_pb2.RedeemInvitationRequest(
        code=link.rsplit("/", 1)[-1],
        request_id=secrets.token_hex(16),
        profile=account_pb2.NewProfile(handle=handle, display_name=handle.title()),
    )
    async with await Client.connect(stack.url) as client:
        answer = await client.invites.RedeemInvitation(request)
    return await member(stack, answer.account, answer.tokens)
