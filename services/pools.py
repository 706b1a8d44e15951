"""Pools: tracked links that spread their clicks over bots of one account. Every process knows them all by heart.

`/go/<slug>` must answer while Postgres is away, so pools are read ahead: all at start and now and then, one at every
word that it has changed. What was read last counts until it can be read anew.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from grimbots.services import accounts
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
REMEMBERED_POOLS = 50_000  # the newest; an older one is asked for when it is visited
PAGE_POOLS = 500  # so that the loop is never busy for long
LAST_ID = 2**63 - 1
LOOK_UP_SECONDS = 1.0
MOST_BOTS = 100


@dataclass(frozen=True, slots=True)
class PoolBot:
    """A living bot of a pool."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A tracked link. `account_id` is its tenant; `bots` are those alive, in their order."""

    id: int
    account_id: int
    slug: str
    bots: tuple[PoolBot, ...]


class PoolCache:
    """Every pool of the installation by its slug, as it was read last, and whose turn it is in each."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}
        self._turns: Counter[int] = Counter()
        self._reading = asyncio.Lock()  # else what was read earlier could be put in later

    async def get(self, app: App, slug: str) -> Pool:
        """Return the pool with this slug.

        Raises:
            NotFound: there is none.
            Unavailable: it is not known here, and Postgres is away.
        """
        pool = self._pools.get(slug) or await _look_up(app, slug)
        if pool is None:
            raise NotFound("no link has this name")
        return pool

    def next_bot(self, pool: Pool) -> PoolBot:
        """Return the bot whose turn it is.

        Raises:
            Unavailable: none of the pool's bots is alive.
        """
        if not pool.bots:
            raise Unavailable("no bot of this link is in service")
        turn = self._turns[pool.id]
        self._turns[pool.id] += 1
        return choose_bot(pool, turn)

    async def load(self, app: App) -> None:
        """Read every pool anew.

        Raises:
            DatabaseUnavailable, StatementTimeout: what was read before still counts.
        """
        async with self._reading:
            pools = {pool.slug: pool async for pool in _read_all(app)}
            self._pools = pools
        living = {pool.id for pool in pools.values()}
        self._turns = Counter({pool_id: turn for pool_id, turn in self._turns.items() if pool_id in living})

    async def watch(self, app: App) -> None:
        """Read anew what any process says has changed, until cancelled. An empty word means: anything may have."""
        async for slug in app.db.listen("pools"):
            try:
                await (self._load_one(app, slug) if slug else self.load(app))
            except (DatabaseUnavailable, StatementTimeout) as error:
                log.warning("pools stay as they were read last: %s", error)

    async def _load_one(self, app: App, slug: str) -> None:
        async with self._reading:
            pool = await _read_one(app, slug)
            self._pools.pop(slug, None)
            if pool is not None and len(self._pools) < REMEMBERED_POOLS:
                self._pools[slug] = pool


async def _look_up(app: App, slug: str) -> Pool | None:
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            return await _read_one(app, slug)
    except (DatabaseUnavailable, StatementTimeout, TimeoutError) as error:
        raise Unavailable("this link is not known here yet, and Postgres is away: try again") from error


async def _read_one(app: App, slug: str) -> Pool | None:
    pools = _from_rows(await app.db.pools.list_live_by_slug(slug=slug))
    return pools[0] if pools else None


async def _read_all(app: App) -> AsyncIterator[Pool]:
    """Read every pool there is a place for, the newest first."""
    before_id, count = LAST_ID, 0
    while count < REMEMBERED_POOLS:
        page = _from_rows(await app.db.pools.list_live(before_id=before_id, limit=PAGE_POOLS))
        for pool in page:
            yield pool
        if len(page) < PAGE_POOLS:
            return
        before_id, count = page[-1].id, count + len(page)


def choose_bot(pool: Pool, turn: int) -> PoolBot:
    """Choose the bot of a turn: one after the other. The place where another strategy would stand."""
    return pool.bots[turn % len(pool.bots)]


async def save(app: App, *, account: str, slug: str, usernames: Sequence[str], actor: str) -> None:
    """Add a pool, or give the account's own its bots anew.

    Raises:
        Invalid: the slug has other signs than it may have; or no bot is named, or one twice, or too many.
        NotFound: no such account, or a bot that is not the account's.
        Conflict: the slug is taken by another account.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid(f"{slug!r} cannot stand in a link: use 1 to 64 of a-z, 0-9, dash and underscore, no dash first")
    names = [username.removeprefix("@") for username in usernames]
    if not 0 < len({name.lower() for name in names}) == len(names) <= MOST_BOTS:
        raise Invalid(f"name 1 to {MOST_BOTS} bots, each once")
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        bot_ids = [await _find_bot(tx, tenant, name) for name in names]
        pool_id = await _lock_or_add(tx, tenant.id, slug, app)
        await tx.pools.clear_bots(account_id=tenant.id, pool_id=pool_id)
        for position, bot_id in enumerate(bot_ids):
            await tx.pools.add_bot(account_id=tenant.id, pool_id=pool_id, bot_id=bot_id, position=position)
        await _note(app, tx, tenant.id, "pool.save", f"pool:{pool_id}", {"slug": slug, "bots": names}, actor)
        await tx.pools.announce_change(slug=slug)


async def list_pools(app: App, account: str | None = None) -> list[Any]:
    """Return the pools of one account, or of all, each with its bots and their states."""
    account_id = None if account is None else (await accounts.get_account(app, account)).id
    rows: list[Any] = await app.db.pools.list_all(account_id=account_id)
    return rows


async def remove(app: App, *, account: str, slug: str, actor: str) -> None:
    """Take a link out of service; its clicks stay, and the slug is free again.

    Raises:
        NotFound: the account has no such pool.
    """
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        pool_id = await tx.pools.lock_by_slug(account_id=tenant.id, slug=slug)
        if pool_id is None:
            raise NotFound(f"account {account!r} has no link {slug!r}: `grimbots pool list` shows them")
        await tx.pools.remove(account_id=tenant.id, pool_id=pool_id, now=app.clock())
        await _note(app, tx, tenant.id, "pool.remove", f"pool:{pool_id}", {"slug": slug}, actor)
        await tx.pools.announce_change(slug=slug)


async def _find_bot(tx: Transaction, tenant: Row, username: str) -> int:
    row = await tx.bots.find_by_username(account_id=tenant.id, username=username)
    if row is None:
        raise NotFound(f"account {tenant.name!r} has no bot @{username}: `grimbots bot list` shows them")
    bot_id: int = row.id
    return bot_id


async def _lock_or_add(tx: Transaction, account_id: int, slug: str, app: App) -> int:
    added: int | None = await tx.pools.add(account_id=account_id, slug=slug, now=app.clock())
    pool_id: int | None = added or await tx.pools.lock_by_slug(account_id=account_id, slug=slug)
    if pool_id is None:
        raise Conflict(f"the link {slug!r} is taken in this installation: choose another name")
    return pool_id


async def _note(
    app: App, tx: Transaction, account_id: int, action: str, subject: str, details: dict[str, Any], actor: str
) -> None:
    await tx.audit.note(
        account_id=account_id, actor=actor, action=action, subject=subject, details=details, at=app.clock()
    )


def _from_rows(rows: Iterable[Row]) -> list[Pool]:
    """Make pools of rows in their order, one per living bot."""
    return [
        Pool(*key, bots=tuple(PoolBot(row.bot_id, row.username) for row in group if row.bot_id is not None))
        for key, group in groupby(rows, key=lambda row: (row.id, row.account_id, row.slug))
    ]
