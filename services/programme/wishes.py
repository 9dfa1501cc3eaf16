"""A consumer's wishes: which channels it wants, told on the bus each second, and at once when they change."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.programme.v1 import programme_pb2 as pb

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.common.throttle import Throttle
from services.programme.channels import Channel
from services.programme.messages import channel_message

TELL_SECONDS = 1.0
HOLD_SECONDS = 3.5
"""How long a wish holds without being told again: three tellings, and a little for the way."""
SOONEST_SECONDS = 0.1
"""Changes that come closer together than this are told together."""
MOST_CHANNELS = 4096
"""How many channels one consumer may want; more than a relay can have listeners for."""

_CONSUMER = re.compile(r"[a-z0-9]{10,32}\Z")
_log = get_logger("wishes")


class Consumer(StrEnum):
    RELAY = "relay"
    GATEWAY = "gateway"
    ARCHIVE = "archive"
    EGRESS = "egress"
    CANARY = "canary"


class WishRefused(Exception):
    """A wish that is not taken; `why` is a label for metrics."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Wish:
    """All the channels one consumer wants, and for how long from when it is heard."""

    consumer_id: str
    kind: Consumer
    channels: frozenset[Channel]
    hold_seconds: float = HOLD_SECONDS


class Outlet(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Message) -> None:
        """Puts an event on its subject; what cannot be sent is lost."""
        ...


class Wishes:
    """What this process wants; `run` tells it until it is cancelled."""

    def __init__(self, bus: Outlet, kind: Consumer, consumer_id: str, clock: Clock) -> None:
        if not _CONSUMER.match(consumer_id):
            raise ValueError(f"{consumer_id!r} is no id of a consumer")
        self._bus = bus
        self._kind = kind
        self._consumer_id = consumer_id
        self._clock = clock
        self._wanted: dict[Channel, int] = {}
        self._changed = asyncio.Event()
        self._lines = Throttle()

    def want(self, channel: Channel) -> None:
        """Wants a channel from now on, once more if it is wanted already; it is told soon."""
        self._wanted[channel] = self._wanted.get(channel, 0) + 1
        self._changed.set()

    def no_more(self, channel: Channel) -> None:
        """Takes one wish for a channel back; others for it go on."""
        left = self._wanted.pop(channel, 0) - 1
        if left > 0:
            self._wanted[channel] = left
        self._changed.set()

    async def run(self) -> None:
        """Tells what is wanted, for ever; that nothing is, once: should it be lost, old wishes end by themselves."""
        while True:
            self._changed.clear()
            await self.tell()
            await asyncio.sleep(SOONEST_SECONDS)
            try:
                async with asyncio.timeout(TELL_SECONDS - SOONEST_SECONDS if self._wanted else None):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def tell(self) -> None:
        """Tells what is wanted now."""
        if len(self._wanted) > MOST_CHANNELS and (left_out := self._lines.passes()) is not None:
            _log.error("more channels are wanted than can be told", wanted=len(self._wanted), left_out=left_out)
        await self._bus.publish(self._message(islice(self._wanted, MOST_CHANNELS)))

    async def give_up(self) -> None:
        """Tells that nothing is wanted any more, so that nobody sends for the moments a wish would hold."""
        self._wanted.clear()
        await self.tell()

    def _message(self, channels: Iterable[Channel]) -> pb.Wanted:
        now = self._clock.now()
        wanted = pb.Wanted(
            consumer_id=self._consumer_id,
            kind=pb.ConsumerKind.Value(f"CONSUMER_KIND_{self._kind.name}"),
            channels=[channel_message(each) for each in channels],
        )
        wanted.told_at.FromDatetime(now)
        wanted.wanted_until.FromDatetime(now + timedelta(seconds=HOLD_SECONDS))
        return wanted


def read_wish(message: pb.Wanted) -> Wish:
    """The wish in a message. Raises WishRefused for one that the contract does not allow.

    Clocks differ: only the time between the message's own two instants counts.
    """
    if len(message.channels) > MOST_CHANNELS:
        raise WishRefused("too_many_channels", f"{len(message.channels)} channels, at most {MOST_CHANNELS}")
    try:
        kind = Consumer[pb.ConsumerKind.Name(message.kind).removeprefix("CONSUMER_KIND_")]
        channels = frozenset(Channel(each.room_id, each.name) for each in message.channels)
        hold = (_instant(message.wanted_until) - _instant(message.told_at)).total_seconds()
    except (KeyError, ValueError, OverflowError) as error:
        raise WishRefused("junk", str(error)) from error
    if not _CONSUMER.match(message.consumer_id):
        raise WishRefused("junk", f"{message.consumer_id!r} is no id of a consumer")
    return Wish(message.consumer_id, kind, channels, min(max(hold, 0.0), HOLD_SECONDS))


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)
