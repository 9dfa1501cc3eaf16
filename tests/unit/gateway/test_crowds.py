"""A crowd: who is sent away gets a slip, and comes back as somebody who has been coming since their first try."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from majlis.room_directory.v1 import room_service_pb2

from services.common.errors import Crowded
from services.common.rpc.caller import FORWARDED_WAITED
from services.common.trust.key_ring import KeyRing
from services.gateway.call.crowds import SLIP, Crowds, Knock
from services.gateway.call.identity import Identities
from services.gateway.call.offered import Catalogue, contract_services
from services.gateway.call.slips import Slips
from services.gateway.call.turnstile import LEAST_QUEUE, MOST_INSIDE, Rank
from tests.support.fake_clock import FakeClock
from tests.support.rpc_harness import TokenMint

NADIA, OMAR = "user000000000001", "user000000000002"
ROOM, OTHER = "room000000000001", "room000000000002"
_FOUND = Catalogue(contract_services()).find("/majlis.room_directory.v1.RoomService/JoinRoom")
assert _FOUND is not None
JOIN = _FOUND


async def no_exchange(_token: str, _network: str) -> tuple[str, float]:
    """Nobody shows a personal token."""
    raise AssertionError("nobody shows one")


class Door:
    """What the edge asks of a crowd, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.here: set[tuple[str, str]] = set()
        self.mint = TokenMint()
        slips = Slips("a secret", lambda: self.now)
        self.counted: list[Rank] = []
        self.crowds = Crowds(slips, lambda *who: who in self.here, now=lambda: self.now, sent_away=self.counted.append)

    def knock(self, user_id: str = NADIA, room_id: str = ROOM, **fields: Any) -> Knock:
        request = room_service_pb2.JoinRoomRequest(room_id=room_id, **fields)
        knock = self.crowds.knock(JOIN, request, self.mint.token(user_id))
        assert not request.slip, "whom the call is for is not shown the slip"
        return knock

    def waited(self, knock: Knock) -> int:
        return int(dict(knock.waited(self.now))[FORWARDED_WAITED])

    async def fill(self) -> list[asyncio.Task[None]]:
        """So many come that nobody else finds room."""

        async def stay() -> None:
            async with self.crowds.turnstile.turn(Rank.INSIDE):
                await asyncio.Event().wait()

        people = [asyncio.ensure_future(stay()) for _ in range(MOST_INSIDE + LEAST_QUEUE)]
        await asyncio.sleep(0)
        return people

    async def sent_away(self, knock: Knock) -> Crowded:
        with pytest.raises(Crowded) as refused:
            async with self.crowds.turn(knock):
                raise AssertionError("nobody has a turn")
        return refused.value


async def _end(people: list[asyncio.Task[None]]) -> None:
    for person in people:
        person.cancel()
    await asyncio.gather(*people, return_exceptions=True)


async def test_who_was_sent_away_twice_has_been_coming_since_the_first_time() -> None:
    door = Door()
    people = await door.fill()
    first = await door.sent_away(door.knock())
    door.now += (first.retry_after_seconds or 0) + 1
    second = await door.sent_away(door.knock(slip=first.metadata[SLIP]))
    door.now += (second.retry_after_seconds or 0) + 1
    await _end(people)
    knock = door.knock(slip=second.metadata[SLIP])
    assert knock.rank is Rank.DUE
    told = (first.retry_after_seconds or 0) + (second.retry_after_seconds or 0) + 2
    assert door.waited(knock) == pytest.approx(1000 * told, abs=5)


async def test_who_comes_before_their_time_keeps_arrival_and_time() -> None:
    door = Door()
    people = await door.fill()
    first = await door.sent_away(door.knock(slip=door.crowds.slips.write(door.knock().knocker, door.now - 5, 40.0)))
    assert first.retry_after_seconds == pytest.approx(40, abs=0.01)
    knock = door.knock(slip=first.metadata[SLIP])
    assert (knock.rank, door.waited(knock)) == (Rank.EARLY, 5000)
    await _end(people)


