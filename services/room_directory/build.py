"""Puts the parts of room_directory together."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from majlis.contract.v1 import tokens_pb2
from majlis.media_relay.v1 import media_relay_service_pb2
from majlis.room_directory.v1 import (
    booth_service_pb2,
    booth_service_pb2_grpc,
    capacity_service_pb2,
    capacity_service_pb2_grpc,
    caption_pb2,
    caption_service_pb2,
    caption_service_pb2_grpc,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    ladder_service_pb2,
    ladder_service_pb2_grpc,
    moderation_service_pb2,
    moderation_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    room_events_pb2,
    room_service_pb2,
    room_service_pb2_grpc,
    stage_service_pb2,
    stage_service_pb2_grpc,
)

from services.common.bus.client import Bus
from services.common.clock import Clock
from services.common.errors import StorageUnavailable
from services.common.facts.reader import FactReader
from services.common.rpc.server import RpcServer
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from services.common.store.audit import SEAL_EVERY_SECONDS
from services.common.store.database import Database
from services.common.store.retention import Retention
from services.common.tasks import Background
from services.common.trust.claims import ACCESS, TokenKind, TokenSigner
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier, refusal_counter
from services.room_directory import bus as facts
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.booth_desk import BoothDesk
from services.room_directory.app.booths import BoothCases
from services.room_directory.app.capacity import CapacityCases
from services.room_directory.app.captions import CaptionCases
from services.room_directory.app.chance import SystemIds
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.heartbeats import Heartbeats
from services.room_directory.app.keys import Keys
from services.room_directory.app.ladder import LadderCases
from services.room_directory.app.live import LiveRooms
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.ownership.passing import Passing
from services.room_directory.app.ownership.told import Told
from services.room_directory.app.people import People
from services.room_directory.app.permits import Permits
from services.room_directory.app.placing import Placing
from services.room_directory.app.presence import Presence
from services.room_directory.app.previews import Previews
from services.room_directory.app.relay_clocks import RelayClocks
from services.room_directory.app.rooms import RoomCases
from services.room_directory.app.seats import SeatCases
from services.room_directory.app.stage import StageCases
from services.room_directory.app.tickets import Tickets
from services.room_directory.app.waiting import WaitingRoom
from services.room_directory.clients import AuthClient, GrpcRelayClient, InviteClient, PeerClients
from services.room_directory.domain.ended import EndedSignIns
from services.room_directory.metrics import ClockSkew, PrometheusCounters, show_waiting
from services.room_directory.owning import Owning, leases_of, owning
from services.room_directory.rpc.booth import BoothServicer
from services.room_directory.rpc.capacity import CapacityServicer
from services.room_directory.rpc.caption import CaptionServicer
from services.room_directory.rpc.fleet import FleetServicer
from services.room_directory.rpc.ladder import LadderServicer
from services.room_directory.rpc.moderation import ModerationServicer
from services.room_directory.rpc.peer import PeerServicer
from services.room_directory.rpc.room import RoomServicer
from services.room_directory.rpc.snapshots import Snapshots
from services.room_directory.rpc.stage import StageServicer
from services.room_directory.settings import Settings
from services.room_directory.storage import retention as old
from services.room_directory.storage.ladder import SqlLadder
from services.room_directory.storage.ledger import SqlLedger
from services.room_directory.storage.rooms import SqlRoomStore
from services.room_directory.storage.tables import audit, fact_cursors

TICK_SECONDS = 0.5
PULSE_SECONDS = 1.0
LEARN_SECONDS = 0.5
LOOK_SECONDS = 0.25
OFFER_SECONDS = 0.5
WRITE_SECONDS = 1.0
CAPTION_SECONDS = 5.0
LADDER_SECONDS = 3.0
_KEY_CHECK_SECONDS = 3600.0
_SETTLE_SECONDS = 2.0

PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the RPCs, the bus and the rounds call."""

    rooms: RoomCases
    previews: Previews
    seats: SeatCases
    waiting: WaitingRoom
    stage: StageCases
    booths: BoothCases
    desk: BoothDesk
    captions: CaptionCases
    moderation: ModerationCases
    presence: Presence
    fleet: Fleet
    capacity: CapacityCases
    ladder: LadderCases
    people: People
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that the process runs, and the use cases for tests."""

    settings: Settings
    database: Database
    bus: Bus
    auth: AuthClient
    invite: InviteClient | None
    store: SqlRoomStore
    ledger: SqlLedger
    keys: Keys
    rooms: LiveRooms
    owning: Owning
    dispatch: Dispatch
    blocks: Blocks
    announcer: facts.BusAnnouncer
    verifier: TokenVerifier
    app: UseCases
    auth_facts: FactReader
    invite_facts: FactReader | None
    heartbeats: Heartbeats
    retention: Retention


async def build(
    settings: Settings, database: Database, metrics: Metrics, *, clock: Clock, background: Background
) -> Parts:
    """Everything but the tasks; reads the signing keys, which are made at the first start."""
    rules, limits, ids, counters = settings.rules(), settings.limits(), SystemIds(), PrometheusCounters(metrics)
    auth, invite, bus = _auth(settings), _invite(settings), Bus(settings, metrics)
    ownership, made = leases_of(database, clock, metrics)
    store, ledger = SqlRoomStore(database, clock, rules, made), SqlLedger(database, clock)
    keys = await Keys.open(ledger, timedelta(days=settings.key_rotation_days))
    blocks, ended, revocations = Blocks(), EndedSignIns(), RevocationList(clock)
    people, dispatch = People(auth, clock), Dispatch(clock, counters.relay_latency, background)
    clocks, peers = RelayClocks(clock, ClockSkew(clock, metrics).note), PeerClients(settings, settings.peer_name)
    announcer, relays = facts.BusAnnouncer(bus.publish, people), partial(GrpcRelayClient, settings, clocks)
    rooms = LiveRooms(store, announcer, dispatch, clock, counters, rules=rules, owners=ownership)
    fleet = Fleet(ledger, relays, dispatch, rooms, ended, clock=clock, limits=limits)
    one = owning(ownership, rooms, store, fleet, told=Told(ended), peers=peers, clock=clock)
    permits = Permits(TokenSigner(PERMIT, keys.ring), ids, clock, settings.deployment, settings.permit_seconds)
    placing, tickets = Placing(rooms, fleet, permits, clock), Tickets(keys, clock, settings.deployment)
    waiting = partial(WaitingRoom, neighbours=one.neighbours)
    moderation = partial(ModerationCases, told=one.told.asked_in, neighbours=one.neighbours)
    seats = SeatCases(rooms, fleet, placing, blocks, clock=clock, counters=counters)
    app = UseCases(
        rooms=RoomCases(rooms, store, fleet, people, blocks, ids=ids, clock=clock, limits=limits, hall=one.hall),
        previews=Previews(one.hall, invite, clock),
        seats=seats,
        waiting=waiting(rooms, fleet, seats, tickets, blocks, ids=ids, clock=clock, limits=limits),
        stage=StageCases(rooms, placing, people, ids=ids, clock=clock, limits=limits),
        booths=BoothCases(rooms, placing, people, ids=ids, clock=clock),
        desk=BoothDesk(rooms, fleet, announcer.signal, clock=clock, count=counters.signalled),
        captions=CaptionCases(rooms, people, facts.caption_teller(bus.publish), counters, clock=clock, limits=limits),
        moderation=moderation(rooms, ledger, people, blocks, ended, ids=ids, clock=clock, limits=limits),
        presence=Presence(rooms, fleet, people, announcer, ended, clock=clock, limits=limits, counters=counters),
        fleet=fleet,
        capacity=CapacityCases(fleet, clock, limits, rules.listener_limit),
        ladder=LadderCases(SqlLadder(database, clock), fleet, facts.ladder_teller(bus.publish), clock),
        people=people,
        keys=keys,
    )
    show_waiting(metrics, fleet, app.waiting)
    return Parts(
        settings=settings,
        database=database,
        bus=bus,
        auth=auth,
        invite=invite,
        store=store,
        ledger=ledger,
        keys=keys,
        rooms=rooms,
        owning=one,
        dispatch=dispatch,
        blocks=blocks,
        announcer=announcer,
        verifier=_verifier(settings, auth, clock, metrics, revocations),
        app=app,
        auth_facts=_auth_facts(app, auth, bus, database, revocations),
        invite_facts=_invite_facts(app, invite, bus, database),
        heartbeats=Heartbeats(fleet, clocks, relays, background, clock=clock, gave_way=counters.load_gave_way),
        retention=Retention(old.keepings(settings, database, clock), clock, metrics),
    )


def _verifier(
    settings: Settings, auth: AuthClient, clock: Clock, metrics: Metrics, revocations: RevocationList
) -> TokenVerifier:
    return TokenVerifier(
        auth.key_set,
        ACCESS.issuer,
        settings.deployment,
        clock=clock,
        revocations=revocations,
        refused=refusal_counter(metrics),
    )


def _auth(settings: Settings) -> AuthClient:
    if not settings.auth_address:
        raise SettingsError("ROOM_DIRECTORY_AUTH_ADDRESS must be set")
    return AuthClient(settings.auth_address, settings)


def _invite(settings: Settings) -> InviteClient | None:
    return InviteClient(settings.invite_address, settings) if settings.invite_address else None


def _auth_facts(
    app: UseCases, auth: AuthClient, bus: Bus, database: Database, revocations: RevocationList
) -> FactReader:
    handle, recall = facts.auth_handler(app.moderation, revocations), facts.auth_recall(app.moderation, revocations)
    cursor = fact_cursors.of(database)
    return FactReader("auth", bus, facts.AUTH_FACTS, auth.list_facts, handle, cursor, recall=recall)


def _invite_facts(app: UseCases, invite: InviteClient | None, bus: Bus, database: Database) -> FactReader | None:
    if invite is None:
        return None
    handle, cursor = facts.invite_handler(app.moderation), fact_cursors.of(database)
    return FactReader("invite", bus, facts.INVITE_FACTS, invite.list_facts, handle, cursor)


def serve(parts: Parts, server: RpcServer) -> None:
    """Gives the server every RPC of the service."""
    app = parts.app
    if parts.owning.ownership is not None:
        parts.owning.ownership.listens_at(lambda: parts.settings.address(server.port))
    snapshots = Snapshots(app.people)
    server.add(
        RoomServicer(
            rooms=app.rooms,
            previews=app.previews,
            seats=app.seats,
            waiting=app.waiting,
            moderation=app.moderation,
            people=app.people,
            snapshots=snapshots,
        ),
        room_service_pb2_grpc.add_RoomServiceServicer_to_server,
        room_service_pb2.DESCRIPTOR.services_by_name["RoomService"],
    )
    _serve_stage(app, server)
    server.add(
        ModerationServicer(app.moderation, app.people),
        moderation_service_pb2_grpc.add_ModerationServiceServicer_to_server,
        moderation_service_pb2.DESCRIPTOR.services_by_name["ModerationService"],
    )
    server.add(
        FleetServicer(
            rooms=app.rooms,
            presence=app.presence,
            captions=app.captions,
            fleet=app.fleet,
            keys=app.keys,
            snapshots=snapshots,
            passing=Passing(parts.rooms, parts.owning.ownership),
            peers=parts.owning.peers,
        ),
        fleet_service_pb2_grpc.add_FleetServiceServicer_to_server,
        fleet_service_pb2.DESCRIPTOR.services_by_name["FleetService"],
    )
    server.add(
        CapacityServicer(app.capacity),
        capacity_service_pb2_grpc.add_CapacityServiceServicer_to_server,
        capacity_service_pb2.DESCRIPTOR.services_by_name["CapacityService"],
    )
    server.add(
        LadderServicer(app.ladder),
        ladder_service_pb2_grpc.add_LadderServiceServicer_to_server,
        ladder_service_pb2.DESCRIPTOR.services_by_name["LadderService"],
    )
    server.add(
        PeerServicer(parts.owning, app.moderation, app.waiting),
        peer_service_pb2_grpc.add_PeerServiceServicer_to_server,
        peer_service_pb2.DESCRIPTOR.services_by_name["PeerService"],
    )


def _serve_stage(app: UseCases, server: RpcServer) -> None:
    """The stage, its booths, and what is said as text."""
    server.add(
        StageServicer(app.stage, app.people),
        stage_service_pb2_grpc.add_StageServiceServicer_to_server,
        stage_service_pb2.DESCRIPTOR.services_by_name["StageService"],
    )
    server.add(
        BoothServicer(app.booths, app.desk, app.people),
        booth_service_pb2_grpc.add_BoothServiceServicer_to_server,
        booth_service_pb2.DESCRIPTOR.services_by_name["BoothService"],
    )
    server.add(
        CaptionServicer(app.captions, app.people),
        caption_service_pb2_grpc.add_CaptionServiceServicer_to_server,
        caption_service_pb2.DESCRIPTOR.services_by_name["CaptionService"],
    )


async def start(parts: Parts, background: Background) -> None:
    """Takes over what was going on, from rows and from relays, and starts the rounds that look after rooms."""
    parts.blocks.load(await parts.ledger.blocks())
    if parts.owning.ownership is None:
        await parts.rooms.load()
    background.spawn("announcer", parts.announcer.run, restart=True)
    await parts.app.fleet.start()
    background.every("tick", TICK_SECONDS, parts.app.presence.tick)
    background.every("learn people", LEARN_SECONDS, parts.app.presence.learn)
    background.every("offer seats", OFFER_SECONDS, parts.app.waiting.round)
    background.every("places left", OFFER_SECONDS, parts.app.waiting.tell_places_left)
    background.every("pulse", PULSE_SECONDS, parts.app.presence.pulse)
    background.every("silent booths", PULSE_SECONDS, parts.app.desk.hear_silences)
    background.every("look at relays", LOOK_SECONDS, parts.app.fleet.look)
    background.every("ladder orders", LADDER_SECONDS, parts.app.ladder.tell)
    background.every("captions", CAPTION_SECONDS, parts.app.captions.rings.forget)
    background.every("write what waits", WRITE_SECONDS, lambda: _write_waiting(parts))
    background.every("audit seal", SEAL_EVERY_SECONDS, lambda: _seal(parts))
    parts.retention.start(background)
    background.every("key rotation", _KEY_CHECK_SECONDS, parts.keys.rotate)


async def listen(parts: Parts, background: Background) -> None:
    """Connects to the bus and begins to hear relays and the other services."""
    loads = facts.load_handler(parts.heartbeats)
    await parts.bus.subscribe_newest(
        media_relay_service_pb2.RelayLoad, loads, of="relay_id", is_known=parts.heartbeats.knows
    )
    if parts.owning.ownership is not None:
        await parts.bus.subscribe(room_events_pb2.RoomPulse, facts.pulse_handler(parts.owning.hall.hear))
        await parts.bus.subscribe(caption_pb2.CaptionTold, facts.caption_handler(parts.app.captions.rings))
    background.spawn("facts of auth", parts.auth_facts.run, restart=True)
    if parts.invite_facts is not None:
        background.spawn("facts of invite", parts.invite_facts.run, restart=True)
    await parts.bus.connect()


async def stop(parts: Parts) -> None:
    """Lets relays have their orders, then closes every connection."""
    await parts.dispatch.settle_all(_SETTLE_SECONDS)
    with suppress(StorageUnavailable):
        await _write_waiting(parts)
    await parts.bus.close()
    await parts.app.fleet.close()
    await parts.owning.peers.close()
    await parts.auth.close()
    if parts.invite is not None:
        await parts.invite.close()


async def _write_waiting(parts: Parts) -> None:
    await parts.rooms.write_waiting()
    await parts.app.moderation.write_waiting()
    await parts.app.fleet.remember_waiting()


async def _seal(parts: Parts) -> None:
    await audit.seal(parts.database)
