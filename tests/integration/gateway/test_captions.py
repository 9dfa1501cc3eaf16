"""Captions over real sockets and a real bus: as server-sent events, as a gRPC stream, and as Connect."""

import asyncio
import json
import time
from typing import Any

import grpc
from majlis.gateway.v1 import caption_stream_service_pb2, caption_stream_service_pb2_grpc
from majlis.room_directory.v1 import caption_pb2, room_events_pb2

from services.common.bus.client import Bus
from services.gateway.watch.caption_track import micros
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, BORIS, bus, stream
from tests.integration.gateway.test_streaming_rpc import framed, frames_of
from tests.support.fake_bus import eventually

__all__ = ["bus"]

PATH = f"/captions/{ROOM}?language=en"


def caption(text: str, caption_id: str = "1", language: str = "en", **how: Any) -> caption_pb2.Caption:
    message = caption_pb2.Caption(caption_id=caption_id, writer_id=BORIS, language=language, text=text, **how)
    message.began_at.GetCurrentTime()
    message.changed_at.GetCurrentTime()
    return message


async def tell(bus: Bus, message: caption_pb2.Caption) -> None:
    await bus.publish(caption_pb2.CaptionTold(room_id=ROOM, channel=message.language, caption=message, term=1))


def shown(event: Any) -> tuple[list[str], bool]:
    """The words of an event, and whether they are of the past."""
    assert event is not None
    assert event.name == "captions"
    return [each.get("text", "") for each in event.data.get("captions", [])], event.data.get("past", False)


async def test_a_latecomer_reads_the_last_ten_minutes_and_then_what_is_said_within_300_ms(
    origin: Origin, bus: Bus
) -> None:
    origin.directory.captions = [caption("Good evening", "0", final=True)]
    async with stream(origin, path=PATH) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        assert shown(await events.next()) == (["Good evening"], True)
        began = time.monotonic()
        written = caption("and welc")
        await tell(bus, written)
        first = await events.next()
        assert shown(first) == (["and welc"], False)
        assert first is not None
        assert first.event_id == micros(written.changed_at)
        for words in ("and welcome", "and welcome to all", "and welcome to all of you"):
            await tell(bus, caption(words, final=words.endswith("you")))
        assert shown(await events.next()) == (["and welcome to all of you"], False), "interims of one moment are one"
        assert time.monotonic() - began < 5.0
        await tell(bus, caption("مرحبا", language="ar"))
        await tell(bus, caption("next", "2"))
        assert shown(await events.next()) == (["next"], False), "nothing of another language"


async def test_the_same_comes_over_native_grpc_and_over_connect(origin: Origin, bus: Bus) -> None:
    origin.directory.seat()
    origin.directory.captions = [caption("Good evening", final=True)]
    request = caption_stream_service_pb2.WatchCaptionsRequest(room_id=ROOM, language="en")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{origin.grpc_port}") as channel:
        stub: Any = caption_stream_service_pb2_grpc.CaptionStreamServiceStub(channel)
        metadata = tuple((name.lower(), value) for name, value in origin.bearer().items())
        call = stub.WatchCaptions(request, metadata=metadata)
        first = await asyncio.wait_for(call.read(), 5)
        assert ([each.text for each in first.captions], first.past) == (["Good evening"], True)
        await tell(bus, caption("and welcome", "2"))
        second = await asyncio.wait_for(call.read(), 5)
        assert ([each.text for each in second.captions], second.past) == (["and welcome"], False)
        call.cancel()
    path = "/majlis.gateway.v1.CaptionStreamService/WatchCaptions"
    headers = {"Content-Type": "application/connect+json", **origin.bearer()}
    body = framed(json.dumps({"roomId": ROOM, "language": "en"}).encode())
    async with origin.client.stream("POST", path, content=body, headers=headers) as response:
        ((_, payload),) = await frames_of(response, 1)
    assert [each["text"] for each in json.loads(payload)["captions"]] == ["Good evening", "and welcome"]
    await eventually(lambda: origin.gateway.watching.open_streams == 0)


async def test_who_asks_from_time_to_time_gets_what_changed_since_and_holds_no_stream(origin: Origin) -> None:
    old, new = caption("old", "1", final=True), caption("new", "2", final=True)
    old.changed_at.FromSeconds(int(time.time()) - 60)
    old.began_at.CopyFrom(old.changed_at)
    origin.directory.captions = [old, new]
    async with stream(origin, path=f"{PATH}&once=1") as events:
        first = await events.next()
        assert shown(first) == (["old", "new"], True)
        assert await events.next() is None
    assert first is not None
    async with stream(origin, path=f"{PATH}&once=1&after={first.event_id}") as events:
        assert shown(await events.next()) == (["new"], True), "of the last two seconds once more: clocks differ"
    assert origin.gateway.watching.open_streams == 0
    assert len(origin.directory.captions_known) == 1, "the directory was asked once"


async def test_who_holds_no_seat_or_loses_it_reads_nothing(origin: Origin, bus: Bus) -> None:
    async with stream(origin, path=PATH) as kept, stream(origin, BORIS, path=PATH) as removed:
        assert shown(await kept.next())[1]
        assert shown(await removed.next())[1]
        await bus.publish(room_events_pb2.PersonRemoved(room_id=ROOM, revision=11, user_id=BORIS))
        end = await removed.next()
        assert end is not None
        assert (end.name, end.data) == ("end", {"reason": "SEAT_ENDED"})
        await tell(bus, caption("still here"))
        assert shown(await kept.next()) == (["still here"], False)
        await bus.publish(room_events_pb2.RoomEnded(room_id=ROOM, revision=12))
        end = await kept.next()
        assert end is not None
        assert (end.name, end.data) == ("end", {"reason": "ROOM_ENDED"})
    stranger = "user000000000009"
    answer = await origin.client.get(PATH, headers=origin.bearer(stranger))
    assert (answer.status_code, answer.json()["reason"]) == (400, "NOT_IN_ROOM")
    origin.directory.seat(ANNA)
    for path in (f"/captions/{ROOM}", f"/captions/{ROOM}?language=EN", "/captions/x?language=en", f"{PATH}&once=maybe"):
        answer = await origin.client.get(path, headers=origin.bearer())
        assert (answer.status_code, answer.json()["reason"]) == (400, "FIELD_INVALID"), path
    assert (await origin.client.get(PATH)).status_code == 401
    assert (await origin.client.post(PATH, headers=origin.bearer())).status_code == 405


async def test_a_reader_of_captions_alone_is_told_of_as_watching(origin: Origin) -> None:
    async with stream(origin, path=PATH) as events:
        await events.next()
        await eventually(lambda: any(change.open and change.user_id == ANNA for change in origin.directory.reported))


async def test_after_the_bus_was_away_both_sides_tell_what_they_know(
    origin: Origin, bus: Bus, nats_server: Any
) -> None:
    async with stream(origin, path=PATH) as events:
        await events.next()
        await tell(bus, caption("before", "1", final=True))
        assert shown(await events.next()) == (["before"], False)
        origin.directory.captions = [caption("missed", "2", final=True)]
        nats_server.stop()
        nats_server.start()
        assert shown(await events.next(15)) == (["missed"], False)
    assert origin.directory.captions_known[-1] == ["before"]
