"""Sets the clock of some services of a system under test wrong: CLOCKS_OFF="auth=25 media_relay=-25", in seconds.

Python imports a module of this name before a program, where its folder is on PYTHONPATH; nothing else is touched.
"""

import os
import sys
from datetime import UTC, datetime, timedelta


def _mine() -> float:
    """Seconds by which the clock of this program is off."""
    given = dict(each.split("=") for each in os.environ.get("CLOCKS_OFF", "").split())
    return float(given.get(sys.orig_argv[-1].removeprefix("services."), "0"))


def _set_wrong(seconds: float) -> None:
    # The program's own folder comes on the path later.
    sys.path.insert(0, str(__import__("pathlib").Path(__file__).parents[3]))
    from services.common.clock import SystemClock

    def now(_self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    SystemClock.now = now  # type: ignore[method-assign, assignment]
    sys.path.pop(0)


if _mine():
    _set_wrong(_mine())
