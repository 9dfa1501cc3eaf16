"""A room that is open to the web, heard by whoever comes: real sockets and bus, frames as a home relay tells them."""

from pathlib import Path

import pytest
from majlis.room_directory.v1 import booth_pb2, room_pb2

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, bus
from tests.integration.gateway.test_listen import VOICE, counted, floor, said
from tests.support.fake_bus import eventually
from tests.support.programme_frames import PlayedProgramme
from tests.support.sound_stream import SoundStream

__all__ = ["bus", "floor"]


def anybody(origin: Origin, path: str = f"/listen/{ROOM}.webm") -> SoundStream:
    return SoundStream(origin.port, path, {})


@pytest.fixture
def open_to_web(origin: Origin) -> room_pb2.Room:
    room = origin.directory.room
    room.open_to_web, room.web_listener_limit, room.state = True, 2, room_pb2.ROOM_STATE_LIVE
    return room


@pytest.mark.usefixtures("open_to_web")
@pytest.mark.parametrize("ending", ["webm", "mp4", "ogg"])
async def test_whoever_shows_nothing_hears_a_room_that_is_open_to_the_web_and_takes_no_seat(
    origin: Origin, floor: PlayedProgramme, ending: str
) -> None:
    async with floor.speaking(said), anybody(origin, f"/listen/{ROOM}.{ending}") as stream:
        assert stream.status == 200
        assert stream.headers["access-control-allow-origin"] == "*"
        await stream.read_for(2.0)
        assert counted(origin, "majlis_gateway_web_listeners_open") == 1
    assert len([each for each in stream.packets() if each.endswith(VOICE)]) > 40
    assert origin.directory.joined == []
    assert origin.directory.reported == [], "nobody has a stream that anybody could name"
    await eventually(lambda: counted(origin, "majlis_gateway_web_listeners_open") == 0)


async def test_whoever_shows_nothing_hears_no_other_room(origin: Origin) -> None:
    for method in ("GET", "HEAD"):
        answer = await origin.client.request(method, f"/listen/{ROOM}.webm")
        assert answer.status_code == 403
        assert answer.headers["access-control-allow-origin"] == "*"
    assert (await origin.client.get(f"/listen/{ROOM}.webm")).json()["reason"] == "WEB_CLOSED"
    page = await origin.client.get(f"/listen/{ROOM}.webm", headers={"X-Majlis-Client": "web"})
    assert (page.status_code, page.json()["reason"]) == (401, "NOT_SIGNED_IN"), "a page of ours signs in anew"


async def test_a_room_that_closes_to_the_web_is_heard_by_nobody_nameless_within_five_seconds_and_by_members_on(
    origin: Origin, floor: PlayedProgramme, open_to_web: room_pb2.Room
) -> None:
    origin.directory.seat(ANNA)
    async with (
        floor.speaking(said),
        anybody(origin) as nameless,
        SoundStream(origin.port, f"/listen/{ROOM}.webm", origin.bearer(ANNA)) as member,
    ):
        await nameless.until_packet(VOICE)
        open_to_web.open_to_web = False
        await nameless.until_over(5.0)
        # The member's goes on, of which that much lay unread.
        await member.read_for(6.0)
        assert (await member.chunk(1.0)) != b""
    assert counted(origin, "majlis_gateway_listen_ends_total", reason="WEB_CLOSED") == 1
    refused = await origin.client.get(f"/listen/{ROOM}.webm")
    assert refused.json()["reason"] == "WEB_CLOSED"


@pytest.mark.usefixtures("open_to_web")
async def test_a_room_that_ends_ends_for_the_web_and_says_so(origin: Origin) -> None:
    async with anybody(origin) as stream:
        await stream.chunk()
        origin.directory.ended = True
        await stream.until_over(5.0)
    await eventually(lambda: counted(origin, "majlis_gateway_web_listeners_open") == 0)
    assert (await origin.client.get(f"/embed/{ROOM}/state")).json()["state"] == "over"


