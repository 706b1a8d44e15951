"""What `grimbots doctor` finds out: each check says that all is well, or what is wrong and what to do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import NewerProtocol, OtherShards, Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.services.secrets import MasterKeyError, open_vault
from grimbots.sql.database import Database, DatabaseUnavailable
from grimbots.sql.errors import UndefinedTable
from grimbots.sql.migrate import MigrationError, pending

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings

OLDEST_POSTGRES, OLDEST_REDIS = 14, (6, 2)
REAL_TELEGRAM = "https://api.telegram.org"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `cure` is what to do, empty where all is well."""

    subject: str
    said: str
    cure: str = ""


def check_python() -> Finding:
    """Look at the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    supported = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Finding("Python", version, "" if supported else "run GrimBots with Python 3.11 to 3.14")


async def check_postgres(settings: Settings) -> Finding:
    """Look at Postgres: reachable, new enough, migrated."""
    if not settings.database_url:
        return Finding("Postgres", "DATABASE_URL is not set", "set it (conf/example.env), or use `grimbots dev`")
    try:
        missing = await pending(settings.database_url)
        async with open_database(settings) as db:
            version: int = await db.server.read_version() // 10_000
    except DatabaseUnavailable as error:
        return Finding("Postgres", str(error), "start it, and look at DATABASE_URL")
    except MigrationError as error:
        return Finding("Postgres", str(error), "run the code this database was migrated with")
    if version < OLDEST_POSTGRES:
        return Finding("Postgres", f"version {version}", f"use version {OLDEST_POSTGRES} or later")
    if missing:
        return Finding("Postgres", f"version {version}, {', '.join(missing)} not applied", "run `grimbots migrate`")
    return Finding("Postgres", f"version {version}, up to date")


async def check_master_key(settings: Settings) -> Finding:
    """Look at the master key: there, ours alone, the one this database was encrypted with. Makes none."""
    path = settings.master_key_path
    if not settings.database_url:
        return Finding("master key", f"{path}; not compared, as no database is set")
    try:
        async with open_database(settings) as db:
            known = await db.installation.find(name="master_key_id")
            if known is None:
                return Finding("master key", f"{path} is made, or taken into use, by the first start")
            vault = await open_vault(path, db)
    except UndefinedTable:
        return Finding("master key", f"{path}; not compared, as the database is not migrated")
    except MasterKeyError as error:
        return Finding("master key", "unusable", str(error))
    except DatabaseUnavailable:
        return Finding("master key", f"{path} is there; not compared, as Postgres is away")
    return Finding("master key", f"{vault.key_id} in {path}; is it in your backup?")


async def check_redis(settings: Settings) -> Finding:
    """Look at Redis: reachable, new enough, keeping every write, evicting nothing."""
    if not settings.redis_url:
        return Finding("Redis", "REDIS_URL is not set", "set it (conf/example.env), or use `grimbots dev`")
    queue = Queue(settings.redis_url, consumer_host="doctor", slot=0, queue_slots=settings.queue_slots)
    try:
        await queue.start()
        return _judge_redis(await Inspector(queue).redis())
    except QueueUnavailable as error:
        return Finding("Redis", str(error) or "it does not answer", "start it, and look at REDIS_URL")
    except (NewerProtocol, OtherShards) as error:
        return Finding("Redis", "its data is not for this process", str(error))
    finally:
        await queue.stop()


def _judge_redis(found: Mapping[str, Any]) -> Finding:
    """Say what is wrong first; then what holds of the rest."""
    said = f"version {found['redis_version']}"
    version = tuple(map(int, found["redis_version"].split(".")[:2]))
    if version < OLDEST_REDIS:
        return Finding("Redis", said, "use version 6.2 or later")
    for wrong, described, cure in _list_redis_faults(found):
        if wrong:
            return Finding("Redis", f"{said}, {described}", cure)
    if version < (7, 0):
        said += " (with memory full it drains by a first write that frees; 7 says so by itself)"
    fsync = f"appendfsync {found['fsync']}" if found["fsync"] else "appendfsync not told"
    return Finding("Redis", f"{said}, append-only file with {fsync}, noeviction")


def _list_redis_faults(found: Mapping[str, Any]) -> Iterator[tuple[bool, str, str]]:
    policy, fsync = found["maxmemory_policy"], found["fsync"]
    yield policy != "noeviction", f"maxmemory-policy {policy}", "set it to noeviction: it throws jobs away"
    yield (
        not int(found["aof_enabled"]),
        "no append-only file",
        "set appendonly yes and appendfsync always: a crash loses jobs",
    )
    yield (
        fsync not in (None, "always"),
        f"appendfsync {fsync}",
        "set it to always: a power cut loses up to 2 s of what was accepted (docs/redis.md says what it costs)",
    )
    yield (
        not int(found["maxmemory"]),
        "no maxmemory",
        "set it to 70 % of the machine's memory: without it the kernel kills Redis before Redis refuses work",
    )
    yield found["foreign"], "keys of others in it", "give GrimBots a Redis of its own: who flushes a cache flushes jobs"


def check_address(settings: Settings) -> Finding:
    """Look at the address the outside reaches us by."""
    if settings.public_url.startswith("https://"):
        return Finding("PUBLIC_URL", settings.public_url)
    if settings.sandbox or settings.telegram_url != REAL_TELEGRAM:
        return Finding("PUBLIC_URL", f"{settings.base_url}: enough for the sandbox")
    return Finding("PUBLIC_URL", settings.public_url or "not set", "set it to the https address Telegram shall call")


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Give a database with one connection. Raises DatabaseUnavailable."""
    db = Database(settings.database_url, size=1)
    await db.open()
    try:
        yield db
    finally:
        await db.close()
