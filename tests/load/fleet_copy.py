"""One copy of the directory in the model of a fleet: what it knows, what it promised, and its rooms' lines."""

from collections.abc import Callable, Iterator

from services.programme.work import Limits
from services.room_directory.domain.choosing import (
    Newcomer,
    choose_audience_relay,
    choose_home_relay,
    choose_new_home,
)
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.shares import Shares
from services.room_directory.domain.waiting import Line, Waiter
from tests.load.fleet_parts import FLOOR, TARIFF, Said

_STAGE_SECONDS = 5.0


class Copy:
    """Decides as the directory does."""

    def __init__(self, chance: Callable[[int], int]) -> None:
        self._chance = chance
        self._shares = Shares(1.0)
        self.known: dict[str, RelayLoadState] = {}
        self.lines: dict[int, Line] = {}
        self.home: dict[int, str] = {}
        self.serving: dict[int, set[str]] = {}
        self.listening: dict[int, int] = {}
        """Listeners of each room."""
        self.short = False
        """Whether somebody who is next found no relay with room at the last round."""

    def hear(self, relay_id: str, region: str, limits: Limits, said: Said, now: float) -> None:
        """Takes in a report; what was promised by an older start of the relay is void."""
        state, boot_id = self.known.get(relay_id), f"boot-{said.boot}"
        if state is not None and int(state.boot_id.removeprefix("boot-")) > said.boot:
            return
        if state is None or state.boot_id != boot_id:
            state = RelayLoadState(relay_id, boot_id, "", limits=limits, tariff=TARIFF, region=region)
            self.known[relay_id] = state
        state.work, state.carried, state.seen_at = said.work, said.carried, now
        state.newest_session = said.serial
        state.reserved.counted(said.serial)

    def open_room(self, room: int, region: str, now: float) -> str | None:
        """A home for a new room."""
        return self._settle(room, choose_new_home(self.known.values(), 1.0, now, region=region), now)

    def move_home(self, room: int, now: float) -> str | None:
        """Another home for a room whose relay is gone."""
        region = self.known[self.home[room]].region
        return self._settle(room, choose_home_relay(self.known.values(), 1.0, now, region=region), now)

    def _settle(self, room: int, chosen: RelayLoadState | None, now: float) -> str | None:
        if chosen is None:
            return None
        self.home[room] = chosen.relay_id
        self.serving.setdefault(room, set()).add(chosen.relay_id)
        wanted = chosen.speaker((str(room), FLOOR), 0)
        chosen.reserve((str(room), ""), wanted, now, seconds=_STAGE_SECONDS)
        return chosen.relay_id

    def line(self, room: int) -> Line:
        """The line before a room."""
        return self.lines.setdefault(room, Line(f"line-{room}"))

    def newcomer(self, person: str, room: int, region: str, *, returning: bool) -> Newcomer:
        """Somebody who wants in."""
        return Newcomer(
            seat=(str(room), person),
            channel=FLOOR,
            home_relay_id=self.home[room],
            in_room=self.serving[room],
            region=region,
            returning=returning,
        )

    def has_share_left(self, room: int, taken: int, now: float) -> bool:
        """Whether one more may come in before the room has all that one room may."""
        return taken < self._shares.most(self.known.values(), str(room), now)

    def choose(self, who: Newcomer, permit: str, now: float, seconds: float) -> RelayLoadState | None:
        """A relay with room for somebody, kept for their permit."""
        chosen = choose_audience_relay(self.known.values(), who, 1.0, now, chance=self._chance)
        if chosen is not None:
            chosen.reserve(who.seat, who.wants(chosen), now, permit, seconds=seconds)
        return chosen

    def release(self, room: int, person: str) -> None:
        """What was kept for somebody is free."""
        for relay in self.known.values():
            relay.reserved.release((str(room), person))

    def next_ones(self, room: int, line: Line, most: int, now: float) -> Iterator[Waiter]:
        """Who may be asked in now, in order."""
        taken = self.listening.get(room, 0) + line.offers
        for waiter in line.next_ones(most, now):
            if not waiter.first and not self.has_share_left(room, taken, now):
                return
            taken += 1
            yield waiter
