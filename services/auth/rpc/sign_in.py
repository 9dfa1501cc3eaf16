"""SignInService: links, codes and passkeys in, and the sign-ins they lead to."""

from typing import Any

from majlis.auth.v1 import sign_in_service_pb2 as pb
from majlis.auth.v1 import sign_in_service_pb2_grpc

from services.auth import messages as to
from services.auth.app.accounts import Accounts
from services.auth.app.email import EmailWays
from services.auth.app.passkeys import PasskeyWays
from services.auth.app.sessions import Sessions
from services.auth.rpc.asked import visitor
from services.common.rpc.server import current_caller


class SignInServicer(sign_in_service_pb2_grpc.SignInServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, *, accounts: Accounts, sessions: Sessions, passkeys: PasskeyWays, email: EmailWays) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._passkeys = passkeys
        self._email = email

    async def SetUpOwner(self, request: pb.SetUpOwnerRequest, context: Any) -> pb.SetUpOwnerResponse:
        done = await self._accounts.set_up_owner(request.token, to.new_profile(request.profile), visitor(context))
        return pb.SetUpOwnerResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def CheckOwnerLink(self, request: pb.CheckOwnerLinkRequest, context: Any) -> pb.CheckOwnerLinkResponse:
        await self._accounts.check_owner_link(request.token)
        return pb.CheckOwnerLinkResponse()

    async def StartPasskeySignIn(
        self, request: pb.StartPasskeySignInRequest, context: Any
    ) -> pb.StartPasskeySignInResponse:
        challenge_id, options = await self._passkeys.start_sign_in(visitor(context))
        return pb.StartPasskeySignInResponse(challenge_id=challenge_id, options_json=options)

    async def FinishPasskeySignIn(
        self, request: pb.FinishPasskeySignInRequest, context: Any
    ) -> pb.FinishPasskeySignInResponse:
        done = await self._passkeys.finish_sign_in(request.challenge_id, request.credential_json, visitor(context))
        return pb.FinishPasskeySignInResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def StartEmailSignIn(self, request: pb.StartEmailSignInRequest, context: Any) -> pb.StartEmailSignInResponse:
        challenge_id, ends = await self._email.start_sign_in(request.email, request.locale, visitor(context))
        return pb.StartEmailSignInResponse(challenge_id=challenge_id, expires_at=to.moment(ends))

    async def FinishEmailSignIn(
        self, request: pb.FinishEmailSignInRequest, context: Any
    ) -> pb.FinishEmailSignInResponse:
        done = await self._email.finish_sign_in(request.challenge_id, request.code, visitor(context))
        return pb.FinishEmailSignInResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Any) -> pb.RefreshSessionResponse:
        pair = await self._sessions.refresh_session(request.refresh_token)
        return pb.RefreshSessionResponse(tokens=to.tokens(pair))

    async def ListSignIns(self, request: pb.ListSignInsRequest, context: Any) -> pb.ListSignInsResponse:
        caller = current_caller()
        found = await self._sessions.list_sign_ins(caller.user)
        return pb.ListSignInsResponse(sign_ins=[to.sign_in(each, caller.sign_in_id) for each in found])

    async def EndSignIn(self, request: pb.EndSignInRequest, context: Any) -> pb.EndSignInResponse:
        await self._sessions.end_sign_in(current_caller().user, request.sign_in_id)
        return pb.EndSignInResponse()

    async def SignOut(self, request: pb.SignOutRequest, context: Any) -> pb.SignOutResponse:
        caller = current_caller()
        await self._sessions.sign_out(caller.user, caller.sign_in_id or "")
        return pb.SignOutResponse(tokens=to.tokens(None))

    async def SignOutEverywhere(
        self, request: pb.SignOutEverywhereRequest, context: Any
    ) -> pb.SignOutEverywhereResponse:
        await self._sessions.sign_out_everywhere(current_caller().user)
        return pb.SignOutEverywhereResponse(tokens=to.tokens(None))
