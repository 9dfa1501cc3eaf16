"""What people are told of a fault of ours, and the one line a while that the log gets of each kind."""

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.throttle import Throttles

_log = get_logger("faults")


class Faults:
    """Faults of one edge; whoever can cause one can cause a thousand, so that lines are few."""

    def __init__(self) -> None:
        self._throttles = Throttles()

    def note(self, what: str, error: Exception) -> DomainError:
        """Logs the fault with its stack, unless its like was logged just now, and gives what the client is told.

        `what` names the RPC or the route, never anything the client chose.
        """
        left_out = self._throttles.passes((what, type(error)))
        if left_out is not None:
            _log.error("request failed", what=what, left_out=left_out, exc_info=error)
        return DomainError("a fault of ours; the log has it")
