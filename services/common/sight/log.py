"""Structured log lines: one JSON object a line, or readable text, with personal data kept out."""

import logging
import sys
import threading
from typing import Any, Literal, TextIO

import structlog

from services.common.sight import tracing
from services.common.throttle import Throttles

LogFormat = Literal["json", "text"]
Logger = structlog.stdlib.BoundLogger

_ours: set[str] = set()
_format: LogFormat = "text"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be written is counted, and said when that works again: never a traceback."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lost = 0
        self._why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, after one that stands for those that were lost."""
        try:
            if self._lost:
                text = f"{self._lost} lines are missing here: {self._why}"
                note = logging.LogRecord("log", logging.WARNING, __file__, 0, text, (), None)
                self._write(self.format(note))
                self._lost = 0
            self._write(self.format(record))
        except Exception as error:  # noqa: BLE001 - a disk that is full, or a line whose values cannot be shown
            self._lost += 1
            self._why = (isinstance(error, OSError) and error.strerror) or type(error).__name__

    def _write(self, text: str) -> None:
        self.stream.write(text + self.terminator)
        self.flush()


def get_logger(name: str) -> Logger:
    """The logger of one part; bind more context with `.bind(...)`."""
    _ours.add(name)
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def bind(**ids: str) -> None:
    """Adds ids to every further line of the request being served."""
    structlog.contextvars.bind_contextvars(**ids)


def configure(service: str, log_format: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Sends every log line of the process through one formatter to `stream` (stderr); of libraries only warnings."""
    global _format  # noqa: PLW0603 - a process has one log
    _format = log_format
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        _add_trace,
        structlog.processors.StackInfoRenderer(),
    ]
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream or sys.stderr)
    handler.addFilter(_WorthALine())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def is_configured() -> bool:
    """Whether lines go where `configure` has sent them."""
    return any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers)


def is_for_programs() -> bool:
    """Whether programs read the lines, which then are JSON objects and nothing else."""
    return is_configured() and _format == "json"


class _WorthALine(logging.Filter):
    """Lets lines of ours through, and of libraries warnings, one of a kind in ten seconds.

    What libraries say every day repeats people's data that they were given, and what they warn of is often what a
    stranger sent: a packet or a request that is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._throttles = Throttles()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if record.name in _ours:
            return True
        if record.levelno < logging.WARNING:
            return False
        kind = record.exc_info[0] if record.exc_info else None
        with self._lock:
            left_out = self._throttles.passes((record.name, record.lineno, kind))
        if left_out:
            record.msg = f"{record.msg} (and {left_out} lines like it before)"
        return left_out is not None


def _add_trace(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """The current trace's id, by which a line is found from a trace and the other way round."""
    trace_id = tracing.trace_id()
    if trace_id:
        event["trace_id"] = trace_id
    return event


def _named(service: str) -> structlog.types.Processor:
    def add_service(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["service"] = service
        return event

    return add_service


def _renderer(log_format: LogFormat) -> structlog.types.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False, default=str)
    # Plain stacks: the default formatter prints local variables, and those hold tokens and addresses.
    return structlog.dev.ConsoleRenderer(
        colors=False, sort_keys=True, exception_formatter=structlog.dev.plain_traceback
    )
