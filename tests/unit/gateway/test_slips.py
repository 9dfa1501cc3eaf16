"""Slips: since when somebody has been coming whom a crowd sent away, which nobody else can write or use."""

from dataclasses import replace

import pytest

from services.gateway.call.slips import KEPT_SECONDS, Knocker, Slips

NADIA = Knocker("/majlis.room_directory.v1.RoomService/JoinRoom", "room000000000001", "user000000000001")
SECRET = "a secret that gateways share"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_slip_says_at_any_gateway_of_the_deployment_when_its_bearer_came_and_was_to_come_back() -> None:
    clock = Clock()
    slip = Slips(SECRET, clock).write(NADIA, clock.now - 30, 10.0)
    said = Slips(SECRET, clock).read(slip, NADIA)
    assert said is not None
    assert (said.arrived_at, said.due_at) == (clock.now - 30, clock.now + 10)
    assert len(slip) < 64


@pytest.mark.parametrize(
    "other",
    [
        replace(NADIA, user_id="user000000000002"),
        replace(NADIA, room_id="room000000000002"),
        replace(NADIA, path="/majlis.room_directory.v1.RoomService/GetRoom"),
        replace(NADIA, room_id="room00000000000", user_id="1user000000000001"),
    ],
)
def test_a_slip_is_good_for_its_person_room_and_call_alone(other: Knocker) -> None:
    slips = Slips(SECRET)
    slip = slips.write(NADIA, 1000.0, 10.0)
    assert slips.read(slip, NADIA) is not None
    assert slips.read(slip, other) is None


def test_a_slip_of_another_deployment_or_one_that_was_changed_counts_as_none() -> None:
    slips = Slips(SECRET)
    slip = slips.write(NADIA, 1000.0, 10.0)
    assert Slips("a secret of somebody else").read(slip, NADIA) is None
    for place in range(len(slip)):
        changed = slip[:place] + ("A" if slip[place] != "A" else "B") + slip[place + 1 :]
        # The last character has bits to spare: only what decodes to other bytes is another slip.
        if place < len(slip) - 1:
            assert slips.read(changed, NADIA) is None, place


@pytest.mark.parametrize("junk", ["", "x", "A" * 43, "=" * 43, "é" * 43, "a b" * 20, "A" * 100_000])
def test_junk_counts_as_no_slip(junk: str) -> None:
    assert Slips(SECRET).read(junk, NADIA) is None


def test_a_slip_dies_two_minutes_after_its_bearer_was_to_come_back() -> None:
    clock = Clock()
    slips = Slips(SECRET, clock)
    slip = slips.write(NADIA, clock.now, 30.0)
    clock.now += 30 + KEPT_SECONDS - 1
    assert slips.read(slip, NADIA) is not None
    clock.now += 1
    assert slips.read(slip, NADIA) is None
