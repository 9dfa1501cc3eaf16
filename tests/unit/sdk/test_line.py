"""Waiting for a seat: what is tried again by itself, and what is told."""

import io
from collections.abc import Sequence

import pytest
from majlis.room_directory.v1 import room_pb2, room_service_pb2
from majlis_client import line
from majlis_client.backoff import Backoff
from majlis_client.errors import MajlisError
from majlis_client.in_line import InLine
from majlis_client.line import wait_for_seat


def crowded(slip: str = "") -> MajlisError:
    return MajlisError(
        "unavailable", "CROWDED", "very many people come at once", retry_after_seconds=1.0, metadata={"slip": slip}
    )


class Door:
    """Answers each knock with the next of what was prepared."""

    def __init__(self, answers: Sequence[Exception | room_service_pb2.JoinRoomResponse]) -> None:
        self._answers = list(answers)
        self.tickets: list[str] = []
        self.slips: list[str] = []

    async def knock(self, ticket: str, slip: str) -> room_service_pb2.JoinRoomResponse:
        self.tickets.append(ticket)
        self.slips.append(slip)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def leave(self, ticket: str) -> None:
        raise AssertionError("nobody gives the place up")


async def test_whoever_is_sent_away_by_a_crowd_comes_back_by_itself_with_a_place_or_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def at_once(_: Backoff) -> None:
        pass

    monkeypatch.setattr(Backoff, "wait", at_once)
    place = room_service_pb2.JoinRoomResponse(place=room_pb2.Place(ticket="a ticket", position=1, offered=True))
    door = Door([crowded("first"), crowded("second"), place, crowded("third"), room_service_pb2.JoinRoomResponse()])
    places: list[room_pb2.Place] = []
    await wait_for_seat(door.knock, door.leave, places.append)
    assert door.tickets == ["", "", "", "a ticket", "a ticket"]
    assert door.slips == ["", "first", "second", "", "third"], "each shows since when they have been coming"
    assert [each.position for each in places] == [1]


async def test_another_refusal_of_somebody_without_a_place_is_theirs_to_hear() -> None:
    door = Door([MajlisError("unavailable", "ROOM_FULL", "full")])
    with pytest.raises(MajlisError, match="ROOM_FULL"):
        await wait_for_seat(door.knock, door.leave, lambda _: None)


class Screen(io.StringIO):
    """A terminal that keeps what was written to it."""

    def isatty(self) -> bool:
        return True


async def test_a_seat_that_a_knock_takes_at_once_is_told_before_whoever_waited_is_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "_LEAST_SECONDS", 0.0)
    waiting = room_service_pb2.JoinRoomResponse(place=room_pb2.Place(ticket="a ticket", position=2, waiting_count=3))
    door = Door([waiting, room_service_pb2.JoinRoomResponse()])
    screen = Screen()
    with InLine(screen) as in_line:
        await wait_for_seat(door.knock, door.leave, in_line)
    place, seat = screen.getvalue().split("\r\x1b[K")[1:]
    assert place.startswith("In line before the full room: place 2 of 3")
    assert seat == "A seat is free: going in.\n"


async def test_nobody_who_comes_in_at_once_is_told_of_a_place() -> None:
    door = Door([room_service_pb2.JoinRoomResponse()])
    places: list[room_pb2.Place] = []
    await wait_for_seat(door.knock, door.leave, places.append)
    assert places == []


async def test_an_error_that_ends_the_wait_begins_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_LEAST_SECONDS", 0.0)
    place = room_service_pb2.JoinRoomResponse(place=room_pb2.Place(ticket="a ticket", position=2, waiting_count=3))
    door = Door([place, MajlisError("failed_precondition", "ROOM_ENDED", "over")])
    screen = Screen()
    with pytest.raises(MajlisError), InLine(screen) as in_line:
        await wait_for_seat(door.knock, door.leave, in_line)
    assert screen.getvalue().endswith("\n")
