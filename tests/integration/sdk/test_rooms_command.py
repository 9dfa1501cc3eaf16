"""`majlis rooms`: opening a room to the web and closing it, and by which way its audience hears it."""

import asyncio

import pytest
from majlis.room_directory.v1 import room_pb2
from majlis_client import Client, MajlisError

from tests.integration.sdk.test_command import Terminal, signed_in, terminal
from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall

NOT_ALLOWED = "Your place in this room does not allow this: most of it is for moderators.\n"

__all__ = ["signed_in", "terminal"]


async def test_a_moderator_opens_a_room_to_the_web_says_for_how_many_and_closes_it(
    signed_in: Terminal, hall: Hall
) -> None:
    code, _, err = await signed_in.run("rooms", "open-to-web", "--room", ROOM_ID)
    assert (code, err) == (1, NOT_ALLOWED), "a listener may not"
    hall.role = room_pb2.ROLE_MODERATOR
    code, out, err = await signed_in.run("rooms", "open-to-web", "--room", ROOM_ID, "--limit", "40")
    assert (code, err, hall.on_the_web) == (0, "", True)
    assert "at most 40 at once" in out
    assert out.rstrip().endswith(f"{hall.url}/embed/{ROOM_ID}"), "what is sent to people is said"
    code, out, _ = await signed_in.run("rooms", "close-to-web", "--room", ROOM_ID, language="ru_RU.UTF-8")
    assert (code, out) == (0, "Evening talk закрыта для веба; кто слушает так, отключится за пять секунд.\n")
    assert not hall.on_the_web
    code, _, err = await signed_in.run("rooms", "open-to-web", "--room", ROOM_ID, "--limit", "0")
    assert (code, "--limit" in err) == (2, True)


async def test_a_moderator_sees_how_many_hear_by_which_way(signed_in: Terminal, hall: Hall) -> None:
    hall.role, hall.seated, hall.on_the_web = room_pb2.ROLE_MODERATOR, True, True
    asked = signed_in.start("rooms", "ways", "--room", ROOM_ID)
    await eventually(lambda: bool(hall.watchers), 20)
    hall.happen(listener_rungs=room_pb2.ListenerRungs(udp=40, tcp=3, https=7, text=1))
    out, err = await asyncio.to_thread(asked.communicate, "", 20)
    assert (asked.returncode, err) == (0, "")
    assert out == "Call: 40\nCall over TCP: 3\nOver the web: 7\nText only: 1\nWithout signing in: 0\n"


async def test_who_does_not_moderate_is_told_so_and_a_server_that_is_silent_keeps_nobody_waiting(
    signed_in: Terminal, hall: Hall, client: Client
) -> None:
    code, out, err = await signed_in.run("rooms", "ways", "--room", ROOM_ID)
    assert (code, out, err) == (1, "", NOT_ALLOWED)
    hall.role, hall.seated = room_pb2.ROLE_MODERATOR, True
    with pytest.raises(MajlisError) as refused:
        await client.listener_rungs(ROOM_ID, 0, 0.5)
    assert refused.value.reason == "PART_UNAVAILABLE"
