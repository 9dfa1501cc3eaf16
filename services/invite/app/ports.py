"""What the use cases need of the outside: store, auth, limits, counters."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.common.errors import DomainError
from services.common.facts.outbox import StoredFact
from services.common.limits import Limit
from services.invite.domain.doors import Override, Pace
from services.invite.domain.events import Event
from services.invite.domain.headroom import Headroom
from services.invite.domain.invitation import Invitation, Quota
from services.invite.domain.letters import Letter
from services.invite.domain.line import Entered, Standing
from services.invite.domain.people import Person, Place


class QuotaRows(Protocol):
    """Quotas: every change is one conditional update, so that no race spends one invitation too many."""

    async def ensure_quota(self, user_id: str, granted: int) -> None:
        """Gives a person their first quota, unless they have one."""
        ...

    async def get_quota(self, user_id: str) -> Quota | None:
        """A person's quota."""
        ...

    async def take_from_quota(self, user_id: str) -> bool:
        """Uses one up; False when none is left."""
        ...

    async def give_back_to_quota(self, user_id: str) -> None:
        """One came back."""
        ...

    async def add_to_quota(self, request_id: str, operator_id: str, user_id: str, count: int, now: datetime) -> bool:
        """Grants more; False when this request has done so before."""
        ...


class InvitationRows(Protocol):
    """Invitations: every change of state is one conditional update; None or False means it did not apply."""

    async def add_invitation(self, invitation: Invitation) -> None:
        """Stores a new one. Raises Conflict when its request made one meanwhile."""
        ...

    async def get_invitation(self, invitation_id: str) -> Invitation | None: ...

    async def find_by_request(self, inviter_id: str, request_id: str) -> Invitation | None:
        """The one that a request made."""
        ...

    async def find_by_code(self, code_hash: str) -> Invitation | None: ...

    async def list_invitations(
        self, inviter_id: str, after: tuple[datetime, str] | None, limit: int
    ) -> list[Invitation]:
        """A person's invitations, newest first, without those taken back, from after a place in that order."""
        ...

    async def claim(
        self, invitation_id: str, redemption_id: str, request_hash: str, until: datetime, now: datetime
    ) -> bool:
        """Open, unexpired and of a person in good standing -> claimed."""
        ...

    async def release(self, redemption_id: str) -> bool:
        """Claimed by this redemption -> open."""
        ...

    async def confirm(self, redemption_id: str, guest_id: str, now: datetime) -> Invitation | None:
        """Claimed by this redemption -> spent."""
        ...

    async def revoke(self, invitation_id: str) -> bool:
        """Open -> revoked."""
        ...

    async def forget_notes(self, user_id: str) -> None:
        """Empties the notes that a person wrote, and the one that was written of them."""
        ...

    async def revoke_all(self, inviter_id: str) -> int:
        """All open ones of a person -> revoked; how many."""
        ...

    async def change_note(self, invitation_id: str, note: str) -> Invitation | None:
        """A new note on an unspent one."""
        ...

    async def expire(self, now: datetime) -> list[Invitation]:
        """Open ones past their time -> expired; some of them, if there are many."""
        ...

    async def stale_claims(self, now: datetime, limit: int) -> list[Invitation]:
        """Claims past their time."""
        ...


class PeopleRows(Protocol):
    """The tree of who invited whom."""

    async def add_person(self, user_id: str, inviter_id: str, joined_at: datetime) -> None:
        """A place in the tree; a known inviter is never replaced by none."""
        ...

    async def set_standing(self, user_id: str, standing: str) -> None:
        """active, suspended or deleted: the invitations of others than the active ones do not work."""
        ...

    async def in_good_standing(self, user_id: str) -> bool:
        """Whether a person's invitations work."""
        ...

    async def get_place(self, user_id: str) -> Place | None:
        """A person's place, depth 0."""
        ...

    async def walk(self, root_id: str, after: tuple[int, datetime, str] | None, limit: int, depth: int) -> list[Place]:
        """The people below `root_id`, or all when it is empty, breadth first, down to `depth` levels."""
        ...


class DoorRows(Protocol):
    """The doors, the line before them, and the count of who came in."""

    async def moment(self, now: datetime) -> datetime:
        """The time by which all copies count."""
        ...

    async def lock_doors(self) -> Override | None:
        """Holds the doors until the end of the transaction; returns what an operator ordered last."""
        ...

    async def get_override(self) -> Override | None:
        """What an operator ordered last."""
        ...

    async def set_override(self, override: Override | None) -> None:
        """Orders, or takes the order back."""
        ...

    async def entered(self, at: datetime, seconds: float, lately_seconds: float) -> Entered:
        """How many came in within so many seconds before a moment, and within the last few of them."""
        ...

    async def note_entry(self, redemption_id: str, at: datetime) -> None:
        """Counts a newcomer in. Raises Conflict when the decision is older than the database's clock allows."""
        ...

    async def take_back_entry(self, redemption_id: str) -> None:
        """Nobody came of it: another may."""
        ...

    async def number_of(self, invitation_id: str) -> int | None:
        """The number of a code's place."""
        ...

    async def ahead_of(self, number: int | None, at: datetime, most: int) -> int:
        """How many present people wait before a place, or in all; `most` is where counting ends."""
        ...

    async def count_places(self) -> int:
        """All places, of people who look and of people who do not."""
        ...

    async def take_place(self, invitation_id: str, at: datetime, present_until: datetime, kept_until: datetime) -> int:
        """The number of a place at the end of the line; the doors are held meanwhile."""
        ...

    async def hold_place(self, invitation_id: str, request_hash: str) -> None:
        """The place is of this request from now on."""
        ...

    async def leave_place(self, invitation_id: str) -> None:
        """Gives up a code's place, if it has one."""
        ...

    async def keep_places(self, at: datetime, present_until: Mapping[str, datetime], kept_until: datetime) -> None:
        """Notes who looked: until when each counts as waiting."""
        ...

    async def line(self, at: datetime) -> list[Standing]:
        """Everybody with a place whose code still works, first come first."""
        ...

    async def sweep_line(self, at: datetime, entries_before: datetime) -> int:
        """Ends places that nobody kept, or whose codes do not work any more; forgets who came in long ago."""
        ...


