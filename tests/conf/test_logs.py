"""Logs: one JSON line, with the ids of what runs, and nothing in it that could open a door or name a person."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from grimbots.conf import logs
from grimbots.conf.logs import JsonFormatter
from grimbots.tests.conf.leaks import LEAKS, TOKEN, WAYS


@pytest.fixture(autouse=True)
def fresh_ids() -> Iterator[None]:
    logs.begin()
    yield
    logs.begin()


def write(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert "\n" not in line
    read: dict[str, object] = json.loads(line)
    return read


def make(error: BaseException | None = None, message: str = "went %s") -> logging.LogRecord:
    found = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("grimbots.x", logging.ERROR, "f", 1, message, ("off",), found)


def test_format_writes_one_json_line_with_traceback() -> None:
    record = make(ValueError(f"bad {TOKEN}\nnext line"))
    record.bot_id = 7
    line = write(record)
    assert (line["level"], line["logger"], line["message"], line["bot_id"]) == ("ERROR", "grimbots.x", "went off", 7)
    assert "ValueError: bad <token>\nnext line" in str(line["traceback"])


def test_lines_carry_the_ids_of_their_context() -> None:
    async def handle(number: int) -> dict[str, object]:
        logs.begin(request_id=f"r{number}")
        await asyncio.sleep(0)
        logs.add(bot_id=number)
        return write(make())

    async def run() -> list[dict[str, object]]:
        return await asyncio.gather(handle(1), handle(2))

    first, second = asyncio.run(run())
    assert (first["request_id"], first["bot_id"]) == ("r1", 1)
    assert (second["request_id"], second["bot_id"]) == ("r2", 2)
    assert "request_id" not in write(make())


def test_an_error_carries_the_ids_of_where_it_was_raised() -> None:
    """The queue tells of a dead job from a context of its own."""
    error = ValueError()
    logs.begin(job_id="u:1:2", task="updates.handle")
    logs.mark(error)
    logs.begin(request_id="r1")
    logs.mark(error)  # who passes it on is not where it came from
    line = write(make(error))
    assert (line["job_id"], line["task"]) == ("u:1:2", "updates.handle")
    assert "request_id" not in line


def test_no_secret_is_seen_whatever_way_it_is_said(postgres_url: str) -> None:
    """Every way out of a process (tests/conf/leaks.py), each with every kind of secret, in a real process's stderr."""
    command = [sys.executable, "-P", "-m", "grimbots.tests.conf.leaks", postgres_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    told = done.stderr
    assert {name: leak.needle for name, leak in LEAKS.items() if leak.needle in told} == {}
    lines = [json.loads(line) for line in told.splitlines()]
    starts = [place for place, line in enumerate(lines) if str(line["message"]).startswith("way ")] + [len(lines) - 1]
    said = [end - start - 1 for start, end in itertools.pairwise(starts)]
    assert len(said) == len(WAYS)
    assert min(said) >= 1, "each way said something, as a line of JSON"
    assert lines[-1]["message"] == "uncaught: this process ends"
