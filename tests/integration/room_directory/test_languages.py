"""What people speak and understand, over real databases: from a permit's list to what relays are told, over crashes."""

from datetime import UTC, datetime

from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.programme.v1 import programme_pb2
from majlis.room_directory.v1 import (
    booth_events_pb2,
    booth_pb2,
    booth_service_pb2,
    languages_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from tests.integration.room_directory.test_booths import interpret, led_room
from tests.integration.room_directory.world import FakeRelay, World, on_both_databases, refusal
from tests.support.fake_auth import person

AUDIENCE, STAGE = room_pb2.MEDIA_KIND_AUDIENCE, room_pb2.MEDIA_KIND_STAGE


def spoken(relay: FakeRelay, room_id: str) -> dict[int, str]:
    """By member number, what those on the floor speak, as the relay knows it."""
    return {each.member: each.speaks for each in relay.parts[room_id].members}


def understanding(room_id: str, *understands: str, **fields: object) -> room_service_pb2.GetMediaPermitRequest:
    asked: dict[str, object] = {"kind": AUDIENCE} | fields
    return room_service_pb2.GetMediaPermitRequest(room_id=room_id, understands=understands, **asked)  # type: ignore[arg-type]


@on_both_databases
async def test_a_permit_carries_what_a_listener_understands_unless_they_chose_by_hand(world: World) -> None:
    _, room_id = await led_room(world)
    await world.call("lina", "OpenBooth", booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ru"))
    joined = await world.claims((await world.join("omar", room_id, understands=["ru", "en", "ru"])).permit)
    assert (joined["channel"], joined["understands"]) == ("floor", ["ru", "en"])
    for language, channel in (("ru", "ru"), ("floor", "floor")):
        ask = understanding(room_id, "ru", "en", language=language)
        claims = await world.claims((await world.call("omar", "GetMediaPermit", ask)).permit)
        assert (claims["channel"], claims["understands"]) == (channel, [])
    assert await refusal(world.join("omar", room_id, understands=["Russian"])) == "LANGUAGE_INVALID"
    assert await refusal(world.call("omar", "GetMediaPermit", understanding(room_id, "en", ""))) == "LANGUAGE_INVALID"
    nothing = await world.claims((await world.call("omar", "GetMediaPermit", understanding(room_id))).permit)
    assert (nothing["channel"], nothing["understands"]) == ("floor", [])


@on_both_databases
async def test_who_changes_what_a_session_hears_stays_on_its_relay_and_takes_no_more_room(world: World) -> None:
    relay, room_id = await led_room(world)
    omar = await world.join("omar", room_id)
    await world.connect("omar", room_id, omar.seat.epoch, relay)
    reserved = world.parts.app.fleet.relays[relay.relay_id].reserved
    await world.until(lambda: (room_id, person("omar")) in reserved._held)
    reserved.release((room_id, person("omar")))
    changed = await world.call("omar", "GetMediaPermit", understanding(room_id, "ru", changing=True))
    claims = await world.claims(changed.permit)
    assert (claims["relay"], claims["epoch"], claims["understands"]) == (relay.relay_id, omar.seat.epoch, ["ru"])
    assert claims["changing"], "it opens no session"
    opening = await world.claims((await world.call("omar", "GetMediaPermit", understanding(room_id, "ru"))).permit)
    assert "changing" not in opening
    reserved.release((room_id, person("omar")))
    assert (room_id, person("omar")) not in reserved._held


@on_both_databases
async def test_what_people_on_stage_speak_reaches_relays_and_everybody_and_survives_a_crash(world: World) -> None:
    relay, room_id = await led_room(world)
    world.auth.languages[person("omar")] = ["ru", "en"]
    await world.join("omar", room_id)
    omar = await world.bring_on_stage("lina", "omar", room_id)
    await world.connect("omar", room_id, omar.seat.epoch, relay, stage=True)
    await world.until(lambda: spoken(relay, room_id).get(omar.seat.member) == "ru")
    say = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=person("omar"), language="en")
    await world.call("lina", "SetSpokenLanguage", say)
    await world.call("omar", "SetSpokenLanguage", say)
    await world.until(lambda: spoken(relay, room_id)[omar.seat.member] == "en")
    lina = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=person("lina"), language="en")
    assert await refusal(world.call("omar", "SetSpokenLanguage", lina)) == "NOT_ALLOWED"
    nobody = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=person("nadia"), language="en")
    assert await refusal(world.call("lina", "SetSpokenLanguage", nobody)) == "NOT_ON_STAGE"
    assert {seat.person.user_id: seat.speaks for seat in (await world.snapshot(room_id)).stage} == {
        person("lina"): "ar",
        person("omar"): "en",
    }

    await world.crash()
    await world.start()

    assert {seat.speaks for seat in (await world.snapshot(room_id)).stage} == {"ar", "en"}
    await world.until(lambda: spoken(relay, room_id).get(omar.seat.member) == "en")
    ask = understanding(room_id, "ar", "en", kind=STAGE)
    await world.join("omar", room_id)
    claims = await world.claims((await world.call("omar", "GetMediaPermit", ask)).permit)
    assert (claims["channel"], claims["understands"]) == ("floor", ["ar", "en"]), "the stage hears by its list too"
    leave = stage_service_pb2.LeaveStageRequest(room_id=room_id, understands=["ar"])
    left = await world.claims((await world.call("omar", "LeaveStage", leave)).permit)
    assert (left["kind"], left["understands"]) == ("audience", ["ar"])
    assert omar.seat.member not in spoken(relay, room_id)


