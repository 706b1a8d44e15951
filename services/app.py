"""App: all that a service may touch, built once by `server.build_app()` and passed first to every service function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from grimbots.services.funnels.versions import VersionCache
from grimbots.services.passwords import Passwords

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.queue.dispatcher import Queue
    from grimbots.services.bots import BotCache
    from grimbots.services.clients.http import HttpClient
    from grimbots.services.clients.telegram import TelegramClient
    from grimbots.services.secrets import Vault
    from grimbots.sql.database import Database


@dataclass(frozen=True, slots=True)
class App:
    """The process's settings, stores and clients.

    `clock` gives the application's time, aware UTC: product rules use it and nothing else, so that tests move it.
    """

    settings: Settings
    db: Database
    queue: Queue
    http: HttpClient
    telegram: TelegramClient
    vault: Vault
    bots: BotCache
    clock: Callable[[], datetime]
    versions: VersionCache = field(default_factory=VersionCache)
    passwords: Passwords = field(default_factory=Passwords)
