"""One running relay: its parts, each made once and whole, and the order in which they start, drain and end."""

import asyncio
import functools
from dataclasses import dataclass, replace

from majlis.room_directory.v1 import fleet_service_pb2_grpc

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
from services.media_relay.core import (
    PACKET_MS,
    Core,
    CoreAdapter,
    CoreEvents,
    measured_costs,
    measured_programme,
    open_core,
    trim_memory,
)
from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.events import Cause
from services.media_relay.domain.ladder import LadderOrders, Shape
from services.media_relay.domain.leaving import OtherRelays
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.relay import Relay
from services.media_relay.fleet.drain import Drain
from services.media_relay.fleet.ladder import LOOK_SECONDS, Shedding
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.fleet.loop_lag import TICK_SECONDS as LAG_TICK_SECONDS
from services.media_relay.fleet.loop_lag import LoopLag
from services.media_relay.fleet.machine import cores, machine, programme_threads, sender_threads
from services.media_relay.fleet.neighbours import Neighbours
from services.media_relay.fleet.permit_keys import PermitKeys
from services.media_relay.fleet.reports import SessionReports
from services.media_relay.programme.booth_silence import LOOK_SECONDS as SILENCE_SECONDS
from services.media_relay.programme.booth_silence import BoothSilence
from services.media_relay.programme.bridge import ProgrammeBridge
from services.media_relay.programme.input_watch import LOOK_SECONDS as INPUT_SECONDS
from services.media_relay.programme.input_watch import InputWatch
from services.media_relay.programme.metrics import show_channels, switches
from services.media_relay.programme.room_media import RoomMediaTable, Told
from services.media_relay.rpc.media_relay import MediaRelayRpc, UseCases
from services.media_relay.rpc.offered import QUIET, offer
from services.media_relay.sessions.changing import Changing
from services.media_relay.sessions.connecting import Connecting
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ending import Ending
from services.media_relay.sessions.handshake import Handshakes
from services.media_relay.sessions.observers import RelayMetrics
from services.media_relay.sessions.opening import Opening
from services.media_relay.sessions.orders import Orders
from services.media_relay.sessions.ports import Observer, PacketCore, VerifyPermit
from services.media_relay.sessions.randomness import SystemRandomness
from services.media_relay.sessions.resuming import Resuming
from services.media_relay.sessions.speaking import SWEEP_SECONDS as VOICES_SECONDS
from services.media_relay.sessions.speaking import Speaking, Voices
from services.media_relay.sessions.trying import Trying
from services.media_relay.sessions.upkeep import SWEEP_SECONDS, TICK_SECONDS, TRIM_SECONDS, Upkeep
from services.media_relay.settings import Settings, media_addresses
from services.programme.wish_ear import WishEar
from services.programme.work import Costs, Limits, Tariff

SAMPLE_SECONDS = 5.0

_FLUSH_SECONDS = 2.0

_log = get_logger("relay")


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """All that is done with media sessions."""

    app: UseCases
    connecting: Connecting
    effects: Effects


