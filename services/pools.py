"""Pools: tracked links that spread their clicks over bots of one account. Every process knows them all by heart.

`/go/<slug>` must answer while Postgres is away, so pools are read ahead: all at start and now and then, one at every
word that it has changed. What was read last counts until it can be read anew.

A slug is unique on its domain. On the installation's own address, and wherever else nobody's domain is meant, it is the
word in the link; on a verified domain of an account it is `<host>/<word>`, in rows, words and memory alike.

A bot is in service while Telegram knows its token (services/bots.py) and its webhook is ours: one that is dead gets no
visitor, one that hears nothing gets some only where no other is left. An update that comes in proves that it hears.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from grimbots.services import accounts, domains, landings
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.services.landings import Landing
from grimbots.services.pool_loads import Loads
from grimbots.services.pool_strategies.base import Moment, PoolBot
from grimbots.services.pool_strategies.round_robin import RoundRobin
from grimbots.services.pool_strategies.scan import find_strategies
from grimbots.sql.database import DatabaseUnavailable, Json, StatementTimeout

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
BOT = re.compile(r"@?(?P<username>\w{1,64})(?::(?P<weight>[0-9]{1,4}))?(?::(?P<priority>-?[0-9]{1,3}))?")
HEAVIEST, HIGHEST = 1000, 100
ANY_TURN = RoundRobin()


@dataclass(frozen=True, slots=True)
class Pool:
    """A tracked link. `account_id` is its tenant; `bots` are those alive, in their order."""

    id: int
    account_id: int
    slug: str
    strategy: str
    landing: Landing | None
    bots: tuple[PoolBot, ...]

    @property
    def candidates(self) -> tuple[PoolBot, ...]:
        """The bots that hear what is written to them; all that live where none does, for Telegram keeps it a day."""
        return tuple(bot for bot in self.bots if bot.hears) or self.bots


class PoolCache:
    """Every pool of the installation by its slug, as it was read last, and whose turn it is in each."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}
        self._hosts: set[str] = set()  # verified domains
        self._turns: Counter[int] = Counter()
        self._loads = Loads()
        self._deaf: set[int] = set()
        self._chance = random.Random()  # noqa: S311  spreads visitors, no secret
        self._reading = asyncio.Lock()  # else what was read earlier could be put in later

    async def get(self, app: App, word: str, host: str = "") -> Pool:
        """Return the pool whose link has this word at the end, where `host` was asked for it.

        Raises:
            NotFound: there is none.
            Unavailable: it is not known here, and Postgres is away.
        """
        name = domains.normalize(host)
        slug = f"{name}/{word}" if name in self._hosts else word
        pool = self._pools.get(slug) or await _look_up(app, slug)
        if pool is None:
            raise NotFound("no link has this name")
        return pool

    def next_bot(self, pool: Pool) -> PoolBot:
        """Return the bot that the pool's strategy chooses for the next visitor.

        Raises:
            Unavailable: none of the pool's bots is alive.
        """
        if not pool.bots:
            raise Unavailable("no bot of this link is in service")
        moment = Moment(self._turns[pool.id], self._loads.of, self._chance)
        self._turns[pool.id] += 1
        # A strategy that this process does not know is a newer version's, beside which it serves for a moment.
        bot = find_strategies().get(pool.strategy, ANY_TURN).choose(pool.candidates, moment)
        self._loads.note(bot.id)
        return bot

    def is_deaf(self, bot_id: int) -> bool:
        """Tell whether this bot is passed over because its webhook was seen to be lost."""
        return bot_id in self._deaf

    async def load(self, app: App) -> None:
        """Read every pool anew.

        Raises:
            DatabaseUnavailable, StatementTimeout: what was read before still counts.
        """
        async with self._reading:
            hosts = {row.host for row in await app.db.domains.list_verified()}
            pools = {pool.slug: pool async for pool in _read_all(app)}
            self._pools, self._hosts, self._deaf = pools, hosts, set()
            for pool in pools.values():
                self._note_hearing(pool)
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
        if slug.endswith("/"):
            await self._load_host(app, slug.removesuffix("/"))
            return
        async with self._reading:
            pool = await _read_one(app, slug)
            self._pools.pop(slug, None)
            if pool is not None and len(self._pools) < REMEMBERED_POOLS:
                self._pools[slug] = pool
                self._note_hearing(pool)

    async def _load_host(self, app: App, host: str) -> None:
        async with self._reading:
            if await app.db.domains.is_verified(host=host):
                self._hosts.add(host)
            else:
                self._hosts.discard(host)

    def _note_hearing(self, pool: Pool) -> None:
        self._deaf -= {bot.id for bot in pool.bots if bot.hears}
        self._deaf |= {bot.id for bot in pool.bots if not bot.hears}


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


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a pool is to be like."""

    bots: list[PoolBot]
    strategy: str
    landing: Landing | None


async def save(
    app: App,
    *,
    account: str,
    slug: str,
    usernames: Sequence[str],
    actor: str,
    domain: str = "",
    strategy: str = RoundRobin.name,
    landing: Mapping[str, Any] | None = None,
) -> str:
    """Add a pool, or give the account's own its bots and ways anew; returns its link.

    `usernames` may carry a weight and a priority: `loja_bot:3`, `reserva_bot:1:-1`.
    `domain`: where it stands, "" for our own address.

    Raises:
        Invalid: the slug has other signs than it may have; a bot is named twice, none or too many are; a weight, a
            priority, the strategy or the landing is none; or the domain is not verified.
        NotFound: no such account, no such domain, or a bot that is not the account's.
        Conflict: the slug is taken by another account.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid(f"{slug!r} cannot stand in a link: use 1 to 64 of a-z, 0-9, dash and underscore, no dash first")
    if strategy not in find_strategies():
        raise Invalid(f"{strategy!r} is no strategy: choose one of {', '.join(sorted(find_strategies()))}")
    bots = _read_bots(usernames)
    wish = _Wish(bots, strategy, None if landing is None else landings.read(landing))
    tenant = await accounts.get_account(app, account)
    place = await _find_place(app, tenant, domain) if domain else None
    key = f"{place.host}/{slug}" if place else slug
    async with app.db.transaction() as tx:
        await _write(app, tx, tenant, key, place.id if place else None, wish, actor)
    return f"{domains.locate(app, place.host) if place else app.settings.base_url}/go/{slug}"


