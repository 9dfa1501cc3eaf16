"""The packet core as the application sees it: opens the media port, hands events to their callbacks."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any

import packetcore

from services.common.net import PortTaken, split_address
from services.common.sight.log import get_logger
from services.media_relay.domain.capacity import PacketMs
from services.media_relay.sessions.sdp.answer import Plan
from services.media_relay.sessions.sdp.offer import CAPTURE_TIME_URI, LEVEL_URI

EVENTS_AT_ONCE = 256
PACKET_MS: dict[str, PacketMs] = {"20": 20, "40": 40, "60": 60}

_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

_log = get_logger("core")


def open_core(bind: Sequence[str], *, sender_threads: int, handshakes_per_source_per_second: int) -> packetcore.Core:
    """Opens the media port. Raises PortTaken. An address family this machine lacks is left out, if another is there."""
    addresses = [split_address(text) for text in bind]
    usable = [address for address in addresses if _exists(address[0])] or addresses
    for host, _ in set(addresses) - set(usable):
        _log.warning("this machine has no such address; media will not use it", address=host)
    try:
        return packetcore.Core(
            bind=usable,
            sender_threads=sender_threads,
            handshakes_per_source_per_second=handshakes_per_source_per_second,
        )
    except OSError as error:
        raise PortTaken(", ".join(bind), error) from error


def _exists(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno not in _NOT_HERE
    return True


class CoreAdapter:
    """Calls of the application, put into the packet core's own terms."""

    def __init__(self, core: packetcore.Core, packet_ms: PacketMs, bits_per_second: int) -> None:
        self._packet_ms: PacketMs = packet_ms
        self._bits_per_second = bits_per_second
        self._native = core
        self._channels: set[int] = set()
        self.add_session = core.add_session
        self.restart_ice = core.restart_ice
        self.set_keys = core.set_keys
        self.remove_session = core.remove_session
        self.add_stage = core.add_stage
        self.remove_stage = core.remove_stage
        self.set_sources = core.set_sources
        self.set_export = core.set_export
        self.switch_channel = core.switch_channel
        self.set_muted = core.set_muted
        self.set_paused = core.set_paused

    def add_channel(self, stage: int | None) -> int:
        """A programme with this relay's packet length and bit rate."""
        channel = self._native.add_channel(stage)
        self._channels.add(channel)
        self._native.set_packet_ms(channel, self._packet_ms)
        if stage is not None:
            self._native.set_bitrate(channel, self._bits_per_second)
        return channel

    def remove_channel(self, channel: int) -> None:
        """Its listeners hear nothing more."""
        self._channels.discard(channel)
        self._native.remove_channel(channel)

    def set_packet_ms(self, packet_ms: PacketMs) -> None:
        """Length of listeners' packets from now on, on every channel: running streams go over without a break."""
        self._packet_ms = packet_ms
        for channel in self._channels:
            self._native.set_packet_ms(channel, packet_ms)

    async def settled(self) -> None:
        """Returns once the packet threads have taken in all calls so far."""
        await asyncio.to_thread(self._native.flush)

    def join_stage(self, session: int, stage: int, member: int, plan: Plan, ssrcs: Sequence[int]) -> None:
        """Makes a session the microphone of `member`, with a slot for each SSRC."""
        assert plan.microphone is not None
        slots = [
            packetcore.Slot(ssrc=ssrc, payload_type=each.payload_type)
            for each, ssrc in zip(plan.outgoing, ssrcs, strict=True)
        ]
        self._native.join_stage(
            session,
            stage,
            member=member,
            payload_type=plan.microphone.payload_type,
            level_extension_id=plan.microphone.level_extension_id,
            slots=slots,
        )

    def attach_listener(self, session: int, channel: int, plan: Plan, ssrc: int) -> None:
        """Makes a session a listener, in the formats its offer allows."""
        each = plan.outgoing[0]
        listener = packetcore.ListenerFormat(
            ssrc=ssrc,
            payload_type=each.payload_type,
            red_payload_type=each.red_payload_type,
            abs_capture_time_id=each.extensions.get(CAPTURE_TIME_URI),
            level_extension_id=each.extensions.get(LEVEL_URI),
        )
        self._native.attach_listener(session, channel, listener)


class CoreEvents:
    """Reads the core's events as they come and calls the callback of each kind: `callbacks[kind](handle, *rest)`."""

    def __init__(self, core: packetcore.Core, callbacks: dict[str, Callable[..., None]]) -> None:
        self._core = core
        self._callbacks = callbacks
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begins reading in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._core.event_fd(), self._read)

    def stop(self) -> None:
        """Reads no more."""
        if self._loop is not None:
            self._loop.remove_reader(self._core.event_fd())
            self._loop = None

    def _read(self) -> None:
        # One batch a turn: what is left keeps the descriptor readable, and RPCs get their turn in between.
        for kind, *rest in self._core.poll_events(EVENTS_AT_ONCE):
            callback: Callable[..., Any] | None = self._callbacks.get(str(kind))
            if callback is None:
                continue
            try:
                callback(*rest)
            except Exception:  # noqa: BLE001 (logged; one session's event must not stop the others')
                _log.exception("an event of the packet core was not handled", kind=kind)
