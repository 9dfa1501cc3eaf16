"""What the use cases need of the world outside: small protocols that adapters and fakes fulfil."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.room_directory.domain.caption_ring import Caption
from services.room_directory.domain.choosing import Placement
from services.room_directory.domain.events import Fact, SeatOrder
from services.room_directory.domain.left_places import PlaceLeft
from services.room_directory.domain.people import Person
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.presence import SessionNews
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Downgrade, Rungs
from services.room_directory.domain.seats import Booth


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what to whom, for the audit trail."""

    actor_id: str
    action: str
    target: str
    detail: dict[str, str] = field(default_factory=dict)
    goes_on: bool = False
    """Whether it takes effect also while it cannot be written: what takes something away must not wait for a disk."""
    seats: bool = False
    """Whether it gives somebody a seat, whose number has to last."""


@dataclass(frozen=True, slots=True)
class Deed:
    """An act as the audit keeps it: when, and what came of it."""

    act: Act
    at: datetime
    revision: int
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRelay:
    """A relay as it is remembered over restarts."""

    relay_id: str
    boot_id: str
    grpc_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """A report about a person."""

    report_id: str
    room_id: str
    room_title: str
    reporter_id: str
    subject_id: str
    kind: str
    text: str
    created_at: datetime
    resolved: bool = False
    resolution: str = ""


@dataclass(frozen=True, slots=True)
class BoothPart:
    """What the channel of a language carries."""

    booth: Booth
    active_member: int
    """Who is heard on it; 0 while nobody interprets."""
    hearing: tuple[tuple[int, str], ...] = ()
    """Member numbers of those in the booth who hear another channel than the floor, and its name."""


@dataclass(frozen=True, slots=True)
class RoomPart:
    """A relay's part in a room."""

    room_id: str
    home_relay_id: str
    live: bool
    stage_closed: bool
    channels: tuple[str, ...]
    """The names of all channels of its programme."""
    term: int = 1
    booths: tuple[BoothPart, ...] = ()
    members: tuple[tuple[int, str], ...] = ()
    """Member numbers of those on the floor of the stage, and the language each speaks."""
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Pulse:
    """A room's counts, once a second; `sample` is None unless it changed."""

    room_id: str
    revision: int
    at: datetime
    listener_count: int
    hand_count: int
    sample: tuple[Person, ...] | None
    queue_revision: int
    term: int = 1
    rungs: Rungs | None = None
    """None where they were not counted again."""
    web: int = 0
    """How many listen from the web without a seat."""


class RoomStore(Protocol):
    """Rooms in and out of the database."""

    async def load_live(self) -> list[tuple[Room, int]]:
        """Every room that is not over, with its epoch ceiling."""
        ...

    async def load(self, room_id: str) -> Room | None:
        """One room with its rows, also when it is over."""
        ...

    async def find_request(self, creator_id: str, request_id: str) -> str | None:
        """The room that this request made before."""
        ...

    async def create(self, room: Room, epoch_ceiling: int, act: Act) -> None:
        """Writes a new room. Raises Conflict when the request made one already."""
        ...

    async def save(self, before: Room, room: Room, deeds: Sequence[Deed]) -> None:
        """Writes what changed since rows were as in `before`. Raises Conflict, StorageUnavailable."""
        ...

    async def reserve_epochs(self, room_id: str, ceiling: int) -> None:
        """Records that epochs below `ceiling` may be in use."""
        ...


class Owners(Protocol):
    """Which copy of the directory decides about which room."""

    def may_decide(self, room_id: str) -> bool:
        """Whether nobody else can own the room at this moment."""
        ...

    def may_go_on(self, room_id: str) -> bool:
        """Whether this copy owns it as far as anybody can know: the database, which would tell, may be away."""
        ...

    async def look_for(self, room_id: str) -> None:
        """Returns when a room that was on its way is here, or no copy has it. Raises RoomMoves for one elsewhere."""
        ...

    def making(self, room: Room) -> AbstractContextManager[None]:
        """Around the writing of a new room, which is this copy's."""
        ...


