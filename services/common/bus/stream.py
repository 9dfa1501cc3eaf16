"""The straight ways through the NATS client that hot streams take: no queue and no task between socket and handler.

nats-py hands each message from task to task, which on a busy interpreter costs a wait for its lock each time. What is
used of its private names is used here; tests/contract/test_nats_seam.py pins the version they were tried with.
"""

import asyncio
from collections.abc import Callable

from nats.aio.client import PING_PROTO, Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol import command

MAX_UNSENT_BYTES = 1 << 20
"""More than this waiting for the socket means that the server does not read: what comes then is dropped."""


class StreamClient(Client):
    """A client that can also send within the caller's turn, and deliver within the turn of the socket."""

    def __init__(self) -> None:
        super().__init__()
        self._straight: dict[int, Callable[[str, bytes], None]] = {}
        self._asked: asyncio.Future[bool] | None = None

    async def answers(self, within: float) -> bool:
        """Whether the server answers a ping within so many seconds; while one is unanswered no other is sent.

        The library's own way gives up what it waits for, and its connection with it when the answer comes after all.
        """
        # Each connection has a list of its own: what was asked on the one before is never answered.
        if self._asked is None or self._asked.done() or self._asked not in self._pongs:
            if self._transport is None:
                return False
            self._asked = asyncio.get_running_loop().create_future()
            self._pongs.append(self._asked)
            self._transport.write(PING_PROTO)
        done, _ = await asyncio.wait({self._asked}, timeout=within)
        return bool(done)

    async def settles(self, within: float) -> bool:
        """Whether the server says within so many seconds that it has read all that was asked of it before.

        The library's own flush sends its ping ahead of what it has still queued, so it tells nothing of that.
        """
        if self._transport is None or not self.is_connected:
            return False
        answered = asyncio.get_running_loop().create_future()
        self._pending.append(PING_PROTO)
        self._pongs.append(answered)
        self._transport.writelines(self._pending)
        self._pending = []
        self._pending_data_size = 0
        done, _ = await asyncio.wait({answered}, timeout=within)
        return bool(done)

    def send_straight(self, subject: str, payload: bytes) -> bool:
        """Hands a message, and what was queued before it, to the socket at once; False when too much waits there."""
        transport = self._transport
        if not isinstance(transport, TcpTransport) or not self.is_connected or len(payload) > self._max_payload:
            return False
        writer = transport._io_writer
        if writer is None or writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return False
        self._pending.append(command.pub_cmd(subject, "", payload))
        transport.writelines(self._pending)  # type: ignore[no-untyped-call]
        self._pending = []
        self._pending_data_size = 0
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += len(payload)
        return True

    def deliver_straight(self, subscription: Subscription, deliver: Callable[[str, bytes], None]) -> None:
        """From now on `deliver(subject, payload)` gets the subscription's messages, and its callback none."""
        self._straight[subscription._id] = deliver

    def forget_straight(self, subscription: Subscription) -> None:
        """What still comes for the subscription goes nowhere in particular."""
        self._straight.pop(subscription._id, None)

    async def _process_connect_init(self) -> None:
        # A connection that comes to nothing would stay open until it is collected; the next try has its own.
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
            raise

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        deliver = self._straight.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        try:
            deliver(subject.decode(), data)
        except Exception as error:  # noqa: BLE001 (told as a callback's errors are; the connection goes on)
            await self._error_cb(error)
