"""Clicks: visits to tracked links. Answered at once, whatever is away: no store is asked on the way.

    follow: a bot's turn, a token made here, the click spooled on the local disk, the address to go to
    store_spooled: what is spooled goes to Postgres, in order, once
    link: the visitor's /start brings the token back, before or after its click is stored

A token says whose it is: its last characters are a mark that only this installation can make, over its account and the
rest. So a /start may come before its click and still be believed, and another account's token links to nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from grimbots.conf import metrics
from grimbots.services import conversion_events
from grimbots.services.errors import NotFound, Unavailable
from grimbots.services.spool import SpoolUnavailable
from grimbots.sql.database import Json
from grimbots.sql.errors import DataError

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.landings import Landing
    from grimbots.services.pool_strategies.base import PoolBot
    from grimbots.services.pools import Pool
    from grimbots.services.visits import Visit
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

SPOOL_BYTES = 256 << 20  # some 300,000 clicks
RANDOM_BYTES = 9  # 12 characters; with the mark's 4 a token has 16, of the 64 that a start parameter may have
RANDOM_LENGTH, TOKEN_LENGTH = 12, 16
DISK_SECONDS = 0.02  # how long a visitor waits for the disk; then the click is written behind his back
BATCH = 100  # five times as many hold up a visitor by tens of milliseconds


@dataclass(frozen=True, slots=True)
class Way:
    """Where a visitor goes: to `address`, past the page `landing` where the link has one."""

    address: str
    token: str
    landing: Landing | None


async def follow(app: App, slug: str, visit: Visit | None, host: str = "") -> Way:
    """Return where a visitor of /go/<slug> at `host` goes, his click kept. None visits: who only asks for the head.

    Raises:
        NotFound: no pool has this slug there.
        Unavailable: no bot of the pool lives, or the pool is not known here and Postgres is away.
    """
    try:
        pool = await app.pools.get(app, slug, host)
        bot = app.pools.next_bot(pool)
    except (NotFound, Unavailable) as error:
        metrics.redirects.labels(error.code).inc()
        raise
    token = make_token(app, pool.account_id)
    if visit is not None:
        await _note(app, pool, bot, token, visit)
    metrics.redirects.labels("redirected").inc()
    return Way(_locate(app, bot, token), token, pool.landing)


def make_token(app: App, account_id: int) -> str:
    """Make a token nobody can guess, and only this account's bots believe."""
    text = secrets.token_urlsafe(RANDOM_BYTES)
    return text + app.vault.click_mark(account_id, text)


def is_token(app: App, account_id: int, text: str) -> bool:
    """Tell whether `text` is a token made here for this account."""
    if len(text) != TOKEN_LENGTH:  # every update asks, and few have one: what cannot be one costs no HMAC
        return False
    mark = app.vault.click_mark(account_id, text[:RANDOM_LENGTH])
    return hmac.compare_digest(text[RANDOM_LENGTH:].encode(), mark.encode())


async def store_spooled(app: App) -> int:
    """Store what this process, and those that died here, have spooled; returns how many clicks that was.

    Raises:
        DatabaseUnavailable: the rest stays where it is.
        SpoolUnavailable: the disk cannot be read.
    """
    return await app.click_spool.drain(partial(_store, app), BATCH)


async def link(app: App, tx: Transaction, lead: Row, token: str) -> None:
    """Note that a lead, locked, has started by the click whose token its /start carries."""
    now = app.clock()
    key = {"account_id": lead.account_id, "token": token}
    click = await tx.clicks.find_by_token(**key)
    came_first = "click" if click is not None and click.clicked_at is not None else "start"
    metrics.click_starts.labels(came_first).inc()
    click_id = click.id if click else await tx.clicks.add_awaited(bot_id=lead.bot_id, now=now, **key)
    await tx.leads.touch(account_id=lead.account_id, lead_id=lead.id, click_id=click_id, now=now)
    await conversion_events.note_start(app, tx, lead, click_id, token)


async def _note(app: App, pool: Pool, bot: PoolBot, token: str, visit: Visit) -> None:
    """Spool a click, and wait a moment for the disk."""
    ids = {"account_id": pool.account_id, "pool_id": pool.id, "bot_id": bot.id, "token": token}
    record = {**ids, "clicked_at": app.clock().isoformat(), **asdict(visit)}
    # The spool keeps hold of what waits for it, so this ends by itself when nobody waits any more.
    spooling = asyncio.ensure_future(_spool(app, record))
    await asyncio.wait([spooling], timeout=DISK_SECONDS)


async def _spool(app: App, record: dict[str, Any]) -> None:
    try:
        await app.click_spool.append(record)
    except SpoolUnavailable as error:
        metrics.clicks.labels("dropped").inc()
        log.debug("a click is dropped: %s", error)  # the spool says it aloud, once
    else:
        metrics.clicks.labels("spooled").inc()


async def _store(app: App, records: Sequence[dict[str, Any]]) -> None:
    """Store a portion; a record that Postgres cannot take must not hold up those behind it."""
    by_token = {record["token"]: record for record in records}
    try:
        async with app.db.transaction() as tx:
            stored = await tx.clicks.add_all(clicks=Json(list(by_token.values())), now=app.clock())
            await conversion_events.note_clicks(app, tx, list(by_token.values()))
    except DataError as error:
        await _store_singly(app, records, error)
    else:
        metrics.clicks.labels("stored").inc(stored)


async def _store_singly(app: App, records: Sequence[dict[str, Any]], error: DataError) -> None:
    if len(records) > 1:
        for record in records:
            await _store(app, [record])
        return
    metrics.clicks.labels("dropped").inc()
    log.error("a click of pool %s cannot be stored: %s", records[0]["pool_id"], type(error).__name__)


def _locate(app: App, bot: PoolBot, token: str) -> str:
    """Give Telegram's deep link (core.telegram.org/api/links, "Bot links"), or the sandbox's chat page in its stead."""
    if app.settings.sandbox:
        return "/sandbox?" + urlencode({"bot": bot.username, "start": token})
    return f"https://t.me/{bot.username}?start={token}"
