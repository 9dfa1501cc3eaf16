"""The proxies of the guide carry everything that goes by one name: events, sound both ways, pages and gRPC."""

import asyncio
import re
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from majlis.room_directory.v1 import room_service_pb2
from majlis_client import Client, FixedToken
from majlis_client.discovery import Server
from majlis_client.http_origin import HttpOrigin
from majlis_client.over_https import HttpsListener
from majlis_client.player import FileTrack
from majlis_client.web_speaking import WebRoad, WebSession
from majlis_client.web_ways import SocketWay

from tests.support import voices
from tests.support.hearing import until_heard
from tests.support.members import friend_of, owner_of
from tests.support.proxies import Proxy, proxy_of_the_guide
from tests.support.rtc_client import Ear
from tests.support.stack import Stack


def through(proxy: Proxy, token: str) -> Client:
    """Somebody whose RPCs and sound go through the proxy alone."""
    origin = HttpOrigin(proxy.url, proxy.ca_file)
    return Client(Server(origin, f"localhost:{proxy.grpc_port}", "", ""), FixedToken(token))


@asynccontextmanager
async def listening(client: Client, room_id: str) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.ensure_future(HttpsListener(client, room_id, ear.take).run())
    try:
        yield ear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def heard_by(stack: Stack) -> int:
    """How many streams of sound the gateway has open."""
    found = re.findall(r"^majlis_gateway_listen_open\{.*\} (\d+)", stack.metrics("gateway"), re.MULTILINE)
    return sum(map(int, found))


async def pages_and_events_pass(proxy: Proxy, room_id: str, token: str, owner: Client) -> None:
    """Each comes at once and as the gateway made it."""
    trusted = ssl.create_default_context(cafile=str(proxy.ca_file))
    async with httpx.AsyncClient(base_url=proxy.url, verify=trusted, http2=False, timeout=5) as http:
        assert (await http.get("/reach")).status_code == 200
        embed = await http.get(f"/embed/{room_id}")
        assert embed.status_code == 200
        assert "frame-ancestors *" in embed.headers["content-security-policy"]
        assert "frame-ancestors *" not in (await http.get("/")).headers["content-security-policy"]
        header = {"Authorization": f"Bearer {token}"}
        async with http.stream("GET", f"/events/{room_id}", headers=header) as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            async with asyncio.timeout(6):
                while await anext(lines) != "event: pulse":
                    pass
            await owner.rooms.UpdateRoom(room_service_pb2.UpdateRoomRequest(room_id=room_id, title="Before it"))
            async with asyncio.timeout(2):
                while await anext(lines) != "event: room_updated":
                    pass


@pytest.mark.parametrize("name", ["nginx", "caddy"])
async def test_a_proxy_set_up_as_the_guide_says_carries_events_and_sound_both_ways(
    name: str, stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room_id = (await owner.client.create_room("Behind a proxy")).room_id
    await guest.client.join(room_id, without_permit=True)
    async with (
        proxy_of_the_guide(name, stack, tmp_path) as proxy,
        through(proxy, owner.access_token) as theirs,
        through(proxy, guest.access_token) as own,
    ):
        await pages_and_events_pass(proxy, room_id, guest.access_token, owner.client)
        async with listening(own, room_id) as ear:
            permit = (await theirs.join(room_id)).permit.permit
            way = await WebRoad().open(theirs.server.origin, room_id, permit)
            assert isinstance(way, SocketWay), "a WebSocket opens"
            session = WebSession(way, FileTrack(tones[440], loop=True))
            await until_heard(ear, 440.0, 15)
            await asyncio.sleep(2)
            assert voices.power_at(ear.heard[-48_000:], 440.0) > 0.9
            await session.close()
            if shutil.which("ffmpeg"):
                await one_long_upload_is_heard(proxy, room_id, owner.access_token, ear)
        began = time.monotonic()
        while heard_by(stack):
            assert time.monotonic() - began < 5, "whoever closes the player is gone at the gateway, too"
            await asyncio.sleep(0.1)
    await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room_id))
    await owner.leave_for_good()
    await guest.leave_for_good()


async def one_long_upload_is_heard(proxy: Proxy, room_id: str, token: str, ear: Ear) -> None:
    """A program's one request is passed on while it is made, and is longer than proxies take by default."""
    sound = ("-re", "-f", "lavfi", "-i", "sine=frequency=700:sample_rate=48000", "-c:a", "libopus", "-b:a", "32k")
    form = ("-cluster_time_limit", "100", "-flush_packets", "1", "-f", "webm", "-method", "POST")
    header = ("-headers", f"Authorization: Bearer {token}\r\n", "-content_type", "audio/webm")
    command = ("ffmpeg", "-loglevel", "error", *sound, *form, *header, f"{proxy.url}/speak/{room_id}")
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await until_heard(ear, 700.0, 15)
    finally:
        process.kill()
        await process.wait()
