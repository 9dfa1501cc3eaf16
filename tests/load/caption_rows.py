"""Rows of captions: how soon one is shown to who reads along, alone and in a crowd, and what that costs the gateway."""

import asyncio
import re
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from majlis_client import Client, FixedToken

from tests.load.hand_rows import call, watching, whole
from tests.load.house import House, open_house
from tests.load.machine import cost, resident_kib
from tests.load.rows import Row, row
from tests.support.members import owner_of

READERS = 2000
LANGUAGE = "en"
EVERY_SECONDS = 0.3
"""As often as somebody who types shows what there is of a sentence."""
CHANGES, CHANGES_A_CAPTION = 100, 10
SETTLE_SECONDS, LAST_SECONDS = 5.0, 3.0
_NUMBER = re.compile(rb'"text":"change (\d+) ')


@dataclass(slots=True)
class Written:
    """When each change was sent, and how long it took to each reader."""

    sent_at: dict[int, float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def read(self, data: bytes) -> None:
        """What came to one reader: an event is less than a packet."""
        now = time.monotonic()
        # The past, which comes first, is of somebody before.
        self.took += [now - self.sent_at[int(each)] for each in _NUMBER.findall(data) if int(each) in self.sent_at]


async def write(house: House, token: str, written: Written) -> None:
    """Types: what there is of a caption again and again, then the next one."""
    origin = urlsplit(house.stack.url)
    reader, writer = await asyncio.open_connection(origin.hostname, origin.port)
    try:
        began, caption_id = time.monotonic(), ""
        for number in range(CHANGES):
            await asyncio.sleep(max(0.0, began + number * EVERY_SECONDS - time.monotonic()))
            of_caption = number % CHANGES_A_CAPTION
            caption_id = caption_id if of_caption else secrets.token_hex(8)
            body: dict[str, object] = {
                "roomId": house.room_id, "language": LANGUAGE, "captionId": caption_id,
                "text": f"change {number} of what somebody says in this room about rockets, and how they are tested",
                "final": of_caption == CHANGES_A_CAPTION - 1,
            }  # fmt: skip
            written.sent_at[number] = time.monotonic()
            writer.write(call("CaptionService/SendCaption", token, body))
            answer = b""
            while not whole(answer):
                if not (piece := await reader.read(65536)):
                    raise ConnectionError("the gateway hung up on who writes")
                answer += piece
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer[:300].decode("latin-1"))
    finally:
        writer.close()


async def _measure(house: House, token: str, count: int) -> list[Row]:
    """So many read while one writes."""
    path, written = f"captions/{house.room_id}?language={LANGUAGE}", Written()
    gateway = house.stack.pid("gateway")
    before_kib = resident_kib(gateway)
    async with watching(house, house.guests(count), path=path, take=written.read):
        await asyncio.sleep(SETTLE_SECONDS)
        kib = (resident_kib(gateway) - before_kib) / count
        before, began = cost(gateway), time.monotonic()
        await write(house, token, written)
        spent, elapsed = cost(gateway).since(before), time.monotonic() - began
        await asyncio.sleep(LAST_SECONDS)
        grown = (resident_kib(gateway) - before_kib) / count
    took = sorted(written.took)
    lost = CHANGES * count - len(took)
    middle, most, worst = (took[int(len(took) * share)] * 1000 if took else None for share in (0.5, 0.95, 0.999))
    pace = f"{CHANGES / elapsed:.1f} changes/s"
    told = f"from the writer's call to readers' streams: p50 {middle or 0:.0f}, p99.9 {worst or 0:.0f} ms"
    found = [row(f"caption_p95_ms_{count}", None if lost else most, "ms", f"{told}, {lost} not brought; {pace}")]
    if count > 1:
        costs = f"{count} readers, {pace}: {spent.total / (CHANGES * count) * 1e6:.0f} µs each"
        found += [
            row("gateway_cores_captions", spent.total / elapsed, "cores", costs),
            row("gateway_kib_per_caption_reader", kib, "KiB", f"{grown:.1f} after {CHANGES} changes"),
        ]
    return found


async def caption_rows(folder: Path, readers: int = READERS) -> list[Row]:
    """One reads what one writes, then a crowd does, all at one gateway."""
    limits = {"ROOM_DIRECTORY_LISTENER_LIMIT": str(readers + 10)}
    async with open_house(folder, **limits) as house, AsyncExitStack() as stays:
        async with await Client.connect(house.stack.url, FixedToken(house.speaker)) as leader:
            # Only somebody with an account is let write.
            writer = await owner_of(house.stack)
            await leader.grant_captioning(house.room_id, writer.user_id, LANGUAGE)
        # Whoever writes holds a seat, and follows the room as a page does.
        await stays.enter_async_context(watching(house, [writer.access_token]))
        return [each for count in (1, readers) for each in await _measure(house, writer.access_token, count)]
