"""Gateway accounts: one seller's credentials at one payment provider, and the webhook path of their own.

Every process knows them by heart (`watch`), so that an event finds whose it is while Postgres is away.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services.caches import REMEMBERED, Cache, Key
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.gateways.base import Credentials, Gateway
from grimbots.services.gateways.scan import offered_gateways
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

KEY_BYTES = 18
FRESH_SECONDS = 300.0
DAYS_KEPT = timedelta(days=3)
PAGE = 500
LAST_ID = 2**63 - 1
LONGEST_CREDENTIAL = 10_000  # characters; a certificate in PEM fits


async def add_gateway_account(
    app: App, account_id: int, gateway: str, credentials: Mapping[str, str], actor: str, *, is_backup: bool = False
) -> Row:
    """Connect an account to a provider and make it the one new charges go to; the one before still receives its events.

    `is_backup`: new charges go to it only where those before it surely make none.

    Raises:
        Invalid: no such provider, or a credential is missing, unknown, too long, or can be of no use to the provider.
    """
    _check(app, gateway, credentials)
    now = app.clock()
    kept = offered_gateways(app.settings)[gateway].prepare(credentials, now)
    sealed = app.vault.encrypt(json.dumps(dict(kept)))
    async with app.db.transaction() as tx:
        if not is_backup:
            await tx.gateway_accounts.retire_active(account_id=account_id)
        added = await tx.gateway_accounts.add(
            account_id=account_id,
            gateway=gateway,
            key=secrets.token_urlsafe(KEY_BYTES),
            credentials_encrypted=sealed,
            is_backup=is_backup,
            now=now,
        )
        subject = f"gateway_account:{added.id}"
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="gateway.add",
            subject=subject,
            details={"gateway": gateway},
            at=now,
        )
        await tx.gateway_accounts.announce_change(gateway_account_id=added.id)
    return added


async def arrange(app: App, account_id: int, ids: Sequence[int], actor: str) -> None:
    """Let new charges be asked of these gateway accounts, in this order, and of no other.

    Raises:
        NotFound: one of them is not the account's; nothing was changed.
    """
    now = app.clock()
    async with app.db.transaction() as tx:
        before = await tx.gateway_accounts.list_in_service(account_id=account_id)
        await tx.gateway_accounts.retire_all(account_id=account_id)
        for place, gateway_account_id in enumerate(dict.fromkeys(ids)):
            which = {"account_id": account_id, "gateway_account_id": gateway_account_id}
            if await tx.gateway_accounts.place(**which, place=place) is None:
                raise NotFound(f"this account has no gateway account {gateway_account_id}")
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="gateway.order",
            subject=f"account:{account_id}",
            details={"order": list(ids), "was": [row.id for row in before]},
            at=now,
        )
        for changed in {*ids, *(row.id for row in before)}:
            await tx.gateway_accounts.announce_change(gateway_account_id=changed)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a gateway account may be asked for; None: as much as comes. A day is the seller's own."""

    least_cents: int | None = None
    most_cents: int | None = None
    most_day_cents: int | None = None
    most_day_charges: int | None = None


async def set_limits(app: App, account_id: int, gateway_account_id: int, limits: Limits, actor: str) -> None:
    """Bound what a gateway account is asked for. What is over goes to the next one.

    Raises:
        Invalid: a limit under one, or the least over the most.
        NotFound: the account has no such gateway account.
    """
    given = asdict(limits)
    if any(value is not None and value < 1 for value in given.values()):
        raise Invalid("a limit is a whole number over 0; leave it out where there is none")
    if (limits.least_cents or 0) > (limits.most_cents or limits.least_cents or 0):
        raise Invalid("the least of a charge is over its most: no charge would be within")
    async with app.db.transaction() as tx:
        which = {"account_id": account_id, "gateway_account_id": gateway_account_id}
        if await tx.gateway_accounts.set_limits(**which, **given) is None:
            raise NotFound(f"this account has no gateway account {gateway_account_id}")
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="gateway.limits",
            subject=f"gateway_account:{gateway_account_id}",
            details=given,
            at=app.clock(),
        )
        await tx.gateway_accounts.announce_change(gateway_account_id=gateway_account_id)


async def list_needs(app: App, account_id: int) -> list[frozenset[str]]:
    """Return what of a payer each gateway account that takes new charges needs."""
    offered = offered_gateways(app.settings)
    rows = await app.db.gateway_accounts.list_in_service(account_id=account_id)
    return [offered[row.gateway].needs for row in rows if row.gateway in offered]


def make_cache() -> Cache[Row]:
    """Make a process's cache of gateway accounts, as their rows are: the credentials stay sealed in it."""
    return Cache("webhook", FRESH_SECONDS, _load)


async def watch(app: App) -> None:
    """Read every gateway account ahead, and again what any process says has changed, until cancelled."""
    async for word in app.db.listen("gateway_accounts"):
        app.gateway_accounts.expire(word)
        try:
            await (_read_one(app, int(word)) if word else _read_all(app))
        except (DatabaseUnavailable, StatementTimeout) as error:
            log.warning("gateway accounts stay as they were read last: %s", error)


async def find_by_key(app: App, gateway: str, key: str) -> Row | None:
    """Find the gateway account whose webhook path ends in `<gateway>/<key>`.

    Raises:
        Unavailable: not in the cache, and Postgres is away.
    """
    row = await app.gateway_accounts.get(app, key)
    return row if row is not None and row.gateway == gateway else None


