"""Booths over real databases: from opening one to a permit in its language, over crashes and other owners."""

from typing import Any

from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import (
    booth_events_pb2,
    booth_pb2,
    booth_service_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from tests.integration.room_directory.world import FakeRelay, World, on_both_databases, refusal
from tests.support.fake_auth import person


async def led_room(world: World) -> tuple[FakeRelay, str]:
    """A room with a relay whose moderator is heard."""
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    lina = await world.join("lina", room_id)
    await world.connect("lina", room_id, lina.seat.epoch, relay, stage=True)
    return relay, room_id


async def open_booth(world: World, room_id: str, language: str) -> booth_pb2.Booth:
    request = booth_service_pb2.OpenBoothRequest(room_id=room_id, language=language)
    booth: booth_pb2.Booth = (await world.call("lina", "OpenBooth", request)).booth
    return booth


async def interpret(world: World, relay: FakeRelay, room_id: str, name: str, language: str) -> Any:
    """Joins, accepts a seat in a booth and is connected there."""
    await world.join(name, room_id)
    request = booth_service_pb2.OfferBoothRequest(room_id=room_id, user_id=person(name), language=language)
    offer = (await world.call("lina", "OfferBooth", request)).offer
    assert offer.language == language
    accept = stage_service_pb2.AcceptOfferRequest(room_id=room_id, offer_id=offer.offer_id)
    accepted = await world.call(name, "AcceptOffer", accept)
    await world.connect(name, room_id, accepted.seat.epoch, relay, stage=True)
    return accepted


def part(relay: FakeRelay, room_id: str, language: str) -> room_parts_pb2.BoothPart:
    return next(each for each in relay.parts[room_id].booths if each.language == language)


@on_both_databases
async def test_an_interpreter_is_heard_by_who_asks_for_the_language_and_hands_over_in_one_step(world: World) -> None:
    relay, room_id = await led_room(world)
    booth = await open_booth(world, room_id, "ar")
    assert (booth.language, booth.rule, booth.floor_level_db) == ("ar", booth_pb2.BOOTH_RULE_SILENCE, -20)
    assert [channel.name for channel in relay.parts[room_id].channels] == ["floor", "ar"], "before the answer"

    irina = await interpret(world, relay, room_id, "irina", "ar")
    assert (irina.seat.role, irina.seat.language) == (room_pb2.ROLE_INTERPRETER, "ar")
    claims = await world.claims(irina.permit)
    assert (claims["kind"], claims["booth"], claims["channel"]) == ("stage", "ar", "floor")
    await world.until(lambda: part(relay, room_id, "ar").active_member == irina.seat.member)

    omar = await world.join("omar", room_id, language="ar")
    claims = await world.claims(omar.permit)
    assert (claims["channel"], claims["channel_kind"], claims["booth"]) == ("ar", "language", "")
    ask = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
    assert (await world.claims((await world.call("omar", "GetMediaPermit", ask)).permit))["channel"] == "floor"
    ask.language = "ru"
    assert await refusal(world.call("omar", "GetMediaPermit", ask)) == "BOOTH_UNKNOWN"
    assert await refusal(world.join("nadia", room_id, language="ru")) == "BOOTH_UNKNOWN"

    sana = await interpret(world, relay, room_id, "sana", "ar")
    taken = await world.call("sana", "TakeOver", booth_service_pb2.TakeOverRequest(room_id=room_id))
    assert taken.booth.active_user_id == person("sana")
    assert part(relay, room_id, "ar").active_member == sana.seat.member, "in force when it returns"
    told = world.of_type(booth_events_pb2.BoothChanged, room_id)
    await world.until(lambda: world.of_type(booth_events_pb2.BoothChanged, room_id)[-1].booth == taken.booth)
    assert told[0].booth.language == "ar"

    leave = room_service_pb2.LeaveRoomRequest(room_id=room_id)
    await world.call("sana", "LeaveRoom", leave)
    assert part(relay, room_id, "ar").active_member == irina.seat.member
    await world.call("lina", "CloseBooth", booth_service_pb2.CloseBoothRequest(room_id=room_id, language="ar"))
    assert [channel.name for channel in relay.parts[room_id].channels] == ["floor"]
    assert relay.orders(person("irina"))[-1][0] == relay_pb.SEAT_ACTION_REPLACE
    snapshot = await world.snapshot(room_id)
    assert not snapshot.booths
    assert person("irina") not in {seat.person.user_id for seat in snapshot.stage}


@on_both_databases
async def test_booths_and_who_sits_is_heard_and_hears_there_survive_a_crash(world: World) -> None:
    relay, room_id = await led_room(world)
    for language in ("ru", "ar"):
        await open_booth(world, room_id, language)
    await interpret(world, relay, room_id, "irina", "ar")
    await interpret(world, relay, room_id, "sana", "ar")
    await world.call("sana", "TakeOver", booth_service_pb2.TakeOverRequest(room_id=room_id))
    hear = booth_service_pb2.SetHearingRequest(room_id=room_id, language="ru")
    assert (await world.call("irina", "SetHearing", hear)).booth.seats[0].hears == "ru"
    change = booth_service_pb2.SetBoothRequest(
        room_id=room_id, language="ar", rule=booth_pb2.BOOTH_RULE_FLOOR, floor_after_seconds=0, floor_level_db=-100
    )
    await world.call("irina", "SetBooth", change)
    sit = booth_service_pb2.SitInBoothRequest(room_id=room_id, language="ru")
    seated = await world.call("lina", "SitInBooth", sit)
    assert (await world.claims(seated.permit))["booth"] == seated.seat.language == "ru"
    assert relay.orders(person("lina"))[-1] == (relay_pb.SEAT_ACTION_REPLACE, seated.seat.epoch), "silent elsewhere"
    await world.connect("lina", room_id, seated.seat.epoch, relay, stage=True)
    await world.join("omar", room_id)
    offer = booth_service_pb2.OfferBoothRequest(room_id=room_id, user_id=person("omar"), language="ar")
    offer_id = (await world.call("lina", "OfferBooth", offer)).offer.offer_id
    before = await world.snapshot(room_id)
    assert list(before.room.languages) == ["ru", "ar"]
    assert before.booths[1].HasField("heard_since")

    await world.crash()
    await world.start()

    after = await world.snapshot(room_id)
    assert list(after.booths) == list(before.booths)
    assert list(after.stage) == list(before.stage)
    assert after.room.languages == before.room.languages
    accept = stage_service_pb2.AcceptOfferRequest(room_id=room_id, offer_id=offer_id)
    await world.join("omar", room_id)
    assert (await world.call("omar", "AcceptOffer", accept)).seat.language == "ar"
    await world.until(lambda: len(relay.parts[room_id].booths) == 2)
    assert part(relay, room_id, "ar").hearing[0].channel == "ru"
    assert part(relay, room_id, "ar").floor_level_db == -100


@on_both_databases
async def test_each_refusal_about_booths_says_why(world: World) -> None:
    relay, room_id = await led_room(world)
    await world.join("omar", room_id)
    opening = booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ar")
    assert await refusal(world.call("omar", "OpenBooth", opening)) == "NOT_ALLOWED"
    strange = booth_service_pb2.OpenBoothRequest(room_id=room_id, language="Arabic")
    assert await refusal(world.call("lina", "OpenBooth", strange)) == "LANGUAGE_INVALID"
    sit = booth_service_pb2.SitInBoothRequest(room_id=room_id, language="ar")
    assert await refusal(world.call("lina", "SitInBooth", sit)) == "BOOTH_UNKNOWN"
    over = booth_service_pb2.TakeOverRequest(room_id=room_id)
    assert await refusal(world.call("lina", "TakeOver", over)) == "NOT_IN_BOOTH"
    await open_booth(world, room_id, "ar")
    for name in ("irina", "sana", "yusuf"):
        await interpret(world, relay, room_id, name, "ar")
    assert await refusal(world.call("lina", "SitInBooth", sit)) == "BOOTH_FULL"
    hear = booth_service_pb2.SetHearingRequest(room_id=room_id, language="ar")
    assert await refusal(world.call("irina", "SetHearing", hear)) == "BOOTH_LOOP"
