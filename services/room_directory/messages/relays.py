"""What relays, gateways and other copies say to domain values, and what they are told to messages of the contract."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import fleet_service_pb2, ladder_pb2, peer_service_pb2, sessions_pb2
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.errors import DomainError
from services.programme.channels import FLOOR, Channel
from services.programme.messages import channel_message
from services.programme.work import FRAMES, PACKETS_ONLY, Costs, Limits, Tariff, Work
from services.room_directory.app.listeners import GatewayLoad, Told
from services.room_directory.app.ports import BoothPart, RoomPart
from services.room_directory.domain.events import SeatAction
from services.room_directory.domain.ladder import Footing, LadderCause, LadderOrder
from services.room_directory.domain.people import Proof
from services.room_directory.domain.placement import ChannelKey, RelayLoadState
from services.room_directory.domain.presence import SessionNews
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind, Seat, SessionState
from services.room_directory.messages.rooms import BOOTH_RULES, MEDIA_KINDS, ROLES, moment

SEAT_ACTIONS = {
    SeatAction.END: relay_pb.SEAT_ACTION_END,
    SeatAction.REPLACE: relay_pb.SEAT_ACTION_REPLACE,
    SeatAction.END_SIGN_IN: relay_pb.SEAT_ACTION_END_SIGN_IN,
    SeatAction.MUTE: relay_pb.SEAT_ACTION_MUTE,
    SeatAction.UNMUTE: relay_pb.SEAT_ACTION_UNMUTE,
    SeatAction.STREAM_GONE: relay_pb.SEAT_ACTION_STREAM_GONE,
    SeatAction.STREAM_BACK: relay_pb.SEAT_ACTION_STREAM_BACK,
}
_SESSION_STATES = {
    sessions_pb2.SESSION_EVENT_OPENED: SessionState.PENDING,
    sessions_pb2.SESSION_EVENT_CONNECTED: SessionState.UP,
    sessions_pb2.SESSION_EVENT_IDLE: SessionState.IDLE,
    sessions_pb2.SESSION_EVENT_ENDED: SessionState.DOWN,
}
LADDER_CAUSES = {cause: ladder_pb2.LadderCause.Value(f"LADDER_CAUSE_{cause.name}") for cause in LadderCause}
_LADDER_CAUSES: dict[int, LadderCause] = {number: cause for cause, number in LADDER_CAUSES.items()}


def listed_session(info: relay_pb.SessionInfo, relay_id: str) -> SessionNews:
    """One session of a relay's list."""
    return SessionNews(
        session_id=info.session_id,
        user_id=info.user_id,
        epoch=info.epoch,
        kind=MEDIA_KINDS.get(info.kind, MediaKind.AUDIENCE),
        state=SessionState.UP if info.connected else SessionState.PENDING,
        relay_id=relay_id,
        proof=Proof(info.sign_in_id, info.issued_at),
        booth=info.booth,
    )


def relay_load(load: relay_pb.RelayLoad) -> RelayLoadState:
    """A relay's report."""
    cause = _LADDER_CAUSES.get(load.ladder_cause, LadderCause.UNSPECIFIED)
    return RelayLoadState(
        relay_id=load.relay_id,
        boot_id=load.boot_id,
        grpc_address=load.grpc_address,
        work=_work(load),
        used=_used(load),
        limits=_limits(load),
        tariff=_tariff(load),
        carried=_carried(load),
        heard={(room.room_id, each.channel.name): each.listeners for room in load.rooms for each in room.channels},
        over_tcp={room.room_id: room.listeners_over_tcp for room in load.rooms if room.listeners_over_tcp},
        silent={
            (room.room_id, each.language): each.since.ToDatetime(tzinfo=UTC)
            for room in load.rooms
            for each in room.silent_booths
        },
        region=load.region,
        draining=load.draining,
        move_within_milliseconds=load.move_within_milliseconds,
        newest_session=load.newest_session,
        footing=Footing(load.ladder_step, cause, load.loop_lag_milliseconds, load.drops_per_second),
    )


def room_part(part: RoomPart) -> relay_pb.RoomPart:
    """A relay's part in a room."""
    return relay_pb.RoomPart(
        room_id=part.room_id,
        term=part.term,
        home_relay_id=part.home_relay_id,
        live=part.live,
        stage_closed=part.stage_closed,
        channels=[channel_message(Channel(part.room_id, name)) for name in part.channels],
        booths=[_booth_part(each) for each in part.booths],
        members=[room_parts_pb2.MemberPart(member=member, speaks=speaks) for member, speaks in part.members],
        rehearsal=part.rehearsal,
    )


def _booth_part(part: BoothPart) -> room_parts_pb2.BoothPart:
    return room_parts_pb2.BoothPart(
        language=part.booth.language,
        active_member=part.active_member,
        floor_level_db=part.booth.floor_level_db,
        rule=BOOTH_RULES[part.booth.rule],
        floor_after_seconds=part.booth.floor_after_seconds,
        hearing=[room_parts_pb2.Hearing(member=member, channel=channel) for member, channel in part.hearing],
    )


def sent_at(load: relay_pb.RelayLoad) -> datetime | None:
    """When a relay sent its report, by its own clock."""
    return load.sent_at.ToDatetime(tzinfo=UTC) if load.HasField("sent_at") else None


