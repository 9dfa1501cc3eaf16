"""Listening over HTTPS: real sockets, a real bus, frames as a home relay tells them."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from majlis.auth.v1 import auth_facts_pb2
from majlis.programme.v1 import programme_pb2
from majlis.room_directory.v1 import booth_pb2, room_pb2

from services.common.bus.client import Bus
from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_events import ANNA, BORIS, bus
from tests.support.fake_bus import eventually
from tests.support.programme_frames import PlayedProgramme
from tests.support.sound_stream import SoundStream

__all__ = ["bus"]

VOICE = bytes(range(40, 110))


def said(number: int) -> bytes:
    """A packet that is like no other: fullband CELT of 20 ms."""
    return b"\xf8" + number.to_bytes(3, "big") + VOICE


def listening(origin: Origin, path: str = f"/listen/{ROOM}.webm", user_id: str = ANNA, **how: Any) -> SoundStream:
    """Somebody with a seat who listens."""
    origin.directory.seats.setdefault((ROOM, user_id), 5)
    return SoundStream(origin.port, path, origin.bearer(user_id), **how)


def counted(origin: Origin, name: str, **labels: str) -> float:
    return origin.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def floor(bus: Bus) -> PlayedProgramme:
    return PlayedProgramme(bus, ROOM)


@pytest.fixture
async def wishes(bus: Bus) -> AsyncIterator[list[list[str]]]:
    """Which channels gateways wish for, each time they say so."""
    heard: list[list[str]] = []

    async def take(wanted: programme_pb2.Wanted) -> None:
        assert wanted.kind == programme_pb2.CONSUMER_KIND_GATEWAY
        heard.append([f"{each.room_id}/{each.name}" for each in wanted.channels])

    subscription = await bus.subscribe(programme_pb2.Wanted, take)
    yield heard
    await subscription.stop()


@pytest.mark.parametrize(
    ("ending", "media_type"),
    [("webm", "audio/webm; codecs=opus"), ("mp4", "audio/mp4; codecs=opus"), ("ogg", "audio/ogg; codecs=opus")],
)
async def test_the_programmes_frames_come_as_they_are_in_the_container_that_was_asked_for(
    origin: Origin, floor: PlayedProgramme, ending: str, media_type: str
) -> None:
    async with listening(origin, f"/listen/{ROOM}.{ending}") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == media_type
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["access-control-allow-origin"] == "*"
        async with floor.speaking(said):
            await stream.read_for(2.5)
    spoken = [each for each in stream.packets() if each.endswith(VOICE)]
    assert len(spoken) > 80
    first = int.from_bytes(spoken[0][1:4], "big")
    assert spoken == [said(number) for number in range(first, first + len(spoken))], "each once, in order, bit for bit"
    places = [at for at, _ in stream.placed()]
    steps = {round(after - before, 3) for before, after in pairwise(places)}
    assert steps == {0.02}, "without a hole"


async def test_a_stream_goes_on_while_nobody_speaks_and_is_wanted_only_while_somebody_listens(
    origin: Origin, wishes: list[list[str]]
) -> None:
    async with listening(origin) as stream:
        await stream.read_for(2.0)
        await eventually(lambda: [f"{ROOM}/floor"] in wishes)
    quiet = stream.packets()
    assert set(quiet) == {b"\xf8"}
    assert 60 < len(quiet) < 110, "as much silence as there was"
    await eventually(lambda: wishes[-1] == [])


async def test_who_comes_later_begins_with_what_is_said_now(origin: Origin, floor: PlayedProgramme) -> None:
    async with floor.speaking(said), listening(origin, f"/listen/{ROOM}.ogg") as first:
        await first.until_packet(VOICE)
        await first.read_for(1.0)
        now = floor.number
        async with listening(origin, f"/listen/{ROOM}.ogg", BORIS) as later:
            await later.until_packet(VOICE)
    heard = [each for each in later.packets() if each.endswith(VOICE)]
    assert int.from_bytes(heard[0][1:4], "big") >= now - 45, "what was said a second ago"


async def test_many_listeners_of_a_channel_are_one_wish_and_one_subscription(
    origin: Origin, floor: PlayedProgramme, wishes: list[list[str]]
) -> None:
    async with (
        floor.speaking(said),
        listening(origin) as one,
        listening(origin, f"/listen/{ROOM}/floor.mp4") as two,
        listening(origin, user_id=BORIS) as three,
    ):
        for each in (one, two, three):
            await each.until_packet(VOICE)
        assert wishes[-1] == [f"{ROOM}/floor"]
        assert counted(origin, "majlis_gateway_listen_open", container="webm", channel_kind="floor") == 2


async def test_a_slow_reader_is_skipped_forward_to_now_and_keeps_nobody_waiting(
    origin: Origin, floor: PlayedProgramme
) -> None:
    def loud(number: int) -> bytes:
        return said(number) + bytes(200)

    async with (
        floor.speaking(loud),
        listening(origin, user_id=BORIS, receive_bytes=4096) as slow,
        listening(origin) as quick,
    ):
        await quick.read_for(8.0)
        skipped = counted(origin, "majlis_gateway_listen_skips_total", container="webm")
        assert skipped > 5
        now = floor.number
        await slow.until_packet(loud(now + 60))
    fast = [each for each in quick.packets() if len(each) > 200]
    assert len(fast) > 300
    numbers = [int.from_bytes(each[1:4], "big") for each in fast]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    heard = [int.from_bytes(each[1:4], "big") for each in slow.packets() if len(each) > 200]
    assert heard == sorted(heard)
    jump = max(after - before for before, after in pairwise(heard))
    assert jump >= 100, "what was said meanwhile is not heard later"


async def test_a_stream_ends_soon_after_its_seat_and_after_its_sign_in(origin: Origin, bus: Bus) -> None:
    async with listening(origin) as gone, listening(origin, user_id=BORIS) as out:
        await gone.chunk()
        del origin.directory.seats[ROOM, ANNA]
        await gone.until_over(5.0)
        fact = auth_facts_pb2.SignedOut(user_id=BORIS)
        fact.occurred_at.GetCurrentTime()
        await bus.publish(fact)
        await out.until_over(5.0)
    assert counted(origin, "majlis_gateway_listen_ends_total", reason="SEAT_ENDED") == 1


async def test_who_has_no_seat_takes_one_by_listening_and_is_told_of_as_there(origin: Origin) -> None:
    async with SoundStream(origin.port, f"/listen/{ROOM}.webm", origin.bearer(ANNA)) as stream:
        await stream.chunk()
        assert origin.directory.joined == [ANNA]
        await eventually(lambda: any(each.open for each in origin.directory.reported))
    await eventually(lambda: any(not each.open for each in origin.directory.reported))


async def test_a_personal_token_for_listening_listens(origin: Origin) -> None:
    headers = {"Authorization": "Bearer mjp_good_and_long_enough"}
    async with SoundStream(origin.port, f"/listen/{ROOM}.webm", headers) as stream:
        assert stream.status == 200
        await stream.chunk()


async def test_a_page_of_ours_listens_by_its_cookie_and_another_sites_does_not(origin: Origin) -> None:
    origin.directory.seat(ANNA)
    cookie = {"Cookie": f"majlis_access={origin.mint.token(ANNA)}"}
    async with SoundStream(origin.port, f"/listen/{ROOM}.webm", {**cookie, "Sec-Fetch-Site": "same-origin"}) as ours:
        assert ours.status == 200
        await ours.chunk()
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        async with SoundStream(origin.port, f"/listen/{ROOM}.webm", {**cookie, **foreign}) as theirs:
            assert theirs.status == 403


async def test_a_ticket_in_the_path_opens_one_room_for_one_person_with_a_seat(origin: Origin) -> None:
    origin.directory.seat(ANNA)
    rpc = "/majlis.gateway.v1.ListenService/GetListenTicket"
    answer = await origin.rpc(rpc, {"roomId": ROOM, "understands": ["ru", "en"]}, **origin.bearer(ANNA))
    assert answer.status_code == 200, answer.text
    path = answer.json()["path"]
    assert ANNA not in path
    async with SoundStream(origin.port, f"{path}.ogg", {}) as stream:
        assert stream.status == 200
        await stream.chunk()
    other = path.replace(ROOM, "room000000000002")
    assert (await origin.client.get(f"{other}.ogg")).json()["reason"] == "PERMIT_INVALID"
    del origin.directory.seats[ROOM, ANNA]
    assert (await origin.client.get(f"{path}.ogg")).json()["reason"] == "NOT_IN_ROOM"
    assert origin.directory.joined == [], "an address takes no seat"
    assert (await origin.rpc(rpc, {"roomId": ROOM})).status_code == 401
    wrong = await origin.rpc(rpc, {"roomId": ROOM, "language": "klingon"}, **origin.bearer(ANNA))
    assert wrong.json()["details"][0]["debug"]["reason"] == "LANGUAGE_INVALID"
    listen_only = origin.bearer(ANNA, scopes=("speak",))
    assert (await origin.rpc(rpc, {"roomId": ROOM}, **listen_only)).status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        (f"/listen/{ROOM}.wav", 404, "ROOM_NOT_FOUND"),
        (f"/listen/{ROOM}/ar.webm", 404, "BOOTH_UNKNOWN"),
        (f"/listen/{ROOM}.webm?understands=klingon", 400, "LANGUAGE_INVALID"),
        (f"/listen/t/abc/{ROOM}.webm", 403, "PERMIT_INVALID"),
    ],
)
async def test_a_refusal_says_why(origin: Origin, path: str, status: int, reason: str) -> None:
    origin.directory.seat(ANNA)
    answer = await origin.client.get(path, headers=origin.bearer(ANNA))
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_token_in_the_query_is_no_token(origin: Origin) -> None:
    answer = await origin.client.get(f"/listen/{ROOM}.webm", params={"access_token": origin.mint.token(ANNA)})
    assert answer.status_code == 400


async def test_a_third_stream_of_one_person_is_refused_and_its_place_comes_back(origin: Origin) -> None:
    async with listening(origin) as one, listening(origin) as two:
        await one.chunk()
        await two.chunk()
        refused = await origin.client.get(f"/listen/{ROOM}.webm", headers=origin.bearer(ANNA))
        assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_STREAMS")
        assert int(refused.headers["retry-after"]) > 0
    await eventually(lambda: counted(origin, "majlis_gateway_listen_open", container="webm", channel_kind="floor") == 0)
    async with listening(origin) as again:
        assert again.status == 200


async def test_a_page_that_is_loaded_again_and_again_is_let_in_by_the_streams_of_those_before(origin: Origin) -> None:
    async with listening(origin) as one, listening(origin) as two:
        await one.chunk()
        await two.chunk()
        for epoch in (6, 7, 8, 9):
            origin.directory.seats[ROOM, ANNA] = origin.directory.device_epochs[ANNA] = epoch
            async with listening(origin) as again:
                assert again.status == 200
                await again.chunk()
        for before in (one, two):
            await before.until_over(1.0)
    await eventually(lambda: counted(origin, "majlis_gateway_listen_open", container="webm", channel_kind="floor") == 0)
    assert counted(origin, "majlis_gateway_listen_ends_total", reason="SEAT_ENDED") == 2


async def test_a_seat_that_another_device_takes_over_ends_its_stream_here_and_one_brought_on_stage_goes_on(
    origin: Origin, floor: PlayedProgramme
) -> None:
    async with floor.speaking(said), listening(origin) as phone, listening(origin, user_id=BORIS) as boris:
        await phone.until_packet(VOICE)
        await boris.until_packet(VOICE)
        origin.directory.seats[ROOM, BORIS] = 8
        origin.directory.device_epochs[BORIS] = 5
        origin.directory.seats[ROOM, ANNA] = origin.directory.device_epochs[ANNA] = 7
        await phone.until_over(5.0)
        had = len(boris.packets())
        await boris.read_for(1.0)
        assert len(boris.packets()) > had
    assert counted(origin, "majlis_gateway_listen_ends_total", reason="SEAT_ENDED") == 1


async def test_the_directory_is_told_how_many_hear_what_and_when_the_last_one_went(origin: Origin) -> None:
    origin.directory.booths = [booth_pb2.Booth(language="ar")]
    told = origin.directory.listeners

    def channels() -> dict[str, int]:
        return {each.channel: each.listeners for each in told[-1][ROOM].channels} if told and ROOM in told[-1] else {}

    async with listening(origin) as one, listening(origin, f"/listen/{ROOM}/ar.ogg", BORIS) as two:
        await one.chunk()
        await two.chunk()
        await eventually(lambda: channels() == {"floor": 1, "ar": 1}, seconds=5)
    await eventually(lambda: not told[-1][ROOM].channels, seconds=5)


async def test_players_that_ask_first_are_answered(origin: Origin) -> None:
    origin.directory.seat(ANNA)
    head = await origin.client.head(f"/listen/{ROOM}.ogg", headers=origin.bearer(ANNA))
    assert (head.status_code, head.headers["content-type"]) == (200, "audio/ogg; codecs=opus")
    asked = await origin.client.options(f"/listen/{ROOM}.ogg", headers={"Origin": "https://player.example"})
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    assert (await origin.client.post(f"/listen/{ROOM}.ogg")).status_code == 405
    assert counted(origin, "majlis_gateway_listen_opens_total", result="opened") == 0


async def test_a_proxy_that_speaks_http_1_0_gets_the_stream_without_chunks(
    origin: Origin, floor: PlayedProgramme
) -> None:
    async with floor.speaking(said), listening(origin, version="1.0") as stream:
        assert "transfer-encoding" not in stream.headers
        await stream.read_for(2.0)
    assert any(each.endswith(VOICE) for each in stream.packets())


async def test_a_stream_follows_the_languages_of_its_room_on_one_line(
    origin: Origin, bus: Bus, floor: PlayedProgramme
) -> None:
    def interpreted(number: int) -> bytes:
        return b"\xf8" + number.to_bytes(3, "big") + VOICE[::-1]

    origin.directory.seated_on_stage = [room_pb2.StageSeat(speaks="en")]
    booth = PlayedProgramme(bus, ROOM, "ar")
    booth.stream = 10
    path = f"/listen/{ROOM}.webm?understands=ar"
    async with floor.speaking(said), booth.speaking(interpreted), listening(origin, path) as stream:
        await stream.until_packet(VOICE)
        origin.directory.booths = [booth_pb2.Booth(language="ar")]
        await stream.until_packet(VOICE[::-1])
        await stream.read_for(1.0)
        origin.directory.booths = []
        before = len(stream.body)
        while VOICE not in stream.body[before:]:
            await stream.chunk()
    placed = stream.placed()
    begins = [at for at, _ in placed]
    assert {round(after - before, 2) for before, after in pairwise(begins)} == {0.02}, "without a hole"
