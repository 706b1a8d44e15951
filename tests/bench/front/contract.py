"""What each server under test brings, and the command that runs it: `python -m ...peers.<name> <verb>`.

    serve <port>   take updates in at POST /hook on 127.0.0.1, with the secret that SECRET names, until killed
    work           execute what was queued, until killed

An update is executed by a wait of HANDLE_MS (none unless set), as a Bot API call would be, and a line with its chat's
number in the file that EFFECTS names. REDIS_URL is where queues lie, BOT_API_URL a Bot API. Peers run in environments
of their own: standard library only here.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

HOST, PATH = "127.0.0.1", "/hook"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
SECRET = os.environ.get("SECRET", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
BOT_API_URL = os.environ.get("BOT_API_URL", "")
TOKEN = "900000:" + "A" * 35

_handle_seconds = int(os.environ.get("HANDLE_MS", "0")) / 1000
_effects = os.open(os.environ.get("EFFECTS", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_is_noted = "EFFECTS" in os.environ


def note(chat_id: int) -> None:
    """Write down that an update was executed: one atomic write, kept whoever is killed next."""
    if _is_noted:
        os.write(_effects, b"%d\n" % chat_id)


async def execute(chat_id: int) -> None:
    """Execute an update where that is a coroutine."""
    if _handle_seconds:
        await asyncio.sleep(_handle_seconds)
    note(chat_id)


def execute_blocking(update: dict[str, Any]) -> None:
    """Execute an update where that is a process."""
    if _handle_seconds:
        time.sleep(_handle_seconds)  # noqa: TID251 (it blocks a process of its own)
    note(find_chat(update))


def find_chat(update: dict[str, Any]) -> int:
    """Give the number of an update's chat."""
    return int(update["message"]["chat"]["id"])


def main(serve: Callable[[int], None], work: Callable[[], None] | None = None) -> None:
    """Do what the command line says."""
    verb, *rest = sys.argv[1:]
    if verb == "serve":
        serve(int(rest[0]))
    elif work is not None:
        work()
