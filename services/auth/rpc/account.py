"""AccountService: a person's own account, and profiles of others."""

from typing import Any

from majlis.auth.v1 import account_service_pb2 as pb
from majlis.auth.v1 import account_service_pb2_grpc

from services.auth import messages as to
from services.auth.app.accounts import Accounts
from services.auth.app.email import EmailWays
from services.auth.app.passkeys import PasskeyWays
from services.auth.domain.account import ProfileChange
from services.auth.rpc.asked import visitor
from services.common.rpc.server import current_caller


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, *, accounts: Accounts, passkeys: PasskeyWays, email: EmailWays) -> None:
        self._accounts = accounts
        self._passkeys = passkeys
        self._email = email

    async def ProposeHandle(self, request: pb.ProposeHandleRequest, context: Any) -> pb.ProposeHandleResponse:
        return pb.ProposeHandleResponse(handle=await self._accounts.propose_handle(request.display_name))

    async def GetMe(self, request: pb.GetMeRequest, context: Any) -> pb.GetMeResponse:
        return pb.GetMeResponse(account=to.own(await self._accounts.get_me(current_caller().user)))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, context: Any) -> pb.UpdateProfileResponse:
        own = await self._accounts.update_profile(current_caller().user, _change(request))
        return pb.UpdateProfileResponse(account=to.own(own))

    async def GetProfile(self, request: pb.GetProfileRequest, context: Any) -> pb.GetProfileResponse:
        found = await self._accounts.get_profile(user_id=request.user_id, handle=request.handle)
        return pb.GetProfileResponse(profile=to.profile(found))

    async def StartPasskeyRegistration(
        self, request: pb.StartPasskeyRegistrationRequest, context: Any
    ) -> pb.StartPasskeyRegistrationResponse:
        challenge_id, options = await self._passkeys.start_registration(current_caller().user)
        return pb.StartPasskeyRegistrationResponse(challenge_id=challenge_id, options_json=options)

    async def FinishPasskeyRegistration(
        self, request: pb.FinishPasskeyRegistrationRequest, context: Any
    ) -> pb.FinishPasskeyRegistrationResponse:
        own = await self._passkeys.finish_registration(
            current_caller().user,
            request.challenge_id,
            request.credential_json,
            label=request.label,
            visitor=visitor(context),
        )
        return pb.FinishPasskeyRegistrationResponse(account=to.own(own))

    async def DeletePasskey(self, request: pb.DeletePasskeyRequest, context: Any) -> pb.DeletePasskeyResponse:
        own = await self._passkeys.delete_passkey(current_caller().user, request.passkey_id)
        return pb.DeletePasskeyResponse(account=to.own(own))

    async def StartEmailChange(self, request: pb.StartEmailChangeRequest, context: Any) -> pb.StartEmailChangeResponse:
        challenge_id, ends = await self._email.start_change(current_caller().user, request.email, visitor(context))
        return pb.StartEmailChangeResponse(challenge_id=challenge_id, expires_at=to.moment(ends))

    async def FinishEmailChange(
        self, request: pb.FinishEmailChangeRequest, context: Any
    ) -> pb.FinishEmailChangeResponse:
        own = await self._email.finish_change(
            current_caller().user, request.challenge_id, request.code, visitor(context)
        )
        return pb.FinishEmailChangeResponse(account=to.own(own))

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, context: Any) -> pb.DeleteAccountResponse:
        await self._accounts.delete_account(current_caller().user, request.confirm_handle)
        return pb.DeleteAccountResponse(tokens=to.tokens(None))


def _change(request: pb.UpdateProfileRequest) -> ProfileChange:
    return ProfileChange(
        handle=request.handle if request.HasField("handle") else None,
        display_name=request.display_name if request.HasField("display_name") else None,
        bio=request.bio if request.HasField("bio") else None,
        avatar_hue=request.avatar_hue if request.HasField("avatar_hue") else None,
        locale=request.locale if request.HasField("locale") else None,
        spoken_languages=tuple(request.spoken_languages.languages) if request.HasField("spoken_languages") else None,
    )
