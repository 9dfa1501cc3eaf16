"""Copies of invite on one database, for tests of the doors."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update

from services.common.errors import DomainError
from services.common.limits import RateLimits
from services.common.sight.metrics import Metrics
from services.invite.app.doors import Doorkeeper, LineRules
from services.invite.app.redemption import Redemptions
from services.invite.domain.errors import too_often
from services.invite.domain.headroom import Fleet, RelayReport
from services.invite.messages import encode
from services.invite.metrics import PrometheusCounters
from services.invite.storage import SqlStore
from services.invite.storage.tables import entries
from services.programme.work import Limits, Work
from tests.integration.invite.conftest import CLAIM_SECONDS, MOST_WAITING, Door


def report(free: int, seats: int = 1000) -> RelayReport:
    """A relay with so many free seats for newcomers of so many."""
    used = (seats - free) * 50
    return RelayReport(
        relay_id="relay000000001",
        boot_id="boot0000000001",
        grpc_address="127.0.0.1:1",
        limits=Limits(usual=round(seats * 50 / 0.9) + 1),
        work=Work(used, used),
        listener=Work(50, 50),
        sessions=seats - free,
        opened=seats - free,
    )


class Copies:
    """Copies of invite on one database, each with doors and a view of the fleet of its own."""

    def __init__(self, door: Door, count: int) -> None:
        self.door = door
        self.metrics = Metrics("invite")
        self.counters = counters = PrometheusCounters(self.metrics)
        self.fleets = [Fleet() for _ in range(count)]
        store = SqlStore(door.database, encode)
        limits = RateLimits(door.clock.monotonic, counters.rate_limited, too_often)
        rules = LineRules(follows=True, most_waiting=MOST_WAITING, kept=timedelta(hours=24))
        self.doors = [
            Doorkeeper(
                store=store,
                fleet=fleet,
                limits=limits,
                clock=door.clock,
                counters=counters,
                rules=rules,
                post=door.post,
            )
            for fleet in self.fleets
        ]
        self.redemptions = [
            Redemptions(
                store=store,
                accounts=door.auth,
                limits=limits,
                clock=door.clock,
                counters=counters,
                doors=doors,
                claim_life=timedelta(seconds=CLAIM_SECONDS),
            )
            for doors in self.doors
        ]

    def hear(self, load: RelayReport) -> None:
        for fleet in self.fleets:
            fleet.hear(load, self.door.clock.monotonic())

    async def come(self, codes: Sequence[str], network: str = "") -> list[str | DomainError]:
        """Everybody redeems at once, by whichever copy; gives who came in, or the refusal."""

        async def one(number: int, code: str) -> str | DomainError:
            self.door.redemptions = self.redemptions[number % len(self.redemptions)]
            try:
                return await self.door.redeem(code, code.ljust(32, "a")[:32], f"guest_{code[:12]}", network)
            except DomainError as refusal:
                return refusal

        return list(await asyncio.gather(*(one(number, code) for number, code in enumerate(codes))))

    async def a_minute_passes(self) -> None:
        """For who came in; loads are heard as ever, and everybody in line goes on looking."""
        at = await moment_of(self.door) - timedelta(hours=2)
        async with self.door.database.write() as session:
            await session.execute(update(entries).values(at=at))


def came(answers: Sequence[str | DomainError]) -> list[int]:
    return [number for number, answer in enumerate(answers) if isinstance(answer, str)]


async def codes_of(door: Door, count: int) -> list[str]:
    async with SqlStore(door.database, encode).write() as tx:
        await tx.ensure_quota(door.owner, 2)
        await tx.add_to_quota("request_of_this", "operator", door.owner, count, door.clock.now())
    return [(await door.invite())[1] for _ in range(count)]


async def moment_of(door: Door) -> datetime:
    """Now, as the database has it."""
    async with SqlStore(door.database, encode).read() as tx:
        return await tx.moment(door.clock.now())
