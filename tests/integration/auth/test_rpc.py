"""Auth as others call it: through the interceptors, with the contract's policies and reasons."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from majlis.auth.v1 import account_pb2
from majlis.auth.v1 import account_service_pb2 as account_rpc
from majlis.auth.v1 import identity_service_pb2 as identity_rpc
from majlis.auth.v1 import operator_service_pb2 as operator_rpc
from majlis.auth.v1 import personal_token_service_pb2 as token_rpc
from majlis.auth.v1 import sign_in_service_pb2 as sign_in_rpc

from services.auth.build import serve
from services.common.rpc.errors import raise_for
from services.common.trust.tokens import TokenVerifier
from tests.integration.auth.conftest import OWNER_TOKEN_FILE, Hall
from tests.support.auth_contract import AuthStub
from tests.support.rpc_harness import Metadata, RpcHarness, TokenMint, serving_all

PROFILE = account_pb2.NewProfile(handle="amal", display_name="أمل", locale="ar")


class HallMint(TokenMint):
    """Trusts the tokens that auth itself issues."""

    def __init__(self, hall: Hall) -> None:
        super().__init__(hall.clock)
        self._hall = hall

    def verifier(self) -> TokenVerifier:
        return self._hall.parts.verifier


@dataclass
class Served:
    """Auth behind its server."""

    hall: Hall
    harness: RpcHarness
    stub: AuthStub

    async def owner(self) -> sign_in_rpc.SetUpOwnerResponse:
        token = (self.hall.directory / OWNER_TOKEN_FILE).read_text().strip().partition("#")[2]
        request = sign_in_rpc.SetUpOwnerRequest(token=token, profile=PROFILE)
        made: sign_in_rpc.SetUpOwnerResponse = await self.stub.SetUpOwner(request)
        return made


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def reason_of(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call
    error = raise_for(refusal.value)
    return error.kind, error.reason


@pytest_asyncio.fixture
async def served(hall: Hall) -> AsyncIterator[Served]:
    async with serving_all(lambda server: serve(hall.parts, server), name="auth", mint=HallMint(hall)) as harness:
        yield Served(hall, harness, AuthStub(harness.channel))


async def test_owner_sets_up_refreshes_and_signs_out(served: Served) -> None:
    owner = await served.owner()
    assert owner.account.operator
    assert owner.account.locale == "ar"
    me = await served.stub.GetMe(account_rpc.GetMeRequest(), metadata=bearer(owner.tokens.access_token))
    assert me.account.profile.display_name == "أمل"
    refresh = sign_in_rpc.RefreshSessionRequest(refresh_token=owner.tokens.refresh_token)
    pair = (await served.stub.RefreshSession(refresh, metadata=bearer("stale"))).tokens
    assert pair.access_token
    listed = await served.stub.ListSignIns(sign_in_rpc.ListSignInsRequest(), metadata=bearer(pair.access_token))
    assert [each.current for each in listed.sign_ins] == [True]
    out = await served.stub.SignOut(sign_in_rpc.SignOutRequest(), metadata=bearer(pair.access_token))
    assert out.HasField("tokens") is False or not out.tokens.access_token
    assert await reason_of(served.stub.GetMe(account_rpc.GetMeRequest(), metadata=bearer(pair.access_token))) == (
        "unauthenticated",
        "NOT_SIGNED_IN",
    )
    again = sign_in_rpc.RefreshSessionRequest(refresh_token=pair.refresh_token)
    assert await reason_of(served.stub.RefreshSession(again)) == ("unauthenticated", "SESSION_ENDED")


async def test_only_invite_makes_accounts_and_only_services_read_facts(served: Served) -> None:
    request = identity_rpc.CreateAccountRequest(
        redemption_id="redemption000001", profile=PROFILE, inviter_id="user000000000001"
    )
    owner = await served.owner()
    for metadata in ((), bearer(owner.tokens.access_token), served.harness.as_service("gateway")):
        refusal = await reason_of(served.stub.CreateAccount(request, metadata=metadata))
        assert refusal == ("permission_denied", "CALLER_NOT_ALLOWED")
    request.profile.handle, request.profile.display_name = "boris", "Борис"
    made = await served.stub.CreateAccount(
        request,
        metadata=(
            *served.harness.as_service("invite"),
            ("x-forwarded-user-agent", "Mozilla/5.0 (iPhone) Version/18.0 Safari/604"),
        ),
    )
    listed = await served.stub.ListSignIns(sign_in_rpc.ListSignInsRequest(), metadata=bearer(made.tokens.access_token))
    assert listed.sign_ins[0].device == "Safari · iPhone"
    facts = await served.stub.ListFacts(identity_rpc.ListFactsRequest(), metadata=served.harness.as_service("gateway"))
    assert [(fact.number, fact.WhichOneof("fact")) for fact in facts.facts] == [
        (1, "account_created"),
        (2, "account_created"),
    ]
    assert facts.facts[1].account_created.user_id == made.account.profile.user_id
    profiles = await served.stub.BatchGetProfiles(
        identity_rpc.BatchGetProfilesRequest(user_ids=[made.account.profile.user_id]),
        metadata=served.harness.as_service("invite"),
    )
    assert [profile.handle for profile in profiles.profiles] == ["boris"]


ACCOUNT_ONLY: dict[str, Callable[[], Any]] = {
    "StartPasskeyRegistration": account_rpc.StartPasskeyRegistrationRequest,
    "FinishPasskeyRegistration": lambda: account_rpc.FinishPasskeyRegistrationRequest(
        challenge_id="challenge0000001", credential_json="{}"
    ),
    "DeletePasskey": lambda: account_rpc.DeletePasskeyRequest(passkey_id="passkey000000001"),
    "StartEmailChange": lambda: account_rpc.StartEmailChangeRequest(email="evil@example.org"),
    "FinishEmailChange": lambda: account_rpc.FinishEmailChangeRequest(challenge_id="challenge0000001", code="123456"),
    "ListSignIns": sign_in_rpc.ListSignInsRequest,
    "EndSignIn": lambda: sign_in_rpc.EndSignInRequest(sign_in_id="signin0000000001"),
    "SignOut": sign_in_rpc.SignOutRequest,
    "SignOutEverywhere": sign_in_rpc.SignOutEverywhereRequest,
    "CreatePersonalToken": lambda: token_rpc.CreatePersonalTokenRequest(label="more", scopes=["rooms"]),
    "ListPersonalTokens": token_rpc.ListPersonalTokensRequest,
    "RevokePersonalToken": lambda: token_rpc.RevokePersonalTokenRequest(token_id="token00000000001"),
    "DeleteAccount": lambda: account_rpc.DeleteAccountRequest(confirm_handle="amal"),
}


async def test_personal_token_with_every_scope_cannot_touch_the_account_or_operate(served: Served) -> None:
    owner = await served.owner()
    made = await served.stub.CreatePersonalToken(
        token_rpc.CreatePersonalTokenRequest(label="bot", scopes=["listen", "speak", "rooms", "invite", "profile"]),
        metadata=bearer(owner.tokens.access_token),
    )
    exchange = token_rpc.ExchangePersonalTokenRequest(personal_token=made.personal_token)
    scoped = bearer((await served.stub.ExchangePersonalToken(exchange)).access_token)
    for name, request in ACCOUNT_ONLY.items():
        refusal = await reason_of(getattr(served.stub, name)(request(), metadata=scoped))
        assert refusal == ("permission_denied", "SCOPE_MISSING"), name
    operate = served.stub.ListAccounts(operator_rpc.ListAccountsRequest(), metadata=scoped)
    assert await reason_of(operate) == ("permission_denied", "CALLER_NOT_ALLOWED")
    assert (await served.stub.GetMe(account_rpc.GetMeRequest(), metadata=scoped)).account.profile.handle == "amal"
    changed = await served.stub.UpdateProfile(account_rpc.UpdateProfileRequest(bio="by a bot"), metadata=scoped)
    assert changed.account.profile.bio == "by a bot"


async def test_an_operators_token_for_the_fleet_and_its_orders_operates_nothing_else(
    served: Served,
) -> None:
    owner = await served.owner()
    request = token_rpc.CreatePersonalTokenRequest(label="gauge", scopes=["fleet", "orders"])
    made = await served.stub.CreatePersonalToken(request, metadata=bearer(owner.tokens.access_token))
    exchange = token_rpc.ExchangePersonalTokenRequest(personal_token=made.personal_token)
    scoped = bearer((await served.stub.ExchangePersonalToken(exchange)).access_token)
    operate = served.stub.ListAccounts(operator_rpc.ListAccountsRequest(), metadata=scoped)
    assert await reason_of(operate) == ("permission_denied", "CALLER_NOT_ALLOWED")


async def test_token_to_listen_cannot_change_the_profile(served: Served) -> None:
    owner = await served.owner()
    made = await served.stub.CreatePersonalToken(
        token_rpc.CreatePersonalTokenRequest(label="radio", scopes=["listen"]),
        metadata=bearer(owner.tokens.access_token),
    )
    exchange = token_rpc.ExchangePersonalTokenRequest(personal_token=made.personal_token)
    scoped = bearer((await served.stub.ExchangePersonalToken(exchange)).access_token)
    change = served.stub.UpdateProfile(account_rpc.UpdateProfileRequest(bio="x"), metadata=scoped)
    assert await reason_of(change) == ("permission_denied", "SCOPE_MISSING")


async def test_refusals_carry_the_reasons_of_the_contract(served: Served) -> None:
    owner = await served.owner()
    me = bearer(owner.tokens.access_token)
    stub = served.stub
    calls: list[tuple[Any, tuple[str, str]]] = [
        (
            stub.UpdateProfile(account_rpc.UpdateProfileRequest(handle="7up"), metadata=me),
            ("invalid_argument", "HANDLE_INVALID"),
        ),
        (
            stub.UpdateProfile(account_rpc.UpdateProfileRequest(display_name="\u202e"), metadata=me),
            ("invalid_argument", "DISPLAY_NAME_INVALID"),
        ),
        (
            stub.UpdateProfile(account_rpc.UpdateProfileRequest(bio="x" * 300), metadata=me),
            ("invalid_argument", "BIO_INVALID"),
        ),
        (
            stub.CreatePersonalToken(token_rpc.CreatePersonalTokenRequest(label="x", scopes=["root"]), metadata=me),
            ("invalid_argument", "SCOPE_UNKNOWN"),
        ),
        (
            stub.GetProfile(account_rpc.GetProfileRequest(handle="nobody"), metadata=me),
            ("not_found", "ACCOUNT_NOT_FOUND"),
        ),
        (stub.GetProfile(account_rpc.GetProfileRequest(), metadata=me), ("invalid_argument", "FIELD_INVALID")),
        (
            stub.DeleteAccount(account_rpc.DeleteAccountRequest(confirm_handle="x"), metadata=me),
            ("invalid_argument", "FIELD_INVALID"),
        ),
        (
            stub.DeleteAccount(account_rpc.DeleteAccountRequest(confirm_handle="amal"), metadata=me),
            ("failed_precondition", "LAST_OPERATOR"),
        ),
        (
            stub.EndSignIn(sign_in_rpc.EndSignInRequest(sign_in_id="signin0000000009"), metadata=me),
            ("not_found", "SIGN_IN_NOT_FOUND"),
        ),
        (
            stub.RevokePersonalToken(token_rpc.RevokePersonalTokenRequest(token_id="token00000000009"), metadata=me),
            ("not_found", "TOKEN_NOT_FOUND"),
        ),
    ]
    for call, expected in calls:
        assert await reason_of(call) == expected


async def test_refusals_of_who_is_not_signed_in_carry_the_reasons_of_the_contract(served: Served) -> None:
    stub = served.stub
    calls: list[tuple[Any, tuple[str, str]]] = [
        (
            stub.FinishEmailSignIn(
                sign_in_rpc.FinishEmailSignInRequest(challenge_id="challenge0000009", code="123456")
            ),
            ("failed_precondition", "CHALLENGE_INVALID"),
        ),
        (
            stub.ExchangePersonalToken(token_rpc.ExchangePersonalTokenRequest(personal_token="mjp_" + "A" * 43)),
            ("unauthenticated", "TOKEN_INVALID"),
        ),
        (
            stub.SetUpOwner(sign_in_rpc.SetUpOwnerRequest(token="x" * 32, profile=PROFILE)),
            ("not_found", "OWNER_LINK_INVALID"),
        ),
        (
            stub.StartEmailSignIn(sign_in_rpc.StartEmailSignInRequest(email="not an address")),
            ("invalid_argument", "FIELD_INVALID"),
        ),
        (stub.ListAccounts(operator_rpc.ListAccountsRequest(), metadata=()), ("unauthenticated", "NOT_SIGNED_IN")),
    ]
    for call, expected in calls:
        assert await reason_of(call) == expected
