"""Signs from booths come to those alone whom their kind concerns."""

import pytest
from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import booth_events_pb2, booth_pb2, input_quality_pb2, room_events_pb2, room_pb2

from services.common.trust.tokens import AccessToken
from services.gateway.watch.signals import SignalFeed
from services.gateway.watch.subscriber import Readers, Subscriber

PEOPLE = ("lina", "sana", "irina", "salim", "rosa", "omar")
"""A moderator and a speaker on the floor, two in the Arabic booth, one in the Russian one, and a listener."""
K = booth_pb2.BoothSignalKind


def seat(name: str, role: "room_pb2.Role.ValueType", language: str = "") -> room_pb2.StageSeat:
    return room_pb2.StageSeat(person=account_pb2.Profile(user_id=name), role=role, language=language)


STAGE = [
    seat("lina", room_pb2.ROLE_MODERATOR),
    seat("sana", room_pb2.ROLE_SPEAKER),
    seat("irina", room_pb2.ROLE_INTERPRETER, "ar"),
    seat("salim", room_pb2.ROLE_INTERPRETER, "ar"),
    seat("rosa", room_pb2.ROLE_INTERPRETER, "ru"),
]


class House:
    """Everybody watches one room."""

    def __init__(self) -> None:
        readers = Readers()
        self.of = {name: Subscriber("room", AccessToken(name, "signin", False, None, 0, 0), 1, 64) for name in PEOPLE}
        for reader in self.of.values():
            readers.add(reader)
        self.feed = SignalFeed(readers, lambda: 7)
        self.feed.begin(room_pb2.RoomSnapshot(stage=STAGE))

    async def told(self, kind: "K.ValueType", language: str = "ar") -> set[str]:
        """To whom a sign from a booth comes."""
        self.feed.take(booth_events_pb2.BoothSignalled(revision=7, language=language, kind=kind))
        return await self.readers()

    async def readers(self) -> set[str]:
        """Those to whom something came."""
        for reader in self.of.values():
            reader.end()
        return {name for name, reader in self.of.items() if await reader.take()}


@pytest.mark.parametrize(
    ("kind", "to"),
    [
        (K.BOOTH_SIGNAL_KIND_FIVE_MINUTES, {"irina", "salim"}),
        (K.BOOTH_SIGNAL_KIND_TWO_MINUTES, {"irina", "salim"}),
        (K.BOOTH_SIGNAL_KIND_TAKE_OVER_PLEASE, {"irina", "salim"}),
        (K.BOOTH_SIGNAL_KIND_CHAT, {"irina", "salim"}),
        (K.BOOTH_SIGNAL_KIND_SLOWER, {"lina", "sana"}),
        (K.BOOTH_SIGNAL_KIND_LOUDER, {"lina", "sana"}),
        (K.BOOTH_SIGNAL_KIND_REPEAT, {"lina", "sana"}),
        (K.BOOTH_SIGNAL_KIND_SOFTER, {"lina", "sana"}),
        (K.BOOTH_SIGNAL_KIND_MICROPHONE, {"lina", "sana"}),
        (K.BOOTH_SIGNAL_KIND_TECHNICIAN, {"lina"}),
    ],
)
async def test_a_sign_comes_to_those_whom_its_kind_concerns(kind: "K.ValueType", to: set[str]) -> None:
    assert await House().told(kind) == to


async def test_who_left_the_booth_reads_its_lines_no_more_and_who_sat_down_does() -> None:
    house = House()
    house.feed.note(room_events_pb2.StageSeatChanged(seat=seat("lina", room_pb2.ROLE_MODERATOR, "ar")))
    house.feed.note(room_events_pb2.StageSeatChanged(seat=seat("irina", room_pb2.ROLE_INTERPRETER, "ru")))
    house.feed.note(room_events_pb2.StageLeft(user_id="salim"))
    assert await house.told(K.BOOTH_SIGNAL_KIND_CHAT) == {"lina"}


async def test_a_moderator_in_a_booth_is_told_what_concerns_the_floor_too() -> None:
    house = House()
    house.feed.note(room_events_pb2.StageSeatChanged(seat=seat("lina", room_pb2.ROLE_MODERATOR, "ar")))
    assert await house.told(K.BOOTH_SIGNAL_KIND_SLOWER) == {"lina", "sana"}


async def test_how_speakers_are_heard_comes_to_booths_and_moderators_and_to_no_listener() -> None:
    house = House()
    house.feed.measured(input_quality_pb2.InputQuality(term=3), term=3)
    assert await house.readers() == {"lina", "irina", "salim", "rosa"}


async def test_what_a_relay_tells_that_has_not_heard_of_the_new_owner_yet_is_void() -> None:
    house = House()
    house.feed.measured(input_quality_pb2.InputQuality(term=2), term=3)
    assert await house.readers() == set()
