"""Who has blocked whom, held in memory because every entry asks."""

from collections import defaultdict

from services.room_directory.domain.room import Room


class Blocks:
    """All pairs, as the database has them."""

    def __init__(self) -> None:
        self._by_blocker: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def load(self, pairs: list[tuple[str, str]]) -> None:
        """Takes over every (blocker, blocked) pair, newest first."""
        for blocker_id, blocked_id in reversed(pairs):
            self.note(blocker_id, blocked_id, stands=True)

    def replace(self, pairs: list[tuple[str, str]]) -> None:
        """As `load`, in the place of what was there."""
        self._by_blocker.clear()
        self.load(pairs)

    def note(self, blocker_id: str, blocked_id: str, *, stands: bool) -> None:
        """Takes in how it is with a pair."""
        if stands:
            self._by_blocker[blocker_id].setdefault(blocked_id)
        else:
            self._by_blocker[blocker_id].pop(blocked_id, None)

    def forget(self, user_id: str) -> None:
        """Forgets a deleted account on both sides."""
        self._by_blocker.pop(user_id, None)
        for blocked in self._by_blocker.values():
            blocked.pop(user_id, None)

    def of(self, blocker_id: str) -> list[str]:
        """Whom a person blocked, newest first."""
        return list(reversed(self._by_blocker.get(blocker_id, {})))

    def has(self, blocker_id: str, blocked_id: str) -> bool:
        """Whether the pair is there."""
        return blocked_id in self._by_blocker.get(blocker_id, {})

    def keep_out(self, room: Room, user_id: str) -> bool:
        """Whether one of those who lead the room has blocked the person."""
        return any(self.has(moderator.user_id, user_id) for moderator in room.moderators())
