"""What the domain says and hears, in the form of the contracts."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import booth_pb2, input_quality_pb2, ladder_pb2, room_pb2, sessions_pb2

from services.media_relay.domain.booths import BoothPart, BoothRule
from services.media_relay.domain.events import (
    Cause,
    Event,
    PermitRefused,
    SessionConnected,
    SessionEnded,
    SessionIdle,
    SessionOpened,
)
from services.media_relay.domain.inputs import Fault, Inputs, SpeakerInput
from services.media_relay.domain.ladder import Order
from services.media_relay.domain.permits import Kind, Permit
from services.media_relay.domain.rooms import RoomPart
from services.media_relay.domain.seats import SeatAction, SeatChange
from services.media_relay.domain.sessions import MediaSession, RoomCount
from services.programme.channels import Channel
from services.programme.messages import channel_message
from services.programme.work import Costs, Limits, Tariff, Work

SEAT_ACTIONS = {
    pb.SEAT_ACTION_END: SeatAction.END,
    pb.SEAT_ACTION_REPLACE: SeatAction.REPLACE,
    pb.SEAT_ACTION_MUTE: SeatAction.MUTE,
    pb.SEAT_ACTION_UNMUTE: SeatAction.UNMUTE,
    pb.SEAT_ACTION_STREAM_GONE: SeatAction.STREAM_GONE,
    pb.SEAT_ACTION_STREAM_BACK: SeatAction.STREAM_BACK,
    pb.SEAT_ACTION_END_SIGN_IN: SeatAction.END_SIGN_IN,
}
LADDER_CAUSES: dict[str, "ladder_pb2.LadderCause.ValueType"] = {
    "measured": ladder_pb2.LADDER_CAUSE_MEASURED,
    "setting": ladder_pb2.LADDER_CAUSE_SETTING,
    "order": ladder_pb2.LADDER_CAUSE_ORDER,
}
_ROLES = {
    "listener": room_pb2.ROLE_LISTENER,
    "speaker": room_pb2.ROLE_SPEAKER,
    "moderator": room_pb2.ROLE_MODERATOR,
    "interpreter": room_pb2.ROLE_INTERPRETER,
}
_KINDS = {Kind.STAGE: room_pb2.MEDIA_KIND_STAGE, Kind.AUDIENCE: room_pb2.MEDIA_KIND_AUDIENCE}
_EVENTS: dict[type, "sessions_pb2.SessionEvent.ValueType"] = {
    SessionOpened: sessions_pb2.SESSION_EVENT_OPENED,
    SessionConnected: sessions_pb2.SESSION_EVENT_CONNECTED,
    SessionIdle: sessions_pb2.SESSION_EVENT_IDLE,
    SessionEnded: sessions_pb2.SESSION_EVENT_ENDED,
}
_CAUSES = {
    Cause.DELETED: sessions_pb2.SESSION_CAUSE_DELETED,
    Cause.EXPIRED: sessions_pb2.SESSION_CAUSE_EXPIRED,
    Cause.SEAT_ENDED: sessions_pb2.SESSION_CAUSE_SEAT_ENDED,
    Cause.DRAINING: sessions_pb2.SESSION_CAUSE_DRAINING,
    Cause.FAILED: sessions_pb2.SESSION_CAUSE_FAILED,
}


FAULTS: dict[Fault, "input_quality_pb2.InputFault.ValueType"] = {
    fault: input_quality_pb2.InputFault.Value(f"INPUT_FAULT_{fault.name}") for fault in Fault
}


def ladder_orders(message: ladder_pb2.LadderOrdersStand) -> tuple[datetime, list[Order]]:
    """When orders about ladders changed last, and all that stand."""
    orders = [Order(each.relay_id, each.step, each.until.ToDatetime(tzinfo=UTC)) for each in message.orders]
    return message.changed_at.ToDatetime(tzinfo=UTC), orders


def seat_change(message: pb.SeatChange) -> SeatChange:
    """A change of a seat. Raises KeyError for an action that is not one of `SEAT_ACTIONS`."""
    action = SEAT_ACTIONS[message.action]
    return SeatChange(message.room_id, message.user_id, message.term, message.epoch, action, message.sign_in_id)


def room_part(message: pb.RoomPart) -> RoomPart:
    channels = frozenset(channel.name for channel in message.channels)
    return RoomPart(
        message.room_id,
        message.term,
        message.home_relay_id,
        channels,
        message.live,
        message.stage_closed,
        tuple(_booth(each) for each in message.booths),
        tuple((each.member, each.speaks) for each in message.members),
        message.rehearsal,
    )


def _booth(message: room_parts_pb2.BoothPart) -> BoothPart:
    return BoothPart(
        message.language,
        message.active_member,
        message.floor_level_db,
        # A rule that this build does not know says nothing that nobody expects.
        BoothRule.FLOOR if message.rule == booth_pb2.BOOTH_RULE_FLOOR else BoothRule.SILENCE,
        message.floor_after_seconds,
        tuple((each.member, each.channel) for each in message.hearing),
    )


def session_info(session: MediaSession) -> pb.SessionInfo:
    permit = session.permit
    return pb.SessionInfo(
        session_id=session.session_id,
        room_id=permit.room_id,
        user_id=permit.user_id,
        epoch=permit.epoch,
        term=permit.term,
        kind=_KINDS[permit.kind],
        member=permit.member,
        connected=session.connected,
        role=_ROLES.get(permit.role, room_pb2.ROLE_UNSPECIFIED),
        sign_in_id=permit.sign_in_id,
        issued_at=permit.issued_at,
        channel=session.channel,
        booth=permit.booth,
    )


def room_load(room: RoomCount, silent: Mapping[str, datetime]) -> pb.RoomLoad:
    """What the relay carries of a room; `silent` are its booths from which nothing is heard, each since when."""
    channels = [
        pb.ChannelLoad(channel=channel_message(Channel(room.room_id, name)), listeners=listeners)
        for name, listeners in room.channels.items()
    ]
    return pb.RoomLoad(
        room_id=room.room_id,
        listeners=room.listeners,
        stage=room.stage,
        channels=channels,
        silent_booths=[_silent_booth(*each) for each in silent.items()],
        listeners_over_tcp=room.over_tcp,
    )


def _silent_booth(language: str, since: datetime) -> room_parts_pb2.SilentBooth:
    message = room_parts_pb2.SilentBooth(language=language)
    message.since.FromDatetime(since)
    return message


def input_quality(room_id: str, term: int, now: datetime, inputs: Inputs) -> input_quality_pb2.InputQuality:
    """How speakers and interpreters of a room are heard."""
    message = input_quality_pb2.InputQuality(
        room_id=room_id, term=term, speakers=[_speaker(each) for each in inputs.speakers.values()]
    )
    message.occurred_at.FromDatetime(now)
    for language, seconds in inputs.delays.items():
        delay = None if seconds is None else round(1000 * seconds)
        message.booths.append(input_quality_pb2.BoothDelay(language=language, delay_ms=delay))
    return message


def _speaker(speaker: SpeakerInput) -> input_quality_pb2.SpeakerQuality:
    verdict = input_quality_pb2.INPUT_VERDICT_UNSPECIFIED
    if speaker.faults:
        verdict = input_quality_pb2.INPUT_VERDICT_POOR
    elif speaker.is_known:
        verdict = input_quality_pb2.INPUT_VERDICT_GOOD
    return input_quality_pb2.SpeakerQuality(
        user_id=speaker.user_id,
        member=speaker.member,
        verdict=verdict,
        faults=[FAULTS[fault] for fault in speaker.faults],
        level_dbov=None if speaker.level_dbov is None else round(speaker.level_dbov),
        band_hz=speaker.band_hz,
        loss_percent=round(speaker.loss_percent, 1),
    )


def work(done: Work) -> pb.Work:
    return pb.Work(usual=done.usual, sending=done.sending, programme=done.programme)


def work_limits(limits: Limits) -> pb.WorkLimits:
    return pb.WorkLimits(**asdict(limits))


def work_costs(tariff: Tariff) -> pb.WorkCosts:
    costs = {name: round(1000 * getattr(tariff.costs, name)) for name in Costs.__dataclass_fields__}
    return pb.WorkCosts(packet_milliseconds=tariff.packet_ms, programme_bits_per_second=tariff.bits_per_second, **costs)


def change_of(event: Event) -> sessions_pb2.SessionChange | None:
    """What the directory must learn of an event; None for what does not concern it."""
    if isinstance(event, PermitRefused):
        return _refusal(event.permit)
    kind = _EVENTS.get(type(event))
    if kind is None:
        return None
    permit = event.session.permit
    return sessions_pb2.SessionChange(
        session_id=event.session.session_id,
        room_id=permit.room_id,
        user_id=permit.user_id,
        epoch=permit.epoch,
        kind=_KINDS[permit.kind],
        event=kind,
        cause=_CAUSES[event.cause] if isinstance(event, SessionEnded) else sessions_pb2.SESSION_CAUSE_UNSPECIFIED,
        sign_in_id=permit.sign_in_id,
        issued_at=permit.issued_at,
        permit_id=permit.permit_id,
        serial=event.session.serial,
    )


def session_cause(cause: Cause) -> "sessions_pb2.SessionCause.ValueType":
    return _CAUSES[cause]


def _refusal(permit: Permit) -> sessions_pb2.SessionChange:
    return sessions_pb2.SessionChange(
        room_id=permit.room_id,
        user_id=permit.user_id,
        epoch=permit.epoch,
        kind=_KINDS[permit.kind],
        event=sessions_pb2.SESSION_EVENT_REFUSED,
        permit_id=permit.permit_id,
    )
