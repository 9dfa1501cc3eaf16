"""What listeners of a language and people in booths hear, as the room's owner orders its booths."""

import asyncio

from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import booth_pb2

from services.common.clock import SystemClock
from services.media_relay.build import RelayService
from services.media_relay.programme.booth_silence import BoothSilence
from tests.support.fake_bus import eventually
from tests.support.hearing import hear, until_heard
from tests.support.relay_fleet import ROOM, Fleet, Seated, room_part
from tests.support.rtc_client import Ear, Tone
from tests.support.voices import power_at, rms

FLOOR, FIRST, PARTNER, GUEST = 440.0, 700.0, 1250.0, 1900.0
"""The tones of who speaks on the floor, of two interpreters, and of a second speaker."""
ARABIC = {"channel": "ar", "channel_kind": "language"}


async def configure(
    fleet: Fleet, relay: RelayService, *booths: room_parts_pb2.BoothPart, members: dict[int, str] | None = None
) -> None:
    part = room_part(relay.relay.relay_id, *booths)
    spoken = (members or {}).items()
    part.members.extend(room_parts_pb2.MemberPart(member=member, speaks=speaks) for member, speaks in spoken)
    await fleet.owner(relay).ConfigureRooms(pb.ConfigureRoomsRequest(parts=[part]))


async def interpret(fleet: Fleet, relay: RelayService, hertz: float, member: int, booth: str = "ar") -> Seated:
    return await fleet.speak(relay, hertz, sub=f"user0000{member}", member=member, role="interpreter", booth=booth)


async def sounding(ears: list[Ear], *tones: float) -> set[float]:
    """Which of the tones somebody hears in any of the slots."""
    for ear in ears:
        ear.forget()
    await asyncio.sleep(1.0)
    loud = [ear.heard for ear in ears if rms(ear.heard) > 0.02]
    return {hertz for hertz in tones if any(power_at(each, hertz) > 0.5 for each in loud)}


async def test_an_interpreter_is_heard_over_the_floor_and_partners_change_over_without_a_silence(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar", active_member=78, floor_level_db=-20))
    await fleet.speak(relay, FLOOR, slots=0, sub="user000070", member=77)
    first, partner = await interpret(fleet, relay, FIRST, 78), await interpret(fleet, relay, PARTNER, 79)
    listener = await fleet.listen(relay, **ARABIC)
    await until_heard(listener.client.ear, FIRST)
    await asyncio.sleep(2.0)
    sound = await hear(listener.client.ear)
    assert power_at(sound, FIRST) > 0.9
    assert 0.002 < power_at(sound, FLOOR) / power_at(sound, FIRST) < 0.05, "20 dB below"
    assert power_at(sound, PARTNER) < 0.0005
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar", active_member=79, floor_level_db=-20))
    await until_heard(listener.client.ear, PARTNER)
    sound = await hear(listener.client.ear)
    assert power_at(sound, PARTNER) > 0.9
    assert power_at(sound, FIRST) < 0.0005
    for ears, other in ((first.client.ears, PARTNER), (partner.client.ears, FIRST)):
        assert await sounding(ears, FLOOR, FIRST, PARTNER) == {FLOOR, other}, "the floor and the partner"


async def test_relay_interpretation_is_heard_instead_of_the_floor_and_follows_a_hand_over(fleet: Fleet) -> None:
    relay = await fleet.add_relay()

    async def lead(member: int) -> None:
        arabic = room_parts_pb2.BoothPart(language="ar", active_member=member)
        russian = room_parts_pb2.BoothPart(
            language="ru", active_member=80, hearing=[room_parts_pb2.Hearing(member=80, channel="ar")]
        )
        await configure(fleet, relay, arabic, russian)

    await lead(78)
    speaker = await fleet.speak(relay, FLOOR, sub="user000070", member=77)
    await interpret(fleet, relay, FIRST, 78)
    await interpret(fleet, relay, PARTNER, 79)
    russian = await interpret(fleet, relay, 1800.0, 80, "ru")
    for member, heard in ((78, FIRST), (79, PARTNER)):
        await lead(member)
        assert await sounding(russian.client.ears, FLOOR, FIRST, PARTNER) == {heard}
    assert await sounding(speaker.client.ears, FIRST, PARTNER, 1800.0) == set(), "nobody on the floor hears a booth"


async def test_who_listens_by_language_hears_the_floor_while_it_is_understood_and_the_interpreter_else(
    fleet: Fleet,
) -> None:
    relay = await fleet.add_relay()
    arabic = room_parts_pb2.BoothPart(language="ar", active_member=78, floor_level_db=-20)
    await configure(fleet, relay, arabic, members={77: "en"})
    chair, guest = Tone(FLOOR), Tone(GUEST, level=0.0)
    await fleet.say(relay, chair, slots=0, sub="user000070", member=77)
    helped = await fleet.say(relay, guest, sub="user000071", member=76, understands=["ar"])
    await interpret(fleet, relay, FIRST, 78)
    listener = await fleet.listen(relay, sub="user000072", understands=["ar"])
    await until_heard(listener.client.ear, FIRST)
    await configure(fleet, relay, arabic, members={76: "ar", 77: "en"})
    await asyncio.sleep(2.0)
    sound = await hear(listener.client.ear)
    assert power_at(sound, FIRST) > 0.9
    assert await sounding(helped.client.ears, FLOOR, FIRST) == {FLOOR, FIRST}, "the raw voice and its interpreter"
    chair.level, guest.level = 0.0, 0.3
    await until_heard(listener.client.ear, GUEST)
    await asyncio.sleep(0.5)
    assert power_at(await hear(listener.client.ear), FIRST) < 0.0005
    assert await sounding(helped.client.ears, FLOOR, FIRST, GUEST) == set(), "nobody hears their own words come back"
    chair.level, guest.level = 0.3, 0.0
    await until_heard(listener.client.ear, FIRST)


async def test_while_nobody_interprets_a_language_is_silent_or_the_floor_as_its_booth_says(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar"))
    await fleet.speak(relay, FLOOR, slots=0, sub="user000070", member=77)
    await interpret(fleet, relay, FIRST, 78)
    listener = await fleet.listen(relay, **ARABIC)
    assert rms(await hear(listener.client.ear, 1.5)) < 0.001
    rule = booth_pb2.BOOTH_RULE_FLOOR
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar", rule=rule, floor_after_seconds=1))
    await until_heard(listener.client.ear, FLOOR)
    assert power_at(await hear(listener.client.ear), FIRST) < 0.0005, "whoever only sits there is not heard"


async def test_a_booth_that_falls_silent_while_the_floor_speaks_is_noticed(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar", active_member=78))
    await fleet.speak(relay, FLOOR, slots=0, sub="user000070", member=77)
    interpreter = await interpret(fleet, relay, FIRST, 78)
    stage = relay.rooms.stage_here(ROOM)
    silence = BoothSilence(relay.relay, relay.rooms, relay.core.speaking, SystemClock())
    assert stage is not None
    await eventually(lambda: set(relay.core.speaking(stage)) == {77, 78})
    await silence.look()
    later = asyncio.get_running_loop().time() + 3600
    assert relay.relay.silences.of(ROOM, later) == {}
    [session] = [each for each in relay.relay.sessions.of_room(ROOM) if each.permit.member == 78]
    assert session.session_id == interpreter.session_id
    relay.core.set_muted(session.handle, True)
    await eventually(lambda: relay.core.speaking(stage) == [77])
    await silence.look()
    assert relay.relay.silences.of(ROOM, later).keys() == {"ar"}
