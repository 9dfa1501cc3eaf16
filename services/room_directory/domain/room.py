"""The room: one consistent whole of settings, stage, hands, offers, removals and seats."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.room_directory.domain.errors import NotInRoom, NotOnStage, RoomEnded
from services.room_directory.domain.events import (
    Fact,
    QueueFact,
    RoomCard,
    RoomCreated,
    SeatAction,
    SeatOrder,
    StageJoined,
)
from services.room_directory.domain.languages import check_language
from services.room_directory.domain.people import UNKNOWN, Actor, Proof
from services.room_directory.domain.roles import Action, Role, require, require_target
from services.room_directory.domain.seats import (
    Booth,
    Captioner,
    Deed,
    DeedKind,
    Hand,
    HandMode,
    LineOrder,
    Offer,
    RoomState,
    Rules,
    Seat,
    SessionState,
    StageSeat,
    Visibility,
)
from services.room_directory.domain.texts import clean_description, clean_title

FACES = 5
MOST_GONE = 20_000
"""How many people who left are remembered: late news of their sessions must not seat them again."""
_APART = timedelta(microseconds=1)
"""Between the openings of booths that a room begins with: rows keep their order by it."""
RETURNING_SECONDS = 120.0
"""How long somebody who lost or left their sound may use what relays keep back for those who come back."""


@dataclass(slots=True, kw_only=True)
class Room:
    """A room and everything the rules need to know of it.

    All rows are frozen values in dicts: `draft` copies them cheaply, the rules change the draft, and a draft that is
    not kept has changed nothing. The rules live beside this class, one module for each part: entry, hands, stage,
    moderation, presence, adoption.
    """

    room_id: str
    request_id: str
    creator_id: str
    title: str
    description: str
    language: str
    visibility: Visibility
    hand_mode: HandMode
    room_key: str
    started_at: datetime
    home_relay_id: str
    rules: Rules
    line_order: LineOrder = LineOrder.ARRIVAL
    state: RoomState = RoomState.LIVE
    state_since: datetime
    ended_at: datetime | None = None
    revision: int = 0
    queue_revision: int = 0
    """Rises with every change of the hands, which only moderators and whose hand it is are told of."""
    term: int = 1
    """Rises with each copy of the directory that takes the room over: what was decided under an older one is void."""
    version: int = 0
    """Rises with every save, also of what the public does not see."""
    stage: dict[str, StageSeat] = field(default_factory=dict)
    hands: dict[str, Hand] = field(default_factory=dict)
    """By person, first raised first."""
    offers: dict[str, Offer] = field(default_factory=dict)
    guests: dict[str, datetime] = field(default_factory=dict)
    removed: dict[str, datetime] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    """The least epoch a person's sessions may have, kept for those who left the stage or were removed."""
    booths: dict[str, Booth] = field(default_factory=dict)
    """By language, first opened first."""
    rehearsal: bool = False
    """Whether stage and booths hear, and the audience nothing."""
    open_to_web: bool = False
    """Whether its moderators opened it to the web; `is_open_to_web` says whether it is."""
    web_listener_limit: int = 0
    """As moderators chose it; 0 where they did not."""
    silent: dict[str, datetime] = field(default_factory=dict)
    """Since when nothing is heard from a booth although somebody speaks on the floor, as its relay says it."""
    captioners: dict[str, Captioner] = field(default_factory=dict)
    """By person, first let first."""
    seats: dict[str, Seat] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    """The least epoch a session may have, of those who gave their seat up since this process started."""
    sounded: dict[str, datetime] = field(default_factory=dict)
    """Until when somebody had a media session, of those who had one lately and have none now; oldest first."""
    empty_since: datetime | None = None
    attended: bool = False
    """Whether a moderator looks at the hands, as far as was told."""
    attended_until: datetime | None = None
    """Until when a moderator looked, or looks."""
    deeds: dict[tuple[str, DeedKind, str], Deed] = field(default_factory=dict)
    """What moderators did a moment ago, by who did what to whom, oldest first."""
    changed: bool = False
    """True when rows must be written."""
    facts: list[Fact] = field(default_factory=list)
    orders: list[SeatOrder] = field(default_factory=list)

    def draft(self) -> "Room":
        """A copy to change: kept whole or not at all."""
        room = copy.copy(self)
        room.stage, room.hands, room.offers = self.stage.copy(), self.hands.copy(), self.offers.copy()
        room.guests, room.removed, room.floors = self.guests.copy(), self.removed.copy(), self.floors.copy()
        room.seats, room.gone, room.sounded = self.seats.copy(), self.gone.copy(), self.sounded.copy()
        room.deeds, room.booths, room.silent = self.deeds.copy(), self.booths.copy(), self.silent.copy()
        room.captioners = self.captioners.copy()
        room.changed, room.facts, room.orders = False, [], []
        return room

    # What is so.

    def role_of(self, user_id: str) -> Role:
        """What the person is here."""
        seat = self.stage.get(user_id)
        if seat is not None:
            return seat.role
        return Role.LISTENER if user_id in self.seats else Role.OUTSIDE

    def is_moderator(self, user_id: str) -> bool:
        """Whether the person leads the room."""
        return self.role_of(user_id) is Role.MODERATOR

    def moderators(self) -> list[StageSeat]:
        """Those who lead, connected or not."""
        return [seat for seat in self.stage.values() if seat.role is Role.MODERATOR]

    def listener_count(self) -> int:
        """How many seats are in the audience."""
        return len(self.seats) - sum(1 for user_id in self.stage if user_id in self.seats)

    def people_count(self) -> int:
        """How many seats there are."""
        return len(self.seats)

    def stage_in_order(self) -> list[StageSeat]:
        """Moderators first, then by time on stage."""
        return sorted(self.stage.values(), key=lambda seat: (seat.role is not Role.MODERATOR, seat.since, seat.user_id))

    def in_booth(self, language: str) -> list[StageSeat]:
        """Who sits in the booth of a language, first seated first."""
        seats = [seat for seat in self.stage.values() if seat.booth == language]
        return sorted(seats, key=lambda seat: (seat.booth_since or seat.since, seat.user_id))

    def stage_closed(self) -> bool:
        """Whether nobody on stage is heard."""
        return self.state in (RoomState.CLOSING, RoomState.ENDED)

    def hand_position(self, user_id: str) -> int:
        """Place in the queue, from 1; 0 when the hand is down."""
        return list(self.hands).index(user_id) + 1 if user_id in self.hands else 0

    def card(self) -> RoomCard:
        """The room as the hallway shows it."""
        return RoomCard(
            room_id=self.room_id,
            creator_id=self.creator_id,
            title=self.title,
            description=self.description,
            language=self.language,
            visibility=self.visibility,
            hand_mode=self.hand_mode,
            line_order=self.line_order,
            state=self.state,
            started_at=self.started_at,
            ended_at=self.ended_at,
            listener_count=self.listener_count(),
            listener_limit=self.rules.listener_limit,
            people_count=self.people_count(),
            faces=tuple(self.stage_in_order()[:FACES]),
            revision=self.revision,
            languages=tuple(self.booths),
            rehearsal=self.rehearsal,
            open_to_web=self.is_open_to_web,
            web_listener_limit=self.most_over_web,
        )

    @property
    def is_open_to_web(self) -> bool:
        """Whether anybody may hear it without signing in; never where the operator does not allow it (any more)."""
        return self.open_to_web and self.rules.web_listener_limit > 0

    @property
    def most_over_web(self) -> int:
        """How many may hear it so: what moderators chose, and never more than the operator allows."""
        most = self.rules.web_listener_limit
        return min(self.web_listener_limit or most, most)

    @property
    def spoken(self) -> frozenset[str]:
        """The languages of those on the floor."""
        return frozenset(seat.speaks for seat in self.stage.values() if not seat.booth)

    # What every rule needs.

    def require_live(self) -> None:
        """Raises RoomEnded once the room is over."""
        if self.state is RoomState.ENDED:
            raise RoomEnded

    def require(self, actor: Actor, action: Action) -> None:
        """Raises unless the room goes on and the role table lists the action for the actor."""
        self.require_live()
        require(self.role_of(actor.user_id), action, operator=actor.operator)

    def require_upon(self, actor: Actor, action: Action, target_id: str) -> None:
        """Raises unless the actor may do this, and may do it to that person."""
        self.require(actor, action)
        require_target(action, self.role_of(target_id))

    def seat_of(self, user_id: str) -> Seat:
        """The person's seat. Raises NotInRoom."""
        self.require_live()
        seat = self.seats.get(user_id)
        if seat is None:
            raise NotInRoom
        return seat

    def stage_seat_of(self, user_id: str) -> StageSeat:
        """The person's seat on stage. Raises NotOnStage."""
        seat = self.stage.get(user_id)
        if seat is None:
            raise NotOnStage
        return seat

    def tell(self, kind: type[Fact], now: datetime, **values: Any) -> None:
        """Notes a fact under the next revision."""
        self.revision += 1
        self.changed = True
        if "card" in kind.__dataclass_fields__:
            values["card"] = self.card()
        self.facts.append(kind(room_id=self.room_id, revision=self.revision, term=self.term, at=now, **values))

    def tell_queue(self, kind: type[QueueFact], now: datetime, **values: Any) -> None:
        """Notes a fact of the hands under the queue's next revision."""
        self.queue_revision += 1
        self.changed = True
        values |= {"room_id": self.room_id, "revision": self.revision, "queue_revision": self.queue_revision}
        self.facts.append(kind(at=now, term=self.term, **values))

    def order(self, user_id: str, epoch: int, action: SeatAction, sign_in_id: str = "") -> None:
        """Notes what relays must do."""
        self.orders.append(SeatOrder(self.room_id, user_id, epoch, action, sign_in_id, self.term))

    def put_on_stage(self, seat: StageSeat) -> None:
        """Keeps a stage seat, new or changed."""
        self.stage[seat.user_id] = seat
        self.changed = True

    def raise_floor(self, user_id: str, epoch: int) -> None:
        """Remembers, over restarts, that the person's older sessions are void."""
        self.floors[user_id] = max(epoch, self.floors.get(user_id, 0))
        self.changed = True

    def floor_of(self, user_id: str) -> int:
        """The least epoch the person's sessions may have."""
        on_stage = self.stage.get(user_id)
        kept = on_stage.epoch if on_stage is not None and user_id not in self.seats else 0
        return max(self.floors.get(user_id, 0), self.gone.get(user_id, 0), kept)

    def epochs_in_use(self) -> Iterator[int]:
        """Every epoch that is somebody's, or that ended somebody's seat."""
        yield from (seat.epoch for seat in self.seats.values())
        yield from (on_stage.epoch for on_stage in self.stage.values())
        yield from self.gone.values()
        yield from self.floors.values()

    def had_sound(self, user_id: str, now: datetime) -> bool:
        """Whether the person has a media session here, or had one lately: who comes back is no newcomer."""
        seat, until = self.seats.get(user_id), self.sounded.get(user_id)
        if seat is not None and seat.hears():
            return True
        return until is not None and (now - until).total_seconds() <= RETURNING_SECONDS

    def note_silence(self, user_id: str, now: datetime) -> None:
        """Remembers somebody whose media session is about to be counted out; nothing for who has none."""
        seat = self.seats.get(user_id)
        if seat is None or not seat.hears():
            return
        self.sounded.pop(user_id, None)
        self.sounded[user_id] = now
        while self.sounded:
            oldest = next(iter(self.sounded))
            if len(self.sounded) <= MOST_GONE and (now - self.sounded[oldest]).total_seconds() <= RETURNING_SECONDS:
                return
            del self.sounded[oldest]

    def vacate(self, user_id: str, epoch: int, now: datetime) -> None:
        """Takes the person's seat away and ends its sessions; `epoch` is newer than any of theirs."""
        self.note_silence(user_id, now)
        self.seats.pop(user_id, None)
        self.gone[user_id] = epoch
        if len(self.gone) > MOST_GONE:
            del self.gone[next(iter(self.gone))]
        self.order(user_id, epoch, SeatAction.END)

    def re_epoch(self, user_id: str, epoch: int, now: datetime) -> None:
        """Gives a seat its next epoch when the role of its device changes."""
        seat = self.seats.get(user_id)
        if seat is not None:
            self.note_silence(user_id, now)
            # The session of the old epoch goes on until the new one connects; a stream is never touched.
            self.seats[user_id] = replace(
                seat,
                epoch=epoch,
                session=SessionState.PENDING,
                session_id="",
                pending_since=now,
                absent_since=None if seat.stream else now,
            )
        self.order(user_id, epoch, SeatAction.REPLACE)


