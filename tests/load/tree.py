"""`make doors`: a tree of invitations that grows as fast as it may, against a fleet of one relay and soon of four."""

import argparse
import asyncio
import secrets
import sqlite3
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from majlis.invite.v1 import invite_service_pb2

from tests.load.chart import Panel, Series
from tests.load.crowd import OPEN_LIMITS, room, tokens
from tests.load.hall import Players, players
from tests.load.rows import Row
from tests.load.spare_relay import SpareRelay
from tests.load.verdict import bar, conclude, fact, run_to_end
from tests.load.watch import Gauge, Points, Watch, quantile
from tests.support.members import owner_of
from tests.support.stack import Stack

MINUTE = 60.0
WAITING_REASONS = ("DOORS_PACED", "DOORS_PAUSED", "LINE_FULL", "RATE_LIMITED", "INVITATION_CLAIMED")


@dataclass(frozen=True)
class Growth:
    """How large a run is."""

    relays: int = 4
    budget: int = 12_000
    """Packets a second of each relay: about 200 listeners, and a dozen who come in at once."""
    every: float = 45.0
    """Seconds after which another relay joins."""
    roots: int = 60
    most: int = 2000
    """People, with those who wait."""

    @property
    def seconds(self) -> float:
        return self.relays * self.every


SHORT = Growth(relays=2, every=8.0, roots=8, most=150)


@dataclass
class Tree:
    """Who came, who waits, and what was seen of it; times in seconds since it began."""

    http: httpx.AsyncClient
    stack: Stack
    growth: Growth
    began: float = field(default_factory=time.monotonic)
    entered: list[float] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    waited: Points = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    to_listen: list[str] = field(default_factory=list)
    waiting: int = 0
    branches: set[asyncio.Task[None]] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody begins anything any more; what is under way gets its answer."""

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def invite(self, codes: list[str]) -> None:
        """Somebody for each code, unless there are enough."""
        for code in codes:
            if len(self.codes) < self.growth.most and not self.over.is_set():
                self.codes.add(code)
                task = asyncio.ensure_future(self._come(code, len(self.codes)))
                self.branches.add(task)
                task.add_done_callback(self.branches.discard)

    async def _come(self, code: str, number: int) -> None:
        """One newcomer: in by the code, however long that takes, and inviting two more."""
        network = {"X-Forwarded-For": f"10.{number // 256 % 256}.{number % 256}.7"}
        profile = {"handle": f"guest{number}x{secrets.token_hex(3)}", "displayName": f"Guest {number}"}
        request = {"code": code, "requestId": secrets.token_hex(16), "profile": profile}
        came, self.waiting = self.now, self.waiting + 1
        try:
            while (answer := await self._call("RedeemInvitation", request, network)) is None:
                await self._turn(code, network)
                if self.over.is_set():
                    return
        finally:
            self.waiting -= 1
        self.entered.append(self.now)
        self.spent.add(code)
        self.waited.append((self.now, self.now - came))
        token = answer["tokens"]["accessToken"]
        self.to_listen.append(token)
        self.invite([await self._invitation(token, network) for _ in range(2)])

    async def _turn(self, code: str, network: dict[str, str]) -> None:
        """Looks as often as it is told, until it is this person's turn."""
        while not self.over.is_set():
            answer = await self._call("GetPlace", {"code": code}, network, service="DoorService")
            place = (answer or {}).get("place", {})
            if place.get("turn"):
                return
            await self._pause(place.get("lookSeconds", 2) * (0.8 + 0.4 * secrets.randbelow(100) / 100))

    async def _invitation(self, token: str, network: dict[str, str]) -> str:
        headers = {**network, "Authorization": f"Bearer {token}"}
        answer = await self._call("CreateInvitation", {"requestId": secrets.token_hex(16)}, headers)
        assert answer is not None
        return code_of(answer["invitation"]["url"])

    async def _call(
        self, method: str, request: dict[str, Any], headers: dict[str, str], service: str = "InviteService"
    ) -> dict[str, Any] | None:
        """The answer; None for who has to wait."""
        response = await self.http.post(f"/majlis.invite.v1.{service}/{method}", json=request, headers=headers)
        answer: dict[str, Any] = response.json()
        if response.status_code == 200:
            return answer
        reason = next((each["debug"]["reason"] for each in answer.get("details", []) if "reason" in each["debug"]), "")
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if reason not in WAITING_REASONS:
            self.failures.append(f"{method}: {response.status_code} {answer}")
        await self._pause(0 if reason.startswith("DOORS") else 1.0)
        return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)

    async def end(self) -> None:
        """Nobody comes any more, and whoever was coming in is in."""
        self.over.set()
        if self.branches:
            await asyncio.wait(self.branches, timeout=20.0)
        self.stop()

    def stop(self) -> None:
        for task in self.branches:
            task.cancel()


