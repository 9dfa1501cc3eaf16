"""Knows the relays: their loads, which of them serve whom, and what to do when one is lost or starts anew."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from secrets import randbelow

from services.common.clock import Clock
from services.common.errors import DomainError, StorageUnavailable
from services.common.knock import refuses
from services.common.sight.log import get_logger
from services.programme.hearing import mixes
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.listeners import Listeners
from services.room_directory.app.live import LiveRoom, LiveRooms, TakeEpoch
from services.room_directory.app.ports import Act, Limits, RelayClient, RelayClients, RelayMemory, RoomPart, StoredRelay
from services.room_directory.app.promises import Promises
from services.room_directory.domain.adoption import adopt_sessions
from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.choosing import Chance, choose_home_relay
from services.room_directory.domain.ended import EndedSignIns
from services.room_directory.domain.placement import STALE_SECONDS, RelayLoadState
from services.room_directory.domain.presence import SessionNews, ask_to_move, move_media, review
from services.room_directory.domain.room import Room

_ASK_AFTER_SECONDS = 1.2
"""A relay whose heartbeat is older, or whose connection broke, is asked for its load directly."""
_ASK_SECONDS = 1.0
_MOVED_SECONDS = 5.0
"""How long a new home keeps place for a stage that is on its way: by then its people asked for it themselves."""
_STAGE = ""
"""Whom a stage that is on its way is kept for: nobody by name."""
_SPREAD_MILLISECONDS_EACH = 4
_LONGEST_SPREAD_MILLISECONDS = 10_000
_ASK_AGAIN_SECONDS = 2.0
"""Whoever is on a relay that is being emptied so long after their time to move did not hear of it, or came since."""
_UNHURRIED_MILLISECONDS_EACH = 20
"""Where nothing is lost yet people move more slowly, as far as the relay's time allows."""

_log = get_logger("fleet")


