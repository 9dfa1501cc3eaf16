"""Domain values to the messages of the contract, and the words of the contract back."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import (
    booth_events_pb2,
    booth_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
)

from services.common.text.look_alikes import look
from services.room_directory.app.permits import Permit
from services.room_directory.app.ports import ReportRecord
from services.room_directory.app.waiting import PlaceShown
from services.room_directory.domain.events import BoothCause, OfferCause, RoomCard, StageCause
from services.room_directory.domain.hands import time_left
from services.room_directory.domain.people import Person
from services.room_directory.domain.roles import Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import (
    Booth,
    BoothRule,
    Hand,
    HandCause,
    HandMode,
    LineOrder,
    MediaKind,
    Offer,
    RoomState,
    StageSeat,
    Visibility,
)
from services.room_directory.domain.signals import SignalKind

People = Mapping[str, Person]

ROLES = {
    Role.OUTSIDE: room_pb2.ROLE_UNSPECIFIED,
    Role.LISTENER: room_pb2.ROLE_LISTENER,
    Role.SPEAKER: room_pb2.ROLE_SPEAKER,
    Role.MODERATOR: room_pb2.ROLE_MODERATOR,
    Role.INTERPRETER: room_pb2.ROLE_INTERPRETER,
}
VISIBILITIES = {Visibility.OPEN: room_pb2.VISIBILITY_OPEN, Visibility.CLOSED: room_pb2.VISIBILITY_CLOSED}
HAND_MODES = {HandMode.OFF: room_pb2.HAND_MODE_OFF, HandMode.EVERYONE: room_pb2.HAND_MODE_EVERYONE}
LINE_ORDERS = {LineOrder.ARRIVAL: room_pb2.LINE_ORDER_ARRIVAL, LineOrder.LOT: room_pb2.LINE_ORDER_LOT}
STATES = {
    RoomState.LIVE: room_pb2.ROOM_STATE_LIVE,
    RoomState.HELD: room_pb2.ROOM_STATE_HELD,
    RoomState.CLOSING: room_pb2.ROOM_STATE_CLOSING,
    RoomState.ENDED: room_pb2.ROOM_STATE_ENDED,
}
OFFER_CAUSES = {
    OfferCause.DECLINED: room_events_pb2.OFFER_CAUSE_DECLINED,
    OfferCause.WITHDRAWN: room_events_pb2.OFFER_CAUSE_WITHDRAWN,
    OfferCause.EXPIRED: room_events_pb2.OFFER_CAUSE_EXPIRED,
    OfferCause.LEFT: room_events_pb2.OFFER_CAUSE_LEFT,
}
STAGE_CAUSES = {
    StageCause.LEFT: room_events_pb2.STAGE_CAUSE_LEFT,
    StageCause.BACK_TO_AUDIENCE: room_events_pb2.STAGE_CAUSE_BACK_TO_AUDIENCE,
    StageCause.MOVED: room_events_pb2.STAGE_CAUSE_MOVED,
    StageCause.REMOVED: room_events_pb2.STAGE_CAUSE_REMOVED,
    StageCause.CONNECTION_LOST: room_events_pb2.STAGE_CAUSE_CONNECTION_LOST,
}
HAND_CAUSES = {
    HandCause.LOWERED: room_pb2.HAND_CAUSE_LOWERED,
    HandCause.EXPIRED: room_pb2.HAND_CAUSE_EXPIRED,
    HandCause.DISMISSED: room_pb2.HAND_CAUSE_DISMISSED,
    HandCause.DECLINED: room_pb2.HAND_CAUSE_DECLINED,
    HandCause.ON_STAGE: room_pb2.HAND_CAUSE_ON_STAGE,
    HandCause.LEFT: room_pb2.HAND_CAUSE_LEFT,
    HandCause.HANDS_OFF: room_pb2.HAND_CAUSE_HANDS_OFF,
}
REPORT_KINDS = {
    "abuse": room_pb2.REPORT_KIND_ABUSE,
    "spam": room_pb2.REPORT_KIND_SPAM,
    "impersonation": room_pb2.REPORT_KIND_IMPERSONATION,
    "other": room_pb2.REPORT_KIND_OTHER,
}
MEDIA_KINDS = {room_pb2.MEDIA_KIND_AUDIENCE: MediaKind.AUDIENCE, room_pb2.MEDIA_KIND_STAGE: MediaKind.STAGE}
BOOTH_CAUSES = {cause: booth_events_pb2.BoothCause.Value(f"BOOTH_CAUSE_{cause.name}") for cause in BoothCause}
SIGNAL_KINDS = {kind: booth_pb2.BoothSignalKind.Value(f"BOOTH_SIGNAL_KIND_{kind.name}") for kind in SignalKind}
BOOTH_RULES = {
    BoothRule.SILENCE: booth_pb2.BOOTH_RULE_SILENCE,
    BoothRule.FLOOR: booth_pb2.BOOTH_RULE_FLOOR,
}


def moment(at: datetime | None) -> Timestamp | None:
    """A moment as messages carry it."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def span(seconds: float) -> Duration:
    """A length of time as messages carry it."""
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1000))
    return duration


