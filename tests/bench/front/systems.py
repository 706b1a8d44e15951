"""The servers under test, and what each does before it answers 200."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """One row. `durable`: an update is in a store before its 200; `works`: it needs a worker to have it executed."""

    name: str  # of its file in `peers`, and of its environment
    title: str
    durable: bool
    before_200: str
    environment: str = ""  # whose it uses; "" is its own, "ours" is the one that runs this
    works: bool = True
    holds: int = 1_000_000  # connections, at most
    language: str = "Python"


BARE = System("bare", "bare Tornado", False, "nothing at all: the floor", "ours", works=False)
OURS = System("ours", "GrimBots", True, "secret, read, queued in Redis with fsync", "ours")
AIOGRAM = System("aiogram", "aiogram on aiohttp", False, "secret, JSON; a task in memory", works=False)
PTB = System(
    "python_telegram_bot", "python-telegram-bot", False, "secret, Update object; a queue in memory", works=False
)
FLASK_RQ = System("flask_rq", "Flask, gunicorn, RQ", True, "secret, JSON, queued in Redis", holds=1000)
AIOHTTP_ARQ = System("aiohttp_arq", "aiohttp, arq", True, "secret, JSON, queued in Redis")
SYSTEMS = {system.name: system for system in (BARE, OURS, AIOGRAM, PTB, AIOHTTP_ARQ, FLASK_RQ)}
