"""Which relay somebody is sent to: near, with room, and about as empty as others.

A look at a few relays that chance picks is as good as a look at all of them (the better of two), and does not send
everybody to the same one while reports are on their way or several copies of the directory decide.
"""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from services.programme.work import KEPT_BACK, WAITING_STEP
from services.room_directory.domain.placement import ChannelKey, RelayLoadState, SeatKey, Wanted

FILL_SHARE = 0.8
"""Share of what a relay may give away that is filled before the next one of a row is begun."""
CANDIDATES = 2
"""Relays that are compared of those in the room, and of the others."""
APART = 0.02
"""Share of a limit by which a relay that serves a room already may be fuller than another one and is preferred."""

_MUCH_SHARE = 0.8
"""Of what newcomers may have: beyond it a line before the relays is likely."""

_NEW: ChannelKey = ("", "")
"""A channel that no relay carries yet."""


Chance = Callable[[int], int]
"""Picks a whole number from 0 that is below the one given."""


class Placement(StrEnum):
    """How listeners are shared out."""

    SPREAD = "spread"
    """Relays that are always there: each carries its part, and the loss of one is felt least."""
    FILL = "fill"
    """Relays that come and go from the end of a row: the first are filled first, so that the last can be spared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Somebody who wants to listen."""

    seat: SeatKey
    channel: str
    """The name of the channel that they will hear."""
    home_relay_id: str
    in_room: AbstractSet[str]
    """Relays that serve the room already: they are preferred while they are about as empty as others."""
    region: str = ""
    """Where they come from; empty where nobody knows."""
    returning: bool = False
    """Whether the person has just been there: they may use what is kept back."""

    def wants(self, relay: RelayLoadState) -> Wanted:
        """What they need of a relay."""
        return relay.listener((self.seat[0], self.channel), self.home_relay_id)


_Able = Callable[[RelayLoadState], bool]


def choose_audience_relay(
    relays: Collection[RelayLoadState],
    who: Newcomer,
    share: float,
    now: float,
    *,
    chance: Chance,
    placement: Placement = Placement.SPREAD,
) -> RelayLoadState | None:
    """The relay for one more listener, or None where no relay has room: of the nearest that have.

    Spread: two of the room's relays and two others are compared, and another one wins only where it is clearly
    emptier: a hall that filled its relays one by one would leave the others idle, and lose most with one of them.
    Filled: the first of the row that is not filled yet. `share` is how much of its budget a relay may give away.
    """
    limit = share if who.returning else share * (1.0 - KEPT_BACK)

    def is_able(relay: RelayLoadState) -> bool:
        return relay.accepts(now) and relay.has_room(who.wants(relay), limit, now, who.seat)

    for near in nearest_first(relays, who.region):
        if placement is Placement.FILL:
            chosen = _first_to_fill(filter(is_able, near), share, now)
            if chosen is not None:
                return chosen
        chosen = _about_as_empty(near, who.in_room, is_able, now, chance)
        if chosen is not None:
            return chosen
    return None


def choose_home_relay(
    relays: Collection[RelayLoadState],
    share: float,
    now: float,
    *,
    placement: Placement = Placement.SPREAD,
    region: str = "",
    languages: int = 0,
) -> RelayLoadState | None:
    """Another relay for a stage with so many booths: the least loaded, or the first of the row that is not filled."""

    def is_able(relay: RelayLoadState) -> bool:
        return relay.accepts(now) and relay.has_room(relay.moved_stage(_NEW, languages), share, now)

    return _least_loaded(nearest_first(relays, region), is_able, share, now, placement)


def choose_new_home(
    relays: Collection[RelayLoadState],
    share: float,
    now: float,
    *,
    placement: Placement = Placement.SPREAD,
    region: str = "",
) -> RelayLoadState | None:
    """The relay for a new room: a newcomer like any other, with somebody to listen to it."""
    limit = share * (1.0 - KEPT_BACK)

    def is_able(relay: RelayLoadState) -> bool:
        return relay.accepts(now) and relay.has_room(relay.new_room(*_NEW), limit, now)

    return _least_loaded(nearest_first(relays, region), is_able, share, now, placement)


def nearest_first(relays: Collection[RelayLoadState], region: str) -> Iterable[list[RelayLoadState]]:
    """Relays by how near their region is; all of them as one where nobody knows."""
    if not region:
        return (list(relays),)
    by_nearness: dict[int, list[RelayLoadState]] = {}
    for relay in relays:
        by_nearness.setdefault(nearness(relay.region, region), []).append(relay)
    return (by_nearness[each] for each in sorted(by_nearness, reverse=True))


@lru_cache(maxsize=4096)
def nearness(one: str, other: str) -> int:
    """How many parts two regions begin with alike: eu-west-1 is nearer to eu-west-2 than to eu-north-1."""
    alike = 0
    for mine, theirs in zip(one.split("-"), other.split("-"), strict=False):
        if not mine or mine != theirs:
            break
        alike += 1
    return alike


def _about_as_empty(
    relays: list[RelayLoadState], in_room: AbstractSet[str], is_able: _Able, now: float, chance: Chance
) -> RelayLoadState | None:
    inside = _emptiest([each for each in relays if each.relay_id in in_room], is_able, now, chance)
    outside = _emptiest([each for each in relays if each.relay_id not in in_room], is_able, now, chance)
    if inside is None or outside is None:
        return inside or outside
    return outside if outside.fullness(now) + APART < inside.fullness(now) else inside


def _emptiest(relays: list[RelayLoadState], is_able: _Able, now: float, chance: Chance) -> RelayLoadState | None:
    """The better of two by chance that are able; None only where none is."""
    found: list[RelayLoadState] = []
    left = len(relays)
    while left and len(found) < CANDIDATES:
        at = chance(left)
        left -= 1
        relays[at], relays[left] = relays[left], relays[at]
        if is_able(relays[left]):
            found.append(relays[left])
    return min(found, key=lambda relay: (relay.fullness(now), relay.relay_id), default=None)


def _least_loaded(
    nearest: Iterable[list[RelayLoadState]], is_able: _Able, share: float, now: float, placement: Placement
) -> RelayLoadState | None:
    for near in nearest:
        able = [relay for relay in near if is_able(relay)]
        first = _first_to_fill(able, share, now) if placement is Placement.FILL else None
        if able:
            return first or min(able, key=lambda relay: (relay.fullness(now), relay.relay_id))
    return None


def _first_to_fill(relays: Iterable[RelayLoadState], share: float, now: float) -> RelayLoadState | None:
    open_ones = [relay for relay in relays if relay.fullness(now) < share * FILL_SHARE]
    return min(open_ones, key=lambda relay: (relay.ordinal, relay.relay_id), default=None)


def is_tight(relays: Iterable[RelayLoadState], share: float, now: float) -> bool:
    """Whether no relay has much room: people may have waited for it before this process looked."""
    most = share * (1.0 - KEPT_BACK) * _MUCH_SHARE
    return all(relay.fullness(now) >= most for relay in relays if relay.accepts(now))


def turns_newcomers_away(relays: Iterable[RelayLoadState], now: float) -> bool:
    """Whether all relays stand at a step of their ladders at which newcomers find no seat, however many are free."""
    open_ones = [relay for relay in relays if relay.accepts(now)]
    return bool(open_ones) and all(relay.footing.step >= WAITING_STEP for relay in open_ones)
