"""Logging in: by e-mail and password, throttled; in the sandbox also by a link that works once.

Attempts are counted in rows, not in this process: several processes share one address, and a count in memory would be
multiplied by them and forgotten at every restart. Redis is the queue's alone, and a login needs Postgres anyway.
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.conf.settings import Settings
from grimbots.services import sessions
from grimbots.services.errors import Forbidden, NotFound, TooMany, Unauthorized

if TYPE_CHECKING:
    from grimbots.services.app import App

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=15)
EMAIL_ATTEMPTS = 10  # the price: who knows an e-mail can keep its owner out, a quarter of an hour at a time
ADDRESS_ATTEMPTS = 60  # a whole office may share one
IPV6_BITS = 64  # what one customer of a provider has at least
LINK_LIFE = timedelta(minutes=10)


async def log_in(app: App, *, email: str, password: str, address: str) -> str:
    """Open a session and return its token. Who is unknown and who mistypes get the same answer in the same time.

    Raises:
        Unauthorized: no such e-mail, or not its password.
        TooMany: too many attempts from this address or for this e-mail; also the right password is not looked at.
    """
    known_as = email.strip().lower()
    email_key = app.vault.nonce("login by email", known_as)
    await _count(app, _Limit(app.vault.nonce("login from", _network(address)), ADDRESS_ATTEMPTS))
    await _count(app, _Limit(email_key, EMAIL_ATTEMPTS))
    user = await app.db.users.find_by_email(email=known_as)
    if not await app.passwords.matches(password, user.password_hash if user else None):
        metrics.logins.labels("refused").inc()
        raise Unauthorized("the e-mail or the password is wrong")
    await app.db.login_attempts.forget(key=email_key)
    metrics.logins.labels("opened").inc()
    return await sessions.start(app, user.id, "password")


async def make_link(app: App, email: str) -> str:
    """Return the secret of a link that logs somebody in once, within ten minutes; the one before is void.

    Raises:
        Forbidden: this is no sandbox.
        NotFound: nobody has this e-mail.
    """
    _demand_sandbox(app.settings)
    user = await app.db.users.find_by_email(email=email.strip().lower())
    if user is None:
        raise NotFound(f"there is no user {email}: `grimbots user add {email}` adds one")
    token, token_hash = sessions.make_token()
    await app.db.sign_in_links.put(user_id=user.id, token_hash=token_hash, expires_at=app.clock() + LINK_LIFE)
    return token


async def log_in_by_link(app: App, token: str) -> str:
    """Open a session with the secret of a link and return its token.

    Raises:
        Forbidden: this is no sandbox.
        Unauthorized: it was used before, is too old, or never was one.
    """
    _demand_sandbox(app.settings)
    user_id = await app.db.sign_in_links.take(token_hash=sessions.hash_token(token), now=app.clock())
    if user_id is None:
        metrics.logins.labels("refused").inc()
        raise Unauthorized("this link was used before or is too old")
    metrics.logins.labels("opened").inc()
    return await sessions.start(app, user_id, "link")


async def forget_old(app: App) -> None:
    """Drop sessions that are over and counts whose window has passed; one process does it, the others pass."""
    async with app.db.transaction() as tx:
        if await tx.duties.take_turn(duty="forget_logins"):
            await tx.sessions.forget_old(now=app.clock())
            await tx.login_attempts.forget_old(window_begin=app.clock() - WINDOW)


@dataclass(frozen=True, slots=True)
class _Limit:
    key: str
    attempts: int


async def _count(app: App, limit: _Limit) -> None:
    """Count an attempt before it is made, so that many at once get no more tries than one after the other."""
    now = app.clock()
    row = await app.db.login_attempts.count(key=limit.key, now=now, window_begin=now - WINDOW)
    if row.attempts > limit.attempts:
        metrics.logins.labels("throttled").inc()
        raise TooMany("too many attempts to log in: wait before the next", _seconds_left(row.since, now))


def _seconds_left(since: datetime, now: datetime) -> int:
    return ceil((since + WINDOW - now).total_seconds())


def _network(address: str) -> str:
    """Return what counts as one address: an IPv6 customer has billions of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, IPV6_BITS), strict=False)) if parsed.version == 6 else str(parsed)


def _demand_sandbox(settings: Settings) -> None:
    if not settings.sandbox:
        raise Forbidden("links that log in exist in the sandbox only: use your e-mail and password")