def code_of(url: str) -> str:
    """The code in an invitation's link."""
    return url.rpartition("/")[2].rpartition("#")[2]


async def run(growth: Growth, folder: Path) -> tuple[list[Row], list[Panel]]:
    """The whole run."""
    env = {
        **OPEN_LIMITS,
        "MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": str(growth.budget),
        "GATEWAY_TRUSTED_PROXIES": "127.0.0.1,::1",
        "GATEWAY_PROXY_HEADER": "x-forwarded-for",
    }
    stack = Stack(folder / "state", env=env)
    await stack.start()
    try:
        await asyncio.sleep(2.0)
        return await grow(growth, stack, folder)
    finally:
        await stack.stop()


async def grow(growth: Growth, stack: Stack, folder: Path) -> tuple[list[Row], list[Panel]]:
    """The tree and the fleet, on a system that runs."""
    gauges = {
        "free": Gauge("invite", "majlis_invite_headroom_seats"),
        "pace": Gauge("invite", "majlis_invite_doors_newcomers_per_minute"),
        "state": Gauge("invite", "majlis_invite_doors_state"),
        "places": Gauge("invite", "majlis_invite_line_places"),
        "seats": Gauge("room_directory", "majlis_room_directory_listeners"),
    }
    joined: list[tuple[float, str]] = []
    async with AsyncExitStack() as exits:
        (leader,) = tokens(stack, 1)
        room_id = await room(stack, leader)
        tool = await exits.enter_async_context(players(stack.url, "--tries", "6", "--rate", "8"))
        http = await exits.enter_async_context(httpx.AsyncClient(base_url=stack.url, timeout=15.0))
        watch = await exits.enter_async_context(Watch(stack, ("invite", "gateway", "room_directory"), gauges))
        await tool.fill([{"room": room_id, "speakers": [leader], "listeners": []}], 0.1)
        await tool.measured(0.1)
        tree = Tree(http, stack, growth, watch.began)
        tree.invite(await roots(stack, growth.roots))
        seating = asyncio.ensure_future(seat_all(tree, tool, room_id))
        exits.callback(seating.cancel)
        exits.callback(tree.stop)
        for number in range(1, growth.relays + 1):
            await asyncio.sleep(growth.every)
            if number < growth.relays:
                relay = SpareRelay(stack, folder, f"relay{number:05}")
                exits.push_async_callback(relay.stop)
                await relay.start()
                joined.append((tree.now, f"relay {number + 1}"))
        await tree.end()
        await asyncio.sleep(1.0)
        if seating.done():
            seating.result()
        heard = await settle(seating)
        return rows(stack, tree, watch, heard), panels(tree, watch, joined)


async def roots(stack: Stack, count: int) -> list[str]:
    """Invitations of the owner, for as many as the tree begins with."""
    owner = await owner_of(stack)
    codes = []
    for _ in range(count):
        request = invite_service_pb2.CreateInvitationRequest(request_id=secrets.token_hex(16))
        codes.append(code_of((await owner.client.invites.CreateInvitation(request)).invitation.url))
    await owner.leave_for_good()
    return codes


async def seat_all(tree: Tree, tool: Players, room_id: str) -> dict[str, Any]:
    """Whoever came in listens from then on; what the tool last told, once nobody comes any more."""
    told: dict[str, Any] = {}
    while tree.branches or tree.to_listen or not told:
        batch, tree.to_listen = tree.to_listen, []
        if batch:
            await tool.fill([{"room": room_id, "speakers": [], "listeners": batch}], 0.2)
            told = await tool.measured(0.2)
        await asyncio.sleep(0.3)
    return told


