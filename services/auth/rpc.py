"""The RPCs of auth: protobuf in, use case, protobuf out."""

from dataclasses import dataclass
from typing import Any

from majlis.auth.v1 import auth_facts_pb2, auth_service_pb2_grpc
from majlis.auth.v1 import auth_service_pb2 as pb

from services.auth import messages as to
from services.auth.app.accounts import Accounts
from services.auth.app.email import EmailWays
from services.auth.app.operators import Operators
from services.auth.app.passkeys import PasskeyWays
from services.auth.app.personal_tokens import PersonalTokens
from services.auth.app.ports import Keys, Visitor
from services.auth.app.sessions import Sessions
from services.auth.app.unsaved import Unsaved
from services.auth.domain.account import ProfileChange
from services.auth.messages import encode
from services.common.facts.outbox import StoredFact, wrap_fact
from services.common.rpc.server import current_caller

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
USER_AGENT = "user-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the RPCs call."""

    accounts: Accounts
    sessions: Sessions
    passkeys: PasskeyWays
    email: EmailWays
    personal_tokens: PersonalTokens
    operators: Operators
    unsaved: Unsaved
    keys: Keys


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, app: UseCases) -> None:
        self._app = app

    async def GetKeySet(self, request: pb.GetKeySetRequest, context: Any) -> pb.GetKeySetResponse:
        return pb.GetKeySetResponse(jwks_json=await self._app.keys.jwks_json())

    async def SetUpOwner(self, request: pb.SetUpOwnerRequest, context: Any) -> pb.SetUpOwnerResponse:
        done = await self._app.accounts.set_up_owner(request.token, to.new_profile(request.profile), visitor(context))
        return pb.SetUpOwnerResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def CheckOwnerLink(self, request: pb.CheckOwnerLinkRequest, context: Any) -> pb.CheckOwnerLinkResponse:
        await self._app.accounts.check_owner_link(request.token)
        return pb.CheckOwnerLinkResponse()

    async def ProposeHandle(self, request: pb.ProposeHandleRequest, context: Any) -> pb.ProposeHandleResponse:
        return pb.ProposeHandleResponse(handle=await self._app.accounts.propose_handle(request.display_name))

    async def CreateAccount(self, request: pb.CreateAccountRequest, context: Any) -> pb.CreateAccountResponse:
        done = await self._app.accounts.create_account(
            request.redemption_id, to.new_profile(request.profile), request.inviter_id, visitor(context)
        )
        return pb.CreateAccountResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def SettleRedemption(self, request: pb.SettleRedemptionRequest, context: Any) -> pb.SettleRedemptionResponse:
        return pb.SettleRedemptionResponse(user_id=await self._app.accounts.settle_redemption(request.redemption_id))

    async def StartPasskeySignIn(
        self, request: pb.StartPasskeySignInRequest, context: Any
    ) -> pb.StartPasskeySignInResponse:
        challenge_id, options = await self._app.passkeys.start_sign_in(visitor(context))
        return pb.StartPasskeySignInResponse(challenge_id=challenge_id, options_json=options)

    async def FinishPasskeySignIn(
        self, request: pb.FinishPasskeySignInRequest, context: Any
    ) -> pb.FinishPasskeySignInResponse:
        done = await self._app.passkeys.finish_sign_in(request.challenge_id, request.credential_json, visitor(context))
        return pb.FinishPasskeySignInResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def StartEmailSignIn(self, request: pb.StartEmailSignInRequest, context: Any) -> pb.StartEmailSignInResponse:
        challenge_id, ends = await self._app.email.start_sign_in(request.email, request.locale, visitor(context))
        return pb.StartEmailSignInResponse(challenge_id=challenge_id, expires_at=to.moment(ends))

    async def FinishEmailSignIn(
        self, request: pb.FinishEmailSignInRequest, context: Any
    ) -> pb.FinishEmailSignInResponse:
        done = await self._app.email.finish_sign_in(request.challenge_id, request.code, visitor(context))
        return pb.FinishEmailSignInResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Any) -> pb.RefreshSessionResponse:
        pair = await self._app.sessions.refresh_session(request.refresh_token)
        return pb.RefreshSessionResponse(tokens=to.tokens(pair))

    async def ExchangePersonalToken(
        self, request: pb.ExchangePersonalTokenRequest, context: Any
    ) -> pb.ExchangePersonalTokenResponse:
        access = await self._app.personal_tokens.exchange(request.personal_token, visitor(context))
        return pb.ExchangePersonalTokenResponse(
            access_token=access.access_token, expires_at=to.moment(access.access_expires_at)
        )

    async def GetMe(self, request: pb.GetMeRequest, context: Any) -> pb.GetMeResponse:
        return pb.GetMeResponse(account=to.own(await self._app.accounts.get_me(current_caller().user)))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, context: Any) -> pb.UpdateProfileResponse:
        own = await self._app.accounts.update_profile(current_caller().user, _change(request))
        return pb.UpdateProfileResponse(account=to.own(own))

    async def GetProfile(self, request: pb.GetProfileRequest, context: Any) -> pb.GetProfileResponse:
        found = await self._app.accounts.get_profile(user_id=request.user_id, handle=request.handle)
        return pb.GetProfileResponse(profile=to.profile(found))

    async def StartPasskeyRegistration(
        self, request: pb.StartPasskeyRegistrationRequest, context: Any
    ) -> pb.StartPasskeyRegistrationResponse:
        challenge_id, options = await self._app.passkeys.start_registration(current_caller().user)
        return pb.StartPasskeyRegistrationResponse(challenge_id=challenge_id, options_json=options)

    async def FinishPasskeyRegistration(
        self, request: pb.FinishPasskeyRegistrationRequest, context: Any
    ) -> pb.FinishPasskeyRegistrationResponse:
        own = await self._app.passkeys.finish_registration(
            current_caller().user,
            request.challenge_id,
            request.credential_json,
            label=request.label,
            visitor=visitor(context),
        )
        return pb.FinishPasskeyRegistrationResponse(account=to.own(own))

    async def DeletePasskey(self, request: pb.DeletePasskeyRequest, context: Any) -> pb.DeletePasskeyResponse:
        own = await self._app.passkeys.delete_passkey(current_caller().user, request.passkey_id)
        return pb.DeletePasskeyResponse(account=to.own(own))

    async def StartEmailChange(self, request: pb.StartEmailChangeRequest, context: Any) -> pb.StartEmailChangeResponse:
        challenge_id, ends = await self._app.email.start_change(current_caller().user, request.email, visitor(context))
        return pb.StartEmailChangeResponse(challenge_id=challenge_id, expires_at=to.moment(ends))

    async def FinishEmailChange(
        self, request: pb.FinishEmailChangeRequest, context: Any
    ) -> pb.FinishEmailChangeResponse:
        own = await self._app.email.finish_change(
            current_caller().user, request.challenge_id, request.code, visitor(context)
        )
        return pb.FinishEmailChangeResponse(account=to.own(own))

    async def ListSignIns(self, request: pb.ListSignInsRequest, context: Any) -> pb.ListSignInsResponse:
        caller = current_caller()
        found = await self._app.sessions.list_sign_ins(caller.user)
        return pb.ListSignInsResponse(sign_ins=[to.sign_in(each, caller.sign_in_id) for each in found])

    async def EndSignIn(self, request: pb.EndSignInRequest, context: Any) -> pb.EndSignInResponse:
        await self._app.sessions.end_sign_in(current_caller().user, request.sign_in_id)
        return pb.EndSignInResponse()

    async def SignOut(self, request: pb.SignOutRequest, context: Any) -> pb.SignOutResponse:
        caller = current_caller()
        await self._app.sessions.sign_out(caller.user, caller.sign_in_id or "")
        return pb.SignOutResponse(tokens=to.tokens(None))

    async def SignOutEverywhere(
        self, request: pb.SignOutEverywhereRequest, context: Any
    ) -> pb.SignOutEverywhereResponse:
        await self._app.sessions.sign_out_everywhere(current_caller().user)
        return pb.SignOutEverywhereResponse(tokens=to.tokens(None))

    async def CreatePersonalToken(
        self, request: pb.CreatePersonalTokenRequest, context: Any
    ) -> pb.CreatePersonalTokenResponse:
        text, token = await self._app.personal_tokens.create(
            current_caller().user, request.label, request.scopes, request.days
        )
        return pb.CreatePersonalTokenResponse(personal_token=text, token=to.personal_token(token))

    async def ListPersonalTokens(
        self, request: pb.ListPersonalTokensRequest, context: Any
    ) -> pb.ListPersonalTokensResponse:
        found = await self._app.personal_tokens.list(current_caller().user)
        return pb.ListPersonalTokensResponse(tokens=[to.personal_token(token) for token in found])

    async def RevokePersonalToken(
        self, request: pb.RevokePersonalTokenRequest, context: Any
    ) -> pb.RevokePersonalTokenResponse:
        await self._app.personal_tokens.revoke(current_caller().user, request.token_id)
        return pb.RevokePersonalTokenResponse()

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, context: Any) -> pb.DeleteAccountResponse:
        await self._app.accounts.delete_account(current_caller().user, request.confirm_handle)
        return pb.DeleteAccountResponse(tokens=to.tokens(None))

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Any) -> pb.ListAccountsResponse:
        page, next_token = await self._app.operators.list_accounts(request.query, request.page_size, request.page_token)
        return pb.ListAccountsResponse(accounts=[to.own(own) for own in page], next_page_token=next_token)

    async def SuspendAccount(self, request: pb.SuspendAccountRequest, context: Any) -> pb.SuspendAccountResponse:
        await self._app.operators.suspend(current_caller().user, request.user_id, request.reason)
        return pb.SuspendAccountResponse()

    async def RestoreAccount(self, request: pb.RestoreAccountRequest, context: Any) -> pb.RestoreAccountResponse:
        await self._app.operators.restore(current_caller().user, request.user_id)
        return pb.RestoreAccountResponse()

    async def SetOperator(self, request: pb.SetOperatorRequest, context: Any) -> pb.SetOperatorResponse:
        own = await self._app.operators.set_operator(current_caller().user, request.user_id, request.operator)
        return pb.SetOperatorResponse(account=to.own(own))

    async def BatchGetProfiles(self, request: pb.BatchGetProfilesRequest, context: Any) -> pb.BatchGetProfilesResponse:
        found = await self._app.accounts.batch_get_profiles(request.user_ids)
        return pb.BatchGetProfilesResponse(profiles=[to.profile(account) for account in found])

    async def ListFacts(self, request: pb.ListFactsRequest, context: Any) -> pb.ListFactsResponse:
        stored = await self._app.accounts.list_facts(request.after, request.limit)
        if not request.limit or len(stored) < request.limit:
            stored += [StoredFact(0, encode(event), event.at) for event in self._app.unsaved.facts]
        return pb.ListFactsResponse(facts=[wrap_fact(auth_facts_pb2.AuthFact, fact) for fact in stored])


def visitor(context: Any) -> Visitor:
    """Where a call comes from; what a proven service says of its client counts more than its own name."""
    caller = current_caller()
    metadata = dict(context.invocation_metadata() or ())
    own_agent = "" if caller.service else str(metadata.get(USER_AGENT, ""))
    agent = str(metadata.get(FORWARDED_USER_AGENT, "")) if caller.service else own_agent
    return Visitor(caller.network, agent[:400])


def _change(request: pb.UpdateProfileRequest) -> ProfileChange:
    return ProfileChange(
        handle=request.handle if request.HasField("handle") else None,
        display_name=request.display_name if request.HasField("display_name") else None,
        bio=request.bio if request.HasField("bio") else None,
        avatar_hue=request.avatar_hue if request.HasField("avatar_hue") else None,
        locale=request.locale if request.HasField("locale") else None,
        spoken_languages=tuple(request.spoken_languages.languages) if request.HasField("spoken_languages") else None,
    )
