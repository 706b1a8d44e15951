"""Where the clients of the tests' stores are: those of the servers that run, before any other version's."""

from __future__ import annotations

import os

from grimbots.handlers.commands.embedded import postgres, redis


def make_path() -> str:
    """Give a PATH on which pg_dump, psql and redis-cli are found."""
    return f"{postgres.find_binaries(None)}:{redis.find_binary().parent}:{os.environ['PATH']}"
