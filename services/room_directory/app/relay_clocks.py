"""How far clocks of relays are from this copy's: permits are dated in the time of whoever checks them (ADR 0023)."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.room_directory.domain.clocks import FORGIVEN_SECONDS, ClockDifference, is_forgiven
from services.room_directory.domain.placement import STALE_SECONDS, RelayLoadState

_MOST_RELAYS = 1_000

_log = get_logger("clocks")


class RelayClocks:
    """The difference to each relay's clock, by its loads; they take milliseconds to arrive."""

    def __init__(self, clock: Clock, noted: Callable[[datetime], None]) -> None:
        """`noted` shows operators each time that was heard."""
        self._clock = clock
        self._noted = noted
        self._known: OrderedDict[str, ClockDifference] = OrderedDict()
        self._off: set[str] = set()

    def read(self, load: RelayLoadState, sent_at: datetime | None) -> RelayLoadState:
        """The load with what is known of its relay's clock; those of older releases do not say when they sent it."""
        known = self._known.setdefault(load.relay_id, ClockDifference())
        self._known.move_to_end(load.relay_id)
        if len(self._known) > _MOST_RELAYS:
            self._off.discard(self._known.popitem(last=False)[0])
        if sent_at is not None:
            self._noted(sent_at)
            known.note((self._clock.now() - sent_at).total_seconds())
        load.clock_difference = known.seconds
        self._say(load.relay_id, known.seconds)
        return load

    def is_late(self, load: RelayLoadState, sent_at: datetime | None) -> bool:
        """Whether a load that was read was so long on its way that it says nothing."""
        if sent_at is None:
            return False
        return (self._clock.now() - sent_at).total_seconds() - load.clock_difference > STALE_SECONDS

    def _say(self, relay_id: str, seconds: float) -> None:
        """One line when a clock goes wrong, and one when it is right again."""
        if is_forgiven(seconds) == (relay_id not in self._off):
            return
        if relay_id in self._off:
            self._off.remove(relay_id)
            _log.warning("the clock of a relay is right again: people are sent there", relay_id=relay_id)
            return
        self._off.add(relay_id)
        _log.error(
            "the clock of a relay is too far from ours: nobody is sent there",
            relay_id=relay_id,
            ours_less_its_seconds=round(seconds),
            forgiven_seconds=FORGIVEN_SECONDS,
        )
