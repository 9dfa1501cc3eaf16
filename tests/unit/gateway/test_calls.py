"""Whoever calls, by whichever edge: admitted before anything is read, and answered by whom the call is for."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from google.protobuf.message import Message
from majlis.auth.v1 import account_service_pb2, sign_in_service_pb2
from majlis.auth.v1.account_pb2 import Tokens
from majlis.gateway.v1 import event_service_pb2

from services.common.errors import Crowded, DomainError, NotSignedIn
from services.common.rpc.caller import AUTHORIZATION, FORWARDED_NETWORK, REQUEST_ID
from services.common.trust.tokens import AccessToken
from services.gateway.call.caller import FORWARDED_USER_AGENT, Caller
from services.gateway.call.calls import Calls
from services.gateway.call.crowds import Crowds
from services.gateway.call.faults import Faults
from services.gateway.call.forwarder import Metadata
from services.gateway.call.identity import Identities
from services.gateway.call.local_rpcs import GET_SERVER_INFO, WATCH
from services.gateway.call.offered import Catalogue, Offered, contract_services
from services.gateway.call.slips import Slips
from services.gateway.call.status import reason_of
from services.gateway.call.turnstile import LEAST_QUEUE, MOST_INSIDE
from services.gateway.domain.cookies import Credentials
from tests.support.fake_clock import FakeClock
from tests.support.rpc_harness import TokenMint

CATALOGUE = Catalogue(contract_services())
GET_ME = "/majlis.auth.v1.AccountService/GetMe"
JOIN = "/majlis.room_directory.v1.RoomService/JoinRoom"
REFRESH = "/majlis.auth.v1.SignInService/RefreshSession"
NETWORK = "192.0.2.0/24"


class Owners:
    """The services behind, which remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, dict[str, str]]] = []
        self.answer: Message = account_service_pb2.GetMeResponse()
        self.closed = 0
        self.wait: asyncio.Event | None = None
        """Until when nobody is answered."""

    async def unary(self, offered: Offered, request: bytes, metadata: Metadata, seconds: float) -> bytes:
        if self.wait is not None:
            await self.wait.wait()
        self.asked.append((offered.path, request, dict(metadata)))
        return self.answer.SerializeToString()

    async def stream(self, offered: Offered, request: bytes, metadata: Metadata) -> AsyncGenerator[bytes, None]:
        raise AssertionError("every stream of the contracts is local")
        yield b""


class House:
    """The use case with what it needs, played."""

    def __init__(self) -> None:
        self.mint = TokenMint()
        self.owners = Owners()
        self.exchanged: list[tuple[str, str]] = []
        self.watched: list[tuple[str, bytes]] = []
        self.left = 0
        self.read = 0
        self.now = 1_700_000_000.0
        self.here: set[tuple[str, str]] = set()
        self.crowds = Crowds(Slips("a secret", self._time), lambda *who: who in self.here, now=self._time)
        identities = Identities(self.mint.verifier(), self._exchange, FakeClock())
        self.calls = Calls(
            CATALOGUE,
            self.owners,
            identities,
            {GET_SERVER_INFO: self._info},
            {},
            {WATCH: self._watch},
            Faults(),
            self.crowds,
        )

    async def unary(self, path: str, request: bytes | Message = b"", **caller: Any) -> Any:
        return await self.calls.unary(found(path), a_caller(**caller), self._reading(request), 5.0)

    def stream(self, path: str, request: bytes = b"", **caller: Any) -> AsyncGenerator[bytes, None]:
        return self.calls.stream(found(path), a_caller(**caller), self._reading(request))

    def _time(self) -> float:
        return self.now

    def _reading(self, request: bytes | Message) -> Any:
        async def read() -> bytes | Message:
            self.read += 1
            return request

        return read

    async def _exchange(self, token: str, network: str) -> tuple[str, float]:
        self.exchanged.append((token, network))
        return "traded", 0.0

    async def _info(self, request: bytes) -> bytes:
        return b"here"

    async def _watch(self, access: AccessToken, request: bytes) -> AsyncGenerator[bytes, None]:
        self.watched.append((access.user_id, request))
        try:
            while True:
                yield b"event"
        finally:
            self.left += 1


def found(path: str) -> Offered:
    offered = CATALOGUE.find(path)
    assert offered is not None
    return offered


def a_caller(**caller: Any) -> Caller:
    return Caller(**{"network": NETWORK, "request_id": "request-0001", "user_agent": "tests", **caller})


@pytest.mark.parametrize("path", [GET_ME, WATCH])
async def test_nothing_is_read_for_who_may_not_call(path: str) -> None:
    house = House()
    call = anext(house.stream(path)) if path == WATCH else house.unary(path)
    with pytest.raises(NotSignedIn):
        await call
    assert (house.read, house.owners.asked, house.watched) == (0, [], [])


