"""The relay as a whole: who may open a session, when sessions connect and end, what changes of seats and rooms do."""

from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.errors import (
    EtagMismatch,
    PermitInvalid,
    RelayDraining,
    SeatStale,
    SessionNotFound,
    WrongRelay,
)
from services.media_relay.domain.events import (
    Cause,
    Event,
    MuteChanged,
    SessionConnected,
    SessionEnded,
    SessionIdle,
    SessionOpened,
    SessionPaused,
)
from services.media_relay.domain.leaving import Leaving
from services.media_relay.domain.permits import Kind, Permit, SpentPermits
from services.media_relay.domain.rooms import RoomBook, RoomPart
from services.media_relay.domain.seats import SeatAction, SeatBook, SeatChange
from services.media_relay.domain.sessions import MediaSession, SessionTable
from services.media_relay.domain.silence import Silences

HALF_OPEN_SECONDS = 10.0
HALF_OPEN_PER_SEAT = 2
REPLACE_SECONDS = 5.0
HAND_OVER_SECONDS = 1.0
"""How long a paused audience session outlives the start of its stage session, so that its owner can delete it."""


class Relay:
    """One start of one relay. Methods take monotonic seconds and return what must now be carried out, in order."""

    def __init__(self, relay_id: str, boot_id: str, capacity: Capacity) -> None:
        self.relay_id = relay_id
        self.boot_id = boot_id
        self.capacity = capacity
        self.leaving: Leaving | None = None
        """Set once it has been told to stop."""
        self.sessions = SessionTable()
        self.rooms = RoomBook(relay_id)
        capacity.heard = self.rooms.heard
        self.seats = SeatBook()
        self.spent = SpentPermits()
        self.silences = Silences()
        self.opened = 0
        """Sessions since this start: the serial of the newest."""

    @property
    def draining(self) -> bool:
        """Whether it takes no new sessions, because it is being emptied."""
        return self.leaving is not None

    def leave(self, leaving: Leaving) -> None:
        """Takes no new sessions any more."""
        self.leaving = leaving

    def move_within_milliseconds(self, now: float) -> int:
        """How long people have to move in peace; 0 while nobody is asked to."""
        return self.leaving.move_within_milliseconds(now) if self.leaving else 0

    def check(self, permit: Permit, now: float) -> None:
        """Raises the reason why this permit opens no session here and now; changes nothing."""
        if permit.changing:
            raise PermitInvalid("this permit changes what a session hears: ask for one that opens a session")
        self._check_start(permit)
        if self.draining:
            raise RelayDraining("this relay is being emptied: ask for a new permit", retry_after_seconds=1.0)
        self.rooms.check(permit)
        self.seats.check(permit)
        self.spent.check(permit.permit_id, now)
        home = self.rooms.would_be_home(permit)
        self.capacity.check(permit, home=home, preferred=self.is_preferred(permit))

    def is_preferred(self, permit: Permit) -> bool:
        """Whether a permit may use what is kept back: the stage's, and those of people who come back."""
        return permit.kind is Kind.STAGE or permit.returning or self.seats.known(permit.seat)

    def open(self, session: MediaSession, now: float) -> list[Event]:
        """Takes in a session whose permit passed `check`; the oldest of too many half-open ones of the seat ends."""
        permit = session.permit
        self.spent.spend(permit.permit_id, now)
        self.rooms.learn(permit)
        session.muted = self.seats.muted(permit)
        session.ends_at = now + HALF_OPEN_SECONDS
        half_open = [other for other in self.sessions.of_seat(permit.seat) if not other.connected]
        events: list[Event] = []
        for other in half_open[: max(0, len(half_open) - HALF_OPEN_PER_SEAT + 1)]:
            events += self._end(other, Cause.EXPIRED)
        events += self._shut_other_booths(session)
        self.capacity.promise(permit, home=self.rooms.is_home(permit.room_id))
        first = not self.sessions.has_room(permit.room_id)
        self.opened += 1
        session.serial = self.opened
        self.sessions.add(session)
        self.seats.seen(permit.seat, now)
        return [*events, SessionOpened(session, first)]

    def authorised(self, session_id: str, proof: bytes) -> MediaSession:
        """The session, if `proof` is the hash of the permit that opened it.

        Raises SessionNotFound or PermitInvalid.
        """
        session = self.sessions.get(session_id)
        if session is None:
            raise SessionNotFound("no such media session: it has ended, or never was here")
        if session.proof != proof:
            raise PermitInvalid("this is not the permit that opened the session")
        return session

    def change(self, session_id: str, permit: Permit, now: float) -> MediaSession:
        """Lets a session hear what another permit of its seat says; one that did so already changes nothing.

        Raises SessionNotFound, PermitInvalid, WrongRelay, SeatStale, ChannelUnknown, PermitSpent.
        """
        session = self.sessions.get(session_id)
        if session is None:
            raise SessionNotFound("no such media session: it has ended, or never was here")
        before = session.permit
        if (permit.seat, permit.kind, permit.booth) != (before.seat, before.kind, before.booth):
            raise PermitInvalid("this permit is for another seat, or another kind of session")
        if permit.permit_id == session.changed_by:
            return session
        self._check_start(permit)
        self.rooms.check(permit)
        self.seats.check(permit)
        if permit.epoch != session.epoch:
            raise SeatStale("the seat has changed: ask for a new session")
        self.spent.check(permit.permit_id, now)
        self.spent.spend(permit.permit_id, now)
        self.capacity.hear(before, session.choice, permit.choice)
        session.choice, session.changed_by = permit.choice, permit.permit_id
        return session

    def check_etag(self, session: MediaSession, if_match: str) -> None:
        """Raises EtagMismatch unless `if_match` is `*` or holds the current tag (RFC 9110 §13.1.1)."""
        tags = [tag.strip() for tag in if_match.split(",")]
        if "*" not in tags and session.etag not in tags:
            raise EtagMismatch("If-Match does not name the current ICE session", metadata={"etag": session.etag})

    def audible_mute(self, session: MediaSession) -> bool:
        """Whether a microphone is shut: by its own mute, because its place is gone, or because the stage is closed."""
        return session.muted or session.silenced or self.rooms.stage_closed(session.permit.room_id)

    def nominated(self, session: MediaSession, now: float, *, tcp: bool = False) -> list[Event]:
        """A media address was chosen, over TCP or UDP."""
        session.nominated = True
        self._count_tcp(session, tcp=tcp)
        return self._connect(session, now)

    def keyed(self, session: MediaSession, now: float) -> list[Event]:
        """The handshake gave the keys."""
        session.keyed = True
        return self._connect(session, now)

    def idle(self, session: MediaSession) -> list[Event]:
        """No sign of life for seconds: with the event stream gone too, nobody is there."""
        session.idle = True
        if self.seats.stream_gone(session.permit):
            return self._end(session, Cause.EXPIRED)
        return [SessionIdle(session)]

    def active(self, session: MediaSession) -> list[Event]:
        """Checks came again."""
        was_idle, session.idle = session.idle, False
        return [SessionConnected(session, again=True)] if was_idle and session.connected else []

    def end(self, session: MediaSession, cause: Cause) -> list[Event]:
        """Ends a session at its owner's wish, or because its connection is gone."""
        return self._end(session, cause)

    def apply(self, change: SeatChange, now: float) -> list[Event]:
        """Carries out a change of a seat; one of an older term or epoch changes nothing."""
        if self.rooms.term_is_old(change.room_id, change.term):
            return []
        sessions = self.sessions.of_seat(change.seat)
        if change.action is SeatAction.END_SIGN_IN:
            # Whatever the seat's epoch is by now: a sign-in that ended has no later one.
            self.seats.end_sign_in(change, now)
            return self._end_all([s for s in sessions if change.ends(s.permit)], Cause.SEAT_ENDED)
        if self.seats.is_older(change):
            return []
        match change.action:
            case SeatAction.END:
                self.seats.raise_floor(change, now)
                return self._end_all([s for s in sessions if s.epoch < change.epoch], Cause.SEAT_ENDED)
            case SeatAction.REPLACE:
                self.seats.raise_floor(change, now)
                return self._replace(sessions, change.epoch, now)
            case SeatAction.MUTE | SeatAction.UNMUTE:
                return self._mute(sessions, change, now)
            case SeatAction.STREAM_GONE:
                self.seats.set_stream_gone(change, True, now)
                gone = [s for s in sessions if s.idle and s.epoch <= change.epoch]
                return self._end_all(gone, Cause.EXPIRED)
            case SeatAction.STREAM_BACK:
                self.seats.set_stream_gone(change, False, now)
        return []

    def configure(self, part: RoomPart, now: float) -> tuple[bool, list[Event]]:
        """Takes the relay's part in a room; says whether it changed, and what follows for sessions."""
        was_home = self.rooms.is_home(part.room_id)
        was_closed = self.rooms.stage_closed(part.room_id)
        if not self.rooms.configure(part, now):
            return False, []
        self.capacity.move(part.room_id, home=self.rooms.is_home(part.room_id))
        sessions = self.sessions.of_room(part.room_id)
        if not part.live:
            return True, self._end_all(sessions, Cause.SEAT_ENDED)
        # A channel that is gone is nobody's any more, and a microphone without its booth must not stay open.
        events = self._end_all(
            [each for each in sessions if not part.has(each.permit, each.choice.channel)], Cause.SEAT_ENDED
        )
        stage = [each for each in sessions if each.kind is Kind.STAGE and not each.ended]
        if was_home and part.home_relay_id != self.relay_id and not self.draining:
            # Of a relay that is being emptied they go on speaking until they have sound at the new home.
            return True, [*events, *self._end_all(stage, Cause.SEAT_ENDED)]
        if was_closed != part.stage_closed:
            events += [MuteChanged(session, self.audible_mute(session)) for session in stage]
        return True, events

    def tick(self, now: float) -> list[Event]:
        """Ends what is overdue and forgets what is old; call it several times a second."""
        events: list[Event] = []
        for session in self.sessions.overdue(now):
            events += self._end(session, Cause.SEAT_ENDED if session.connected else Cause.EXPIRED)
        return events

    def forget(self, now: float) -> None:
        """Drops memory that is no longer needed; call it every few seconds."""
        self.rooms.forget(now)
        self.seats.forget(now, frozenset(session.permit.seat for session in self.sessions))

    def let_go(self, may_stay: int) -> list[Event]:
        """Ends sessions beyond a number, the oldest of the audience first: a stage is heard by all, so it goes last."""
        excess = len(self.sessions) - may_stay
        if excess <= 0:
            return []
        by_age = sorted(self.sessions, key=lambda session: session.kind is Kind.STAGE)
        return self._end_all(by_age[:excess], Cause.DRAINING)

    def _check_start(self, permit: Permit) -> None:
        if (permit.relay_id, permit.boot_id) != (self.relay_id, self.boot_id):
            raise WrongRelay("this permit is for another relay, or for an earlier start of this one")

    def _shut_other_booths(self, session: MediaSession) -> list[Event]:
        """One person speaks in one booth: where two sessions differ, the one of the older epoch is not heard any more.

        Not even for the moment until the order to replace it comes: what is said in a booth must not reach the floor.
        """
        events: list[Event] = []
        if session.kind is not Kind.STAGE:
            return events
        for other in self.sessions.of_seat(session.permit.seat):
            if other.kind is Kind.STAGE and other.permit.booth != session.permit.booth:
                older = session if other.epoch > session.epoch else other
                older.silenced = True
                events.append(MuteChanged(older, True))
        return events

    def _connect(self, session: MediaSession, now: float) -> list[Event]:
        if session.connected or not (session.keyed and session.nominated):
            return []
        self.seats.heard(session.permit.seat, now)
        siblings = [other for other in self.sessions.of_seat(session.permit.seat) if other is not session]
        if any(other.connected and other.epoch > session.epoch for other in siblings):
            return self._end(session, Cause.SEAT_ENDED)
        session.connected = True
        if not self.seats.below_floor(session.permit):
            self.sessions.set_deadline(session, None)
        events: list[Event] = [SessionConnected(session)]
        for other in siblings:
            if other.epoch <= session.epoch:
                events += self._superseded(other, session, now)
        return events

    def _superseded(self, old: MediaSession, new: MediaSession, now: float) -> list[Event]:
        if old.kind is new.kind and old.connected:
            return self._end(old, Cause.SEAT_ENDED)
        if old.epoch == new.epoch or not old.connected:
            return []
        if old.kind is Kind.AUDIENCE:
            self.sessions.set_deadline(old, now + HAND_OVER_SECONDS)
            old.paused = True
            return [SessionPaused(old)]
        return self._end(old, Cause.SEAT_ENDED)

    def _replace(self, sessions: list[MediaSession], epoch: int, now: float) -> list[Event]:
        older = [session for session in sessions if session.epoch < epoch]
        successors = [session for session in sessions if session.epoch >= epoch and session.connected]
        events: list[Event] = []
        for session in older:
            # Before anything else, and whatever is said of mutes later: nobody on stage, nobody heard.
            if session.kind is Kind.STAGE:
                session.silenced = True
                events.append(MuteChanged(session, True))
            if successors:
                events += self._superseded(session, successors[-1], now)
            else:
                deadline = now + REPLACE_SECONDS
                self.sessions.set_deadline(session, min(deadline, session.ends_at or deadline))
        return events

    def _mute(self, sessions: list[MediaSession], change: SeatChange, now: float) -> list[Event]:
        muted = change.action is SeatAction.MUTE
        self.seats.set_muted(change, muted, now)
        events: list[Event] = []
        for session in sessions:
            if session.kind is Kind.STAGE and session.epoch <= change.epoch:
                session.muted = muted
                events.append(MuteChanged(session, self.audible_mute(session)))
        return events

    def _count_tcp(self, session: MediaSession, *, tcp: bool) -> None:
        if session.tcp != tcp:
            session.tcp = tcp
            self.capacity.carry_over_tcp(session.permit, 1 if tcp else -1)

    def _end_all(self, sessions: list[MediaSession], cause: Cause) -> list[Event]:
        return [event for session in sessions for event in self._end(session, cause)]

    def _end(self, session: MediaSession, cause: Cause) -> list[Event]:
        if session.ended:
            return []
        session.ended = True
        self.sessions.remove(session)
        self._count_tcp(session, tcp=False)
        self.capacity.release(session.permit, session.choice)
        return [SessionEnded(session, cause)]
