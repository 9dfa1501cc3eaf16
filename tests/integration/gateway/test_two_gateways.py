"""Two copies of the gateway over one bus: whichever of them somebody reaches who speaks over HTTPS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from majlis.media_relay.v1 import uplink_service_pb2 as pb
from majlis.media_relay.v1 import uplink_service_pb2_grpc as pb_grpc

from services.programme.channels import without
from tests.integration.gateway.conftest import RELAY, ROOM, Origin, all_parts, gateway_over
from tests.integration.gateway.test_events import ANNA
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint, serving
from tests.support.sound_stream import SoundStream

MEMBER = 7
OPUS = b"\xf8" + bytes(range(40, 110))


class PlayedUplink(pb_grpc.UplinkServiceServicer):
    """A relay that takes microphones."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        """When each packet was spoken."""
        self.open = self.asked = 0
        self.holds = False
        """Whether it answers nobody."""

    async def Speak(self, request: Any, context: Any) -> Any:
        self.asked += 1
        if self.holds:
            await asyncio.Event().wait()
        self.open += 1
        try:
            yield pb.SpeakResponse(opened=pb.SpeakOpened(session_id=f"session{self.open:019d}", member=MEMBER))
            await asyncio.Event().wait()
        finally:
            self.open -= 1

    async def PutSound(self, request: Any, context: Any) -> Any:
        self.heard += [each.timestamp for each in request.sounds]
        return pb.PutSoundResponse()


def piece(*spoken_at: int) -> bytes:
    return b"".join((len(OPUS) + 4).to_bytes(2, "big") + at.to_bytes(4, "big") + OPUS for at in spoken_at)


def channels(origin: Origin) -> set[str]:
    """What is heard at a gateway."""
    return set(origin.gateway._listening.heard().get(ROOM, {}))


def know_each_other(*origins: Origin) -> bool:
    return all(origin.gateway._voices._told for origin in origins)


@pytest.fixture
async def relay() -> PlayedUplink:
    return PlayedUplink()


@pytest.fixture
async def both(nats_server: NatsServer, tmp_path: Path, relay: PlayedUplink) -> AsyncIterator[tuple[Origin, Origin]]:
    mint = TokenMint()
    async with AsyncExitStack() as stack:
        played = await stack.enter_async_context(all_parts(mint))
        service = pb.DESCRIPTOR.services_by_name["UplinkService"]
        add = pb_grpc.add_UplinkServiceServicer_to_server
        uplink = await stack.enter_async_context(serving(relay, add, service, mint=mint))
        played["directory"].relays[RELAY] = uplink.address
        played["directory"].stage = True
        played["directory"].seats[(ROOM, ANNA)] = 5
        first = await stack.enter_async_context(gateway_over(played, mint, nats_server.url, tmp_path))
        second = await stack.enter_async_context(gateway_over(played, mint, nats_server.url, tmp_path))
        await eventually(lambda: know_each_other(first, second))
        yield first, second


async def opened(origin: Origin) -> str:
    """Where the pieces of a new session go."""
    answer = await origin.client.post(f"/speak/{ROOM}/pieces", headers=origin.bearer(ANNA, scopes=("listen", "speak")))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def bring(origin: Origin, where: str, number: int, body: bytes = b"") -> httpx.Response:
    return await origin.client.post(f"{where}/{number}", content=body)


async def test_pieces_are_said_by_whichever_gateway_they_come(both: tuple[Origin, Origin], relay: PlayedUplink) -> None:
    first, second = both
    where = await opened(first)
    for number in range(6):
        answer = await bring((second, first)[number % 2], where, number, piece(number * 960))
        assert (answer.status_code, answer.json()) == (200, {"next": number + 1, "muted": False})
    again = await bring(second, where, 5, piece(5 * 960))
    assert again.json()["next"] == 6
    await eventually(lambda: relay.heard == [number * 960 for number in range(6)])


async def test_what_is_wrong_with_a_piece_is_told_through_another_gateway(both: tuple[Origin, Origin]) -> None:
    first, second = both
    where = await opened(first)
    missing = await bring(second, where, 3, piece(0))
    assert (missing.status_code, missing.json()["reason"]) == (400, "PIECE_MISSING")
    assert missing.headers["content-type"] == "application/problem+json"
    junk = await bring(second, where, 0, b"\0\4none")
    assert (junk.status_code, junk.json()["reason"]) == (410, "SOUND_INVALID")
    why = await bring(second, where, 1, piece(0))
    assert (why.status_code, why.json()["reason"]) == (410, "SOUND_INVALID")


async def test_a_session_is_ended_through_another_gateway(both: tuple[Origin, Origin], relay: PlayedUplink) -> None:
    first, second = both
    where = await opened(first)
    assert (await second.client.delete(where)).status_code == 200
    await eventually(lambda: relay.open == 0)
    for origin in both:
        gone = await bring(origin, where, 0, piece(0))
        assert (gone.status_code, gone.json()["reason"]) == (404, "SESSION_NOT_FOUND")


async def test_nobody_makes_up_a_session_of_another_gateway(both: tuple[Origin, Origin]) -> None:
    first, second = both
    where = await opened(first)
    head, _, mark = where.rpartition(".")
    for made_up in (f"{head}.{mark[::-1]}", where.replace(ROOM, "room000000000002")):
        refused = await bring(second, made_up, 0, piece(0))
        assert (refused.status_code, refused.json()["reason"]) == (404, "SESSION_NOT_FOUND")


async def test_who_speaks_by_one_gateway_and_listens_by_another_does_not_hear_themselves(
    both: tuple[Origin, Origin],
) -> None:
    first, second = both
    async with SoundStream(second.port, f"/listen/{ROOM}.webm", second.bearer(ANNA)):
        await eventually(lambda: channels(second) == {"floor"})
        where = await opened(first)
        await eventually(lambda: channels(second) == {without(MEMBER)})

        await first.client.delete(where)
        await eventually(lambda: channels(second) == {"floor"})


async def test_who_speaks_already_hears_the_room_without_themselves_from_the_first_piece_on(
    both: tuple[Origin, Origin],
) -> None:
    first, second = both
    await opened(first)
    await eventually(lambda: second.gateway._voices.member(ROOM, ANNA) == MEMBER)
    async with SoundStream(second.port, f"/listen/{ROOM}.webm", second.bearer(ANNA)):
        await eventually(lambda: bool(channels(second)))
        assert channels(second) == {without(MEMBER)}


async def test_permits_that_no_relay_has_taken_use_up_nobodys_places(
    both: tuple[Origin, Origin], relay: PlayedUplink
) -> None:
    first, _ = both
    relay.holds = True
    waiting = [asyncio.ensure_future(opened(first)) for _ in range(first.settings.max_speakers_per_user)]
    await eventually(lambda: relay.asked == len(waiting))
    relay.holds = False
    assert await opened(first)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_one_person_has_only_so_many_sessions(both: tuple[Origin, Origin]) -> None:
    first, _ = both
    where = [await opened(first) for _ in range(first.settings.max_speakers_per_user)]
    headers = first.bearer(ANNA, scopes=("listen", "speak"))
    refused = await first.client.post(f"/speak/{ROOM}/pieces", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_STREAMS")
    await first.client.delete(where[0])
    assert await opened(first), "a place that is given back is free"
