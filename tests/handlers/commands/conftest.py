"""What tests of commands share: a function that runs one command line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grimbots import server
from grimbots.handlers.commands import cli

Command = Callable[..., int]


@pytest.fixture
def command(
    database_url: str, flushed_redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Give a function that runs one command line and gives its exit code."""
    monkeypatch.chdir(tmp_path)
    settings = {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url, "GRIMBOTS_DATA": str(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def run(*argv: str, given: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        return cli.main(argv, cli.Server(build_app=server.build_app, serve=server.serve))

    yield run
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
