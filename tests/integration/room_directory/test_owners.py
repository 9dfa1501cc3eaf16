"""Two copies of the directory on one PostgreSQL: each room has one owner, and goes on when that one is gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from majlis.room_directory.v1 import (
    booth_service_pb2,
    caption_service_pb2,
    languages_pb2,
    moderation_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from services.common.ids import new_id
from services.room_directory.domain.leases import LEASE_SECONDS
from services.room_directory.storage.leases import SqlLeases
from tests.integration.room_directory.test_rungs import heard, tell
from tests.integration.room_directory.world import FakeRelay, World, refusal, refused_with
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings

BACK_SECONDS = 5.0


class Pair:
    """Two copies, what is around them, and a relay that both know."""

    def __init__(self, first: World, second: World, relay: FakeRelay) -> None:
        self.first, self.second, self.relay = first, second, relay

    def titled(self, *titles: str) -> list[tuple[World, str]]:
        """Each copy with a title."""
        return list(zip((self.first, self.second), titles, strict=True))


@pytest_asyncio.fixture
async def pair(tmp_path: Path, nats_server: NatsServer, postgres_url: str) -> AsyncIterator[Pair]:
    """Both run; neither owns a room yet."""
    test_settings(tmp_path)
    first = World(tmp_path, nats_server.url, postgres_url, schema=f"test_{new_id()}")
    await first.open()
    await first.start()
    second = World(tmp_path, nats_server.url, postgres_url, schema=first.schema, mint=first.mint)
    second.auth_server = first.auth_server
    await second.start()
    relay = await first.relay()
    await second.until(lambda: relay.relay_id in second.parts.app.fleet.relays)
    yield Pair(first, second, relay)
    await second.close()
    await first.close()


async def test_the_copy_that_made_a_room_owns_it_and_the_other_one_names_it(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    error = await refused_with(pair.second.join("omar", room_id))
    assert (error.reason, error.metadata) == ("ROOM_MOVES", {"owner": f"127.0.0.1:{pair.first.port}"})
    joined = await pair.first.join("omar", room_id)
    assert (await pair.first.claims(joined.permit))["term"] == 1


async def test_each_copy_answers_for_rooms_of_its_own(pair: Pair) -> None:
    mine = [(await copy.create("lina")).room_id for copy in (pair.first, pair.second)]
    for copy, room_id in zip((pair.first, pair.second), mine, strict=True):
        await copy.join("omar", room_id)
        assert copy.listeners(room_id) == 1
    assert await refusal(pair.first.join("omar", mine[1])) == "ROOM_MOVES"


async def test_what_relays_and_gateways_report_to_any_copy_arrives_at_the_owner(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    joined = await pair.first.join("omar", room_id)
    await pair.second.connect("omar", room_id, joined.seat.epoch, pair.relay)
    await pair.second.stream("omar", room_id, joined.seat.epoch, is_open=True)
    live = pair.first.parts.rooms.get(room_id)
    assert live is not None
    seat = live.room.seats[person("omar")]
    assert seat.sounds()
    assert seat.stream


async def test_who_listens_over_https_is_told_to_any_copy_and_counted_by_the_owner_alone(pair: Pair) -> None:
    room_id, other_id = [(await copy.create("lina")).room_id for copy in (pair.first, pair.second)]
    await tell(pair.second, heard(room_id, floor=7, web=3), heard(other_id, floor=1))
    mine, other = pair.first.parts.app.fleet.listeners, pair.second.parts.app.fleet.listeners
    assert (dict(mine.channels(room_id)), mine.web(room_id)) == ({"floor": 7}, 3)
    assert (dict(other.channels(other_id)), dict(other.channels(room_id))) == ({"floor": 1}, {})


async def test_a_room_whose_owner_is_gone_goes_on_at_the_other_with_all_that_was(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    lina = await first.join("lina", room_id)
    await first.connect("lina", room_id, lina.seat.epoch, pair.relay, stage=True)
    for name in ("omar", "nadia", "sami"):
        joined = await first.join(name, room_id)
        await first.connect(name, room_id, joined.seat.epoch, pair.relay)
    await first.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id, question="Why?"))
    await first.call(
        "lina", "OfferStage", stage_service_pb2.OfferStageRequest(room_id=room_id, user_id=person("nadia"))
    )
    await first.call("lina", "SetOwnMute", stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=True))
    await first.call("lina", "OpenBooth", booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ar"))
    sit = booth_service_pb2.SitInBoothRequest(room_id=room_id, language="ar")
    seated = await first.call("lina", "SitInBooth", sit)
    await first.connect("lina", room_id, seated.seat.epoch, pair.relay, stage=True)
    say = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=person("lina"), language="ru")
    await first.call("lina", "SetSpokenLanguage", say)
    grant = caption_service_pb2.GrantCaptioningRequest(room_id=room_id, user_id=person("omar"), language="ru")
    await first.call("lina", "GrantCaptioning", grant)
    before = await first.snapshot(room_id)
    assert before.booths[0].active_user_id == person("lina")
    remove = moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=person("sami"))
    await first.call("lina", "RemovePerson", remove)
    pair.relay.sessions = [each for each in pair.relay.sessions if each.user_id != person("sami")]
    await first.crash()
    await second.until(lambda: second.parts.rooms.get(room_id) is not None, BACK_SECONDS)
    live = second.parts.rooms.get(room_id)
    assert live is not None
    # Who listens is written nowhere: their relay tells it.
    await second.until(lambda: live.room.listener_count() == 2)
    snapshot = await second.snapshot(room_id)
    assert snapshot.stage[0].muted
    assert snapshot.booths == before.booths, "who is heard, and since when"
    assert list(snapshot.stage) == list(before.stage), "what they speak on the floor, too"
    queue = await second.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room_id))
    assert [(hand.person.user_id, hand.question) for hand in queue.hands] == [(person("omar"), "Why?")]
    assert set(live.room.offers) == {person("nadia")}
    assert live.room.stage[person("lina")].speaks == "ru"
    assert live.room.captioners[person("omar")].languages == ("ru",)
    assert await refusal(second.join("sami", room_id)) == "REMOVED"
    joined = await second.join("mona", room_id)
    assert (await second.claims(joined.permit))["term"] == 2
    await second.until(lambda: pair.relay.parts[room_id].term == 2)
    await first.until(lambda: any(pulse.room_id == room_id and pulse.term == 2 for pulse in first.pulses))
    assert {fact.term for fact in first.of_type(room_events_pb2.PersonRemoved, room_id)} == {1}


async def test_booths_go_on_at_the_next_owner_with_who_is_heard_there(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    lina = await first.join("lina", room_id)
    await first.connect("lina", room_id, lina.seat.epoch, pair.relay, stage=True)
    await first.call("lina", "OpenBooth", booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ar"))
    sit = booth_service_pb2.SitInBoothRequest(room_id=room_id, language="ar")
    seated = await first.call("lina", "SitInBooth", sit)
    await first.connect("lina", room_id, seated.seat.epoch, pair.relay, stage=True)
    before = (await first.snapshot(room_id)).booths
    await first.parts.owning.ownership.round()  # type: ignore[union-attr]
    await first.parts.owning.leave()
    assert (await second.snapshot(room_id)).booths == before
    assert before[0].active_user_id == person("lina")
    assert before[0].HasField("heard_since")
    await second.until(lambda: pair.relay.parts[room_id].term == 2)
    assert pair.relay.parts[room_id].booths[0].active_member == seated.seat.member
    joined = await second.join("omar", room_id, language="ar")
    claims = await second.claims(joined.permit)
    assert (claims["channel"], claims["term"]) == ("ar", 2)


async def test_an_owner_that_slept_decides_nothing_and_writes_nothing(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    ownership = first.parts.owning.ownership
    assert ownership is not None
    # It believes for ever in what it holds, as one does that was frozen between its look and its act.
    ownership.may_go_on = lambda room_id: True  # type: ignore[method-assign]
    await ownership._rounds.acquire()
    await second.until(lambda: second.parts.rooms.get(room_id) is not None, BACK_SECONDS)
    rename = room_service_pb2.UpdateRoomRequest(room_id=room_id, title="Stale")
    assert await refusal(first.call("lina", "UpdateRoom", rename)) == "ROOM_MOVES"
    assert (await second.snapshot(room_id)).room.title == "Stars over Sanaa"
    assert first.parts.rooms.get(room_id) is None


async def test_a_copy_that_leaves_gives_its_rooms_away_before_their_leases_lapse(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    await pair.first.parts.owning.leave()
    await pair.second.until(lambda: pair.second.parts.rooms.get(room_id) is not None, LEASE_SECONDS / 2)
    assert await refusal(pair.first.join("omar", room_id)) == "ROOM_MOVES"


async def test_whoever_asks_a_copy_that_leaves_hears_who_has_the_room_once_it_is_there(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    await first.parts.owning.ownership.round()  # type: ignore[union-attr]
    leaving = asyncio.ensure_future(first.parts.owning.leave())
    await first.until(lambda: first.parts.rooms.get(room_id) is None)
    error = await refused_with(first.join("omar", room_id))
    assert (error.reason, error.metadata) == ("ROOM_MOVES", {"owner": f"127.0.0.1:{second.port}"})
    assert second.parts.rooms.get(room_id) is not None
    await leaving


async def test_who_has_just_come_in_and_has_no_sound_yet_keeps_the_seat_when_the_owner_leaves(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    seats = {name: (await first.join(name, room_id)).seat for name in ("omar", "nadia", "sami")}
    await first.stream("nadia", room_id, seats["nadia"].epoch, is_open=True)
    remove = moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=person("sami"))
    await first.call("lina", "RemovePerson", remove)
    await first.parts.owning.ownership.round()  # type: ignore[union-attr]
    await first.parts.owning.leave()
    live = second.parts.rooms.get(room_id)
    assert live is not None
    kept = {person(name): live.room.seats[person(name)] for name in ("omar", "nadia")}
    assert {name: seat.epoch for name, seat in kept.items()} == {
        person(name): seats[name].epoch for name in ("omar", "nadia")
    }
    assert [seat.stream for seat in kept.values()] == [False, True]
    assert person("sami") not in live.room.seats
    request = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
    permit = (await second.call("omar", "GetMediaPermit", request)).permit
    assert (await second.claims(permit))["term"] == 2


async def test_a_room_made_by_a_copy_that_leaves_goes_on_at_the_other_at_once(pair: Pair) -> None:
    await pair.first.parts.owning.leave()
    room_id = (await pair.first.create("lina")).room_id
    await pair.first.parts.owning.leave()
    await pair.second.until(lambda: pair.second.parts.rooms.get(room_id) is not None, LEASE_SECONDS / 2)


async def test_a_room_that_is_over_has_no_lease(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    await pair.first.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room_id))
    assert await refusal(pair.first.join("omar", room_id)) == "ROOM_ENDED"
    first, second = pair.first.parts.owning.ownership, pair.second.parts.owning.ownership
    assert first is not None
    assert second is not None
    await first.round()
    await second.round()
    assert await SqlLeases(pair.first.database).find(room_id) is None
    assert await refusal(pair.second.join("omar", room_id)) == "ROOM_ENDED"


async def test_the_hallway_of_any_copy_shows_rooms_of_all_with_their_counts(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    mine = (await pair.second.create("sami", "Maps")).room_id
    joined = await pair.first.join("omar", room_id)
    await pair.first.connect("omar", room_id, joined.seat.epoch, pair.relay)

    async def shown() -> dict[str, tuple[int, int]]:
        answer = await pair.second.call("mona", "ListRooms", room_service_pb2.ListRoomsRequest())
        return {room.room_id: (room.listener_count, room.web_listener_count) for room in answer.rooms}

    for _ in range(100):
        await tell(pair.first, heard(room_id, web=4))
        if await shown() == {room_id: (1, 4), mine: (0, 0)}:
            break
        await asyncio.sleep(0.1)
    assert await shown() == {room_id: (1, 4), mine: (0, 0)}


async def test_a_block_told_to_one_copy_keeps_a_person_out_of_rooms_of_the_other(pair: Pair) -> None:
    room_id = (await pair.first.create("lina")).room_id
    await pair.second.parts.owning.ownership.round()  # type: ignore[union-attr]
    block = moderation_service_pb2.BlockPersonRequest(user_id=person("omar"))
    await pair.second.call("lina", "BlockPerson", block)
    assert await refusal(pair.first.join("omar", room_id)) == "BLOCKED"


async def test_a_block_names_the_rooms_of_every_copy_where_the_person_is_now(pair: Pair) -> None:
    rooms = {(await copy.create("lina", title)).room_id: title for copy, title in pair.titled("Stars", "Maps")}
    for copy, room_id in zip((pair.first, pair.second), rooms, strict=True):
        await copy.join("lina", room_id)
        await copy.join("omar", room_id)
    await pair.second.parts.owning.ownership.round()  # type: ignore[union-attr]
    block = moderation_service_pb2.BlockPersonRequest(user_id=person("omar"))
    for _ in range(2):
        answer = await pair.second.call("lina", "BlockPerson", block)
        assert {room.room_id: room.title for room in answer.rooms} == rooms
    unblock = moderation_service_pb2.UnblockPersonRequest(user_id=person("omar"))
    await pair.second.call("lina", "UnblockPerson", unblock)
    assert not pair.first.parts.blocks.has(person("lina"), person("omar"))


async def test_who_was_asked_in_while_the_owner_was_gone_may_enter_at_the_next_one(pair: Pair) -> None:
    first, second = pair.first, pair.second
    closed = room_pb2.VISIBILITY_CLOSED
    room_id = (await first.create("lina", visibility=closed)).room_id
    await second.parts.app.moderation.invited_into(room_id, person("omar"), person("lina"))
    await first.crash()
    await second.until(lambda: second.parts.rooms.get(room_id) is not None, BACK_SECONDS)
    assert (await second.join("omar", room_id)).snapshot.room.room_id == room_id


async def test_a_permit_by_a_key_that_another_copy_has_just_made_is_known_at_any(pair: Pair) -> None:
    first, second = pair.first, pair.second
    room_id = (await first.create("lina")).room_id
    await first.parts.ledger.key_ring(timedelta(0))
    await first.parts.keys.rotate()
    joined = await first.join("omar", room_id)
    assert (await second.claims(joined.permit))["sub"] == person("omar")


async def waits(copy: World, name: str, room_id: str, ticket: str = "") -> room_pb2.Place:
    answer = await copy.join(name, room_id, may_wait=True, ticket=ticket)
    assert answer.HasField("place"), "there was a seat"
    return answer.place


async def test_who_left_the_line_before_its_owner_was_gone_does_not_come_back_at_its_head(pair: Pair) -> None:
    first, second = pair.first, pair.second
    for copy in (second, first):
        copy.changes = {"listener_limit": 1}
        await copy.crash()
        await copy.start()
    await first.until(lambda: pair.relay.relay_id in first.parts.app.fleet.relays, BACK_SECONDS)
    room_id = (await first.create("lina")).room_id
    seated = await first.join("sami", room_id)
    await first.connect("sami", room_id, seated.seat.epoch, pair.relay)
    tickets = {name: (await waits(first, name, room_id)).ticket for name in ("omar", "nadia")}
    await asyncio.sleep(1.1)  # Tickets are dated in whole seconds.
    await first.call("omar", "LeaveLine", room_service_pb2.LeaveLineRequest(room_id=room_id, ticket=tickets["omar"]))
    await second.until(lambda: bool(second.parts.app.waiting._left.of_room(room_id)))
    await first.crash()
    await second.until(lambda: second.parts.rooms.get(room_id) is not None, BACK_SECONDS)
    assert (await waits(second, "omar", room_id, tickets["omar"])).position == 1, "nobody else has shown a ticket yet"
    assert (await waits(second, "nadia", room_id, tickets["nadia"])).position == 1
    assert (await waits(second, "omar", room_id)).position == 2
