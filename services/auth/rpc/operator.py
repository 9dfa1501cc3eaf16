"""OperatorService: what operators do with accounts."""

from typing import Any

from majlis.auth.v1 import operator_service_pb2 as pb
from majlis.auth.v1 import operator_service_pb2_grpc

from services.auth import messages as to
from services.auth.app.operators import Operators
from services.common.rpc.server import current_caller


class OperatorServicer(operator_service_pb2_grpc.OperatorServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Any) -> pb.ListAccountsResponse:
        page, next_token = await self._operators.list_accounts(request.query, request.page_size, request.page_token)
        return pb.ListAccountsResponse(accounts=[to.own(own) for own in page], next_page_token=next_token)

    async def SuspendAccount(self, request: pb.SuspendAccountRequest, context: Any) -> pb.SuspendAccountResponse:
        await self._operators.suspend(current_caller().user, request.user_id, request.reason)
        return pb.SuspendAccountResponse()

    async def RestoreAccount(self, request: pb.RestoreAccountRequest, context: Any) -> pb.RestoreAccountResponse:
        await self._operators.restore(current_caller().user, request.user_id)
        return pb.RestoreAccountResponse()

    async def SetOperator(self, request: pb.SetOperatorRequest, context: Any) -> pb.SetOperatorResponse:
        own = await self._operators.set_operator(current_caller().user, request.user_id, request.operator)
        return pb.SetOperatorResponse(account=to.own(own))
