"""The media sessions of a relay, found by id, by the packet core's handle, by seat and by room."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.media_relay.domain.permits import Choice, Kind, Permit

Seat = tuple[str, str]


@dataclass(slots=True, eq=False)
class MediaSession:
    """One negotiated session; times are monotonic seconds."""

    session_id: str
    permit: Permit
    proof: bytes
    """Hash of the permit string that opened it and authorises changing it."""
    handle: int
    """The packet core's number."""
    etag: str
    remote_ufrag: str
    opened_at: float
    choice: Choice = field(init=False)
    """What it is to hear, by the permit shown last."""
    channel: str = field(init=False)
    """The name of the channel that it hears now."""
    changed_by: str = ""
    """The permit that changed last what it hears."""
    serial: int = 0
    """Which session of this start of the relay it is, from 1."""
    keyed: bool = False
    nominated: bool = False
    tcp: bool = False
    """Its media goes over TCP."""
    connected: bool = False
    """Media flows, or did until it went idle."""
    idle: bool = False
    muted: bool = False
    silenced: bool = False
    """Its person has left the stage, or changed there: it may hear until its successor connects, never speak again."""
    paused: bool = False
    ended: bool = False
    ends_at: float | None = None
    """When it ends by itself: half-open, or waiting for its successor."""

    def __post_init__(self) -> None:
        self.choice = self.permit.choice
        self.channel = self.choice.channel

    @property
    def kind(self) -> Kind:
        """Audience or stage."""
        return self.permit.kind

    @property
    def epoch(self) -> int:
        """Of the seat, when the permit was signed."""
        return self.permit.epoch


@dataclass(frozen=True, slots=True)
class RoomCount:
    """What the relay carries of one room: connected sessions."""

    room_id: str
    listeners: int
    stage: int
    channels: dict[str, int]
    """Listeners by the name of the channel they hear."""
    over_tcp: int = 0
    """Of the listeners, those over TCP."""


@dataclass(slots=True)
class SessionTable:
    """All sessions that have not ended."""

    _by_id: dict[str, MediaSession] = field(default_factory=dict)
    _by_handle: dict[int, MediaSession] = field(default_factory=dict)
    _by_seat: dict[Seat, list[MediaSession]] = field(default_factory=dict)
    _by_room: dict[str, dict[str, MediaSession]] = field(default_factory=dict)
    _with_deadline: dict[str, MediaSession] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[MediaSession]:
        return iter(list(self._by_id.values()))

    def get(self, session_id: str) -> MediaSession | None:
        return self._by_id.get(session_id)

    def of_handle(self, handle: int) -> MediaSession | None:
        """The session the packet core knows by this handle."""
        return self._by_handle.get(handle)

    def of_seat(self, seat: Seat) -> list[MediaSession]:
        """The seat's sessions, oldest first."""
        return list(self._by_seat.get(seat, ()))

    def of_room(self, room_id: str) -> list[MediaSession]:
        """The room's sessions, oldest first."""
        return list(self._by_room.get(room_id, {}).values())

    def has_room(self, room_id: str) -> bool:
        """Whether a session of the room is here."""
        return room_id in self._by_room

    def rooms(self) -> list[str]:
        """Rooms with at least one session."""
        return list(self._by_room)

    def room_counts(self) -> list[RoomCount]:
        """Connected sessions by room; a room whose first session is still connecting counts zero."""
        counts = []
        for room_id, sessions in self._by_room.items():
            connected = [session for session in sessions.values() if session.connected]
            channels = Counter(session.channel for session in connected if session.kind is Kind.AUDIENCE)
            listeners = channels.total()
            over_tcp = sum(session.tcp and session.kind is Kind.AUDIENCE for session in connected)
            counts.append(RoomCount(room_id, listeners, len(connected) - listeners, channels, over_tcp))
        return counts

    def add(self, session: MediaSession) -> None:
        """Takes a new session in."""
        self._by_id[session.session_id] = session
        self._by_handle[session.handle] = session
        self._by_seat.setdefault(session.permit.seat, []).append(session)
        self._by_room.setdefault(session.permit.room_id, {})[session.session_id] = session
        self.set_deadline(session, session.ends_at)

    def remove(self, session: MediaSession) -> None:
        """Forgets a session that ended."""
        del self._by_id[session.session_id]
        del self._by_handle[session.handle]
        self._with_deadline.pop(session.session_id, None)
        seat = self._by_seat[session.permit.seat]
        seat.remove(session)
        if not seat:
            del self._by_seat[session.permit.seat]
        room = self._by_room[session.permit.room_id]
        del room[session.session_id]
        if not room:
            del self._by_room[session.permit.room_id]

    def set_deadline(self, session: MediaSession, ends_at: float | None) -> None:
        """Says when the session ends by itself; None for not at all."""
        session.ends_at = ends_at
        if ends_at is None:
            self._with_deadline.pop(session.session_id, None)
        else:
            self._with_deadline[session.session_id] = session

    def overdue(self, now: float) -> list[MediaSession]:
        """Sessions whose time is up."""
        return [session for session in self._with_deadline.values() if (session.ends_at or 0.0) <= now]
