"""Gateway accounts: one seller's credentials at one payment provider, and the webhook path of their own.

Every process knows them by heart (`watch`), so that an event finds whose it is while Postgres is away.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from grimbots.services.caches import REMEMBERED, Cache, Key
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.gateways.base import Credentials, Gateway
from grimbots.services.gateways.scan import offered_gateways
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

KEY_BYTES = 18
FRESH_SECONDS = 300.0
PAGE = 500
LAST_ID = 2**63 - 1
LONGEST_CREDENTIAL = 10_000  # characters; a certificate in PEM fits


async def add_gateway_account(
    app: App, account_id: int, gateway: str, credentials: Mapping[str, str], actor: str
) -> Row:
    """Connect an account to a provider and make it the one new charges go to; the one before still receives its events.

    Raises:
        Invalid: no such provider, or a credential is missing, unknown, too long, or can be of no use to the provider.
    """
    _check(app, gateway, credentials)
    now = app.clock()
    kept = offered_gateways(app.settings)[gateway].prepare(credentials, now)
    sealed = app.vault.encrypt(json.dumps(dict(kept)))
    async with app.db.transaction() as tx:
        await tx.gateway_accounts.retire_active(account_id=account_id)
        added = await tx.gateway_accounts.add(
            account_id=account_id,
            gateway=gateway,
            key=secrets.token_urlsafe(KEY_BYTES),
            credentials_encrypted=sealed,
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


def open_gateway(app: App, gateway_account: Row) -> tuple[Gateway, Credentials]:
    """Return the provider's client and the seller's credentials.

    Raises:
        NotFound: this installation does not offer the provider (any more).
        MasterKeyError: the credentials cannot be read.
    """
    gateway = offered_gateways(app.settings).get(gateway_account.gateway)
    if gateway is None:
        raise NotFound(f"this installation has no gateway {gateway_account.gateway!r}")
    credentials: dict[str, str] = json.loads(app.vault.decrypt(gateway_account.credentials_encrypted))
    return gateway(app.http, app.settings), credentials


def notification_url(app: App, gateway_account: Row) -> str:
    """Return the address the provider posts this account's events to."""
    return f"{app.settings.base_url}/webhook/payment/{gateway_account.gateway}/{gateway_account.key}"


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
    offered = offered_gateways(app.settings)
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