@on_both_databases
async def test_a_room_rehearses_with_its_booths_until_it_goes_live_also_over_a_crash(world: World) -> None:
    relay = await world.relay()
    room = await world.create("lina", languages=["ru", "en"], rehearsal=True)
    assert (list(room.languages), room.rehearsal) == (["ru", "en"], True)
    lina = await world.join("lina", room.room_id)
    await world.connect("lina", room.room_id, lina.seat.epoch, relay, stage=True)
    assert [booth.language for booth in (await world.snapshot(room.room_id)).booths] == ["ru", "en"]
    await world.until(lambda: relay.parts[room.room_id].rehearsal)

    await world.crash()
    await world.start()

    assert (await world.snapshot(room.room_id)).room.rehearsal
    await world.join("omar", room.room_id)
    go = room_service_pb2.GoLiveRequest(room_id=room.room_id)
    assert await refusal(world.call("omar", "GoLive", go)) == "NOT_ALLOWED"
    assert not (await world.call("lina", "GoLive", go)).room.rehearsal
    assert not relay.parts[room.room_id].rehearsal, "in force when it returns"
    assert list((await world.snapshot(room.room_id)).room.languages) == ["ru", "en"]


@on_both_databases
async def test_signs_silence_and_who_listens_to_what_reach_those_who_look_after_booths(world: World) -> None:
    relay, room_id = await led_room(world)
    await world.call("lina", "OpenBooth", booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ru"))
    await interpret(world, relay, room_id, "irina", "ru")
    sign = booth_service_pb2.SendBoothSignalRequest(
        room_id=room_id, kind=booth_pb2.BOOTH_SIGNAL_KIND_CHAT, text="Take the next one?"
    )
    assert await refusal(world.call("irina", "SendBoothSignal", sign)) == "ALONE_IN_BOOTH"
    await interpret(world, relay, room_id, "sana", "ru")
    await world.call("irina", "SendBoothSignal", sign)
    await world.until(lambda: bool(world.of_type(booth_events_pb2.BoothSignalled, room_id)))
    told = world.of_type(booth_events_pb2.BoothSignalled, room_id)[0]
    assert (told.language, told.kind, told.text, told.by_user_id) == ("ru", sign.kind, sign.text, person("irina"))
    sign.kind = booth_pb2.BOOTH_SIGNAL_KIND_SLOWER
    assert await refusal(world.call("irina", "SendBoothSignal", sign)) == "LINE_INVALID"
    assert await refusal(world.call("lina", "SendBoothSignal", sign)) == "NOT_IN_BOOTH"

    silent = room_parts_pb2.SilentBooth(language="ru")
    silent.since.FromDatetime(datetime.now(UTC))
    channel = programme_pb2.Channel(room_id=room_id, name="ru")
    heard = relay_pb.ChannelLoad(channel=channel, listeners=12)
    relay.load["rooms"] = [relay_pb.RoomLoad(room_id=room_id, channels=[heard], silent_booths=[silent])]

    def silent_since() -> bool:
        changes = world.of_type(booth_events_pb2.BoothChanged, room_id)
        return bool(changes[-1].booth.HasField("silent_since"))

    await world.until(silent_since)
    listed = await world.call("lina", "ListChannels", booth_service_pb2.ListChannelsRequest(room_id=room_id))
    assert [(each.channel.name, each.listeners) for each in listed.channels] == [("floor", 0), ("ru", 12)]
    relay.load["rooms"] = []
    await world.until(lambda: not silent_since())


@on_both_databases
async def test_a_permit_says_whose_sound_is_to_come_in_few_bits_and_on_stage_nobodys(world: World) -> None:
    _, room_id = await led_room(world)
    joined = await world.claims((await world.join("omar", room_id, thrift=True)).permit)
    assert (joined["thrift"], joined["channel"]) == (True, "floor")
    full = await world.call("omar", "GetMediaPermit", understanding(room_id, "ru"))
    assert "thrift" not in await world.claims(full.permit)
    stage = await world.call("lina", "GetMediaPermit", understanding(room_id, kind=STAGE, thrift=True))
    assert "thrift" not in await world.claims(stage.permit)
