"""The last events of a room, for readers that come back."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """Items by rising revision; several may share one. Holds the newest `limit`."""

    def __init__(self, limit: int) -> None:
        self._items: deque[tuple[int, T]] = deque()
        self._limit = limit
        self._floor = 0
        self.revision = 0
        """The newest revision."""

    def start(self, revision: int) -> None:
        """Begins anew after `revision`, forgetting what was before."""
        self._items.clear()
        self._floor = self.revision = revision

    def append(self, revision: int, item: T) -> None:
        """Adds an item of the newest revision or the one after it. Raises ValueError for any other."""
        if revision not in (self.revision, self.revision + 1):
            raise ValueError(f"revision {revision} does not follow {self.revision}")
        self.revision = revision
        self._items.append((revision, item))
        while len(self._items) > self._limit:
            # A revision leaves as a whole, or a reader could get half of it.
            self._floor = self._items[0][0]
            while self._items and self._items[0][0] <= self._floor:
                self._items.popleft()

    def after(self, revision: int) -> list[T] | None:
        """What came after `revision`; None when the ring does not reach that far, or not yet."""
        if not self._floor <= revision <= self.revision:
            return None
        return [item for at, item in self._items if at > revision]

    def __len__(self) -> int:
        return len(self._items)