async def settle(seating: "asyncio.Task[dict[str, Any]]") -> dict[str, Any]:
    """What the listeners' tool told at last."""
    return await asyncio.wait_for(seating, 30.0)


def rows(stack: Stack, tree: Tree, watch: Watch, heard: dict[str, Any]) -> list[Row]:
    """What was seen, with its bars."""
    over_room, over_pace = most_over(tree, watch.of("free")), most_over(tree, watch.of("pace"))
    spent, accounts = counted(stack)
    waits = [wait for _, wait in tree.waited]
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(tree.refused.items()))
    return [
        fact("newcomers", len(tree.entered), "", f"of {len(tree.codes)} codes; {why or 'none had to wait'}"),
        bar("newcomers a minute above the room", over_room, 0, "people", "in any minute, beyond its most free seats"),
        bar("newcomers a minute above the pace", over_pace, 0, "people", "in any minute, beyond the most doors said"),
        bar("codes spent without entry", spent - len(tree.entered), 0, "", f"{spent} spent"),
        bar("accounts without entry", accounts - len(tree.entered) - 1, 0, "", "the owner apart"),
        bar("newcomers without a seat", len(tree.entered) - heard.get("admitted", 0), 0, "", str(heard.get("refused"))),
        bar("calls that failed", len(tree.failures), 0, "", "; ".join(tree.failures[:2])),
        fact("wait of who came in, p95", quantile(waits, 0.95), "s", f"p50 {quantile(waits, 0.5):.1f}"),
        fact("places kept at the end", watch.last("places"), ""),
    ]  # fmt: skip


def most_over(tree: Tree, allowed: Points) -> float:
    """By how many the newcomers of any minute went beyond the most that was allowed at one moment of it."""
    worst = -float("inf")
    for end in tree.entered:
        came = sum(end - MINUTE < at <= end for at in tree.entered)
        within = [value for at, value in allowed if end - MINUTE - 2 < at <= end + 2]
        worst = max(worst, came - max(within, default=0.0))
    return max(0.0, worst)


def counted(stack: Stack) -> tuple[int, int]:
    """Invitations that are spent or about to be, and accounts, as the databases have them."""
    with sqlite3.connect(stack.state / "data" / "invite.db") as database:
        (spent,) = database.execute("select count(*) from invitations where state in ('spent', 'claimed')").fetchone()
    with sqlite3.connect(stack.state / "data" / "auth.db") as database:
        (accounts,) = database.execute("select count(*) from accounts").fetchone()
    return int(spent), int(accounts)


def panels(tree: Tree, watch: Watch, joined: list[tuple[float, str]]) -> list[Panel]:
    """The same over time."""
    times = [float(second) for second in range(int(tree.now))]
    minute = [(at, float(sum(at - MINUTE < each <= at for each in tree.entered))) for at in times]
    inside = [(at, float(sum(each <= at for each in tree.entered))) for at in times]
    return [
        Panel("Newcomers of the last minute, and what was allowed", "people",
              [Series("came in", minute), Series("doors allow", watch.of("pace")),
               Series("free seats", watch.of("free"))], marks=joined),
        Panel("The tree", "people", [Series("came in", inside), Series("have a seat", watch.of("seats")),
                                     Series("places in line", watch.of("places"))], marks=joined),
        Panel("Doors", "0 paused, 1 paced, 2 open", [Series("state", watch.of("state"))], marks=joined),
        Panel("Wait of who came in", "s", [Series("wait", tree.waited, dots=True)]),
    ]  # fmt: skip


def main() -> int:
    """Command line; 1 when a bar is broken."""
    parser = argparse.ArgumentParser(prog="tests.load.tree", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a part of it, for CI")
    options = parser.parse_args()
    growth = SHORT if options.short else Growth()
    with tempfile.TemporaryDirectory(prefix="majlis-doors-") as folder:
        found, drawn = run_to_end(run(growth, Path(folder)))
    title = f"make doors: a tree of invitations against a fleet of 1 to {growth.relays} relays"
    return conclude("doors", title, found, drawn)


if __name__ == "__main__":
    sys.exit(main())
