"""Whether the bus still answers: a connection to a server that hangs looks like one on which nothing happens."""

from collections.abc import Awaitable, Callable

from services.common.sight.log import get_logger

EVERY_SECONDS = 0.6
ANSWER_SECONDS = 0.4
"""A server that took longer is silent: what happens meanwhile must not wait for it for much more than a second."""

_log = get_logger("bus")

Ask = Callable[[float], Awaitable[bool | None]]
"""Whether the server answers within so many seconds; None while there is no connection to ask on."""


class Pulse:
    """Asks the server now and then: one question a process, however many want to know."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._on_silence: list[Callable[[], None]] = []
        self.is_silent = False

    def on_silence(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when the server stops to answer, or its connection is gone."""
        self._on_silence.append(callback)

    async def feel(self) -> None:
        """Asks once, if anybody wants to know."""
        if not self._on_silence:
            return
        answered = await self._ask(ANSWER_SECONDS)
        if answered is None or answered is not self.is_silent:
            return
        self.is_silent = not answered
        if answered:
            _log.info("NATS answers again")
        else:
            _log.warning("NATS does not answer")
            self.tell()

    def tell(self) -> None:
        """Says that nothing arrives from now on."""
        for callback in self._on_silence:
            callback()
