"""Gives each room epochs that never repeat, restarts included: blocks are reserved in the database ahead of use."""

from collections.abc import Callable, Iterable

from services.common.errors import StorageUnavailable
from services.room_directory.app.ports import Act

BLOCK = 100_000
SPARE = BLOCK
"""Above what is reserved, so many are left for what takes something away while no block can be reserved."""
_LOW = 50_000
"""Below so many left, the next block is reserved: more than a single change can take."""
_AGAIN_SECONDS = 2.0


class Epochs:
    """The epochs of one room; those up to `ceiling` are reserved.

    The spare ones above it are not, so another start may give them again, and no seat is given one. They only end what
    is below them: whatever can be reserved later begins above all of them.
    """

    def __init__(self, next_epoch: int, ceiling: int, spare: int | None = None) -> None:
        self._next = next_epoch
        self._spare = ceiling if spare is None else spare
        self.ceiling = ceiling

    @classmethod
    def first(cls) -> "Epochs":
        """For a new room."""
        return cls(1, 1 + BLOCK)

    @classmethod
    def after_restart(cls, ceiling: int) -> "Epochs":
        """Everything below the recorded ceiling may have been in use, and the spare ones above it."""
        return cls(ceiling + SPARE, ceiling)

    def draft(self, used: Iterable[int] = ()) -> "Epochs":
        """A copy that a decision may take from: one that is not kept has taken nothing.

        Of those `used` in the room some may be spare ones that an earlier start gave.
        """
        spare = self._spare
        if self.is_spent:
            spare = max((epoch + 1 for epoch in used if spare <= epoch < self.ceiling + SPARE), default=spare)
        return Epochs(self._next, self.ceiling, spare)

    def taker(self, act: Act) -> Callable[[], int]:
        """How an act takes: one that takes something away does not wait until epochs can be reserved."""
        return self.take_spare if act.goes_on and not act.seats else self.take

    def take(self) -> int:
        """The next epoch. Raises StorageUnavailable when none is left because the next block cannot be reserved."""
        if self.is_spent:
            raise StorageUnavailable("no seat can be given a number that lasts", retry_after_seconds=_AGAIN_SECONDS)
        self._next += 1
        return self._next - 1

    def take_spare(self) -> int:
        """The next epoch for what takes something away: a spare one while no other is left."""
        if not self.is_spent:
            return self.take()
        if self._spare >= self.ceiling + SPARE:
            raise StorageUnavailable("no numbers are left", retry_after_seconds=_AGAIN_SECONDS)
        self._spare += 1
        return self._spare - 1

    @property
    def is_spent(self) -> bool:
        """Whether all that are reserved were given."""
        return self._next >= self.ceiling

    @property
    def is_low(self) -> bool:
        """Whether the next block should be reserved before the next change."""
        return self.ceiling - self._next < _LOW

    def next_ceiling(self) -> int:
        """The ceiling to record before `extend`."""
        return max(self.ceiling, self._first_lasting()) + BLOCK

    def extend(self, ceiling: int) -> None:
        """Notes that epochs below `ceiling` are reserved."""
        self._next = self._first_lasting()
        self.ceiling = max(self.ceiling, ceiling)
        self._spare = self.ceiling

    def _first_lasting(self) -> int:
        """What is given next once it can be reserved: above spare ones, if any were given."""
        return max(self._next, self.ceiling + SPARE) if self._spare > self.ceiling else self._next
