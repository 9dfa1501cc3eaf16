"""PersonalTokenService: tokens with which programs act for a person."""

from typing import Any

from majlis.auth.v1 import personal_token_service_pb2 as pb
from majlis.auth.v1 import personal_token_service_pb2_grpc

from services.auth import messages as to
from services.auth.app.personal_tokens import PersonalTokens
from services.auth.rpc.asked import visitor
from services.common.rpc.server import current_caller


class PersonalTokenServicer(personal_token_service_pb2_grpc.PersonalTokenServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, personal_tokens: PersonalTokens) -> None:
        self._personal_tokens = personal_tokens

    async def CreatePersonalToken(
        self, request: pb.CreatePersonalTokenRequest, context: Any
    ) -> pb.CreatePersonalTokenResponse:
        text, token = await self._personal_tokens.create(
            current_caller().user, request.label, request.scopes, request.days
        )
        return pb.CreatePersonalTokenResponse(personal_token=text, token=to.personal_token(token))

    async def ListPersonalTokens(
        self, request: pb.ListPersonalTokensRequest, context: Any
    ) -> pb.ListPersonalTokensResponse:
        found = await self._personal_tokens.list(current_caller().user)
        return pb.ListPersonalTokensResponse(tokens=[to.personal_token(token) for token in found])

    async def RevokePersonalToken(
        self, request: pb.RevokePersonalTokenRequest, context: Any
    ) -> pb.RevokePersonalTokenResponse:
        await self._personal_tokens.revoke(current_caller().user, request.token_id)
        return pb.RevokePersonalTokenResponse()

    async def ExchangePersonalToken(
        self, request: pb.ExchangePersonalTokenRequest, context: Any
    ) -> pb.ExchangePersonalTokenResponse:
        access = await self._personal_tokens.exchange(request.personal_token, visitor(context))
        return pb.ExchangePersonalTokenResponse(
            access_token=access.access_token, expires_at=to.moment(access.access_expires_at)
        )