def profile(person: Person | None) -> account_pb2.Profile:
    """The public part of a person."""
    if person is None:
        return account_pb2.Profile()
    return account_pb2.Profile(
        user_id=person.user_id,
        handle=person.handle,
        display_name=person.display_name,
        bio=person.bio,
        avatar_hue=person.avatar_hue,
        spoken_languages=person.spoken_languages,
        looks=look(person.display_name),
    )


def person(message: account_pb2.Profile) -> Person:
    """A person as their profile says it."""
    return Person(
        user_id=message.user_id,
        handle=message.handle,
        display_name=message.display_name,
        bio=message.bio,
        avatar_hue=message.avatar_hue,
        spoken_languages=tuple(message.spoken_languages),
    )


def _who(user_id: str, people: People) -> account_pb2.Profile:
    return profile(people.get(user_id) or Person(user_id))


def stage_seat(seat: StageSeat, people: People) -> room_pb2.StageSeat:
    return room_pb2.StageSeat(
        person=_who(seat.user_id, people),
        role=ROLES[seat.role],
        member=seat.member,
        muted=seat.muted,
        muted_by_moderator=seat.muted_by_moderator,
        connected=seat.connected,
        since=moment(seat.since),
        successor=seat.successor,
        language=seat.booth,
        speaks=seat.booth or seat.speaks,
    )


def booth(
    value: Booth, seats: Iterable[StageSeat], people: People, silent_since: datetime | None = None
) -> booth_pb2.Booth:
    """A booth with who sits in it."""
    seats = list(seats)
    heard = next((seat for seat in seats if seat.active), None)
    return booth_pb2.Booth(
        language=value.language,
        seats=[
            booth_pb2.BoothSeat(
                person=_who(seat.user_id, people),
                member=seat.member,
                muted=seat.muted,
                connected=seat.connected,
                since=moment(seat.booth_since),
                hears=seat.hears,
            )
            for seat in seats
        ],
        active_user_id=heard.user_id if heard else "",
        rule=BOOTH_RULES[value.rule],
        floor_after_seconds=value.floor_after_seconds,
        floor_level_db=value.floor_level_db,
        silent_since=moment(silent_since),
        heard_since=moment(heard.heard_since) if heard else None,
    )


def booth_of(value: Room, language: str, people: People) -> booth_pb2.Booth:
    """The open booth of a language."""
    return booth(value.booths[language], value.in_booth(language), people, value.silent.get(language))


def room(card: RoomCard, people: People, room_key: str = "") -> room_pb2.Room:
    """A room as the hallway shows it."""
    return room_pb2.Room(
        room_id=card.room_id,
        title=card.title,
        description=card.description,
        language=card.language,
        visibility=VISIBILITIES[card.visibility],
        hand_mode=HAND_MODES[card.hand_mode],
        line_order=LINE_ORDERS[card.line_order],
        state=STATES[card.state],
        creator=_who(card.creator_id, people),
        started_at=moment(card.started_at),
        ended_at=moment(card.ended_at),
        listener_count=card.listener_count,
        listener_limit=card.listener_limit,
        people_count=card.people_count,
        faces=[stage_seat(seat, people) for seat in card.faces],
        room_key=room_key,
        revision=card.revision,
        languages=card.languages,
        rehearsal=card.rehearsal,
        open_to_web=card.open_to_web,
        web_listener_limit=card.web_listener_limit,
        web_listener_count=card.web_listener_count,
    )


