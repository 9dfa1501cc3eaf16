"""Coming in by an invitation where newcomers come in one after another."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from majlis.invite.v1 import door_service_pb2, doors_pb2, invite_service_pb2
from majlis_client.errors import MajlisError
from majlis_client.redeeming import Wait, invitation_of, redeem, request_of

REQUEST = request_of("codecodecode", "a" * 32, handle="lina", display_name="Lina")


def refused(reason: str, kind: str = "resource_exhausted", **metadata: str) -> MajlisError:
    return MajlisError(kind, reason, "no", retry_after_seconds=10.0, metadata=metadata)


def placed(place: int, *, turn: bool = False) -> door_service_pb2.GetPlaceResponse:
    told = doors_pb2.Place(place=place, waiting=5, wait_seconds=60, look_seconds=30, turn=turn)
    return door_service_pb2.GetPlaceResponse(place=told)


@dataclass
class Hall:
    """Doors that answer one thing after another; the last answer stands."""

    redeems: list[MajlisError | None]
    places: list[door_service_pb2.GetPlaceResponse | MajlisError] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    told: list[Wait] = field(default_factory=list)

    async def redeem(
        self, request: invite_service_pb2.RedeemInvitationRequest
    ) -> invite_service_pb2.RedeemInvitationResponse:
        self.requests.append(request.request_id)
        if (answer := self.redeems.pop(0)) is not None:
            raise answer
        return invite_service_pb2.RedeemInvitationResponse(room_id="room000000000001")

    async def get_place(self, request: door_service_pb2.GetPlaceRequest) -> door_service_pb2.GetPlaceResponse:
        answer = self.places.pop(0)
        if isinstance(answer, MajlisError):
            raise answer
        return answer

    async def come(self) -> str:
        return (await redeem(self.redeem, self.get_place, REQUEST, self.told.append)).room_id


async def test_open_doors_let_in_at_once() -> None:
    hall = Hall([None])
    assert await hall.come()
    assert hall.told == []


async def test_who_has_to_wait_hears_each_place_and_comes_in_with_the_same_redemption() -> None:
    hall = Hall(
        [refused("DOORS_PACED", place="3", waiting="9", wait_seconds="90"), None],
        [placed(2), MajlisError("unavailable", "PART_UNAVAILABLE", "gone"), placed(1), placed(1, turn=True)],
    )
    assert await hall.come()
    assert hall.told == [Wait(3, 9, 90.0), Wait(2, 5, 60.0), Wait(1, 5, 60.0)]
    assert hall.requests == ["a" * 32] * 2


async def test_line_that_is_full_is_asked_again_without_a_place() -> None:
    hall = Hall([refused("LINE_FULL"), refused("DOORS_PAUSED", place="7", waiting="7"), None], [placed(1, turn=True)])
    assert await hall.come()
    assert hall.told == [Wait(0, 0, None), Wait(7, 7, None)]


@pytest.mark.parametrize("reason", ["INVITATION_INVALID", "NOT_IN_LINE"])
async def test_code_that_lost_its_place_says_by_redeeming_what_became_of_it(reason: str) -> None:
    hall = Hall(
        [refused("DOORS_PAUSED", place="1", waiting="1"), refused("INVITATION_INVALID", "not_found")],
        [refused(reason, "failed_precondition")],
    )
    with pytest.raises(MajlisError) as refusal:
        await hall.come()
    assert refusal.value.reason == "INVITATION_INVALID"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://hall.example/i/abcdefgh", ("https://hall.example", "abcdefgh")),
        ("<https://hall.example/i/abcdefgh>).", ("https://hall.example", "abcdefgh")),
        ("abcdefgh.", ("", "abcdefgh")),
    ],
)
def test_link_is_read_as_it_was_pasted(text: str, found: tuple[str, str]) -> None:
    assert invitation_of(text) == found


async def test_address_is_left_once_there_is_a_place_and_only_once() -> None:
    hall = Hall(
        [refused("LINE_FULL"), refused("DOORS_PACED", place="3"), refused("DOORS_PACED", place="1"), None],
        [placed(1, turn=True), placed(1, turn=True)],
    )
    left: list[int] = []

    async def leave_address() -> None:
        left.append(len(hall.requests))

    await redeem(hall.redeem, hall.get_place, REQUEST, leave_address=leave_address)
    assert left == [2]


async def test_server_that_sends_no_letters_says_so_instead_of_waiting_in_silence() -> None:
    hall = Hall([refused("DOORS_PACED", place="3")])

    async def leave_address() -> None:
        raise refused("LETTERS_UNAVAILABLE", "failed_precondition")

    with pytest.raises(MajlisError, match="no"):
        await redeem(hall.redeem, hall.get_place, REQUEST, leave_address=leave_address)


@dataclass
class Line:
    """A line that is waited in until the test gives up, and what was given up."""

    left: list[tuple[str, str]] = field(default_factory=list)
    waits: asyncio.Event = field(default_factory=asyncio.Event)

    async def leave(self, request: door_service_pb2.LeaveLineRequest) -> None:
        self.left.append((request.code, request.request_id))

    def told(self, _: Wait) -> None:
        self.waits.set()

    async def give_up(self, hall: Hall, **how: Any) -> None:
        waiting = asyncio.create_task(redeem(hall.redeem, hall.get_place, REQUEST, self.told, leave=self.leave, **how))
        await self.waits.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_who_gives_up_leaves_the_line_by_the_redemption_that_waited() -> None:
    line = Line()
    await line.give_up(Hall([refused("DOORS_PACED", place="3")]))
    assert line.left == [("codecodecode", "a" * 32)]


async def test_who_gives_up_before_a_full_line_has_nothing_to_leave() -> None:
    line = Line()
    await line.give_up(Hall([refused("LINE_FULL")]))
    assert line.left == []


async def test_place_is_kept_for_a_letter_that_tells_of_the_turn() -> None:
    line, left = Line(), asyncio.Event()

    async def leave_address() -> None:
        left.set()

    line.waits = left
    await line.give_up(Hall([refused("DOORS_PACED", place="3")]), leave_address=leave_address)
    assert line.left == []
