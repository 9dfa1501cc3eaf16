"""IdentityService: what services ask about people, and accounts for who was invited."""

from typing import Any

from majlis.auth.v1 import auth_facts_pb2, identity_service_pb2_grpc
from majlis.auth.v1 import identity_service_pb2 as pb

from services.auth import messages as to
from services.auth.app.accounts import Accounts
from services.auth.app.letters import Letters
from services.auth.app.ports import Keys
from services.auth.app.unsaved import Unsaved
from services.auth.messages import encode
from services.auth.rpc.asked import visitor
from services.common.facts.outbox import StoredFact, wrap_fact


class IdentityServicer(identity_service_pb2_grpc.IdentityServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, *, accounts: Accounts, unsaved: Unsaved, keys: Keys, letters: Letters) -> None:
        self._accounts = accounts
        self._unsaved = unsaved
        self._keys = keys
        self._letters = letters

    async def GetKeySet(self, request: pb.GetKeySetRequest, context: Any) -> pb.GetKeySetResponse:
        return pb.GetKeySetResponse(jwks_json=await self._keys.jwks_json())

    async def CreateAccount(self, request: pb.CreateAccountRequest, context: Any) -> pb.CreateAccountResponse:
        done = await self._accounts.create_account(
            request.redemption_id, to.new_profile(request.profile), request.inviter_id, visitor(context)
        )
        return pb.CreateAccountResponse(account=to.own(done.own), tokens=to.tokens(done.tokens))

    async def CheckNewProfile(self, request: pb.CheckNewProfileRequest, context: Any) -> pb.CheckNewProfileResponse:
        await self._accounts.check_new_profile(to.new_profile(request.profile))
        return pb.CheckNewProfileResponse()

    async def SettleRedemption(self, request: pb.SettleRedemptionRequest, context: Any) -> pb.SettleRedemptionResponse:
        return pb.SettleRedemptionResponse(user_id=await self._accounts.settle_redemption(request.redemption_id))

    async def BatchGetProfiles(self, request: pb.BatchGetProfilesRequest, context: Any) -> pb.BatchGetProfilesResponse:
        found = await self._accounts.batch_get_profiles(request.user_ids)
        return pb.BatchGetProfilesResponse(profiles=[to.profile(account) for account in found])

    async def CheckMail(self, request: pb.CheckMailRequest, context: Any) -> pb.CheckMailResponse:
        return pb.CheckMailResponse(can_deliver=self._letters.can_deliver)

    async def SendTurnLetter(self, request: pb.SendTurnLetterRequest, context: Any) -> pb.SendTurnLetterResponse:
        self._letters.send_turn(request.email, request.locale, request.link, request.minutes)
        return pb.SendTurnLetterResponse()

    async def ListFacts(self, request: pb.ListFactsRequest, context: Any) -> pb.ListFactsResponse:
        stored = await self._accounts.list_facts(request.after, request.limit)
        if not request.limit or len(stored) < request.limit:
            stored += [StoredFact(0, encode(event), event.at) for event in self._unsaved.facts]
        return pb.ListFactsResponse(facts=[wrap_fact(auth_facts_pb2.AuthFact, fact) for fact in stored])
