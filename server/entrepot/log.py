"""Events with fields, one line each, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# A url's login and its query, which may be a signature, wherever a library's words quote one.
_LOGIN = re.compile(r"(?<=://)[^/?#\s'\"]*@")
_QUERY = re.compile(r"(://[^?\s'\"]*\?)[^\s'\"]+")
_NEEDS_QUOTES = re.compile(r"[^!#-<>-~]|^$").search


def configure_log(
    form: Literal["text", "json"],
    level: str,
    stream: TextIO | None = None,
    *,
    lasting: bool = True,
) -> None:
    """Set up structlog for the process; `level` as logging names it, any case.

    `stream` is standard error unless given. Not `lasting`: loggers already used follow a later
    call, which costs each event a little. Written synchronously: a line is some microseconds and
    a reader that blocks us would hide the events that tell why.
    """
    renderer: Processor = structlog.processors.JSONRenderer() if form == "json" else _text_line
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=lasting,
    )
    _hear_libraries()


class _LibraryEvents(logging.Handler):
    """What asyncio and aiohttp say through `logging`, as events like our own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` with its traceback, if it has one."""
        log = structlog.get_logger()
        log.log(
            record.levelno,
            "library.said",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def _hear_libraries() -> None:
    """Without a handler `logging` writes bare lines to standard error, tracebacks and all."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _LibraryEvents)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryEvents(logging.WARNING))


def _masked(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Hide what urls may hold in texts that are not ours: tracebacks, and what libraries say."""
    for key in ("exception", "message"):
        text = event.get(key)
        if isinstance(text, str) and "://" in text:
            event[key] = _QUERY.sub(r"\1***", _LOGIN.sub("***@", text))
    return event


def _text_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Time, level and event, then key=value; a value with blanks or quotes as a JSON string.

    Structlog's own renderer of this form took a third of the time of an answer from memory.
    """
    fields = [f"{event.pop('timestamp')} {event.pop('level')} {event.pop('event')}"]
    exception = event.pop("exception", None)
    for key, value in event.items():
        text = str(value)
        fields.append(f"{key}={json.dumps(text) if _NEEDS_QUOTES(text) else text}")
    line = " ".join(fields)
    return line if exception is None else f"{line}\n{exception}"