def create_room(
    *,
    room_id: str,
    request_id: str,
    creator_id: str,
    title: str,
    description: str,
    language: str,
    visibility: Visibility,
    hand_mode: HandMode,
    room_key: str,
    home_relay_id: str,
    member: int,
    epoch: int,
    rules: Rules,
    line_order: LineOrder = LineOrder.ARRIVAL,
    languages: Sequence[str] = (),
    rehearsal: bool = False,
    proof: Proof = UNKNOWN,
    now: datetime,
) -> Room:
    """A new live room whose creator leads it from the stage, with booths of `languages`.

    Raises TitleInvalid, FieldInvalid, LanguageInvalid.
    """
    for each in (language, *languages):
        check_language(each)
    room = Room(
        room_id=room_id,
        request_id=request_id,
        creator_id=creator_id,
        title=clean_title(title),
        description=clean_description(description),
        language=language,
        visibility=visibility,
        hand_mode=hand_mode,
        line_order=line_order,
        room_key=room_key if visibility is Visibility.CLOSED else "",
        started_at=now,
        home_relay_id=home_relay_id,
        rules=rules,
        state_since=now,
        booths={each: Booth(language=each, opened_at=now + place * _APART) for place, each in enumerate(languages)},
        rehearsal=rehearsal,
    )
    seat = StageSeat(user_id=creator_id, role=Role.MODERATOR, member=member, epoch=epoch, since=now, speaks=language)
    room.put_on_stage(seat)
    room.seats[creator_id] = Seat(
        user_id=creator_id,
        epoch=epoch,
        device_epoch=epoch,
        joined_at=now,
        pending_since=now,
        absent_since=now,
        proof=proof,
    )
    room.tell(RoomCreated, now)
    room.tell(StageJoined, now, seat=seat)
    return room
