"""The tree of who invited whom, and what happens in it when auth tells of people."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime

from services.common.clock import Clock
from services.common.errors import FieldInvalid
from services.common.store.database import retry_conflicts
from services.invite.app.ports import Accounts, Counters, Store
from services.invite.domain.people import Person, Place

DEFAULT_PAGE = 100
MY_LEVELS = 2
MY_LIMIT = 500
_ALL_LEVELS = 10_000


@dataclass(frozen=True, slots=True)
class Node:
    """One person in the tree, with their profile."""

    person: Person
    place: Place


class Tree:
    """Who came by whom."""

    def __init__(self, *, store: Store, accounts: Accounts, clock: Clock, counters: Counters) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._counters = counters

    async def get_my_tree(self, user_id: str) -> tuple[Person | None, list[Node]]:
        """Who invited the caller, and two levels of those who came by the caller."""
        async with self._store.read() as tx:
            own = await tx.get_place(user_id)
            below = await tx.walk(user_id, None, MY_LIMIT, MY_LEVELS)
        inviter_id = "" if own is None else own.inviter_id
        nodes = await self._nodes(below)
        if not inviter_id:
            return None, nodes
        known = await self._accounts.people([inviter_id])
        return known.get(inviter_id, Person(user_id=inviter_id)), nodes

    async def get_tree(self, root_id: str, page_size: int, page_token: str) -> tuple[list[Node], str]:
        """A page, breadth first, and the token of the next one. Raises FieldInvalid for a made-up token."""
        limit = page_size or DEFAULT_PAGE
        async with self._store.read() as tx:
            places = await tx.walk(root_id, _read_token(page_token), limit + 1, _ALL_LEVELS)
        nodes = await self._nodes(places[:limit])
        return nodes, _write_token(nodes[-1].place) if len(places) > limit else ""

    async def account_created(self, user_id: str, at: datetime) -> None:
        """A place for somebody who came without an invitation; a redemption names the inviter."""
        async with self._store.write() as tx:
            await tx.add_person(user_id, "", at)

    async def standing_changed(self, user_id: str, standing: str) -> None:
        """Suspended or active again: the invitations of the suspended do not work meanwhile."""
        async with self._store.write() as tx:
            await tx.set_standing(user_id, standing)

    @retry_conflicts()
    async def account_deleted(self, user_id: str) -> None:
        """Takes back the open invitations of somebody who left, and notes; the place in the tree stays, nameless."""
        async with self._store.write() as tx:
            await tx.set_standing(user_id, "deleted")
            count = await tx.revoke_all(user_id)
            await tx.forget_notes(user_id)
            if count:
                now = self._clock.now()
                await tx.audit(
                    now, "invite", "invitations_revoked", user_id, {"count": count, "why": "account_deleted"}
                )
        self._counters.invitations("revoked", count)

    async def _nodes(self, places: list[Place]) -> list[Node]:
        people = await self._accounts.people(place.user_id for place in places)
        return [Node(people.get(place.user_id, Person(user_id=place.user_id)), place) for place in places]


def _write_token(place: Place) -> str:
    micros = round(place.joined_at.timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(f"{place.depth}.{micros}.{place.user_id}".encode()).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[int, datetime, str] | None:
    if not token:
        return None
    try:
        depth, micros, user_id = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(".")
        seconds, rest = divmod(int(micros), 1_000_000)
        return int(depth), datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), user_id
    except (ValueError, binascii.Error, OverflowError, OSError):
        raise FieldInvalid(fields=(("page_token", "is not one of an earlier page"),)) from None
