"""Gives each room epochs that never repeat, restarts included: blocks are reserved in the database ahead of use."""

from services.common.errors import StorageUnavailable

BLOCK = 100_000
_LOW = 50_000
"""Below so many left, the next block is reserved: more than a single change can take."""
_AGAIN_SECONDS = 2.0


class Epochs:
    """The epochs of one room; those up to `ceiling` are reserved."""

    def __init__(self, next_epoch: int, ceiling: int) -> None:
        self._next = next_epoch
        self.ceiling = ceiling

    @classmethod
    def first(cls) -> "Epochs":
        """For a new room."""
        return cls(1, 1 + BLOCK)

    @classmethod
    def after_restart(cls, ceiling: int) -> "Epochs":
        """Everything below the recorded ceiling may have been in use."""
        return cls(ceiling, ceiling)

    def draft(self) -> "Epochs":
        """A copy that a decision may take from: one that is not kept has taken nothing."""
        return Epochs(self._next, self.ceiling)

    def take(self) -> int:
        """The next epoch. Raises StorageUnavailable when none is left because the next block cannot be reserved."""
        if self._next >= self.ceiling:
            raise StorageUnavailable("no seat can be given a number that lasts", retry_after_seconds=_AGAIN_SECONDS)
        self._next += 1
        return self._next - 1

    @property
    def is_low(self) -> bool:
        """Whether the next block should be reserved before the next change."""
        return self.ceiling - self._next < _LOW

    def next_ceiling(self) -> int:
        """The ceiling to record before `extend`."""
        return self.ceiling + BLOCK

    def extend(self, ceiling: int) -> None:
        """Notes that epochs below `ceiling` are reserved."""
        self.ceiling = max(self.ceiling, ceiling)
