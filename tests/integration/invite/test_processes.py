"""Auth and invite as real processes with a real NATS: the story of an invitation, and what facts do."""

import asyncio
import json
import secrets
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from majlis.auth.v1 import account_service_pb2, operator_service_pb2, personal_token_service_pb2, sign_in_service_pb2
from majlis.invite.v1 import invite_service_pb2 as pb
from majlis.invite.v1 import invite_service_pb2_grpc

from services.common.rpc.errors import raise_for
from tests.support.admission import Admission
from tests.support.auth_contract import AuthStub
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import Metadata


@pytest_asyncio.fixture
async def admission(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Admission]:
    processes = Admission(tmp_path, nats_url=nats_server.url)
    try:
        await processes.set_up()
        yield processes
    finally:
        processes.stop()


async def call(admission: Admission, method: str, request: Any, metadata: Metadata = ()) -> Any:
    """One RPC of whichever service has it."""
    service = "invite" if hasattr(invite_service_pb2_grpc.InviteServiceServicer, method) else "auth"
    stubs: dict[str, Any] = {
        "auth": AuthStub,
        "invite": invite_service_pb2_grpc.InviteServiceStub,
    }
    async with grpc.aio.insecure_channel(f"127.0.0.1:{admission.ports[service]}") as channel:
        return await getattr(stubs[service](channel), method)(request, metadata=metadata, timeout=10)


