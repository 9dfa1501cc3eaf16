"""Values that count up, where others are random."""

from itertools import count


class CountingRandomness:
    """Values that count up."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def session_id(self) -> str:
        return f"session{next(self._numbers):019d}"

    def ice_credentials(self) -> tuple[str, str]:
        number = next(self._numbers)
        return f"ufrag{number}", f"password-of-22-chars-{number:04d}"

    def ssrcs(self, count: int) -> list[int]:
        return [1000 + next(self._numbers) for _ in range(count)]

    def etag(self) -> str:
        return f'"tag{next(self._numbers)}"'
