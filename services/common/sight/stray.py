"""What the interpreter and its libraries would write to standard error by themselves goes into the log instead."""

import logging
import sys
import threading
from types import TracebackType

from services.common.sight import log

_log = log.get_logger("process")


def take_in() -> None:
    """Has uncaught exceptions of any thread, exceptions nobody can raise, and warnings become lines of the log."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or not log.is_configured():
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("the process ends by an error", exc_info=(kind, error, trace))


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    if what.exc_value is None or not log.is_configured():
        sys.__unraisablehook__(what)
        return
    # The object may be half gone: its kind is all that is safe to tell, and its text might be somebody's.
    _log.error(
        "an error that nobody could be told",
        where=type(what.object).__qualname__,
        exc_info=(what.exc_type, what.exc_value, what.exc_traceback),
    )


def _in_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is SystemExit:
        return
    if what.exc_value is None or not log.is_configured():
        threading.__excepthook__(what)
        return
    _log.error(
        "a thread ended by an error",
        thread=what.thread.name if what.thread else "",
        exc_info=(what.exc_type, what.exc_value, what.exc_traceback),
    )