async def test_those_who_begin_to_ask_and_never_finish_keep_nobody_out_of_a_room() -> None:
    house = House()
    never = asyncio.Event()

    async def dribble() -> bytes:
        await never.wait()
        return b""

    crowd = 2 * (MOST_INSIDE + LEAST_QUEUE)
    slow = [
        asyncio.ensure_future(house.calls.unary(found(JOIN), a_caller(shown="token"), dribble, 5.0))
        for _ in range(crowd)
    ]
    await asyncio.sleep(0)
    await house.unary(JOIN, b"", shown="token")
    assert [path for path, _, _ in house.owners.asked] == [JOIN]
    for each in slow:
        each.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_whom_a_call_is_for_hears_nothing_of_a_crowd_that_is_sent_away() -> None:
    house = House()
    answer = house.owners.wait = asyncio.Event()
    people = [asyncio.ensure_future(house.unary(JOIN, b"", shown="token")) for _ in range(MOST_INSIDE + LEAST_QUEUE)]
    await asyncio.sleep(0)
    with pytest.raises(Crowded) as refused:
        await house.unary(JOIN, b"", shown=house.mint.token())
    assert refused.value.metadata["slip"], "they count from now on"
    answer.set()
    await asyncio.gather(*people)
    assert len(house.owners.asked) == MOST_INSIDE + LEAST_QUEUE


async def test_the_owner_learns_who_calls_from_where_and_which_request_it_is() -> None:
    house = House()
    answer = await house.unary(GET_ME, b"", shown="token", user_agent="a phone\n with a \u2603")
    assert answer.message == b""
    ((path, _, told),) = house.owners.asked
    assert path == GET_ME
    assert told == {
        REQUEST_ID: "request-0001",
        FORWARDED_NETWORK: NETWORK,
        FORWARDED_USER_AGENT: "a phone with a ",
        AUTHORIZATION: "Bearer token",
    }


async def test_a_personal_token_is_traded_before_it_is_passed_on() -> None:
    house = House()
    await house.unary(GET_ME, b"", shown="mjp_personal")
    assert house.exchanged == [("mjp_personal", NETWORK)]
    assert house.owners.asked[0][2][AUTHORIZATION] == "Bearer traded"


@pytest.mark.parametrize("as_message", [True, False])
async def test_a_browser_s_tokens_come_from_its_cookies_and_go_back_into_them(as_message: bool) -> None:
    house = House()
    house.owners.answer = sign_in_service_pb2.RefreshSessionResponse(
        tokens=Tokens(access_token="new access", refresh_token="new refresh")
    )
    request = sign_in_service_pb2.RefreshSessionRequest()
    given = request if as_message else request.SerializeToString()
    answer = await house.unary(REFRESH, given, is_browser=True, refresh_token="old refresh")
    sent = sign_in_service_pb2.RefreshSessionRequest.FromString(house.owners.asked[0][1])
    assert sent.refresh_token == "old refresh"
    assert answer.credentials == Credentials("new access", "new refresh")
    assert "new" not in str(answer.message)


async def test_a_program_gets_its_tokens_in_the_answer() -> None:
    house = House()
    house.owners.answer = sign_in_service_pb2.RefreshSessionResponse(tokens=Tokens(access_token="new access"))
    answer = await house.unary(REFRESH, sign_in_service_pb2.RefreshSessionRequest(refresh_token="mine"))
    assert (answer.message, answer.credentials) == (house.owners.answer.SerializeToString(), None)


async def test_what_the_gateway_knows_itself_asks_no_service() -> None:
    house = House()
    assert (await house.unary(GET_SERVER_INFO)).message == b"here"
    assert house.owners.asked == []


async def test_who_watches_is_verified_and_their_place_is_free_as_soon_as_they_go() -> None:
    house = House()
    request = event_service_pb2.WatchRequest(room_id="room000000000001").SerializeToString()
    with pytest.raises(NotSignedIn):
        await anext(house.stream(WATCH, request, shown="nonsense"))
    events = house.stream(WATCH, request, shown=house.mint.token())
    assert await anext(events) == b"event"
    assert (house.watched, house.left) == ([("user000000000001", request)], 0)
    await events.aclose()
    assert house.left == 1


def test_a_refusal_is_told_as_it_is_and_a_fault_of_ours_as_one() -> None:
    house = House()
    assert reason_of(house.calls.refusal(found(GET_ME), NotSignedIn("no"))) == "NOT_SIGNED_IN"
    status = house.calls.refusal(found(GET_ME), RuntimeError("the password is 1234"))
    assert reason_of(status) == DomainError.reason
    assert "1234" not in str(status)
