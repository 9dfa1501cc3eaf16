"""How long to wait before the next try."""

import asyncio
import random

from majlis_client.errors import MajlisError

_FIRST_SECONDS = 0.3
_LONGEST_SECONDS = 5.0


class Backoff:
    """Waits longer after each failure and begins anew after a success; there is no last try."""

    def __init__(self) -> None:
        self._pause = _FIRST_SECONDS
        self._asked = 0.0
        self._is_spread = False

    def worked(self) -> None:
        """What was tried went well."""
        self._pause, self._asked = _FIRST_SECONDS, 0.0

    def failed(self, error: MajlisError) -> bool:
        """Whether another try may help after this refusal; one that says when is heeded."""
        self._asked = error.retry_after_seconds or 0.0
        # These times the server has spread itself: whoever comes before theirs is sent away again.
        self._is_spread = error.reason == "CROWDED"
        return error.passing or error.wants_seat or error.reason == "MEDIA_BLOCKED"

    async def wait(self) -> None:
        """Until the next try."""
        pause = max(self._pause, self._asked)
        self._pause, self._asked = min(_LONGEST_SECONDS, self._pause * 2), 0.0
        await asyncio.sleep(random.uniform(pause if self._is_spread else 0.0, pause))  # noqa: S311 (jitter)
