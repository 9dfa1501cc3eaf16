"""The last events of a room, for readers that come back."""

from collections import deque
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """One item for each revision, without gaps. Holds the newest `limit`."""

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque(maxlen=limit)
        self.revision = 0
        """The newest revision."""

    def start(self, revision: int) -> None:
        """Begins anew after `revision`, forgetting what was before."""
        self._items.clear()
        self.revision = revision

    def append(self, revision: int, item: T) -> None:
        """Adds the item of the next revision. Raises ValueError for any other."""
        if revision != self.revision + 1:
            raise ValueError(f"revision {revision} does not follow {self.revision}")
        self.revision = revision
        self._items.append(item)

    def after(self, revision: int) -> list[T] | None:
        """What came after `revision`; None when the ring does not reach that far, or not yet."""
        missing = self.revision - revision
        if not 0 <= missing <= len(self._items):
            return None
        return list(islice(self._items, len(self._items) - missing, None))

    def __len__(self) -> int:
        return len(self._items)
