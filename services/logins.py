"""Logging in: by e-mail and password, throttled, and a code where one is set up; in the sandbox also by a link, once.

Between password and code a browser holds a ticket: who he is and until when, encrypted. No row waits for the code.
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.conf.settings import Settings
from grimbots.services import second_factors, sessions, throttles
from grimbots.services.errors import Forbidden, NotFound, Unauthorized
from grimbots.services.secrets import MasterKeyError
from grimbots.services.sessions import NOWHERE, Origin

if TYPE_CHECKING:
    from grimbots.services.app import App

log = logging.getLogger(__name__)

EMAIL_ATTEMPTS = 10  # the price: who knows an e-mail can keep its owner out, a quarter of an hour at a time
ADDRESS_ATTEMPTS = 60  # a whole office may share one
IPV6_BITS = 64  # what one customer of a provider has at least
CODE_ATTEMPTS = 10  # of a million codes, three of which are right
LINK_LIFE = timedelta(minutes=10)
TICKET_LIFE = timedelta(minutes=5)
TICKET = "waits for a code"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a right password gives: a session's token, or the ticket with which a code opens one."""

    token: str = ""
    ticket: str = ""


async def log_in(app: App, *, email: str, password: str, origin: Origin) -> Entry:
    """Open a session, or ask for a code. Who is unknown and who mistypes get the same answer in the same time.

    Raises:
        Unauthorized: no such e-mail, or not its password.
        TooMany: too many attempts from this address or for this e-mail; also the right password is not looked at.
    """
    known_as = email.strip().lower()
    email_key = app.vault.nonce("login by email", known_as)
    await throttles.count(app, app.vault.nonce("login from", _network(origin.address)), ADDRESS_ATTEMPTS)
    await throttles.count(app, email_key, EMAIL_ATTEMPTS)
    user = await app.db.users.find_by_email(email=known_as)
    if not await app.passwords.matches(password, user.password_hash if user else None):
        metrics.logins.labels("refused").inc()
        raise Unauthorized("the e-mail or the password is wrong")
    await throttles.forget(app, email_key)
    if await second_factors.is_on(app, user.id):
        return Entry(ticket=_make_ticket(app, user.id))
    metrics.logins.labels("opened").inc()
    return Entry(token=await sessions.start(app, user.id, "password", origin))


async def log_in_by_code(app: App, *, ticket: str, code: str, origin: Origin) -> str:
    """Open a session for who has given his password and now a code, and return its token.

    Raises:
        Unauthorized: the code is wrong or was used before.
        Forbidden: no password was given, or over five minutes ago.
        TooMany: too many codes were tried.
    """
    user_id = _read_ticket(app, ticket)
    try:
        await check_code(app, user_id, code)
    except Unauthorized:
        metrics.logins.labels("refused").inc()
        raise
    metrics.logins.labels("opened").inc()
    return await sessions.start(app, user_id, "password and code", origin)


async def check_code(app: App, user_id: int, code: str) -> None:
    """Take a code, once. Raises Unauthorized, and TooMany where too many were tried."""
    key = app.vault.nonce("code of", user_id)
    await throttles.count(app, key, CODE_ATTEMPTS)
    await second_factors.check(app, user_id, code)
    await throttles.forget(app, key)


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


async def log_in_by_link(app: App, token: str, origin: Origin = NOWHERE) -> str:
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
    return await sessions.start(app, user_id, "link", origin)


async def forget_old(app: App) -> None:
    """Drop sessions that are over and counts whose window has passed; one process does it, the others pass."""
    async with app.db.transaction() as tx:
        if await tx.duties.take_turn(duty="forget_logins"):
            await tx.sessions.forget_old(now=app.clock())
            await tx.login_attempts.forget_old(window_begin=app.clock() - throttles.WINDOW)


def _make_ticket(app: App, user_id: int) -> str:
    return app.vault.encrypt(f"{TICKET}:{user_id}:{(app.clock() + TICKET_LIFE).timestamp():.0f}")


def _read_ticket(app: App, ticket: str) -> int:
    """Return whose ticket this is. Whatever else was encrypted here begins otherwise."""
    try:
        what, user_id, until = app.vault.decrypt(ticket).split(":")
        ends_at = datetime.fromtimestamp(int(until), UTC)
    except (MasterKeyError, ValueError) as error:
        raise Forbidden("the password comes first") from error
    if what != TICKET or ends_at < app.clock():
        raise Forbidden("the password was given too long ago")
    return int(user_id)


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
