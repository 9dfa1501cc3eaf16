"""Invite and auth in one process, each with a real database, and a link between them that tests can break."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.auth.app.ports import Visitor as AuthVisitor
from services.auth.domain.account import NewProfile
from services.auth.storage.tables import metadata as auth_tables
from services.common.errors import PartUnavailable
from services.common.ids import new_id
from services.common.limits import RateLimits
from services.common.sight.metrics import Metrics
from services.common.store.audit import AuditRow
from services.common.store.database import Database
from services.invite.app.doors import Doorkeeper, LineRules
from services.invite.app.invitations import Invitations, Rules
from services.invite.app.ports import NewAccount, Visitor
from services.invite.app.redemption import Redemptions
from services.invite.app.tree import Tree
from services.invite.domain.errors import too_often
from services.invite.domain.headroom import Fleet
from services.invite.domain.people import Person
from services.invite.messages import encode
from services.invite.metrics import PrometheusCounters
from services.invite.storage import SqlStore
from services.invite.storage.tables import audit, metadata, outbox
from tests.integration.auth.conftest import Hall, open_hall
from tests.support.fake_clock import FakeClock
from tests.support.fake_post import FakePost

OWNER = "user000000000001"
CLAIM_SECONDS = 900
MOST_WAITING = 50
CODE_SECRET = b"a secret of codes for tests only"


@dataclass
class AuthLink:
    """Calls auth's use cases as the gRPC client would; `before` and `after` may break a call at either end."""

    hall: Hall
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None

    async def create_account(
        self, redemption_id: str, profile: NewProfile, inviter_id: str, visitor: Visitor
    ) -> NewAccount:
        self.before("create_account")
        made = await self.hall.parts.app.accounts.create_account(
            redemption_id, profile, inviter_id, AuthVisitor(visitor.network, visitor.user_agent)
        )
        self.after("create_account")
        return NewAccount(made.own.account.user_id, made)

    async def check_new_profile(self, profile: NewProfile) -> None:
        self.before("check_new_profile")
        await self.hall.parts.app.accounts.check_new_profile(profile)

    async def settle_redemption(self, redemption_id: str) -> str:
        self.before("settle_redemption")
        user_id = await self.hall.parts.app.accounts.settle_redemption(redemption_id)
        self.after("settle_redemption")
        return user_id

    async def people(self, user_ids: Iterable[str]) -> dict[str, Person]:
        found = await self.hall.parts.app.accounts.batch_get_profiles(user_ids)
        return {each.user_id: Person(user_id=each.user_id, handle=each.handle) for each in found}


@dataclass
class Door:
    """A deployment's invite with its auth, and what a test needs of both."""

    hall: Hall
    database: Database
    clock: FakeClock
    auth: AuthLink
    invitations: Invitations
    redemptions: Redemptions
    doors: Doorkeeper
    fleet: Fleet
    tree: Tree
    post: FakePost
    metrics: Metrics
    owner: str = OWNER
    _networks: int = field(default=0)

    async def invite(self, inviter: str = "", **how: Any) -> tuple[str, str]:
        """Id and code of a new invitation."""
        values = {"request_id": new_id() * 2, "note": "", "room_id": ""} | how
        shown = await self.invitations.create(inviter or self.owner, **values)
        return shown.invitation.invitation_id, shown.link.rsplit("/", 1)[1]

    async def redeem(self, code: str, request_id: str, handle: str, network: str = "") -> str:
        """The new account's id; each call comes from a network of its own unless one is named."""
        self._networks += 1
        visitor = Visitor(network or f"10.{self._networks // 256}.{self._networks % 256}.0/24")
        profile = NewProfile(handle=handle, display_name=handle.title())
        account, _ = await self.redemptions.redeem(code, request_id, profile, visitor)
        return account.user_id

    async def state(self, invitation_id: str) -> tuple[str, str]:
        """Where an invitation stands, and its guest."""
        async with SqlStore(self.database, encode).read() as tx:
            found = await tx.get_invitation(invitation_id)
        assert found is not None
        return found.state.value, found.guest_id

    async def left(self, user_id: str = "") -> int:
        """How many invitations a person can still make."""
        return (await self.invitations.list_own(user_id or self.owner))[1].left

    async def accounts(self) -> int:
        """How many accounts there are in auth."""
        return len((await self.hall.parts.app.operators.list_accounts("", 200, ""))[0])

    async def facts(self) -> list[Any]:
        """All facts told so far."""
        async with self.database.read() as session:
            return [fact.event for fact in await outbox.list_after(session, 0)]

    async def audited(self) -> list[AuditRow]:
        """What was recorded, oldest first."""
        async with self.database.read() as session:
            return (await audit.latest(session, limit=1000))[::-1]


def unreachable(*names: str) -> Callable[[str], None]:
    """Breaks the named calls as a dead peer does."""

    def break_call(name: str) -> None:
        if name in names:
            raise PartUnavailable("auth cannot be reached")

    return break_call


@pytest.fixture(params=["sqlite", "postgresql"])
def database_urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """URL and schema of auth's and of invite's empty database, of each kind."""
    if request.param == "sqlite":
        return (f"sqlite+aiosqlite:///{tmp_path}/auth.db", ""), (f"sqlite+aiosqlite:///{tmp_path}/invite.db", "")
    url = request.getfixturevalue("postgres_url")
    return (url, f"test_{new_id()}"), (url, f"test_{new_id()}")


@pytest_asyncio.fixture
async def door(database_urls: tuple[tuple[str, str], tuple[str, str]], tmp_path: Path) -> AsyncIterator[Door]:
    """Invite and auth on SQLite and on PostgreSQL, with an owner."""
    auth_database, database = (Database(url, schema) for url, schema in database_urls)
    await auth_database.create_all(auth_tables)
    await database.create_all(metadata)
    clock, metrics = FakeClock(), Metrics("invite")
    hall = await open_hall(auth_database, tmp_path, clock)
    owner = (await hall.owner()).own.account.user_id
    link = AuthLink(hall)
    post = FakePost()
    store, counters = SqlStore(database, encode), PrometheusCounters(metrics)
    fleet, limits = Fleet(), RateLimits(clock.monotonic, counters.rate_limited, too_often)
    doors = Doorkeeper(
        store=store,
        fleet=fleet,
        limits=limits,
        clock=clock,
        counters=counters,
        rules=LineRules(follows=False, most_waiting=MOST_WAITING, kept=timedelta(hours=24)),
        post=post,
    )
    rules = Rules(2, timedelta(days=30), "http://localhost:8080", CODE_SECRET)
    yield Door(
        hall=hall,
        database=database,
        clock=clock,
        auth=link,
        invitations=Invitations(store=store, accounts=link, clock=clock, counters=counters, rules=rules),
        redemptions=Redemptions(
            store=store,
            accounts=link,
            limits=limits,
            clock=clock,
            counters=counters,
            doors=doors,
            claim_life=timedelta(seconds=CLAIM_SECONDS),
        ),
        doors=doors,
        fleet=fleet,
        tree=Tree(store=store, accounts=link, clock=clock, counters=counters),
        post=post,
        metrics=metrics,
        owner=owner,
    )
    await auth_database.close()
    await database.close()
