"""One running relay: its parts put together, and the order in which they start, drain and end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import packetcore
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc as pb_grpc
from majlis.room_directory.v1 import room_directory_service_pb2_grpc as directory_grpc

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.ids import new_id
from services.common.net import split_address
from services.common.rpc.client import ServiceChannel
from services.common.rpc.server import RpcServer
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.tokens import refusal_counter
from services.media_relay.bus import Heartbeat
from services.media_relay.core import PACKET_MS, CoreAdapter, CoreEvents, open_core
from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.events import Cause
from services.media_relay.domain.leaving import OtherRelays
from services.media_relay.domain.relay import Relay
from services.media_relay.fleet.directory import PermitKeys, SessionReports
from services.media_relay.fleet.drain import Drain
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.fleet.machine import cores, packet_budget, sender_threads
from services.media_relay.programme.bridge import ProgrammeBridge
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.rpc import MediaRelayRpc
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.handshake import Handshakes
from services.media_relay.sessions.observers import RelayMetrics
from services.media_relay.sessions.opening import RelayApp
from services.media_relay.sessions.randomness import SystemRandomness
from services.media_relay.settings import Settings, media_addresses
from services.programme.wish_ear import WishEar

PROVISIONAL_BUDGET = 200_000
"""Packets a second that are promised in the first moment, until the machine is measured."""
CALIBRATION_SECONDS = 0.25
LEAST_CPU_SECONDS = 0.01
"""A measurement that got less of a core than this says too little to be scaled up further."""
TICK_SECONDS = 0.2
SWEEP_SECONDS = 1.0
SAMPLE_SECONDS = 5.0
TRIM_SECONDS = 10.0
TRIM_AFTER_HANDSHAKES = 100
"""Handshakes dropped since the last time, from which on their memory is given back to the system."""

_FLUSH_SECONDS = 2.0

_log = get_logger("relay")


@dataclass
class RelayService:
    """The parts of a relay."""

    settings: Settings
    core: packetcore.Core
    relay: Relay
    app: RelayApp
    handshakes: Handshakes
    bridge: ProgrammeBridge
    bus: Bus
    server: RpcServer
    directory: ServiceChannel
    keys: PermitKeys
    reports: SessionReports
    watch: RelayMetrics
    background: Background
    metrics: Metrics
    addresses: list[tuple[str, int]]
    others: OtherRelays
    leave: Drain
    wishes: WishEar
    heartbeat: Heartbeat | None = None
    events: CoreEvents | None = None
    trimmed_at: int = 0

    @classmethod
    async def open(cls, settings: Settings, metrics: Metrics) -> "RelayService":
        """Opens the media port and builds the parts; nothing runs yet. Raises PortTaken, SettingsError."""
        core = open_core(
            settings.bind,
            sender_threads=sender_threads(cores(), settings.sender_threads),
            handshakes_per_source_per_second=settings.handshakes_per_source_per_second,
        )
        addresses = media_addresses(settings.advertise, core.addresses)
        budget = settings.packets_per_second_budget or PROVISIONAL_BUDGET
        capacity = Capacity(budget, int(settings.audience_packet_ms))
        relay = Relay(settings.relay_id, new_id(), capacity)
        packet_ms, background = PACKET_MS[settings.audience_packet_ms], Background()
        adapter = CoreAdapter(core, packet_ms, settings.programme_bits_per_second)
        bridge = ProgrammeBridge(core, settings, metrics, relay.relay_id)
        directory = ServiceChannel("media_relay", settings.room_directory_address, settings)
        stub = directory_grpc.RoomDirectoryServiceStub(directory.channel)
        keys = PermitKeys(stub, settings.deployment, refusal_counter(metrics))
        reports = SessionReports(stub, relay.relay_id, relay.boot_id, metrics)
        watch = RelayMetrics(metrics, relay, core)
        rooms = RoomMediaTable(adapter, bridge, relay.rooms, relay.sessions)
        app = RelayApp(
            relay,
            adapter,
            rooms,
            verify=keys.verify,
            observers=(reports, watch),
            randomness=SystemRandomness(),
            clock=SystemClock(),
            addresses=addresses,
            doors=Doors(settings.half_open_sessions),
        )
        handshakes = Handshakes(
            background,
            core.send_dtls,
            on_keys=app.on_keys,
            on_failed=lambda handle: app.on_gone(handle, Cause.FAILED),
            on_closed=lambda handle: app.on_gone(handle, Cause.DELETED),
        )
        app.use_handshakes(handshakes)
        others, bus = OtherRelays(), Bus(settings, metrics)
        return cls(
            settings=settings,
            core=core,
            relay=relay,
            app=app,
            handshakes=handshakes,
            bridge=bridge,
            bus=bus,
            server=RpcServer("media_relay", settings, metrics, logged_fields=("session_id",)),
            directory=directory,
            keys=keys,
            reports=reports,
            watch=watch,
            background=background,
            metrics=metrics,
            addresses=addresses,
            others=others,
            leave=Drain(app, others, SystemClock()),
            wishes=_wish_ear(bus, rooms, metrics, relay.relay_id),
        )

    async def start(self) -> None:
        """Starts the parts, the RPC server last, and the heartbeat once its address is known."""
        self.events = self._core_events()
        self.events.start()
        self.core.start()
        await self.bridge.start()
        spawn, every = self.background.spawn, self.background.every
        spawn("permit keys", self.keys.keep_fresh, restart=True)
        spawn("session reports", self.reports.run, restart=True)
        every("ticks", TICK_SECONDS, _round(self.app.tick))
        every("sweep", SWEEP_SECONDS, _round(self.app.sweep))
        every("samples", SAMPLE_SECONDS, self.watch.sample)
        every("memory", TRIM_SECONDS, self._trim_memory)
        meter = LoadMeter(
            self.app, self._packets_out, SystemClock().monotonic, move_within=self.leave.move_within_milliseconds
        )
        rpc = MediaRelayRpc(self.app, meter, self.watch.count_join)
        service = pb.DESCRIPTOR.services_by_name["MediaRelayService"]
        self.server.add(rpc, pb_grpc.add_MediaRelayServiceServicer_to_server, service)
        await self.server.start()
        meter.grpc_address = self._grpc_address()
        self.heartbeat = Heartbeat(self.bus, self.app, meter, self._heard, self.reports.hurry)
        await self.heartbeat.start()
        await self.wishes.start()
        self.bus.on_reconnect(self.heartbeat.beat)
        # Sound does not wait for the bus: its first connection goes on beside the RPCs.
        spawn("bus", self.bus.connect)
        spawn("heartbeat", self.heartbeat.run, restart=True)
        if self.settings.packets_per_second_budget is None:
            spawn("packet budget", self._measure_budget)
        _log.info("relay open", relay=self.relay.relay_id, boot=self.relay.boot_id, media=self.addresses)
        counters = self.core.counters()
        _log.info(
            "packet threads run",
            threads=counters.get("threads_now", 0),
            real_time=counters.get("real_time_threads_now", 0),
        )

    async def drain(self) -> None:
        """Takes no new sessions, tells everyone, and gives those here time to move where there is another relay."""
        self.metrics.ready = False
        await self.leave.run(self.settings.drain_seconds, self._beat)

    async def close(self) -> None:
        """Stops what runs, in the opposite order; the directory gets the last reports."""
        await self.server.drain()
        await self.background.stop()
        await self.reports.flush(_FLUSH_SECONDS)
        await self.bridge.stop_all()
        await self.bus.close()
        await self.directory.close()
        if self.events is not None:
            self.events.stop()
        self.handshakes.close()
        self.core.close()

    def _heard(self, load: pb.RelayLoad) -> None:
        """Another relay's heartbeat: whether it could take people of this one."""
        if load.relay_id != self.relay.relay_id:
            self.others.note(load.relay_id, load.draining, SystemClock().monotonic())

    async def _beat(self) -> None:
        if self.heartbeat is not None:
            await self.heartbeat.beat()

    def _core_events(self) -> CoreEvents:
        app = self.app
        return CoreEvents(
            self.core,
            {
                "dtls": self.handshakes.feed,
                "nominated": lambda handle, *_address: app.on_nominated(handle),
                "idle": app.on_idle,
                "active": app.on_active,
                "expired": lambda handle: app.on_gone(handle, Cause.EXPIRED),
                "failed": lambda handle, _why: app.on_gone(handle, Cause.FAILED),
            },
        )

    async def _measure_budget(self) -> None:
        """Beside the first sessions: after a crash everybody waits, and for no measurement."""
        measured = await asyncio.to_thread(_packets_a_core_can_send)
        available = cores()
        threads = sender_threads(available, self.settings.sender_threads)
        self.relay.capacity.budget = packet_budget(measured, available, threads)
        _log.info("packet budget measured", packets_per_second=self.relay.capacity.budget)

    async def _trim_memory(self) -> None:
        """After a storm of handshakes the allocator keeps their memory until it is told to give it back."""
        if self.handshakes.dropped - self.trimmed_at >= TRIM_AFTER_HANDSHAKES:
            self.trimmed_at = self.handshakes.dropped
            await asyncio.to_thread(packetcore.trim_memory)

    def _packets_out(self) -> int:
        return self.core.counters().get("packets_out", 0)

    def _grpc_address(self) -> str:
        if self.settings.grpc_advertise:
            return self.settings.grpc_advertise
        host, _ = split_address(self.settings.grpc_listen)
        return f"[{host}]:{self.server.port}" if ":" in host else f"{host}:{self.server.port}"


def _packets_a_core_can_send() -> float:
    """The rate per second of CPU, not of time: at start the other parts of a small machine want its cores too."""
    wall, cpu = time.perf_counter(), time.thread_time()
    rate = packetcore.self_calibrate(CALIBRATION_SECONDS)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return rate * max(1.0, wall / max(cpu, LEAST_CPU_SECONDS))


def _wish_ear(bus: Bus, rooms: RoomMediaTable, metrics: Metrics, own_id: str) -> WishEar:
    return WishEar(bus, lambda wish: rooms.heard(wish, SystemClock().monotonic()), metrics, own_id)


def _round(work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        work()

    return run
