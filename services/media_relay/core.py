"""The only door to the packet core: opens the media port, puts calls in its terms, hands its events to callbacks."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import packetcore
from packetcore import Core, CoreError

from services.common.net import PortTaken, split_address
from services.common.sight.log import get_logger
from services.media_relay.domain.booths import Mix
from services.media_relay.domain.capacity import PacketMs
from services.media_relay.domain.ladder import Shape
from services.media_relay.domain.media import ListenerFormat, MicrophoneFormat, SlotFormat, SrtpKeys
from services.programme.work import Costs

__all__ = [
    "Core",
    "CoreAdapter",
    "CoreError",
    "CoreEvents",
    "measured_costs",
    "measured_programme",
    "open_core",
    "trim_memory",
]

EVENTS_AT_ONCE = 256
PACKET_MS: dict[str, PacketMs] = {"20": 20, "40": 40, "60": 60}
CALIBRATION_SECONDS = 0.25
PROGRAMME_SECONDS = 0.15
LEAST_CPU_SECONDS = 0.01
"""A measurement that got less of a core than this says too little to be scaled up further."""

_ENCODE = "encode_"
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

_log = get_logger("core")

trim_memory = packetcore.trim_memory


def open_core(
    bind: Sequence[str],
    *,
    sender_threads: int,
    programme_threads: int,
    handshakes_per_source_per_second: int,
    tcp_connections_per_source: int | None,
) -> Core:
    """Opens the media port. Raises PortTaken. An address family this machine lacks is left out, if another is there.

    Where its number is taken on TCP it goes on with UDP, and says so.
    """
    addresses = [split_address(text) for text in bind]
    usable = [address for address in addresses if _exists(address[0])] or addresses
    for host, _ in set(addresses) - set(usable):
        _log.warning("this machine has no such address; media will not use it", address=host)
    try:
        core = Core(
            bind=usable,
            sender_threads=sender_threads,
            programme_threads=programme_threads,
            handshakes_per_source_per_second=handshakes_per_source_per_second,
            tcp_connections_per_source=tcp_connections_per_source,
        )
    except OSError as error:
        raise PortTaken(", ".join(bind), error) from error
    for host, port, why in core.tcp_refused:
        _log.warning(
            "media takes no TCP connections here: who has no UDP hears nothing", address=host, port=port, why=why
        )
    return core


def _exists(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno not in _NOT_HERE
    return True


def measured_programme() -> dict[str, float]:
    """What 20 ms of a programme need on this machine, in microseconds by name.

    Takes a quarter of a second of a core.
    """
    return packetcore.measure_work(PROGRAMME_SECONDS)


def measured_costs(programme: Mapping[str, float]) -> Costs:
    """What this machine needs for what a relay does; what is not measured is taken to grow with a packet's cost.

    Takes a quarter of a second of a core.
    """
    usual = Costs()
    slower = 1e6 / _packets_a_core_can_send() / usual.packet
    # What it takes to hand a frame on is more than what the mixer does for it: that grows with a packet's cost too.
    grown = Costs(**{name: getattr(usual, name) * slower for name in Costs.__dataclass_fields__})
    encode = [cost for name, cost in programme.items() if name.startswith(_ENCODE)]
    return replace(
        grown,
        decode=programme["decode"] + programme["mix"],
        encode_least=min(encode),
        encode_best=max(encode),
    )


def _packets_a_core_can_send() -> float:
    """The rate per second of CPU, not of time: at start the other parts of a small machine want its cores too."""
    wall, cpu = time.perf_counter(), time.thread_time()
    rate = packetcore.self_calibrate(CALIBRATION_SECONDS)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return rate * max(1.0, wall / max(cpu, LEAST_CPU_SECONDS))


class CoreAdapter:
    """Calls of the application, put into the packet core's own terms."""

    def __init__(self, core: Core, shape: Shape) -> None:
        self._shape = shape
        self._channels: dict[int, bool] = {}
        """Those that are there, and whether each is mixed here."""
        self._native = core
        self.add_session = core.add_session
        self.add_outside_session = core.add_outside_session
        self.speak = core.speak
        self.restart_ice = core.restart_ice
        self.remove_session = core.remove_session
        self.add_stage = core.add_stage
        self.remove_stage = core.remove_stage
        self.set_hearing = core.set_hearing
        self.set_export = core.set_export
        self.push_programme = core.push_programme
        self.switch_channels = core.switch_channels
        self.set_muted = core.set_muted
        self.set_paused = core.set_paused

    def add_channel(self, stage: int | None, *, thrift: bool = False) -> int:
        """A programme with this relay's packet length and bit rate; a thrifty one has its own."""
        channel = self._native.add_channel(stage, thrift=thrift)
        if thrift:
            return channel
        self._channels[channel] = stage is not None
        self._give_shape(channel)
        return channel

    def remove_channel(self, channel: int) -> None:
        """Its listeners hear nothing more."""
        self._channels.pop(channel, None)
        self._native.remove_channel(channel)

    def reshape(self, shape: Shape) -> None:
        """Another shape for all programmes, at once and without a break."""
        if shape != self._shape:
            self._shape = shape
            for channel in self._channels:
                self._give_shape(channel)

    def _give_shape(self, channel: int) -> None:
        self._native.set_redundancy(channel, self._shape.redundancy)
        self._native.set_packet_ms(channel, self._shape.packet_ms)
        if self._channels[channel]:
            self._native.set_bitrate(channel, self._shape.bits_per_second)

    async def settled(self) -> None:
        """Returns once the packet threads have taken in all calls so far."""
        await asyncio.to_thread(self._native.flush)

    def set_keys(self, session: int, keys: SrtpKeys) -> None:
        """SRTP keys, once for each session."""
        self._native.set_keys(session, keys.profile, keys.local, keys.remote)

    def set_mix(self, channel: int, mix: Mix, booth: int) -> None:
        """Whom a channel mixes; `booth` is the number of the one in which its voices speak."""
        self._native.set_mix(
            channel,
            mix.voices,
            booth=booth,
            ready=mix.ready,
            under=mix.under,
            clear=mix.clear,
            under_db=mix.under_db,
            alone_after_seconds=mix.alone_after_seconds,
        )

    def join_stage(
        self, session: int, stage: int, member: int, microphone: MicrophoneFormat, slots: Sequence[SlotFormat]
    ) -> None:
        """Makes a session the microphone of `member`, with a slot for each voice it hears."""
        self._native.join_stage(
            session,
            stage,
            member=member,
            payload_type=microphone.payload_type,
            level_extension_id=microphone.level_extension_id,
            slots=[packetcore.Slot(ssrc=each.ssrc, payload_type=each.payload_type) for each in slots],
            booth=microphone.seat.booth,
            hears=microphone.seat.hears,
            leads=microphone.seat.leads,
        )

    def attach_listener(self, session: int, channel: int, listener: ListenerFormat) -> None:
        """Makes a session a listener, in the formats its offer allows."""
        wanted = packetcore.ListenerFormat(
            ssrc=listener.ssrc,
            payload_type=listener.payload_type,
            red_payload_type=listener.red_payload_type,
            abs_capture_time_id=listener.capture_time_extension_id,
            level_extension_id=listener.level_extension_id,
        )
        self._native.attach_listener(session, channel, wanted)


class CoreEvents:
    """Reads the core's events as they come and calls the callback of each kind: `callbacks[kind](handle, *rest)`."""

    def __init__(self, core: Core, callbacks: dict[str, Callable[..., None]]) -> None:
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