class Fleet:
    """All relays known; the loads are hints, each relay is the last judge of its own capacity."""

    def __init__(
        self,
        memory: RelayMemory,
        clients: RelayClients,
        dispatch: Dispatch,
        rooms: LiveRooms,
        ended: EndedSignIns,
        *,
        clock: Clock,
        limits: Limits,
        chance: Chance = randbelow,
    ) -> None:
        """`chance` picks the relays that are compared for a newcomer."""
        self._memory = memory
        self._make_client = clients
        self._dispatch = dispatch
        self._rooms = rooms
        self._ended = ended
        self._clock = clock
        self._limits = limits
        self.relays: dict[str, RelayLoadState] = {}
        self.listeners = Listeners(self.relays, clock)
        self.promises = Promises(self.relays, rooms, chance, clock=clock, limits=limits)
        self._clients: dict[str, RelayClient] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lost: set[str] = set()
        self._unremembered: set[str] = set()
        self._judge_from = 0.0
        """Monotonic time from which silence counts against a relay: after a start each has its whole time to answer."""
        self._adopted: dict[str, str] = {}
        """By relay, the start of it whose sessions are known here."""
        self._ask_again: dict[tuple[str, str, str], float] = {}
        """When people of (relay, its start, room) who are still there are asked again to leave one being emptied."""

    async def start(self) -> None:
        """Asks every relay remembered what it carries; waits a second or two at most."""
        self._judge_from = self._clock.monotonic() + self._limits.relay_lost_seconds
        for stored in await self._memory.relays():
            # Remembered, not fresh: nobody is sent there before it has answered.
            seen_at = self._clock.monotonic() - STALE_SECONDS - 0.01
            self._open(RelayLoadState(stored.relay_id, stored.boot_id, stored.grpc_address, seen_at=seen_at))
        await self.look()

    async def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            await client.close()

    # Loads.

    async def on_load(self, report: RelayLoadState) -> None:
        """Takes in a relay's report, by bus or asked for."""
        async with self._locks[report.relay_id]:
            await self._take_in(report)

    def recognises(self, report: RelayLoadState) -> bool:
        """Whether it is of a start that answered at the address it names."""
        known = self.relays.get(report.relay_id)
        return known is not None and (known.boot_id, known.grpc_address) == (report.boot_id, report.grpc_address)

    def keeps(self, report: RelayLoadState) -> bool:
        """Whether taking it in is done at once: nothing but its numbers is new."""
        relay_id = report.relay_id
        settled = relay_id not in self._lost and self._adopted.get(relay_id) == report.boot_id
        return settled and self.recognises(report) and not self._locks[relay_id].locked()

    async def look(self) -> None:
        """Asks relays that have been silent, gives up those that do not answer, and re-homes rooms."""
        now = self._clock.monotonic()
        known = list(self.relays.values())
        asked = await asyncio.gather(*(self._ask(relay, now) for relay in known))
        # One that was only remembered when this directory started may be starting itself.
        gone = {relay.relay_id for relay, is_gone in zip(known, asked, strict=True) if is_gone} & self._adopted.keys()
        now = self._clock.monotonic()
        for relay in list(self.relays.values()):
            silent_for = now - relay.seen_at if now >= self._judge_from else 0.0
            lost_seconds, relay_id = self._limits.relay_lost_seconds, relay.relay_id
            if relay_id not in self._lost and (relay_id in gone or silent_for > lost_seconds):
                self._lost.add(relay_id)
                relay.give_up(now)
                self._say_lost(relay)
                await self._move_audiences(relay_id)
        await self._empty_draining()
        await self._heal_homes()

    def _say_lost(self, relay: RelayLoadState) -> None:
        """One that was emptied and then went did as it was told; with any other somebody lost their sound."""
        people = sum(
            seat.relay_id == relay.relay_id and seat.sounds()
            for live in self._rooms
            for seat in live.room.seats.values()
        )
        if relay.draining and not people:
            _log.info("relay gone, as it was told to", relay_id=relay.relay_id)
        else:
            _log.warning("relay lost", relay_id=relay.relay_id, people=people)

    async def _ask(self, relay: RelayLoadState, now: float) -> bool:
        """Whether its process is gone, and all its sessions with it: nobody listens any more where it did."""
        if now - relay.seen_at <= _ASK_AFTER_SECONDS and self._clients[relay.relay_id].connected:
            return False
        if await refuses(relay.grpc_address):
            return True
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                report = await self._clients[relay.relay_id].get_load()
        except (DomainError, TimeoutError) as error:
            _log.debug("relay does not answer", relay_id=relay.relay_id, error=str(error))
        else:
            await self.on_load(report)
        return False

    async def _take_in(self, report: RelayLoadState) -> None:
        report.seen_at = self._clock.monotonic()
        known = self.relays.get(report.relay_id)
        if known is None or not self.recognises(report):
            await self._welcome(known, report)
            return
        report.reserved = known.reserved
        report.reserved.counted(report.newest_session)
        self.relays[report.relay_id] = report
        returned = report.relay_id in self._lost
        self._lost.discard(report.relay_id)
        if returned or self._adopted.get(report.relay_id) != report.boot_id:
            await self._adopt(report)

    async def _welcome(self, known: RelayLoadState | None, report: RelayLoadState) -> None:
        """A relay never seen, or a new start of one: what an older start carried is gone."""
        restarted = known is not None and known.boot_id != report.boot_id
        await self._remember(report)
        self._lost.discard(report.relay_id)
        if restarted:
            self._dispatch.clear_orders(report.relay_id)
        self._open(report)
        self._rooms.configure_relay(report.relay_id)
        _log.info("relay serves", relay_id=report.relay_id, boot_id=report.boot_id, restarted=restarted)
        if restarted:
            # Permits name the home of the stage, so people may knock before the relay has acknowledged its part.
            await self._after_restart(report.relay_id)
        await self._adopt(report)

    async def _remember(self, relay: RelayLoadState) -> None:
        """For the next start; a relay serves also while that cannot be written."""
        try:
            await self._memory.remember_relay(StoredRelay(relay.relay_id, relay.boot_id, relay.grpc_address))
        except StorageUnavailable:
            self._unremembered.add(relay.relay_id)
        else:
            self._unremembered.discard(relay.relay_id)

    async def remember_waiting(self) -> None:
        """Writes down the relays that could not be when they came; call it every second."""
        for relay_id in list(self._unremembered):
            await self._remember(self.relays[relay_id])

    def _open(self, state: RelayLoadState) -> None:
        older = self.relays.get(state.relay_id)
        self.relays[state.relay_id] = state
        if older is not None and older.grpc_address == state.grpc_address and state.relay_id in self._clients:
            return
        client = self._make_client(state.relay_id, state.grpc_address)
        self._clients[state.relay_id] = client
        self._dispatch.open(state.relay_id, client)

    # Sessions found on relays.

    async def _adopt(self, relay: RelayLoadState) -> None:
        try:
            async with asyncio.timeout(5 * _ASK_SECONDS):
                sessions = await self._clients[relay.relay_id].list_sessions()
        except (DomainError, TimeoutError) as error:
            _log.warning("cannot list a relay's sessions yet", relay_id=relay.relay_id, error=str(error))
            return
        for room_id, news in sessions.items():
            live = self._rooms.get(room_id)
            if live is None:
                await self._end_if_over(relay.relay_id, room_id)
                continue
            self._rooms.served_by(live, (relay.relay_id,))
            act = Act("room_directory", "adopt_sessions", room_id, {"relay": relay.relay_id}, goes_on=True)
            await self._rooms.change(room_id, act, self._adopting(news))
        self._adopted[relay.relay_id] = relay.boot_id

    def reachable(self) -> dict[str, RelayClient]:
        """Relays that are not lost, to be asked."""
        return {relay_id: client for relay_id, client in self._clients.items() if relay_id not in self._lost}

    def adopt_again(self, relay_id: str) -> None:
        """What a relay carries is not known here: it is asked when it reports next."""
        self._adopted.pop(relay_id, None)

    def _adopting(self, news: list[SessionNews]) -> Callable[[Room, TakeEpoch], None]:
        now = self._clock.now()

        def decide(room: Room, _: TakeEpoch) -> None:
            adopt_sessions(room, news, self._ended.has_ended, now)
            review(room, now)

        return decide

    async def _end_if_over(self, relay_id: str, room_id: str) -> None:
        """Ends what a relay carries of a room that is recorded as over; an unknown room is left alone."""
        over = await self._rooms.over(room_id)
        if over is not None:
            self._dispatch.configure((relay_id,), RoomPart(room_id, "", False, True, (), over.term))

    # Moving sound.

    async def _after_restart(self, relay_id: str) -> None:
        for live in self._rooms:
            if relay_id in {live.room.home_relay_id, *(seat.relay_id for seat in live.room.seats.values())}:
                await self._move(live, relay_id, live.room.home_relay_id)

    async def _move_audiences(self, relay_id: str) -> None:
        """Sends those who listened through a lost relay elsewhere, where the stage lives on another one."""
        for live in self._rooms:
            on_it = any(seat.relay_id == relay_id for seat in live.room.seats.values())
            if on_it and live.room.home_relay_id != relay_id:
                await self._move(live, relay_id, live.room.home_relay_id)

    async def _empty_draining(self) -> None:
        """Asks the people of relays that drain to move, while there is another one to move to; who stays, again."""
        now = self._clock.monotonic()
        leaving = [each for each in self.relays.values() if each.draining and each.relay_id not in self._lost]
        starts = {(each.relay_id, each.boot_id) for each in leaving}
        self._ask_again = {key: at for key, at in self._ask_again.items() if key[:2] in starts}
        if not leaving or not any(relay.accepts(now) for relay in self.relays.values()):
            return
        for relay in leaving:
            for live in self._rooms:
                key = (relay.relay_id, relay.boot_id, live.room.room_id)
                people = sum(1 for seat in live.room.seats.values() if seat.relay_id == relay.relay_id)
                if people and self._ask_again.get(key, now) <= now:
                    spread = min(relay.move_within_milliseconds, people * _UNHURRIED_MILLISECONDS_EACH)
                    self._ask_again[key] = now + spread / 1000 + _ASK_AGAIN_SECONDS
                    await self._ask_to_move(live, relay, spread)

    async def _ask_to_move(self, live: LiveRoom, relay: RelayLoadState, spread: int) -> None:
        home = live.room.home_relay_id
        if home == relay.relay_id:
            better = self._choose_home(live)
            home = better.relay_id if better is not None else home
            self._rooms.served_by(live, (home,))
        relay_id, now = relay.relay_id, self._clock.now()
        await self._change_media(live, relay_id, home, lambda room: ask_to_move(room, relay_id, home, spread, now))

    async def _heal_homes(self) -> None:
        for live in self._rooms:
            home_id = live.room.home_relay_id
            home = self.relays.get(home_id)
            if not self._rooms.may_decide(live):
                # Another copy may have it: two would choose two homes.
                continue
            if home is not None and home_id not in self._lost and not home.draining:
                continue
            better = self._choose_home(live)
            if better is not None and better.relay_id != home_id:
                self._rooms.served_by(live, (better.relay_id,))
                await self._move(live, home_id, better.relay_id)

    async def _move(self, live: LiveRoom, relay_id: str, new_home_id: str) -> None:
        people = sum(1 for seat in live.room.seats.values() if not relay_id or seat.relay_id == relay_id)
        spread = min(_LONGEST_SPREAD_MILLISECONDS, people * _SPREAD_MILLISECONDS_EACH)
        home_id, now = new_home_id, self._clock.now()
        await self._change_media(live, relay_id, home_id, lambda room: move_media(room, relay_id, home_id, spread, now))

    async def _change_media(self, live: LiveRoom, relay_id: str, home_id: str, decide: Callable[[Room], None]) -> None:
        room_id = live.room.room_id
        act = Act("room_directory", "move_media", room_id, {"relay": relay_id, "home": home_id}, goes_on=True)
        try:
            await self._rooms.change(room_id, act, lambda room, _: decide(room))
        except DomainError as error:
            _log.info("room could not be moved", room_id=room_id, reason=error.reason)

    def _choose_home(self, live: LiveRoom) -> RelayLoadState | None:
        """Another home for a stage, with place for it: rooms that move together must not all find the same one."""
        limits, now, room = self._limits, self._clock.monotonic(), live.room
        before = self.relays.get(room.home_relay_id)
        region = before.region if before is not None else ""
        languages = mixes(len(room.booths), len(room.spoken))
        home = choose_home_relay(
            self.relays.values(),
            limits.relay_share,
            now,
            placement=limits.placement,
            region=region,
            languages=languages,
        )
        if home is not None:
            stage = home.moved_stage((room.room_id, CHANNEL), languages)
            home.reserve((room.room_id, _STAGE), stage, now, seconds=_MOVED_SECONDS)
        return home

    def is_current(self, relay_id: str, boot_id: str) -> bool:
        """Whether news from this start of a relay still counts; of a relay not known yet, any does."""
        relay = self.relays.get(relay_id)
        return relay is None or relay.boot_id == boot_id

    def list_relays(self) -> list[tuple[RelayLoadState, bool]]:
        """Every relay known, and whether it takes new sessions; any thread may ask."""
        now = self._clock.monotonic()
        return [(relay, relay.accepts(now)) for relay in list(self.relays.values())]

    async def ready(self, relay_id: str, seconds: float) -> None:
        """Waits a moment until a relay has acknowledged what it was told."""
        await self._dispatch.settled(relay_id, seconds)