def ladder_order(order: LadderOrder) -> ladder_pb2.LadderOrder:
    """What an operator ordered."""
    return ladder_pb2.LadderOrder(**asdict(order) | {"since": moment(order.since), "until": moment(order.until)})


def _work(load: relay_pb.RelayLoad) -> Work:
    if not load.HasField("promised"):
        # A relay of an older release counts packets alone.
        return Work(load.packets_per_second, load.packets_per_second)
    promised = load.promised
    return Work(max(promised.usual, load.measured_work), promised.sending, promised.programme)


def _used(load: relay_pb.RelayLoad) -> Work:
    """What is promised or truly done; of a relay of an older release what it keeps newcomers from is in it."""
    if not load.HasField("promised") or not load.HasField("done_work"):
        return _work(load)
    promised = load.promised
    return Work(max(promised.usual, load.done_work), promised.sending, promised.programme)


def _limits(load: relay_pb.RelayLoad) -> Limits:
    if not load.HasField("limits"):
        return Limits(usual=load.packets_per_second_budget)
    limits = load.limits
    return Limits(limits.usual, limits.sending, limits.programme, limits.together, limits.whole)


def _tariff(load: relay_pb.RelayLoad) -> Tariff:
    if not load.HasField("costs"):
        return Tariff(PACKETS_ONLY, 1000 // (load.packets_per_listener or FRAMES))
    told = {name: getattr(load.costs, name) / 1000 for name in Costs.__dataclass_fields__}
    return Tariff(Costs(**told), load.costs.packet_milliseconds, load.costs.programme_bits_per_second)


def _carried(load: relay_pb.RelayLoad) -> frozenset[ChannelKey]:
    """The floor of each room that has sessions there, and every channel that somebody hears."""
    heard = {(room.room_id, each.channel.name) for room in load.rooms for each in room.channels}
    return frozenset(heard | {(room.room_id, FLOOR) for room in load.rooms})


def session_news(change: sessions_pb2.SessionChange, relay_id: str) -> SessionNews | None:
    """What a relay says of one session; None when it is a kind of news this code does not know."""
    state, kind = _SESSION_STATES.get(change.event), MEDIA_KINDS.get(change.kind)
    if state is None or kind is None:
        return None
    return SessionNews(
        session_id=change.session_id,
        user_id=change.user_id,
        epoch=change.epoch,
        kind=kind,
        state=state,
        by_client=change.cause == sessions_pb2.SESSION_CAUSE_DELETED,
        by_leaving_relay=change.cause == sessions_pb2.SESSION_CAUSE_DRAINING,
        relay_id=relay_id,
        proof=Proof(change.sign_in_id, change.issued_at),
        permit_id=change.permit_id,
        serial=change.serial,
    )


def given_seat(room_id: str, seat: Seat) -> peer_service_pb2.GivenSeat:
    """A seat for the next owner of its room."""
    return peer_service_pb2.GivenSeat(
        room_id=room_id,
        user_id=seat.user_id,
        epoch=seat.epoch,
        device_epoch=seat.device_epoch,
        stream_epoch=seat.stream_epoch if seat.stream else 0,
        sign_in_id=seat.proof.sign_in_id,
        token_issued_at=seat.proof.issued_at,
    )


def given_seats(seats: Iterable[peer_service_pb2.GivenSeat], now: datetime) -> list[tuple[str, Seat]]:
    """Seats of the owner before, each with its room, as of now."""
    return [
        (
            each.room_id,
            Seat(
                user_id=each.user_id,
                epoch=each.epoch,
                device_epoch=each.device_epoch,
                joined_at=now,
                pending_since=now,
                unheard_since=now,
                stream=bool(each.stream_epoch),
                stream_epoch=each.stream_epoch,
                proof=Proof(each.sign_in_id, each.token_issued_at),
            ),
        )
        for each in seats
    ]


def told_listeners(rooms: Iterable[sessions_pb2.RoomListeners]) -> list[Told]:
    """Who listens where at a gateway."""
    return [Told(each.room_id, {one.channel: one.listeners for one in each.channels}, each.web) for each in rooms]


def gateway_load(load: sessions_pb2.GatewayLoad) -> GatewayLoad:
    """What a gateway does for those who listen over HTTPS."""
    return GatewayLoad(
        listeners=load.listeners,
        limit=load.listener_limit,
        more=load.listeners_more,
        bits_per_second=load.bits_per_second,
        millicores=load.millicores,
        memory_bytes=load.bytes,
        web=load.web_listeners,
        bits_limit=load.bits_limit,
    )


def watch_decision(room: Room, seat: Seat | DomainError) -> fleet_service_pb2.WatchDecision:
    """Whether the holder of a seat, or somebody without one, may watch the room."""
    if isinstance(seat, Seat):
        role = ROLES[room.role_of(seat.user_id)]
        return fleet_service_pb2.WatchDecision(epoch=seat.epoch, role=role, device_epoch=seat.device_epoch)
    reason = f"ROOM_DIRECTORY_ERROR_REASON_{seat.reason}"
    return fleet_service_pb2.WatchDecision(refusal=RoomDirectoryErrorReason.Value(reason))