class SoleOwner:
    """The only copy there is: every room is its own."""

    def may_decide(self, room_id: str) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def may_go_on(self, room_id: str) -> bool:  # noqa: ARG002
        """Always."""
        return True

    async def look_for(self, room_id: str) -> None:
        """Nothing: a room that is not here is nowhere."""

    def making(self, room: Room) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing: nobody else could take it."""
        return nullcontext()


class Neighbours(Protocol):
    """The other copies of this service."""

    async def note_block(self, blocker_id: str, blocked_id: str, *, stands: bool) -> list[tuple[str, str]]:
        """Tells all of them that answer soon; returns id and title of each room of theirs that the block is about."""
        ...

    async def note_places_left(self, places: list[PlaceLeft]) -> None:
        """Tells all of them that answer soon who left lines of this copy."""
        ...


class Alone:
    """No other copy."""

    async def note_block(self, blocker_id: str, blocked_id: str, *, stands: bool) -> list[tuple[str, str]]:  # noqa: ARG002
        """Tells nobody."""
        return []

    async def note_places_left(self, places: list[PlaceLeft]) -> None:
        """Tells nobody."""


class Ledger(Protocol):
    """What is kept beside rooms: blocks and reports."""

    async def blocks(self) -> list[tuple[str, str]]:
        """Every (blocker, blocked) pair, newest first."""
        ...

    async def block(self, blocker_id: str, blocked_id: str, act: Act) -> None:
        """Adds a pair."""
        ...

    async def unblock(self, blocker_id: str, blocked_id: str, act: Act) -> None:
        """Takes a pair away."""
        ...

    async def add_report(self, report: ReportRecord, act: Act) -> None: ...

    async def reports(self, *, open_only: bool, limit: int, before: tuple[datetime, str] | None) -> list[ReportRecord]:
        """Reports, newest first, after the one that `before` names."""
        ...

    async def resolve_report(self, report_id: str, resolution: str, act: Act) -> bool:
        """Closes a report; False when there is none."""
        ...

    async def forget_person(self, user_id: str, act: Act) -> None:
        """Deletes what is known of a deleted account beside rooms."""
        ...


class RelayMemory(Protocol):
    """Relays, remembered over restarts."""

    async def relays(self) -> list[StoredRelay]:
        """Every relay that reported lately."""
        ...

    async def remember_relay(self, relay: StoredRelay) -> None:
        """Keeps a relay's newest start and address."""
        ...


class RelayClient(Protocol):
    """One relay's RPCs; each call has a deadline and raises DomainError."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands: a process that is killed leaves none."""
        ...

    async def apply_seat_changes(self, orders: Sequence[SeatOrder]) -> None:
        """Puts changes of seats in force."""
        ...

    async def configure_rooms(self, parts: Sequence[RoomPart]) -> None:
        """Tells the relay its part in rooms."""
        ...

    async def list_sessions(self) -> dict[str, list[SessionNews]]:
        """Every session, by room."""
        ...

    async def get_load(self) -> RelayLoadState:
        """The load as heartbeats have it."""
        ...

    async def close(self) -> None:
        """Gives the connection up."""
        ...


class RelayClients(Protocol):
    """Makes clients of relays."""

    def __call__(self, relay_id: str, grpc_address: str, /) -> RelayClient: ...


class ProfileSource(Protocol):
    """Where profiles come from."""

    async def fetch(self, user_ids: Sequence[str]) -> list[Person]:
        """The profiles of these accounts; unknown ones are left out. Raises DomainError."""
        ...

    async def find_by_handle(self, handle: str) -> Person | None:
        """The person with that handle, as the current caller may see them. Raises DomainError."""
        ...


class Announcer(Protocol):
    """Tells the world, in order; never waits."""

    def tell(self, facts: Iterable[Fact]) -> None:
        """What happened."""
        ...

    def pulse(self, pulse: Pulse) -> None:
        """A room's counts."""
        ...


class CaptionTeller(Protocol):
    """Tells the world of captions, at once; never fails."""

    async def __call__(self, room_id: str, term: int, caption: Caption, /) -> None: ...


class Signer(Protocol):
    """Signs permits."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """A permit with these claims, by the words of the contract (PermitClaims)."""
        ...


class Counters(Protocol):
    """What operators want to count."""

    def joined(self, result: str, user_id: str) -> None:
        """Somebody tried to take a seat: "seated", or the reason they could not."""
        ...

    def sounding(self, seconds: float) -> None:
        """Somebody's sound came so long after they took their seat."""
        ...

    def downgraded(self, why: Downgrade) -> None:
        """Somebody's sound comes over HTTPS who had asked for a call."""
        ...

    def rungs(self, rungs: Rungs) -> None:
        """By which way people hear now."""
        ...

    def changed(self, action: str) -> None:
        """A change of a room was kept."""
        ...

    def captioned(self, result: str) -> None:
        """Somebody wrote a caption: "interim", "final", "corrected", "hidden", or the reason they could not."""
        ...

    def told(self, facts: Sequence[Fact]) -> None:
        """Facts of a room were told."""
        ...

    def counted(self, *, rooms: int, listeners: int, hands: int, booths: int, interpreting: int, silent: int) -> None:
        """How many there are now."""
        ...


class Ids(Protocol):
    """Makes what must be unique."""

    def new_id(self) -> str: ...

    def member(self) -> int:
        """A number from 1 to 2³²-1."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of the use cases, from the settings."""

    rooms_led: int = 3
    waiting: int = 50_000
    entries_per_second: float = 250.0
    relay_share: float = 1.0
    placement: Placement = Placement.SPREAD
    permit_seconds: float = 15.0
    hands_per_minute: int = 6
    captions_per_second: float = 5.0
    captions_at_once: int = 10
    reports_per_hour: int = 10
    rosters_per_minute: int = 30
    relay_lost_seconds: float = 3.0
    sample_size: int = 24