async def get_by_id(app: App, gateway_account_id: int) -> Row:
    """Return a gateway account by an id of our own rows.

    Raises:
        NotFound: there is none.
        Unavailable: not in the cache, and Postgres is away.
    """
    row = await app.gateway_accounts.get(app, gateway_account_id)
    if row is None:
        raise NotFound(f"there is no gateway account {gateway_account_id}")
    return row


def list_connectable(settings: Settings) -> Mapping[str, type[Gateway]]:
    """Return the providers that a seller can connect: all but those that a bot is paid by itself."""
    return {name: kind for name, kind in offered_gateways(settings).items() if not kind.is_of_bot}


def open_gateway(app: App, gateway_account: Row) -> tuple[Gateway, Credentials]:
    """Return the provider's client and the seller's credentials.

    Raises:
        NotFound: this installation does not offer the provider (any more).
        MasterKeyError: the credentials cannot be read.
    """
    gateway = offered_gateways(app.settings).get(gateway_account.gateway)
    if gateway is None:
        raise NotFound(f"this installation has no gateway {gateway_account.gateway!r}")
    opened = app.vault.decrypt(gateway_account.credentials_encrypted)
    return gateway(app.http, app.settings), {"bot_token": opened} if gateway.is_of_bot else json.loads(opened)


async def open_of_bot(tx: Transaction, lead: Row, now: datetime) -> None:
    """Make the gateway account by which a lead's bot charges in Stars, unless it is there."""
    which = {"account_id": lead.account_id, "bot_id": lead.bot_id}
    await tx.gateway_accounts.add_of_bot(**which, key=secrets.token_urlsafe(KEY_BYTES), now=now)


async def renew_of_bot(tx: Transaction, bot: Bot) -> None:
    """Give a bot's own gateway account the token the bot has now."""
    renewed = await tx.gateway_accounts.renew_of_bot(account_id=bot.account_id, bot_id=bot.id)
    if renewed is not None:
        await tx.gateway_accounts.announce_change(gateway_account_id=renewed)


def notification_url(app: App, gateway_account: Row) -> str:
    """Return the address the provider posts this account's events to."""
    return f"{app.settings.base_url}/webhook/payment/{gateway_account.gateway}/{gateway_account.key}"


def takes(account: Row, amount_cents: int) -> bool:
    """Tell whether a charge is within what its seller lets this account make."""
    least, most = account.least_cents or 0, account.most_cents or amount_cents
    return bool(least <= amount_cents <= most)


async def take_day(tx: Transaction, account: Row, amount_cents: int, now: datetime) -> bool:
    """Count a charge on its seller's day; False: it would be over what the account may make in one."""
    if account.most_day_cents is None and account.most_day_charges is None:
        return True
    taken = await tx.gateway_accounts.take_day(
        account_id=account.account_id,
        gateway_account_id=account.id,
        amount_cents=amount_cents,
        most_day_cents=account.most_day_cents,
        most_day_charges=account.most_day_charges,
        now=now,
    )
    return taken is not None


async def give_day_back(tx: Transaction, account: Row, amount_cents: int, now: datetime) -> None:
    """Count a charge no more: it was not made."""
    if account.most_day_cents is not None or account.most_day_charges is not None:
        which = {"account_id": account.account_id, "gateway_account_id": account.id}
        await tx.gateway_accounts.give_back(**which, amount_cents=amount_cents, now=now)


async def forget_days(app: App) -> None:
    """Forget what was asked on days that are over wherever a seller lives."""
    await app.db.gateway_accounts.forget_days(before=(app.clock() - DAYS_KEPT).date())


async def _load(app: App, which: Key) -> Row | None:
    if isinstance(which, int):
        return await app.db.gateway_accounts.find_by_id(gateway_account_id=which)
    return await app.db.gateway_accounts.find_by_key(key=which)


async def _read_one(app: App, gateway_account_id: int) -> None:
    row = await app.db.gateway_accounts.find_by_id(gateway_account_id=gateway_account_id)
    if row is not None:
        app.gateway_accounts.keep(row)


async def _read_all(app: App) -> None:
    """Read as many as the cache holds, the newest first."""
    before_id = LAST_ID
    for _ in range(REMEMBERED // 2 // PAGE):
        page = await app.db.gateway_accounts.list_page(before_id=before_id, limit=PAGE)
        for row in page:
            app.gateway_accounts.keep(row)
        if len(page) < PAGE:
            return
        before_id = page[-1].id


def _check(app: App, gateway: str, credentials: Mapping[str, Any]) -> None:
    offered = list_connectable(app.settings)
    if gateway not in offered:
        raise Invalid(f"there is no gateway {gateway!r} here: use one of {', '.join(sorted(offered)) or '(none)'}")
    fields = {field.name: field for field in offered[gateway].fields}
    missing = [name for name in fields if not str(credentials.get(name, "")).strip()]
    unknown = sorted(set(credentials) - set(fields))
    if missing:
        raise Invalid(f"{gateway} needs {', '.join(f'{fields[name].label} ({name})' for name in missing)}: fill it in")
    if unknown:
        raise Invalid(f"{gateway} does not know {', '.join(unknown)}: its fields are {', '.join(fields)}")
    if any(not isinstance(value, str) or len(value) > LONGEST_CREDENTIAL for value in credentials.values()):
        raise Invalid(f"a credential of {gateway} is no text of at most {LONGEST_CREDENTIAL} characters")