class LetterRows(Protocol):
    """Addresses left with places before the doors, and the letters that went there."""

    async def letters_sent(self, invitation_id: str) -> int:
        """How many letters went out by a code."""
        ...

    async def leave_address(self, invitation_id: str, address: str, locale: str, at: datetime) -> bool:
        """Notes where a place's letter goes, empty for nowhere; False when there is no such place."""
        ...

    async def silent(
        self, at: datetime, looked_before: datetime, tried_before: datetime, limit: int
    ) -> list[tuple[int, str]]:
        """Number and invitation of places with an address, whose pages are closed; first come first."""
        ...

    async def told(self, at: datetime, seconds: float, lately_seconds: float) -> Entered:
        """How many who have not come yet were written to within so many seconds, and within the last few of them."""
        ...

    async def begin_letter(self, invitation_id: str, at: datetime, kept_until: datetime) -> Letter | None:
        """A letter that this copy sends; its place is kept long enough to come."""
        ...

    async def end_letter(self, letter: Letter, *, sent: bool) -> None:
        """It is on its way, or will never be: it counts, and the address is forgotten, unless it is another by now."""
        ...


class Tx(QuotaRows, InvitationRows, PeopleRows, DoorRows, LetterRows, Protocol):
    """One transaction on everything invite keeps."""

    async def tell(self, events: Sequence[Event]) -> None:
        """Stores facts for the other services; they hear of them after the commit."""
        ...

    async def audit(
        self, now: datetime, actor: str, action: str, target: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Records who did what."""
        ...


class Store(Protocol):
    """Where transactions come from."""

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that commits at the end of the block."""
        ...

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that only looks."""
        ...

    async def facts_after(self, after: int, limit: int) -> list[StoredFact]:
        """Facts with a higher number, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What auth answered: whose account it is, and the answer itself, to be handed on untouched."""

    user_id: str
    answer: Any = field(repr=False)


class Accounts(Protocol):
    """What invite asks of auth. Each method raises DomainError: auth's own refusals, or that it cannot be reached."""

    async def create_account(self, redemption_id: str, profile: Any, inviter_id: str, visitor: "Visitor") -> NewAccount:
        """The account of a redemption, made once."""
        ...

    async def check_new_profile(self, profile: Any) -> None:
        """Raises what creating an account with it would be refused with now."""
        ...

    async def settle_redemption(self, redemption_id: str) -> str:
        """The account a redemption led to, or an empty string: then none can come of it any more."""
        ...

    async def people(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """Profiles of those people who exist."""
        ...


class Post(Protocol):
    """Sends letters, by auth."""

    @property
    def can_deliver(self) -> bool:
        """Whether letters go anywhere, as far as is known."""
        ...

    async def refresh(self) -> None:
        """Asks how it stands, when that was long ago; never raises."""
        ...

    async def send_turn(self, address: str, locale: str, link: str, minutes: int) -> None:
        """Tells somebody of their turn. Raises DomainError."""
        ...


class Limits(Protocol):
    """Counts tries."""

    def take(self, limit: Limit, key: str = "") -> None:
        """Counts one. Raises RateLimited when there were too many."""
        ...

    def give_back(self, limit: Limit, key: str = "") -> None:
        """Uncounts one that turned out to be good."""
        ...


class Doors(Protocol):
    """Lets newcomers in at a pace."""

    async def enter(self, tx: Tx, invitation: Invitation, redemption_id: str, holder_hash: str) -> DomainError | None:
        """Counts a newcomer in, or gives the refusal that tells their place. Raises LineFull."""
        ...


class Counters(Protocol):
    """What operators want to count."""

    def redemption(self, result: str) -> None:
        """One try to redeem."""
        ...

    def invitations(self, what: str, count: int = 1) -> None:
        """Invitations that were created, revoked, expired, or whose claim was settled."""
        ...

    def doors(self, pace: Pace, headroom: Headroom | None, waiting: int, places: int) -> None:
        """How the doors stand, what is known of the fleet, who waits, and how many places are kept."""
        ...


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a call comes from, for limits and for the newcomer's list of sign-ins."""

    network: str = ""
    user_agent: str = ""