async def _write(
    app: App, tx: Transaction, tenant: Row, slug: str, domain_id: int | None, wish: _Wish, actor: str
) -> None:
    bot_ids = [await _find_bot(tx, tenant, bot.username) for bot in wish.bots]
    key = {"account_id": tenant.id, "pool_id": await _lock_or_add(tx, tenant.id, slug, domain_id, app)}
    landing = None if wish.landing is None else Json(asdict(wish.landing))
    await tx.pools.change(**key, strategy=wish.strategy, landing=landing, now=app.clock())
    await tx.pools.clear_bots(**key)
    for position, (bot_id, bot) in enumerate(zip(bot_ids, wish.bots, strict=True)):
        await tx.pools.add_bot(**key, bot_id=bot_id, position=position, weight=bot.weight, priority=bot.priority)
    details = {"slug": slug, "bots": [bot.username for bot in wish.bots], "strategy": wish.strategy}
    await _note(app, tx, tenant.id, "pool.save", f"pool:{key['pool_id']}", details, actor)
    await tx.pools.announce_change(slug=slug)


async def list_pools(app: App, account: str | None = None) -> list[Any]:
    """Return the pools of one account, or of all, each with its bots and their states."""
    account_id = None if account is None else (await accounts.get_account(app, account)).id
    rows: list[Any] = await app.db.pools.list_all(account_id=account_id)
    return rows


async def remove(app: App, *, account: str, slug: str, actor: str) -> None:
    """Take a link out of service; its clicks stay, and the slug, `<host>/<word>` on a domain, is free again.

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


def _read_bots(usernames: Sequence[str]) -> list[PoolBot]:
    """Read `username[:weight[:priority]]`, each once."""
    bots = [_read_bot(text) for text in usernames]
    if not 0 < len({bot.username.lower() for bot in bots}) == len(bots) <= MOST_BOTS:
        raise Invalid(f"name 1 to {MOST_BOTS} bots, each once")
    return bots


def _read_bot(text: str) -> PoolBot:
    found = BOT.fullmatch(text)
    weight, priority = (int(found["weight"] or 1), int(found["priority"] or 0)) if found else (0, 0)
    if found is None or not 1 <= weight <= HEAVIEST or abs(priority) > HIGHEST:
        raise Invalid(
            f"{text!r}: name a bot as username, username:weight (1 to {HEAVIEST}) or username:weight:priority"
        )
    return PoolBot(0, found["username"], weight, priority)


async def _find_place(app: App, tenant: Row, host: str) -> Row:
    domain = await domains.get(app, tenant, host)
    if domain.status != "verified":
        raise Invalid(f"{domain.host} is not verified: `grimbots domain verify {domain.host} --account {tenant.name}`")
    return domain


async def _find_bot(tx: Transaction, tenant: Row, username: str) -> int:
    row = await tx.bots.find_by_username(account_id=tenant.id, username=username)
    if row is None:
        raise NotFound(f"account {tenant.name!r} has no bot @{username}: `grimbots bot list` shows them")
    bot_id: int = row.id
    return bot_id


async def _lock_or_add(tx: Transaction, account_id: int, slug: str, domain_id: int | None, app: App) -> int:
    added: int | None = await tx.pools.add(account_id=account_id, slug=slug, domain_id=domain_id, now=app.clock())
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
    return [_from_group(list(group)) for _, group in groupby(rows, key=lambda row: row.id)]


def _from_group(rows: Sequence[Row]) -> Pool:
    first, living = rows[0], [row for row in rows if row.bot_id is not None]
    bots = tuple(PoolBot(row.bot_id, row.username, row.weight, row.priority, row.hears) for row in living)
    return Pool(first.id, first.account_id, first.slug, first.strategy, landings.load(first.landing), bots)
