"""Logs: one JSON object a line on standard error, with what looks like a secret or a person's data struck out."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

# What must never reach a log (product promise I8), in the order it is struck out.
SECRETS = (
    (re.compile(r"\b\d{5,16}:[A-Za-z0-9_-]{20,64}\b"), "<token>"),
    (re.compile(r"\b000201[0-9A-Za-z.@:/*_\- ]{30,500}6304[0-9A-Fa-f]{4}\b"), "<pix code>"),
    (re.compile(r"(postgres(?:ql)?|rediss?)://[^@\s/]+@"), r"\1://<password>@"),
    (re.compile(r"(/webhook/(?:telegram|payment/[a-z0-9_]+))/[A-Za-z0-9_-]+"), r"\1/<key>"),
    (re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{8,}"), r"\1 <secret>"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+\b"), "<e-mail>"),
    (re.compile(r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b"), "<cpf>"),
    (re.compile(r"\+55\d{10,11}\b"), "<phone>"),
)
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def scrub(text: str) -> str:
    """Return `text` with tokens, PIX codes, passwords, webhook keys, e-mails, CPFs and phones struck out."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON line: at, level, logger, message, what `extra=` gave, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in STANDARD:
                line[name] = value if isinstance(value, int | float | bool | None) else scrub(str(value))
        if record.exc_info:
            line["traceback"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(level: str) -> None:
    """Send every logger of the process to standard error as JSON lines at `level`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, root.level))
