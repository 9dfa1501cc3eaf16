"""Which channels anybody wants: each consumer's newest wish, until it is too old. Bounded, however much is wished."""

from services.programme.channels import Channel
from services.programme.wishes import Wish, WishRefused

MOST_CONSUMERS = 256
"""More than a deployment has relays, gateways and what else listens."""


class Leases:
    """A table of wishes; times are monotonic seconds."""

    def __init__(self, most_consumers: int = MOST_CONSUMERS) -> None:
        self._most_consumers = most_consumers
        self._wishes: dict[str, tuple[frozenset[Channel], float]] = {}
        self._wanted_by: dict[str, dict[str, set[str]]] = {}

    @property
    def consumers(self) -> int:
        """How many consumers have a fresh wish."""
        return len(self._wishes)

    def wanted(self, channel: Channel) -> bool:
        """Whether a wish for the channel was fresh when `take` or `expire` was called last."""
        return channel.name in self._wanted_by.get(channel.room_id, ())

    def names(self, room_id: str) -> list[str]:
        """The channels of a room that are wanted so."""
        return list(self._wanted_by.get(room_id, ()))

    def take(self, wish: Wish, now: float) -> set[Channel]:
        """Takes a wish in place of the consumer's last one; returns the channels that came to be wanted or ceased to.

        Raises WishRefused when too many consumers have wishes.
        """
        known = self._wishes.get(wish.consumer_id)
        if known is None and len(self._wishes) >= self._most_consumers:
            raise WishRefused("too_many_consumers", f"{len(self._wishes)} consumers have wishes already")
        before = known[0] if known else frozenset[Channel]()
        wanted = wish.channels if wish.hold_seconds > 0 else frozenset[Channel]()
        if wanted:
            self._wishes[wish.consumer_id] = (wanted, now + wish.hold_seconds)
        else:
            self._wishes.pop(wish.consumer_id, None)
        changed = self._let_go(wish.consumer_id, before - wanted)
        for channel in wanted - before:
            if not self.wanted(channel):
                changed.add(channel)
            self._wanted_by.setdefault(channel.room_id, {}).setdefault(channel.name, set()).add(wish.consumer_id)
        return changed

    def expire(self, now: float) -> set[Channel]:
        """Drops the wishes that are too old; returns the channels that nobody wants any more."""
        ceased: set[Channel] = set()
        for consumer_id in [key for key, (_, until) in self._wishes.items() if until <= now]:
            channels, _ = self._wishes.pop(consumer_id)
            ceased |= self._let_go(consumer_id, channels)
        return ceased

    def _let_go(self, consumer_id: str, channels: frozenset[Channel]) -> set[Channel]:
        ceased = set()
        for channel in channels:
            room = self._wanted_by[channel.room_id]
            room[channel.name].discard(consumer_id)
            if not room[channel.name]:
                del room[channel.name]
                ceased.add(channel)
            if not room:
                del self._wanted_by[channel.room_id]
        return ceased