@pytest.mark.usefixtures("open_to_web")
async def test_as_many_come_as_the_room_allows_and_members_beside_them(origin: Origin) -> None:
    origin.directory.seat(ANNA)
    async with anybody(origin) as one, anybody(origin, f"/listen/{ROOM}.ogg") as two:
        await one.chunk()
        await two.chunk()
        refused = await origin.client.get(f"/listen/{ROOM}.webm")
        assert (refused.status_code, refused.json()["reason"]) == (503, "WEB_FULL")
        assert int(refused.headers["retry-after"]) > 0
        async with SoundStream(origin.port, f"/listen/{ROOM}.webm", origin.bearer(ANNA)) as member:
            assert member.status == 200, "they take no member's place"
    await eventually(lambda: counted(origin, "majlis_gateway_web_listeners_open") == 0)
    async with anybody(origin) as again:
        assert again.status == 200


@pytest.mark.usefixtures("open_to_web")
async def test_a_language_is_chosen_by_the_path_and_one_without_a_booth_is_refused(
    origin: Origin, bus: Bus, floor: PlayedProgramme
) -> None:
    origin.directory.booths = [booth_pb2.Booth(language="ar")]
    arabic = PlayedProgramme(bus, ROOM, "ar")
    async with arabic.speaking(said), anybody(origin, f"/listen/w/{ROOM}/ar.webm") as stream:
        await stream.until_packet(VOICE)
    refused = await origin.client.get(f"/listen/{ROOM}/ru.webm")
    assert (refused.status_code, refused.json()["reason"]) == (404, "BOOTH_UNKNOWN")
    assert counted(origin, "majlis_gateway_web_listeners_open") == 0


@pytest.mark.usefixtures("open_to_web")
async def test_a_member_who_hears_an_embed_page_takes_no_seat_whatever_the_browser_shows(origin: Origin) -> None:
    async with SoundStream(origin.port, f"/listen/w/{ROOM}.webm", origin.bearer(ANNA)) as stream:
        assert stream.status == 200
        await stream.chunk()
        assert counted(origin, "majlis_gateway_web_listeners_open") == 1
    assert origin.directory.joined == []


@pytest.mark.usefixtures("open_to_web")
async def test_anybody_learns_how_an_open_room_stands_and_nothing_of_others(
    origin: Origin, open_to_web: room_pb2.Room
) -> None:
    answer = await origin.client.get(f"/embed/{ROOM}/state")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in answer.headers
    assert answer.json()["title"] == "Evening"
    for _ in range(50):
        await origin.client.get(f"/embed/{ROOM}/state")
    assert origin.directory.snapshots_given <= 2, "a crowd asks the directory once a second"
    open_to_web.open_to_web = False

    async def closed() -> bool:
        return '"closed"' in (await origin.client.get(f"/embed/{ROOM}/state")).text

    while not await closed():
        pass
    assert "Evening" not in (await origin.client.get(f"/embed/{ROOM}/state")).text
    assert (await origin.client.get("/embed/nobody/state")).status_code == 404


async def test_only_the_embed_page_may_be_shown_by_other_sites(origin: Origin) -> None:
    web = Path(origin.settings.web_directory)
    (web / "embed.html").write_text("<!doctype html><title>Embed</title>")
    (web / "index.html").write_text("<!doctype html><title>Hall</title>")
    embed = await origin.client.get(f"/embed/{ROOM}?lang=ar")
    assert "Embed" in embed.text
    assert "frame-ancestors *" in embed.headers["content-security-policy"]
    assert "microphone=()" in embed.headers["permissions-policy"]
    assert "set-cookie" not in embed.headers
    for path in ("/", f"/r/{ROOM}", "/embed.html", "/embed/nobody", f"/embed/{ROOM}/more"):
        other = await origin.client.get(path)
        assert "frame-ancestors 'none'" in other.headers.get("content-security-policy", "frame-ancestors 'none'"), path
        assert "Embed" not in other.text, path