async def refusal(admission: Admission, method: str, request: Any, metadata: Metadata = ()) -> str:
    """The reason an RPC is refused for."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(admission, method, request, metadata)
    return raise_for(error.value).reason


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read(), "utf-8")


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def test_invited_friend_invites_others_and_is_shown_in_the_tree(admission: Admission) -> None:
    _, code = await admission.invite()
    shown = await call(admission, "GetInvitation", pb.GetInvitationRequest(code=code))
    assert (shown.inviter.handle, shown.deployment) == ("owner_1", "majlis")
    guest = await admission.redeem(code, secrets.token_hex(16), "guest")
    me = bearer(guest.tokens.access_token)
    created = await call(
        admission, "CreateInvitation", pb.CreateInvitationRequest(request_id="a" * 32, note="hi", room_id=""), me
    )
    assert created.invitation.url.startswith("http://localhost:8080/i/")
    assert created.invitation.qr_svg.startswith("<svg")
    assert created.invitation.state == 1
    mine = (await call(admission, "ListInvitations", pb.ListInvitationsRequest(), me)).invitations
    assert [(each.url, each.qr_svg) for each in mine] == [(created.invitation.url, "")]
    wanted = pb.GetInvitationCodeRequest(invitation_id=created.invitation.invitation_id)
    drawn = await call(admission, "GetInvitationCode", wanted, me)
    assert drawn.qr_svg == created.invitation.qr_svg
    tree = await call(admission, "GetMyTree", pb.GetMyTreeRequest(), me)
    assert tree.inviter.handle == "owner_1"
    assert await refusal(admission, "GetTree", pb.GetTreeRequest(), me) == "CALLER_NOT_ALLOWED"
    whole = await call(admission, "GetTree", pb.GetTreeRequest(), admission.owner)
    assert [(node.person.handle, bool(node.inviter_id)) for node in whole.people] == [
        ("owner_1", False),
        ("guest", True),
    ]
    facts = await call(
        admission,
        "ListInvitations",
        pb.ListInvitationsRequest(),
        admission.owner,
    )
    assert [(each.guest.handle, each.url, each.qr_svg) for each in facts.invitations] == [("guest", "", "")]


async def test_refusals_look_alike_to_strangers_and_carry_the_contracts_reasons(admission: Admission) -> None:
    made = "x" * 26
    assert await refusal(admission, "GetInvitation", pb.GetInvitationRequest(code=made)) == "INVITATION_INVALID"
    assert await refusal(admission, "GetInvitation", pb.GetInvitationRequest(code="short")) == "FIELD_INVALID"
    assert await refusal(admission, "ListInvitations", pb.ListInvitationsRequest()) == "NOT_SIGNED_IN"
    _, code = await admission.invite()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await admission.redeem(code, secrets.token_hex(16), "owner_1")
    taken = raise_for(error.value)
    assert (taken.kind, taken.reason, taken.metadata["handle"]) == ("already_exists", "HANDLE_TAKEN", "owner_1")
    unknown = pb.RevokeInvitationRequest(invitation_id="invitation999999")
    assert await refusal(admission, "RevokeInvitation", unknown, admission.owner) == "INVITATION_NOT_FOUND"
    grant = pb.GrantInvitationsRequest(request_id="a" * 32, user_id="user000000009999", count=1)
    assert await refusal(admission, "GrantInvitations", grant, admission.owner) == "PERSON_NOT_FOUND"


async def test_token_without_the_scope_invites_nobody(admission: Admission) -> None:
    made = await call(
        admission,
        "CreatePersonalToken",
        personal_token_service_pb2.CreatePersonalTokenRequest(label="radio", scopes=["listen"]),
        admission.owner,
    )
    exchange = personal_token_service_pb2.ExchangePersonalTokenRequest(personal_token=made.personal_token)
    scoped = bearer((await call(admission, "ExchangePersonalToken", exchange)).access_token)
    create = pb.CreateInvitationRequest(request_id="a" * 32)
    assert await refusal(admission, "CreateInvitation", create, scoped) == "SCOPE_MISSING"
    # Whoever reads the links of unspent invitations can let people in by them.
    assert await refusal(admission, "ListInvitations", pb.ListInvitationsRequest(), scoped) == "SCOPE_MISSING"


async def test_sign_out_and_deletion_in_auth_take_effect_in_invite(admission: Admission) -> None:
    _, code = await admission.invite()
    guest = await admission.redeem(code, secrets.token_hex(16), "guest")
    me = bearer(guest.tokens.access_token)
    created = await call(admission, "CreateInvitation", pb.CreateInvitationRequest(request_id="a" * 32), me)
    friend_code = created.invitation.url.rsplit("/", 1)[1]
    await call(admission, "DeleteAccount", account_service_pb2.DeleteAccountRequest(confirm_handle="guest"), me)
    states = "SELECT state FROM invitations WHERE invitation_id = ?"
    revoked = created.invitation.invitation_id
    await eventually(lambda: admission.rows("invite", states, revoked) == [("revoked",)])
    assert await refusal(admission, "ListInvitations", pb.ListInvitationsRequest(), me) == "NOT_SIGNED_IN"
    assert await refusal(admission, "GetInvitation", pb.GetInvitationRequest(code=friend_code)) == "INVITATION_INVALID"


async def test_facts_missed_while_nats_is_away_arrive_when_it_is_back(
    admission: Admission, nats_server: NatsServer
) -> None:
    _, code = await admission.invite()
    guest = await admission.redeem(code, secrets.token_hex(16), "guest")
    nats_server.stop()
    user_id = guest.account.profile.user_id
    suspend = operator_service_pb2.SuspendAccountRequest(user_id=user_id, reason="test")
    await call(admission, "SuspendAccount", suspend, admission.owner)
    nats_server.start()
    standing = "SELECT standing FROM people WHERE user_id = ?"
    await eventually(lambda: admission.rows("invite", standing, user_id) == [("suspended",)], 15)


async def test_restarted_invite_still_refuses_a_sign_in_that_ended_before(admission: Admission) -> None:
    _, code = await admission.invite()
    guest = await admission.redeem(code, secrets.token_hex(16), "guest")
    me = bearer(guest.tokens.access_token)
    await call(admission, "SignOut", sign_in_service_pb2.SignOutRequest(), me)
    admission.stop()
    for service in ("auth", "invite"):
        await admission.start(service)
    assert await refusal(admission, "GetMe", account_service_pb2.GetMeRequest(), me) == "NOT_SIGNED_IN"
    heard = False
    for _ in range(100):
        try:
            await call(admission, "ListInvitations", pb.ListInvitationsRequest(), me)
        except grpc.aio.AioRpcError as error:
            heard = raise_for(error).reason == "NOT_SIGNED_IN"
        if heard:
            break
        await asyncio.sleep(0.05)
    assert heard


async def test_processes_count_what_operators_ask_for(admission: Admission) -> None:
    _, code = await admission.invite()
    await admission.redeem(code, secrets.token_hex(16), "guest")
    exposed = {}
    for service in ("auth", "invite"):
        port = json.loads((admission.directory / f"{service}.ready").read_text())["metrics"]
        exposed[service] = await asyncio.to_thread(read, f"http://127.0.0.1:{port}/metrics")
    assert 'majlis_invite_redemptions_total{result="ok"} 1.0' in exposed["invite"]
    assert 'majlis_invite_invitations_total{what="created"} 1.0' in exposed["invite"]
    assert "majlis_auth_accounts_created_total 2.0" in exposed["auth"]
