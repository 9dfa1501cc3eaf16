"""What a consumer hears of a channel: frames in order, once, on one time line, whatever the bus brings."""

import struct

import packetcore
import pytest
from majlis.programme.v1.programme_pb2 import Frame
from packetcore import ProgrammeFrame

from services.programme.channels import Channel
from services.programme.listener import FRAME_SAMPLES, MOST_WAITING, Listener, TimeLine
from services.programme.wishes import Consumer, Wishes
from tests.support.fake_bus import FakeBus
from tests.support.fake_clock import FakeClock

ROOM = "room000001"
FLOOR = Channel(ROOM, "floor")
CAPTURED_AT = 1_900_000_000.0


def wire(number: int, *, stream: int = 9, samples: int | None = None, seconds: float | None = None) -> bytes:
    """The `number`th frame of a stream whose counters wrap soon."""
    samples = number * FRAME_SAMPLES if samples is None else samples
    captured = CAPTURED_AT + (number * 0.02 if seconds is None else seconds) + 2_208_988_800
    header = struct.pack(
        ">BBBBIIIQ",
        0x10,
        30,
        1,
        0,
        stream,
        (2**32 - 2 + number) % 2**32,
        (2**32 - 1000 + samples) % 2**32,
        int(captured * 2**32),
    )
    return header + struct.pack(">I", 77) + b"\x78" + bytes([number % 256])


def frame(number: int, **changes: float) -> ProgrammeFrame:
    return ProgrammeFrame.decode(wire(number, **changes))  # type: ignore[arg-type]


def test_a_frame_is_read_as_the_contract_describes_it() -> None:
    read = frame(5)
    assert (read.level, read.members, read.opus) == (30, [77], b"\x78\x05")
    assert abs(read.captured_at - CAPTURED_AT - 0.1) < 1e-6
    assert not read.start_of_talk
    assert not read.end_of_talk


def test_frames_stand_where_they_belong_over_wrapping_counters_and_silence() -> None:
    line = TimeLine()
    places = [line.place(frame(number)) for number in range(4)]
    assert places == [0, 960, 1920, 2880]
    assert line.place(frame(4, samples=48_000)) == 48_000, "a second in which nobody spoke"


def test_what_came_before_is_left_out() -> None:
    line = TimeLine()
    assert [line.place(frame(number)) for number in (0, 2, 1, 2, 3)] == [0, 1920, None, None, 2880]


def test_another_mixer_goes_on_where_the_first_one_ended_and_stragglers_are_left_out() -> None:
    line = TimeLine()
    assert line.place(frame(0)) == 0
    moved = line.place(frame(50, stream=10, samples=7_000_000, seconds=1.0))
    assert moved == 48_000
    assert line.place(frame(1)) is None
    assert line.place(frame(51, stream=10, samples=7_000_960, seconds=1.02)) == 48_960
    back_in_time = line.place(frame(0, stream=11, samples=5, seconds=-90.0))
    assert back_in_time == 48_960 + FRAME_SAMPLES, "a clock that lags moves nothing back"


async def test_a_listener_wants_its_channel_while_it_listens_and_gives_its_frames() -> None:
    bus = FakeBus()
    wishes = Wishes(bus, Consumer.CANARY, "canary0001", FakeClock())
    async with Listener(bus, wishes, FLOOR) as listener:
        await wishes.tell()
        assert [each.name for each in bus.published[-1].channels] == ["floor"]  # type: ignore[attr-defined]
        for payload in (wire(0), b"junk", wire(1), wire(1)):
            bus.publish_bytes(Frame, payload, room_id=ROOM, channel="floor")
        bus.publish_bytes(Frame, wire(0), room_id=ROOM, channel="ar")
        heard = [await anext(listener), await anext(listener)]
        assert [(each.at, each.frame.opus) for each in heard] == [(0, b"\x78\x00"), (960, b"\x78\x01")]
        assert listener.refused == 1
    await wishes.tell()
    assert not bus.published[-1].channels  # type: ignore[attr-defined]
    assert not bus.subscriptions


async def test_a_reader_that_is_slow_loses_the_oldest_frames_and_is_told_how_many() -> None:
    bus = FakeBus()
    async with Listener(bus, Wishes(bus, Consumer.CANARY, "canary0001", FakeClock()), FLOOR) as listener:
        for number in range(MOST_WAITING + 3):
            bus.publish_bytes(Frame, wire(number), room_id=ROOM, channel="floor")
        assert (await anext(listener)).at == 3 * FRAME_SAMPLES
        assert listener.overrun == 3


def test_bytes_that_are_no_frame_are_refused_with_a_reason() -> None:
    with pytest.raises(packetcore.CoreError, match="version 2"):
        ProgrammeFrame.decode(b"\x20" + wire(0)[1:])
