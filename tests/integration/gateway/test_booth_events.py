"""Who watches a room learns what happens to its booths."""

from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import booth_events_pb2, booth_pb2, input_quality_pb2, room_pb2

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, BORIS, bus, moved, say, stream, until_named

__all__ = ["bus"]


async def test_what_happens_to_booths_reaches_everybody_who_watches(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        await events.until("stream_status")
        booth = booth_pb2.Booth(language="ar", active_user_id=ANNA, rule=booth_pb2.BOOTH_RULE_SILENCE)
        await bus.publish(booth_events_pb2.BoothChanged(room_id=ROOM, revision=11, booth=booth))
        changed = await events.next()
        assert changed is not None
        assert (changed.name, changed.event_id) == ("booth_changed", 11)
        assert changed.data["boothChanged"]["booth"]["activeUserId"] == ANNA
        await bus.publish(booth_events_pb2.BoothClosed(room_id=ROOM, revision=12, language="ar"))
        closed = await events.next()
        assert closed is not None
        assert (closed.name, closed.data["boothClosed"]["language"]) == ("booth_closed", "ar")


async def test_a_sign_comes_to_the_booth_alone_and_brings_no_reader_further(origin: Origin, bus: Bus) -> None:
    anna = room_pb2.StageSeat(person=account_pb2.Profile(user_id=ANNA), role=room_pb2.ROLE_INTERPRETER, language="ar")
    origin.directory.seated_on_stage = [anna]
    async with stream(origin) as booth, stream(origin, BORIS) as other:
        for each in (booth, other):
            await each.until("stream_status")
        line = booth_events_pb2.BoothSignalled(
            room_id=ROOM, revision=10, language="ar", kind=booth_pb2.BOOTH_SIGNAL_KIND_CHAT, text="Your turn?"
        )
        await bus.publish(line)
        told = await booth.until("booth_signalled")
        assert (told.event_id, told.data["boothSignalled"]["text"]) == (10, "Your turn?")
        await say(origin, bus, moved())
        assert "booth_signalled" not in [event.name async for event in until_named(other, "media_moved")]
        assert (await booth.until("media_moved")).event_id == 11


async def test_what_a_relay_measured_comes_to_the_booth_and_to_no_listener_and_says_nothing_of_who_owns_the_room(
    origin: Origin, bus: Bus
) -> None:
    anna = room_pb2.StageSeat(person=account_pb2.Profile(user_id=ANNA), role=room_pb2.ROLE_INTERPRETER, language="ar")
    origin.directory.seated_on_stage = [anna]
    async with stream(origin) as booth, stream(origin, BORIS) as listener:
        for each in (booth, listener):
            await each.until("stream_status")
        poor = input_quality_pb2.SpeakerQuality(
            user_id=BORIS,
            verdict=input_quality_pb2.INPUT_VERDICT_POOR,
            faults=[input_quality_pb2.INPUT_FAULT_NARROW_BAND],
            band_hz=4000,
        )
        late = input_quality_pb2.BoothDelay(language="ar", delay_ms=2300)
        # Of a term that is not the owner's: the room goes on as it was.
        await bus.publish(input_quality_pb2.InputQuality(room_id=ROOM, speakers=[poor], booths=[late], term=9_000_000))
        told = await booth.until("input_quality")
        assert told.event_id == 10
        [speaker] = told.data["inputQuality"]["speakers"]
        assert (speaker["userId"], speaker["bandHz"]) == (BORIS, 4000)
        assert told.data["inputQuality"]["booths"] == [{"language": "ar", "delayMs": 2300}]
        await say(origin, bus, moved())
        assert "input_quality" not in [event.name async for event in until_named(listener, "media_moved")]
        assert (await booth.until("media_moved")).event_id == 11
