"""What a path under /listen/ asks for, and what it comes to in a room as it stands."""

import pytest

from services.gateway.domain.listening import Asked, Languages, asked_for
from services.gateway.domain.wish import Wish

ROOM = "room000000000001"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (f"/listen/{ROOM}.webm", Asked(ROOM, "webm")),
        (f"/listen/{ROOM}/floor.mp4", Asked(ROOM, "mp4", "floor")),
        (f"/listen/{ROOM}/ar.ogg", Asked(ROOM, "ogg", "ar")),
        (f"/listen/t/abc-_D/{ROOM}.ogg", Asked(ROOM, "ogg", ticket="abc-_D")),
    ],
)
def test_a_path_says_room_channel_and_container(path: str, asked: Asked) -> None:
    assert asked_for(path) == asked


@pytest.mark.parametrize(
    "path",
    [
        "/listen/",
        f"/listen/{ROOM}",
        f"/listen/{ROOM}.wav",
        f"/listen/{ROOM}.webm/",
        f"/listen/{ROOM}/.webm",
        f"/listen/{ROOM}/ru-en.webm",
        f"/listen/{ROOM}/thrift.webm",
        f"/listen/{ROOM}/ar/ru.webm",
        f"/listen/t/abc/{ROOM}/ar.webm",
        f"/listen/t//{ROOM}.webm",
        "/listen/room.webm",
        f"/listen/{ROOM}.webm\n",
        f"/listen/{ROOM}*.webm",
    ],
)
def test_any_other_path_asks_for_nothing(path: str) -> None:
    assert asked_for(path) is None


def test_a_wish_comes_to_the_channel_that_relays_come_to() -> None:
    room = Languages(frozenset({"ar", "ru"}), frozenset({"en", "fr"}))
    assert room.heard(Wish()) == "floor"
    assert room.heard(Wish("floor", ("ar",))) == "floor"
    assert room.heard(Wish("ar")) == "ar"
    assert room.heard(Wish(understands=("ru", "en"))) == "ru-en"
    assert room.heard(Wish(understands=("en", "fr"))) == "floor"
    assert room.heard(Wish(thrift=True)) == "thrift"
    assert room.heard(Wish("ar", thrift=True)) == "ar-qtt"


def test_a_language_is_there_while_its_booth_is_open_and_the_floor_is_heard_afterwards() -> None:
    assert Languages(frozenset({"ar"})).has(Wish("ar"))
    assert not Languages().has(Wish("ar"))
    assert Languages().has(Wish("floor"))
    assert Languages().has(Wish(understands=("ar",)))
    assert Languages().heard(Wish("ar")) == "floor"