@dataclass(frozen=True, kw_only=True)
class RelayService:
    settings: Settings
    metrics: Metrics
    core: Core
    addresses: MediaAddresses
    relay: Relay
    rooms: RoomMediaTable
    bridge: ProgrammeBridge
    handshakes: Handshakes
    app: UseCases
    upkeep: Upkeep
    events: CoreEvents
    bus: Bus
    heartbeat: Heartbeat
    server: RpcServer
    directory: ServiceChannel
    keys: PermitKeys
    reports: SessionReports
    watch: RelayMetrics
    others: OtherRelays
    leave: Drain
    wishes: WishEar
    shedding: Shedding
    background: Background
    trying: Trying

    @classmethod
    async def open(cls, settings: Settings, metrics: Metrics) -> "RelayService":
        """Opens the media port and builds the parts; nothing runs yet. Raises PortTaken, SettingsError."""
        core, relay = _media_port(settings), _rules(settings)
        addresses = media_addresses(settings.advertise, core.addresses, core.tcp_addresses)
        clock, background, bus = SystemClock(), Background(), Bus(settings, metrics)
        directory = ServiceChannel("media_relay", settings.room_directory_address, settings, has_copies=True)
        stub = fleet_service_pb2_grpc.FleetServiceStub(directory.channel)
        keys = PermitKeys(stub, settings.deployment, refusal_counter(metrics))
        reports = SessionReports(stub, relay.relay_id, relay.boot_id, metrics)
        watch = RelayMetrics(metrics, relay, core)
        server = RpcServer("media_relay", settings, metrics, logged_fields=("session_id",), quiet=QUIET)
        adapter = CoreAdapter(core, _shape(settings))
        bridge = ProgrammeBridge(core, settings, metrics, relay.relay_id)
        rooms = RoomMediaTable(adapter, bridge, relay.rooms, relay.sessions, _told(relay, metrics))
        show_channels(metrics, rooms, relay.sessions)
        others, orders = OtherRelays(), LadderOrders(relay.relay_id)
        wishes = WishEar(bus, lambda wish: rooms.heard(wish, clock.monotonic()), metrics, relay.relay_id)
        meter = LoadMeter(relay, core.counters, lambda: _grpc_address(settings, server), clock, region=settings.region)
        heartbeat = Heartbeat(bus, meter, Neighbours(relay.relay_id, others, clock).heard, reports.hurry, orders)
        handshakes = Handshakes(core.send_dtls)
        doors = Doors(settings.half_open_sessions, pace=relay.capacity.joins_a_second)
        made = _sessions(
            relay,
            adapter,
            rooms,
            handshakes,
            doors,
            observers=(reports, watch, heartbeat, doors),
            verify=keys.verify,
            addresses=addresses,
        )
        trying = _trials(relay, adapter, handshakes, doors, addresses=addresses, metrics=metrics)
        sessions = MediaRelayRpc(relay, made.app, meter, watch.count_join)
        offer(server, sessions, trying, made.app.speaking, watch.count_join)
        return cls(
            settings=settings,
            metrics=metrics,
            core=core,
            addresses=addresses,
            relay=relay,
            rooms=rooms,
            bridge=bridge,
            handshakes=handshakes,
            app=made.app,
            upkeep=Upkeep(relay, rooms, made.effects, handshakes, trim=trim_memory, clock=clock),
            events=_core_events(core, handshakes, made, trying),
            bus=bus,
            heartbeat=heartbeat,
            server=server,
            directory=directory,
            keys=keys,
            reports=reports,
            watch=watch,
            others=others,
            leave=Drain(relay, others, made.app.ending.let_go, clock),
            wishes=wishes,
            shedding=_shedding(settings, relay, adapter, meter, orders, metrics=metrics),
            background=background,
            trying=trying,
        )

    async def start(self) -> None:
        """Starts the parts, the RPC server last, and the heartbeat once its address is known."""
        self.events.start()
        self.core.start()
        self.core.set_effort(self.settings.encoder_effort)
        await self.bridge.start()
        spawn, every = self.background.spawn, self.background.every
        spawn("permit keys", self.keys.keep_fresh, restart=True)
        spawn("session reports", self.reports.run, restart=True)
        every("ticks", TICK_SECONDS, self.upkeep.tick)
        every("sweep", SWEEP_SECONDS, self.upkeep.sweep)
        every("voices over gateways", VOICES_SECONDS, self.app.speaking.sweep)
        every("loop lag", LAG_TICK_SECONDS, self.shedding.loop_lag.tick)
        silence = BoothSilence(self.relay, self.rooms, self.core.speaking, SystemClock())
        every("booth silence", SILENCE_SECONDS, silence.look)
        inputs = InputWatch(
            self.relay, self.rooms, self.core.inputs, self.bus.publish, metrics=self.metrics, clock=SystemClock()
        )
        every("input quality", INPUT_SECONDS, inputs.look)
        every("ladder", LOOK_SECONDS, self.shedding.look)
        every("samples", SAMPLE_SECONDS, self.watch.sample)
        every("memory", TRIM_SECONDS, self.upkeep.give_memory_back)
        await self.server.start()
        await self.heartbeat.start()
        await self.wishes.start()
        self.bus.on_reconnect(self.heartbeat.beat)
        # Sound does not wait for the bus: its first connection goes on beside the RPCs.
        spawn("bus", self.bus.connect)
        spawn("heartbeat", self.heartbeat.run, restart=True)
        spawn("work budget", self._measure)
        _log.info(
            "relay open",
            relay=self.relay.relay_id,
            boot=self.relay.boot_id,
            media=self.addresses.udp,
            tcp=self.addresses.tcp,
        )
        counters = self.core.counters()
        _log.info(
            "packet threads run",
            threads=counters.get("threads_now", 0),
            real_time=counters.get("real_time_threads_now", 0),
        )

    async def drain(self) -> None:
        """Takes no new sessions, tells everyone, and gives those here time to move where there is another relay."""
        self.metrics.ready = False
        await self.leave.run(self.settings.drain_seconds, self.heartbeat.beat)

    async def close(self) -> None:
        """Stops what runs, in the opposite order; the directory gets the last reports."""
        await self.server.drain()
        await self.background.stop()
        await self.reports.flush(_FLUSH_SECONDS)
        await self.bridge.stop_all()
        await self.bus.close()
        await self.directory.close()
        self.events.stop()
        self.trying.close()
        self.handshakes.close()
        self.core.close()

    async def _measure(self) -> None:
        """Beside the first sessions: after a crash everybody waits, and for no measurement."""
        programme, capacity = await asyncio.to_thread(measured_programme), self.relay.capacity
        self.core.set_encoder_costs(programme)
        costs = await asyncio.to_thread(measured_costs, programme)
        capacity.measure(_limits(self.settings, costs), replace(capacity.tariff, costs=costs))
        _log.info("work measured", packets_per_second=capacity.limits.usual, limits=capacity.limits, costs=costs)


