"""The keys of the directory, by which permits are verified."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from majlis.contract.v1 import tokens_pb2
from majlis.room_directory.v1 import fleet_service_pb2, fleet_service_pb2_grpc

from services.common.errors import NotSignedIn, TokenExpired
from services.common.trust.claims import TokenKind
from services.common.trust.tokens import TokenVerifier
from services.media_relay.domain.errors import PermitInvalid

PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)
KEY_SET_REFRESH_SECONDS = 60.0

_FETCH_SECONDS = 2.0
_AGAIN_SECONDS = 1.0


class PermitKeys:
    """Verifies permits with the directory's keys; those fetched last serve while the directory is away."""

    def __init__(
        self, stub: "fleet_service_pb2_grpc.FleetServiceAsyncStub", deployment: str, refused: Callable[[str], None]
    ) -> None:
        self._stub = stub
        self._verifier = TokenVerifier(self._fetch, PERMIT.issuer, deployment, refused=refused)

    async def verify(self, permit: str) -> Mapping[str, Any]:
        """The permit's claims by the words of the contract. Raises PermitInvalid or PartUnavailable."""
        try:
            return PERMIT.fields(await self._verifier.verify(permit, PERMIT.type))
        except (NotSignedIn, TokenExpired) as error:
            raise PermitInvalid(f"the permit is not accepted: {error.message}") from error

    async def keep_fresh(self) -> None:
        """Fetches the keys before anyone needs them, and again every minute."""
        while True:
            answered = await self._verifier.refetch()
            pause = KEY_SET_REFRESH_SECONDS if answered else _AGAIN_SECONDS
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 (jitter)

    async def _fetch(self) -> str:
        answer = await self._stub.GetKeySet(fleet_service_pb2.GetKeySetRequest(), timeout=_FETCH_SECONDS)
        return answer.jwks_json
