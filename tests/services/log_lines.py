"""The lines of the log as they would stand on standard error, for tests that read them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from grimbots.conf.logs import JsonFormatter, LineHandler


class LogLines:
    """What was logged since it was opened."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[str]:
        """Give the lines."""
        return self.stream.getvalue().splitlines()


@contextmanager
def open_log_lines(level: int = logging.INFO) -> Iterator[LogLines]:
    """Collect every line at `level` and above for as long as the block runs."""
    lines, root = LogLines(), logging.getLogger()
    handler, before = LineHandler(lines.stream), root.level
    handler.setFormatter(JsonFormatter())
    handler.setLevel(level)
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