def _told(relay: Relay, metrics: Metrics) -> Told:
    """What happens to channels is seen by operators, and promised."""
    return Told(switches(metrics), relay.capacity.export)


def _media_port(settings: Settings) -> Core:
    return open_core(
        settings.bind,
        sender_threads=sender_threads(cores(), settings.sender_threads),
        programme_threads=programme_threads(cores(), settings.programme_threads),
        handshakes_per_source_per_second=settings.handshakes_per_source_per_second,
        tcp_connections_per_source=settings.tcp_connections_per_source if settings.tcp == "on" else None,
    )


def _rules(settings: Settings) -> Relay:
    # Costs of a slow core in the first moment, until the machine is measured.
    costs = Costs()
    tariff = Tariff(costs, int(settings.audience_packet_ms), settings.programme_bits_per_second)
    return Relay(settings.relay_id, new_id(), Capacity(_limits(settings, costs), tariff))


def _shape(settings: Settings) -> Shape:
    return Shape(PACKET_MS[settings.audience_packet_ms], settings.programme_bits_per_second)


def _shedding(
    settings: Settings,
    relay: Relay,
    core: CoreAdapter,
    meter: LoadMeter,
    orders: LadderOrders,
    *,
    metrics: Metrics,
) -> Shedding:
    return Shedding(
        relay.capacity,
        meter,
        LoopLag(SystemClock()),
        core.reshape,
        _shape(settings),
        setting=settings.ladder,
        orders=orders,
        metrics=metrics,
        clock=SystemClock(),
    )


def _limits(settings: Settings, costs: Costs) -> Limits:
    return machine(settings.sender_threads, settings.programme_threads).limits(
        costs, settings.packets_per_second_budget
    )


def _sessions(
    relay: Relay,
    core: PacketCore,
    rooms: RoomMediaTable,
    handshakes: Handshakes,
    doors: Doors,
    *,
    observers: tuple[Observer, ...],
    verify: VerifyPermit,
    addresses: MediaAddresses,
) -> Sessions:
    clock, randomness = SystemClock(), SystemRandomness()
    voices = Voices()
    effects = Effects(core, rooms, handshakes, (*observers, voices), clock)
    ending = Ending(relay, effects)
    connecting = Connecting(relay, core, rooms, handshakes, effects, ending=ending, clock=clock)
    opening = Opening(
        relay,
        core,
        rooms,
        handshakes,
        connecting=connecting,
        effects=effects,
        verify=verify,
        doors=doors,
        randomness=randomness,
        clock=clock,
        addresses=addresses,
    )
    speaking = Speaking(
        relay,
        core,
        rooms,
        effects,
        ending=ending,
        voices=voices,
        verify=verify,
        randomness=randomness,
        clock=clock,
    )
    app = UseCases(
        opening=opening,
        resuming=Resuming(relay, core, randomness, addresses),
        changing=Changing(relay, rooms, verify=verify, clock=clock),
        ending=ending,
        orders=Orders(relay, core, rooms, effects, clock),
        speaking=speaking,
    )
    return Sessions(app=app, connecting=connecting, effects=effects)


def _trials(
    relay: Relay,
    core: CoreAdapter,
    handshakes: Handshakes,
    doors: Doors,
    *,
    addresses: MediaAddresses,
    metrics: Metrics,
) -> Trying:
    clock, randomness = SystemClock(), SystemRandomness()
    return Trying(
        relay, core, handshakes, doors, randomness=randomness, clock=clock, addresses=addresses, metrics=metrics
    )


def _core_events(core: Core, handshakes: Handshakes, sessions: Sessions, trying: Trying) -> CoreEvents:
    connecting, ending = sessions.connecting, sessions.app.ending

    def nominated(handle: int, _ip: str, _port: int, tcp: bool) -> None:
        connecting.on_nominated(handle, tcp=tcp)
        trying.on_nominated(handle, tcp=tcp)

    def gone(handle: int, cause: Cause) -> None:
        ending.on_gone(handle, cause)
        trying.end(handle)

    return CoreEvents(
        core,
        {
            "dtls": handshakes.feed,
            "nominated": nominated,
            "idle": connecting.on_idle,
            "active": connecting.on_active,
            "expired": functools.partial(gone, cause=Cause.EXPIRED),
            "failed": lambda handle, _why: gone(handle, Cause.FAILED),
        },
    )


def _grpc_address(settings: Settings, server: RpcServer) -> str:
    """Where other services reach the server, once it listens."""
    if settings.grpc_advertise:
        return settings.grpc_advertise
    host, _ = split_address(settings.grpc_listen)
    return f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"
