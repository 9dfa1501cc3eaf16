"""A gateway dies with many event streams on it: they come back in time, spread out, and nobody misses anything."""

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from majlis.room_directory.v1 import room_service_pb2

from tests.load.crowd import OPEN_LIMITS
from tests.support.copies import Copies, copies, until
from tests.support.nats_server import NatsServer
from tests.support.outages import WHOLE
from tests.support.streams import EventStream

pytestmark = pytest.mark.alone

STREAMS = 5000 if WHOLE else 100
BACK_SECONDS = 30.0
BACK_SHARE = 0.99
OPENS_A_SECOND = 300
"""Of the gateway's settings; twice as many may come at once."""
seen = logging.getLogger(__name__)


class Follower:
    """A page that follows the room as EventSource does: it waits as it was told, and says what it saw last."""

    def __init__(self, running: Copies, room_id: str, name: str) -> None:
        self._port, self._path = urlsplit(running.url).port or 0, f"/events/{room_id}"
        self._token = running.token(name)
        self._wait = 1.0
        self.title = ""
        self.revision = 0
        self.opened_at = 0.0
        self.refused = 0
        self.lost = 0
        """Changes that neither an event nor a snapshot told."""

    async def follow(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._once()
            await asyncio.sleep(self._wait)

    async def _once(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        if self.revision:
            headers["Last-Event-ID"] = str(self.revision)
        async with EventStream(self._port, self._path, headers) as stream:
            if stream.status != 200:
                self.refused += 1
                self._wait = float(stream.headers.get("retry-after", "1")) * random.uniform(1.0, 2.0)
                return
            self.opened_at = time.monotonic()
            while (event := await stream.next(3600)) is not None:
                if stream.retry is not None:
                    self._wait = stream.retry / 1000
                self._take(event.event_id, event.data)

    def _take(self, revision: int | None, data: Any) -> None:
        if not revision:
            return
        if "snapshot" not in data and revision > self.revision + 1:
            self.lost += revision - self.revision - 1
        self.revision = max(self.revision, revision)
        told = data.get("snapshot", data.get("roomUpdated", {}))
        self.title = told.get("room", {}).get("title", self.title)


async def test_after_a_gateway_was_killed_its_streams_come_back_spread_out_and_lose_nothing(
    tmp_path: Path, nats_server: NatsServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GATEWAY_REQUESTS_PER_SECOND", "GATEWAY_REQUEST_BURST"):
        # All come from one address here.
        monkeypatch.setenv(name, OPEN_LIMITS[name])
    # A room that is full gives up seats without sound, of which nobody here has any.
    monkeypatch.setenv("ROOM_DIRECTORY_LISTENER_LIMIT", str(2 * STREAMS))
    async with copies(tmp_path, nats_server.url, postgres_url) as running:
        room_id = await running.make_room("lina")
        names = [f"page{number:04d}x" for number in range(STREAMS)]
        for first in range(0, STREAMS, 20):
            together = names[first : first + 20]
            come = (running.does(name, "RoomService/JoinRoom", roomId=room_id) for name in together)
            assert all("seat" in answer for answer in await asyncio.gather(*come)), "somebody waits for a seat"
        followers = [Follower(running, room_id, name) for name in names]
        tasks = [asyncio.ensure_future(each.follow()) for each in followers]
        try:
            await until(lambda: _all(each.title for each in followers), "the streams do not open", 60.0)
            killed_at = time.monotonic()
            running.gateway.signal(signal.SIGKILL)
            await running.gateway.ended()
            for number in range(5):
                await rename(running, room_id, f"Stars {number}")
            await running.start_gateway_again()
            served_at = time.monotonic()
            await rename(running, room_id, "Stars again")

            async def back() -> bool:
                share = sum(each.title == "Stars again" for each in followers) / STREAMS
                return share >= BACK_SHARE

            await until(back, "the streams do not come back", BACK_SECONDS - (served_at - killed_at))
            opened = Counter(int(each.opened_at) for each in followers if each.opened_at > killed_at)
            seen.info(
                "%d streams back %.1f s after the kill, %.1f s after it served; opened each second: %s; refused: %d",
                STREAMS, time.monotonic() - killed_at, time.monotonic() - served_at, sorted(opened.values()),
                sum(each.refused for each in followers),
            )  # fmt: skip
            if STREAMS > 2 * OPENS_A_SECOND:
                # The second in which this process reads an answer says little of when it was given.
                assert sum(each.refused for each in followers) > 0, "nobody was asked to come later"
            assert sum(each.lost for each in followers) == 0
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def rename(running: Copies, room_id: str, title: str) -> None:
    """Past the gateway."""
    async with running.at(await running.owner(room_id)) as copy:
        request = room_service_pb2.UpdateRoomRequest(room_id=room_id, title=title)
        await copy.UpdateRoom(request, metadata=running.as_user("lina"))


async def _all(values: Any) -> bool:
    return all(values)
