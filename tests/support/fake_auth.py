"""An auth for tests of the directory, where everybody has a name."""

from typing import Any

from majlis.auth.v1 import account_pb2, account_service_pb2, auth_facts_pb2, identity_service_pb2

from services.common.rpc.errors import RemoteError
from tests.support.auth_contract import AuthServicer
from tests.support.rpc_harness import TokenMint


def person(name: str) -> str:
    """A user id that reads like a name."""
    return f"{name}0000000000"[:16]


class FakeAuth(AuthServicer):
    """Profiles of everybody who has a name, keys of the mint, and the facts a test adds."""

    def __init__(self, mint: TokenMint) -> None:
        self.mint = mint
        self.facts: list[auth_facts_pb2.AuthFact] = []
        self.names: dict[str, str] = {}
        self.languages: dict[str, list[str]] = {}
        self.profile_calls = 0

    def _profile(self, user_id: str) -> account_pb2.Profile:
        name = self.names.get(user_id, user_id.rstrip("0"))
        spoken = self.languages.get(user_id, [])
        return account_pb2.Profile(
            user_id=user_id, handle=user_id.rstrip("0"), display_name=name, spoken_languages=spoken
        )

    async def GetKeySet(self, request: Any, context: Any) -> identity_service_pb2.GetKeySetResponse:
        return identity_service_pb2.GetKeySetResponse(jwks_json=self.mint.keys.jwks_json())

    async def BatchGetProfiles(self, request: Any, context: Any) -> identity_service_pb2.BatchGetProfilesResponse:
        self.profile_calls += 1
        known = [user_id for user_id in request.user_ids if not user_id.startswith("nobody")]
        return identity_service_pb2.BatchGetProfilesResponse(profiles=[self._profile(user_id) for user_id in known])

    async def GetProfile(self, request: Any, context: Any) -> account_service_pb2.GetProfileResponse:
        if request.handle == "nobody":
            raise RemoteError("not_found", "ACCOUNT_NOT_FOUND", "no such account")
        return account_service_pb2.GetProfileResponse(profile=self._profile(person(request.handle)))

    async def ListFacts(self, request: Any, context: Any) -> identity_service_pb2.ListFactsResponse:
        return identity_service_pb2.ListFactsResponse(
            facts=[fact for fact in self.facts if fact.number > request.after]
        )