def room_preview(card: RoomCard) -> room_service_pb2.RoomPreview:
    """What somebody before the door may know: no name, no face, no way in."""
    return room_service_pb2.RoomPreview(
        title=card.title,
        language=card.language,
        listener_count=card.listener_count,
        people_count=card.people_count,
    )


def hand(value: Hand, left: timedelta | None, people: People) -> room_pb2.Hand:
    """A raised hand: when it falls, or what time it has left while that stands still."""
    person = people.get(value.user_id) or Person(value.user_id)
    message = room_pb2.Hand(
        person=profile(person),
        question=value.question,
        raised_at=moment(value.raised_at),
        language=value.language or next(iter(person.spoken_languages), ""),
    )
    if left is None:
        message.expires_at.FromDatetime(value.expires_at)
    else:
        message.time_left.FromTimedelta(left)
    return message


def hand_queue(value: Room, people: People) -> room_pb2.HandQueue:
    """The whole queue, as moderators have it."""
    hands = [hand(each, _left(value, each), people) for each in value.hands.values()]
    return room_pb2.HandQueue(hands=hands, queue_revision=value.queue_revision)


def _left(place: Room, value: Hand) -> timedelta | None:
    return None if place.attended else time_left(place, value)


def offer(value: Offer) -> room_pb2.StageOffer:
    return room_pb2.StageOffer(
        offer_id=value.offer_id,
        user_id=value.user_id,
        by_user_id=value.by_user_id,
        expires_at=moment(value.expires_at),
        language=value.language,
    )


def snapshot(value: Room, sample: Iterable[str], people: People) -> room_pb2.RoomSnapshot:
    """Everything a client shows of a room."""
    return room_pb2.RoomSnapshot(
        room=room(value.card(), people),
        stage=[stage_seat(seat, people) for seat in value.stage_in_order()],
        audience_sample=[_who(user_id, people) for user_id in sample],
        offers=[offer(each) for each in value.offers.values()],
        hand_count=len(value.hands),
        revision=value.revision,
        booths=[booth_of(value, language, people) for language in value.booths],
    )


def own_seat(value: Room, user_id: str, people: People) -> room_pb2.OwnSeat:
    """The caller's own place in a room."""
    seat, on_stage = value.seats.get(user_id), value.stage.get(user_id)
    up, offered = value.hands.get(user_id), value.offers.get(user_id)
    return room_pb2.OwnSeat(
        role=ROLES[value.role_of(user_id)],
        epoch=seat.epoch if seat else 0,
        member=on_stage.member if on_stage else 0,
        hand=hand(up, _left(value, up), people) if up else None,
        hand_position=value.hand_position(user_id),
        offer=offer(offered) if offered else None,
        queue_revision=value.queue_revision,
        language=on_stage.booth if on_stage else "",
    )


def media_permit(permit: Permit | None) -> room_pb2.MediaPermit | None:
    """What opens a media session."""
    if permit is None:
        return None
    return room_pb2.MediaPermit(permit=permit.token, path=permit.path, expires_at=moment(permit.expires_at))


def place(shown: PlaceShown) -> room_pb2.Place:
    """A place in a line, as its person is told of it."""
    expected = shown.expected_seconds
    return room_pb2.Place(
        ticket=shown.ticket,
        position=shown.position,
        waiting_count=shown.waiting_count,
        expected_wait=None if expected is None else span(round(expected)),
        knock_after=span(shown.knock_after_seconds),
        kept_for=span(shown.kept_seconds),
        offered=shown.offered_until is not None,
        offered_until=moment(shown.offered_until),
        order=LINE_ORDERS[shown.order],
        near=shown.near,
        relays_busy=shown.relays_busy,
        listen_over_https=shown.listen_over_https,
    )


def report(record: ReportRecord, people: People) -> room_pb2.Report:
    """A report about a person."""
    return room_pb2.Report(
        report_id=record.report_id,
        room_id=record.room_id,
        room_title=record.room_title,
        reporter=_who(record.reporter_id, people),
        subject=_who(record.subject_id, people),
        kind=REPORT_KINDS[record.kind],
        text=record.text,
        created_at=moment(record.created_at),
        resolved=record.resolved,
        resolution=record.resolution,
    )
