"""Logs: one JSON object a line on standard error, without anything secret or a person's (`redactions.py`).

ERROR: somebody must look, and Sentry is told. WARNING: something is wrong and the program copes. INFO: at most one line
for each update handled, and what operators did. DEBUG: every step. A line carries the ids of the request or the job in
which it was written, and an exception's of those in which it was raised.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from grimbots.conf.redactions import hide, scrub, scrub_end, scrub_value

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
CHATTY = ("asyncio", "sentry_sdk", "urllib3")  # below WARNING they speak of their own affairs

log = logging.getLogger(__name__)
_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=MappingProxyType({}))


def begin(**ids: object) -> None:
    """From here on every line of this context carries these ids, and no others: a request or a job begins."""
    _ids.set(ids)


def add(**ids: object) -> None:
    """Every line of this context carries these ids too."""
    _ids.set({**_ids.get(), **ids})


def mark(error: BaseException) -> None:
    """Let an exception carry the ids of this context, for whoever logs it elsewhere."""
    error.__dict__.setdefault("log_ids", _ids.get())


def read_ids(record: logging.LogRecord) -> dict[str, object]:
    """Give the ids of a record: those its exception was marked with, else its context's, and what `extra=` gave."""
    error = record.exc_info[1] if record.exc_info else None
    ids = getattr(error, "log_ids", None)
    extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
    return {**(_ids.get() if ids is None else ids), **extra}


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON line: at, level, logger, message, the ids, what `extra=` gave, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        line.update(scrub_value(read_ids(record)))
        if record.exc_info and record.exc_info[0]:
            line["traceback"] = scrub_end(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = scrub_end(self.formatStack(record.stack_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class LineHandler(logging.StreamHandler[Any]):
    """Writes lines to standard error. A record that cannot be written is named, without what it holds."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Say which line it was: logging's own way would print its arguments."""
        error = sys.exc_info()[0]
        place, kind = f"{record.pathname}:{record.lineno}", error.__name__ if error else "?"
        line = {"level": "ERROR", "logger": record.name, "message": f"a line of {place} cannot be written: {kind}"}
        try:
            self.stream.write(json.dumps(line) + self.terminator)
        except (OSError, ValueError):
            return  # there is nowhere left to say it


def set_up(level: str, secrets: Iterable[str] = ()) -> None:
    """Send all this process says to standard error as JSON lines at `level`, `secrets` struck out by their letters.

    All: every logger, warnings, and what nobody caught in any thread.
    """
    hide(secrets)
    handler = LineHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    log.critical("uncaught: this process ends", exc_info=(kind, error, trace))


def _log_unraisable(found: sys.UnraisableHookArgs) -> None:
    log.error("an exception was ignored: %s", found.err_msg or "in a finalizer", exc_info=found.exc_value)


def _log_thread(found: threading.ExceptHookArgs) -> None:
    name = found.thread.name if found.thread else "?"
    log.error("the thread %s ended", name, exc_info=found.exc_value)
