"""What one turn of the loop writes to a connection goes out at once, in order."""

import asyncio
from typing import cast

from services.gateway.http.protocol import GatheringTransport


class FakeTransport:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def gathering() -> tuple[FakeTransport, GatheringTransport]:
    transport = FakeTransport()
    return transport, GatheringTransport(cast("asyncio.Transport", transport), asyncio.get_running_loop())


async def test_a_head_and_its_body_are_sent_together() -> None:
    transport, gathered = gathering()
    gathered.write(b"head ")
    gathered.write(b"body")
    assert transport.sent == []
    await asyncio.sleep(0)
    assert transport.sent == [b"head body"]


async def test_what_must_go_out_now_goes_after_what_was_written_before() -> None:
    transport, gathered = gathering()
    gathered.write(b"first")
    gathered.write_now(b"second")
    await asyncio.sleep(0)
    assert transport.sent == [b"first", b"second"]


async def test_the_last_words_are_sent_before_the_connection_closes() -> None:
    transport, gathered = gathering()
    gathered.write(b"last words")
    gathered.close()
    await asyncio.sleep(0)
    assert transport.sent == [b"last words"]
    assert transport.closed


async def test_a_dropped_connection_sends_nothing_more() -> None:
    transport, gathered = gathering()
    gathered.write(b"too late")
    gathered.abort()
    await asyncio.sleep(0)
    assert transport.sent == []


async def test_nothing_is_sent_to_who_went_meanwhile() -> None:
    transport, gathered = gathering()
    gathered.write(b"too late")
    transport.closed = True
    await asyncio.sleep(0)
    assert transport.sent == []
