"""The canary's ear on the bus: hears its room's programme as any consumer does, without WebRTC between."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av import AudioCodecContext, CodecContext, Packet

from ops.canary.sound import Ear
from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.ids import new_id
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.programme.channels import FLOOR, Channel
from services.programme.listener import SAMPLE_RATE, Heard, Listener
from services.programme.recorder import Recorder
from services.programme.wishes import Consumer, Wishes

_TIME_BASE = Fraction(1, SAMPLE_RATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAt:
    """Where the bus is, how the canary logs in there, and what becomes of what it hears."""

    url: str
    seed_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    record: Path | None = None
    """File for what was heard in the last round."""

    def settings(self) -> ServiceSettings:
        """The same as a service is told it."""
        return ServiceSettings(
            nats_url=self.url,
            nats_nkey_seed_file=self.seed_file,
            nats_ca_file=self.ca_file,
            tls_cert_file=self.cert_file,
            tls_key_file=self.key_file,
            tls_ca_file=self.ca_file if self.cert_file else None,
            # It calls no service, so nobody asks for the secret of services.
            service_secret_file=Path(os.devnull),
        )


class ProgrammeEar:
    """Hears the floor of one room after the other, on one connection."""

    def __init__(self, bus: Bus, wishes: Wishes, record: Path | None) -> None:
        self._bus = bus
        self._wishes = wishes
        self._record = record

    @asynccontextmanager
    async def hearing(self, room_id: str) -> AsyncIterator[Ear]:
        """Wants the room's floor, and hears it, until the block ends. The record has the sound of the last block."""
        ear = Ear()
        async with Listener(self._bus, self._wishes, Channel(room_id, FLOOR)) as listener, Background() as background:
            with nullcontext() if self._record is None else Recorder(self._record) as recorder:
                background.spawn("programme ear", lambda: _hear(listener, ear, recorder))
                yield ear
                await background.stop()


async def _hear(listener: Listener, ear: Ear, recorder: Recorder | None) -> None:
    decoder = _decoder()
    async for heard in listener:
        if recorder is not None:
            recorder.write(heard)
        _decode(decoder, heard, ear)


def _decoder() -> AudioCodecContext:
    decoder = CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.format, decoder.layout, decoder.sample_rate = "s16", "mono", SAMPLE_RATE
    return decoder


def _decode(decoder: AudioCodecContext, heard: Heard, ear: Ear) -> None:
    for frame in decoder.decode(Packet(heard.frame.opus)):
        frame.pts, frame.time_base = heard.at, _TIME_BASE
        ear.hear(frame)


@asynccontextmanager
async def programme_ear(at: BusAt, metrics: Metrics) -> AsyncIterator[ProgrammeEar]:
    """An ear with a connection of its own. Raises SettingsError for a login that cannot be used."""
    bus = Bus(at.settings(), metrics)
    wishes = Wishes(bus, Consumer.CANARY, new_id(), SystemClock())
    bus.on_reconnect(wishes.tell)
    await bus.connect()
    try:
        async with Background() as background:
            background.spawn("programme wishes", wishes.run, restart=True)
            yield ProgrammeEar(bus, wishes, at.record)
        async with asyncio.timeout(2.0):
            await wishes.give_up()
    finally:
        await bus.close()
