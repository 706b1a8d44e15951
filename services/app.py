"""App: all that a service may touch, built once by `server.build_app()` and passed first to every service function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from grimbots.conf.loops import Lag
from grimbots.services import gateway_accounts
from grimbots.services.caches import Cache
from grimbots.services.conversion_destinations import Reporters
from grimbots.services.crowds import Crowd
from grimbots.services.funnels.versions import VersionCache
from grimbots.services.passwords import Passwords
from grimbots.services.rounds import Rounds

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.queue.dispatcher import Queue
    from grimbots.services.bots import BotCache
    from grimbots.services.breakers import Counts
    from grimbots.services.clients.http import HttpClient
    from grimbots.services.clients.telegram import TelegramClient
    from grimbots.services.pools import PoolCache
    from grimbots.services.secrets import Vault
    from grimbots.services.spool import Spool
    from grimbots.sql.database import Database, Row


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
    pools: PoolCache
    click_spool: Spool
    event_spool: Spool
    clock: Callable[[], datetime]
    versions: VersionCache = field(default_factory=VersionCache)
    unanswered: Counts = field(default_factory=dict)
    gateway_accounts: Cache[Row] = field(default_factory=gateway_accounts.make_cache)
    reporters: Reporters = field(default_factory=Reporters)
    passwords: Passwords = field(default_factory=Passwords)
    rounds: Rounds = field(default_factory=Rounds)
    lag: Lag = field(default_factory=Lag)
    crowd: Crowd = field(default_factory=Crowd)
