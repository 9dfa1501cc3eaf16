"""A room that is open to the web, heard on another site's page and by a player without any sign-in."""

import asyncio
import base64
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from majlis.room_directory.v1 import room_service_pb2
from playwright.async_api import Frame, expect

from tests.e2e.test_listen import run
from tests.support import load_tool, voices
from tests.support.browser import House, Person
from tests.support.members import Member, owner_of
from tests.support.recordings import samples_of
from tests.support.stack import Stack
from tests.support.stream_server import stream_server


@asynccontextmanager
async def open_hall(stack: Stack, title: str, tone: Path) -> AsyncIterator[tuple[Member, str]]:
    """Somebody who speaks in a room that is open to the web."""
    owner = await owner_of(stack)
    room_id = (await owner.client.create_room(title)).room_id
    async with load_tool.speaking(stack.url, room_id, owner.access_token, tone):
        await switch(owner, room_id, open_to_web=True)
        yield owner, room_id
    await owner.leave_for_good()


async def switch(owner: Member, room_id: str, **how: int) -> None:
    await owner.client.rooms.UpdateRoom(room_service_pb2.UpdateRoomRequest(room_id=room_id, **how))  # type: ignore[arg-type]


@asynccontextmanager
async def another_site(html: str) -> AsyncIterator[str]:
    """A page of somebody else's, at an origin of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = html.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()

    async with stream_server(answer) as server:
        yield f"http://127.0.0.1:{server.address[1]}/"


async def frame_of(person: Person) -> Frame:
    element = await person.page.wait_for_selector("iframe")
    frame = element and await element.content_frame()
    assert frame
    return frame


async def heard_in(frame: Frame, seconds: float = 2.0) -> np.ndarray:
    encoded = await frame.evaluate("(seconds) => window.majlisTest.record(seconds)", seconds)
    return (np.frombuffer(base64.b64decode(encoded), dtype="<i2") / np.float32(32768)).astype(np.float32)


async def test_another_sites_page_lets_its_readers_hear_the_room_until_a_moderator_closes_it(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    async with open_hall(stack, "Stars over the dunes", tones[700]) as (owner, room_id):
        snippet = (
            f'<iframe src="{stack.url}/embed/{room_id}?lang=ar" width="100%" height="150" allow="autoplay"></iframe>'
        )
        async with another_site(f"<!doctype html><title>Blog</title>{snippet}") as url:
            reader = await house.arrives("Reader", viewport=(360, 640))
            asked: list[str] = []
            reader.page.on("request", lambda request: asked.append(request.url))
            await reader.page.goto(url)
            frame = await frame_of(reader)
            await expect(frame.get_by_role("heading")).to_have_text("Stars over the dunes")
            assert await frame.evaluate("document.documentElement.dir") == "rtl"
            await frame.get_by_test_id("embed-play").click()
            await expect(frame.get_by_test_id("embed")).to_have_attribute("data-hearing", "on")
            await asyncio.sleep(1.0)
            assert voices.power_at(await heard_in(frame), 700) > 0.5
            hosts = {httpx.URL(each).netloc for each in asked if each.startswith("http")}
            assert hosts == {httpx.URL(stack.url).netloc, httpx.URL(url).netloc}, "no third host"
            assert await reader.context.cookies() == []
            # Browsers that block what others' frames keep refuse even to look: it plays all the same.
            kept = "() => { try { return localStorage.length + sessionStorage.length; } catch { return 0; } }"
            assert await frame.evaluate(kept) == 0
            away = time.monotonic()
            await switch(owner, room_id, open_to_web=False)
            await expect(frame.get_by_test_id("embed")).to_have_attribute("data-state", "closed")
            await expect(frame.get_by_test_id("embed")).to_have_attribute("data-hearing", "off")
            took = time.monotonic() - away
            assert took < 8.0, f"the page says so after {took:.1f} s"
            assert not reader.errors or all("403" in each for each in reader.errors), reader.errors


async def test_a_stream_ends_within_five_seconds_of_being_closed_and_a_full_room_takes_nobody_more(
    stack: Stack, tones: dict[int, Path]
) -> None:
    async with open_hall(stack, "Few places", tones[440]) as (owner, room_id), httpx.AsyncClient() as client:
        await switch(owner, room_id, web_listener_limit=1)
        await asyncio.sleep(1.2)
        path = f"{stack.url}/listen/{room_id}.ogg"
        async with client.stream("GET", path, timeout=20) as stream:
            assert stream.status_code == 200
            refused = await client.get(path)
            assert (refused.status_code, refused.json()["reason"]) == (503, "WEB_FULL")
            pieces = stream.aiter_raw()
            await anext(pieces)
            await switch(owner, room_id, open_to_web=False)
            closed = time.monotonic()
            async for _ in pieces:
                assert time.monotonic() - closed < 5.0
        assert time.monotonic() - closed < 5.0
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["reason"]) == (403, "WEB_CLOSED")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
async def test_ffmpeg_plays_it_without_any_sign_in(stack: Stack, tones: dict[int, Path], tmp_path: Path) -> None:
    async with open_hall(stack, "For radios", tones[1100]) as (_, room_id):
        heard = tmp_path / "heard.wav"
        url = f"{stack.url}/listen/{room_id}.ogg"
        await run("ffmpeg", "-loglevel", "warning", "-i", url, "-t", "5", "-ar", "48000", "-ac", "1", str(heard))
        assert voices.power_at(samples_of(heard)[-96_000:], 1100) > 0.5


async def test_a_moderator_opens_the_room_in_the_page_and_everybody_is_told(
    stack: Stack, house: House, tones: dict[int, Path], tmp_path: Path
) -> None:
    owner = await owner_of(stack)
    room_id = (await owner.client.create_room("Open house")).room_id
    lina = await house.arrives("Lina", voice=tones[440])
    await lina.context.add_cookies([{"name": "majlis_access", "value": owner.access_token, "url": stack.url}])
    await lina.page.goto(f"{stack.url}/r/{room_id}")
    page = lina.page
    await page.get_by_role("heading", level=1).get_by_role("button").click()
    await page.get_by_test_id("open-web").click()
    await expect(page.get_by_test_id("web-warning")).to_be_visible()
    await page.get_by_test_id("confirm-web").click()
    await expect(page.get_by_test_id("web-snippet")).to_have_value(re.compile(f"/embed/{room_id}"))
    await expect(page.get_by_test_id("facts")).to_contain_text("Open to the web")
    await expect(page.get_by_test_id("notice")).to_contain_text("Anybody on the web")
    await page.get_by_test_id("close-web").click()
    await expect(page.get_by_test_id("facts")).not_to_contain_text("Open to the web")
    await owner.leave_for_good()
