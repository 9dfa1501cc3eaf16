"""The bus is away, or one of its three servers is killed again and again: nobody hears of it, and no fact is lost."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import auth_facts_pb2

from tests.support import load_tool
from tests.support.copies import Copies, copies, until
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer, cluster
from tests.support.outages import (
    DONE,
    OUTAGE_SECONDS,
    WHOLE,
    Act,
    asked,
    everyday_acts,
    everything_heard,
    held,
    keep_trying,
)
from tests.support.streams import EventStream

pytestmark = pytest.mark.alone

BACK_SECONDS = 10.0
KILLS = 10 if WHOLE else 2
BETWEEN_SECONDS = 3.0 if WHOLE else 1.5


class Reader:
    """Omar's event stream, and what he knows of the room by it."""

    def __init__(self, running: Copies, room_id: str) -> None:
        self._port = urlsplit(running.url).port or 0
        self._path, self._token = f"/events/{room_id}", running.token("omar")
        self.title = ""
        self.revision = 0
        self.ended = 0
        """How often the stream ended."""

    async def read(self) -> None:
        """For ever; comes back where it was when the stream ends."""
        while True:
            headers = {"Authorization": f"Bearer {self._token}"}
            if self.revision:
                headers["Last-Event-ID"] = str(self.revision)
            with contextlib.suppress(OSError):
                async with EventStream(self._port, self._path, headers) as stream:
                    assert stream.status == 200
                    while (event := await stream.next(3600)) is not None:
                        self._take(event.event_id, event.data)
            self.ended += 1
            await asyncio.sleep(0.2)

    def _take(self, revision: int | None, data: Any) -> None:
        assert not revision or revision >= self.revision, "an event came after a newer one"
        self.revision = revision or self.revision
        told = data.get("snapshot", data.get("roomUpdated", {}))
        self.title = told.get("room", {}).get("title", self.title)


class Hall:
    """A room with a voice in it, Mona who listens, and Omar who reads its events."""

    def __init__(self, running: Copies, room_id: str, reader: Reader) -> None:
        self.running, self.room_id, self.reader = running, room_id, reader
        self._titles = (f"Stars {number}" for number in itertools.count())
        self.title = ""

    def next_title(self) -> str:
        self.title = next(self._titles)
        return self.title

    def acts(self) -> dict[str, Act]:
        """What people do meanwhile; rooms are made one a person."""
        acts = everyday_acts(self.running, self.room_id, self.next_title)
        del acts["create"]
        return acts

    async def is_read(self) -> bool:
        """Whether Omar's page shows the room as it is."""
        shown = await self.running.does("lina", "RoomService/GetRoom", roomId=self.room_id)
        room = shown["snapshot"]["room"]
        newest = int(shown["snapshot"]["revision"])
        return bool(self.reader.title == room["title"] == self.title and self.reader.revision == newest)


@contextlib.asynccontextmanager
async def hall(folder: Path, nats_url: str, postgres_url: str) -> AsyncIterator[Hall]:
    async with copies(folder, nats_url, postgres_url) as running:
        room_id = await running.make_room("lina")
        for name in ("nadia", "omar", "rami"):
            await running.does(name, "RoomService/JoinRoom", roomId=room_id)
        await running.bring_up("lina", "nadia", room_id)
        made = Hall(running, room_id, Reader(running, room_id))
        reading = asyncio.ensure_future(made.reader.read())
        try:
            yield made
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@contextlib.asynccontextmanager
async def heard_throughout(hall: Hall, tone: Path, seconds: float) -> AsyncIterator[None]:
    """Mona misses nothing of Lina while the block runs, which takes about so many seconds."""
    running = hall.running
    async with load_tool.speaking(running.url, hall.room_id, running.token("lina"), tone):
        listening = load_tool.hearing(running.url, hall.room_id, running.token("mona"), seconds)
        report = asyncio.ensure_future(listening)

        async def both() -> bool:
            return await running.sounds() == 2

        await until(both, "nobody listens", 15.0)
        yield
        everything_heard(await report, seconds - 3.0)


async def test_while_the_bus_is_away_sound_and_commands_go_on_and_all_is_known_soon_after(
    tmp_path: Path, nats_server: NatsServer, postgres_url: str, tones: dict[int, Path]
) -> None:
    async with (
        hall(tmp_path, nats_server.url, postgres_url) as made,
        heard_throughout(made, tones[440], 2 * OUTAGE_SECONDS + 6),
    ):
        running = made.running
        nats_server.stop()
        tried = await keep_trying(made.acts(), 2 * OUTAGE_SECONDS if WHOLE else OUTAGE_SECONDS)
        held(tried, refused=set())
        # While nothing is pushed pages are kept true by looking.
        await until(made.is_read, "the page is not kept true", BACK_SECONDS)
        assert await asked(running, "rami", "RoomService/GetRoom", roomId=made.room_id) == DONE
        at = Timestamp()
        at.GetCurrentTime()
        suspended = auth_facts_pb2.AccountSuspended(number=1, user_id=person("rami"), occurred_at=at)
        running.auth.facts.append(auth_facts_pb2.AuthFact(number=1, account_suspended=suspended))
        nats_server.start()

        async def is_out() -> bool:
            return await asked(running, "rami", "RoomService/GetRoom", roomId=made.room_id) != DONE

        await until(is_out, "who was suspended meanwhile is not kept out", BACK_SECONDS)
        await running.does("lina", "RoomService/UpdateRoom", roomId=made.room_id, title=made.next_title())
        await until(made.is_read, "the bus does not carry the room's events again", BACK_SECONDS)
        assert made.reader.ended == 0


async def test_one_of_three_servers_of_the_bus_may_die_again_and_again(
    tmp_path: Path, postgres_url: str, tones: dict[int, Path]
) -> None:
    servers = cluster(tmp_path, 3)
    for server in servers:
        server.start()
    try:
        url = ",".join(server.url for server in servers)
        seconds = KILLS * 2 * BETWEEN_SECONDS + 6
        async with hall(tmp_path, url, postgres_url) as made, heard_throughout(made, tones[440], seconds):
            for number in range(KILLS):
                server = servers[number % len(servers)]
                server.stop()
                held(await keep_trying(made.acts(), BETWEEN_SECONDS), refused=set())
                await until(made.is_read, "the page does not show the room as it is", BACK_SECONDS)
                server.start()
            assert made.reader.ended == 0
    finally:
        for server in servers:
            server.stop()