async def test_a_slip_that_is_no_good_is_as_none_and_refuses_nobody() -> None:
    door = Door()
    good = door.crowds.slips.write(door.knock().knocker, door.now - 60, 0.0)
    assert door.waited(door.knock(slip=good)) == 60_000
    for knock in (
        door.knock(OMAR, slip=good),
        door.knock(room_id=OTHER, slip=good),
        door.knock(slip=good[:-4] + "AAAA"),
        door.knock(slip="x" * 10_000),
    ):
        assert (knock.rank, door.waited(knock)) == (Rank.NEW, 0)
    door.now += 121
    assert (door.knock(slip=good).rank, door.waited(door.knock(slip=good))) == (Rank.NEW, 0)


async def test_who_belongs_inside_goes_first_only_with_a_token_that_is_theirs() -> None:
    door = Door()
    door.here.add((ROOM, NADIA))
    identities = Identities(door.mint.verifier(), no_exchange, FakeClock())
    crowds = replace(door.crowds, vouch=identities.vouch)
    genuine = door.mint.token(NADIA)
    forged = TokenMint().token(NADIA)
    knock = door.knock()
    assert (await crowds.believed(knock, forged)).rank is Rank.INSIDE, "nobody else is there"
    people = await door.fill()
    assert (await crowds.believed(knock, genuine)).rank is Rank.INSIDE
    for shown in (forged, genuine[:-8] + "AAAAAAAA", "", None):
        assert (await crowds.believed(knock, shown)).rank is Rank.NEW
    await _end(people)


async def test_while_nobody_can_say_whose_a_token_is_its_bearer_counts_as_a_newcomer() -> None:
    async def silence(_: str) -> None:
        await asyncio.Event().wait()

    door = Door()
    door.here.add((ROOM, NADIA))
    people = await door.fill()
    crowds = replace(door.crowds, vouch=silence)
    assert (await crowds.believed(door.knock(), door.mint.token(NADIA))).rank is Rank.NEW
    await _end(people)


async def test_people_who_are_in_the_room_or_in_its_line_go_before_newcomers() -> None:
    door = Door()
    door.here.add((ROOM, NADIA))
    ring = KeyRing.create(door.mint.clock.now())

    def ticket(user_id: str, room_id: str, ends_in: int, kind: str = "ticket+jwt") -> str:
        return ring.sign({"sub": user_id, "room": room_id, "exp": int(door.now) + ends_in}, kind)

    assert door.knock(NADIA).rank is Rank.INSIDE
    assert door.knock(NADIA, OTHER).rank is Rank.NEW
    assert door.knock(OMAR, ticket=ticket(OMAR, ROOM, 60)).rank is Rank.INSIDE
    for other in (
        ticket(NADIA, ROOM, 60),
        ticket(OMAR, OTHER, 60),
        ticket(OMAR, ROOM, -1),
        ticket(OMAR, ROOM, 60, "at+jwt"),
        "a.b.c",
        "junk",
    ):
        assert door.knock(OMAR, ticket=other).rank is Rank.NEW


@pytest.mark.parametrize("token", [None, "", "junk", "a.b.c", "mjp_personal"])
async def test_who_shows_no_token_that_can_be_read_gets_no_slip_and_no_error_from_it(token: str | None) -> None:
    door = Door()
    people = await door.fill()
    knock = door.crowds.knock(JOIN, room_service_pb2.JoinRoomRequest(room_id=ROOM, slip="x"), token)
    assert knock.rank is Rank.NEW
    assert SLIP not in (await door.sent_away(knock)).metadata
    await _end(people)


async def test_who_is_sent_away_is_counted_by_where_they_stood() -> None:
    door = Door()
    people = await door.fill()
    door.here.add((ROOM, NADIA))
    await door.sent_away(door.knock())
    refused = await door.sent_away(door.knock("u" * 20))
    door.now += 120
    await door.sent_away(door.knock("u" * 20, slip=refused.metadata["slip"]))
    assert door.counted == [Rank.INSIDE, Rank.NEW, Rank.DUE]
    for each in people:
        each.cancel()
