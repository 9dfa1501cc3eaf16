"""The `majlis` command before a full room."""

import asyncio
import signal

import pytest
from majlis.room_directory.v1 import room_pb2

from tests.integration.sdk.test_command import Terminal, signed_in, terminal
from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall

__all__ = ["signed_in", "terminal"]


@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("en_GB.UTF-8", "In line before the full room: place 12 of 40, about 4 min."),
        ("ar_EG.UTF-8", "في قائمة الانتظار أمام الغرفة الممتلئة: الدور 12 من 40، نحو 4 د."),
        ("ru_RU.UTF-8", "В очереди перед заполненной комнатой: место 12 из 40, около 4 мин."),  # noqa: RUF001
    ],
)
async def test_before_a_full_room_the_place_is_told_and_listening_begins_by_itself(
    signed_in: Terminal, hall: Hall, language: str, first: str
) -> None:
    far = room_pb2.Place(ticket="first", position=12, waiting_count=40)
    far.expected_wait.seconds = 215
    hall.line.places = [far, room_pb2.Place(ticket="second", position=1, waiting_count=40, offered=True)]
    arguments = ("listen", "--room", ROOM_ID, "-o", "heard.ogg", "--seconds", "1")
    code, out, err = await signed_in.run(*arguments, language=language)
    assert code == 0, err
    told = err.splitlines()
    assert told[0].startswith(first)
    assert len(told) == 2
    assert "heard.ogg" in out
    assert hall.line.tickets == ["", "first"]


async def test_ctrl_c_in_line_gives_the_place_up(signed_in: Terminal, hall: Hall) -> None:
    hall.line.places = [room_pb2.Place(ticket=f"ticket{number}", position=3, waiting_count=3) for number in range(60)]
    process = signed_in.start("listen", "--room", ROOM_ID, "-o", "heard.ogg")
    await eventually(lambda: len(hall.line.tickets) >= 2, 20)
    process.send_signal(signal.SIGINT)
    await asyncio.to_thread(process.communicate, "", 20)
    assert [left.partition(" ")[0] for left in hall.left] == ["line"]
    assert hall.epoch == 0
