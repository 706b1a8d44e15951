"""Domains: hosts of an account's own for its tracked links. Only what is shown to lead to this installation is served.

A host is shown to lead here by asking it: the answer to a challenge is one that nobody but this installation can give.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grimbots.services import accounts
from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.sql.database import UniqueViolation

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

HOST = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
CHALLENGE_PATH = "/.well-known/grimbots/"
CHALLENGE_BYTES = 18
CHALLENGE_SECONDS = 10.0


def normalize(host: str) -> str:
    """Give a Host header's name as domains are stored: without its port, in small letters."""
    return host.partition(":")[0].rstrip(".").lower()


def locate(app: App, host: str) -> str:
    """Give the address of a domain: by https; the sandbox's are names of its own machine, at its own port."""
    return f"http://{host}:{app.settings.port}" if app.settings.sandbox else f"https://{host}"


async def add(app: App, *, account: str, host: str, actor: str) -> None:
    """Note that an account claims a host. Its links are served there once it is verified.

    Raises:
        Invalid: this is no host, or it is the installation's own.
        NotFound: no such account.
        Conflict: the account has it already.
    """
    name = normalize(host)
    if not HOST.fullmatch(name):
        raise Invalid(f"{host!r} is no domain: write it like vendas.example.com, without https:// and without a path")
    if name == urlsplit(app.settings.base_url).hostname:
        raise Invalid(f"{name} is this installation's own address: links stand there without a domain")
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        if await tx.domains.add(account_id=tenant.id, host=name, now=app.clock()) is None:
            raise Conflict(f"account {account!r} has {name} already: `grimbots domain verify` checks it")
        await _note(app, tx, tenant.id, "domain.add", name, actor)


async def verify(app: App, *, account: str, host: str, actor: str) -> None:
    """Ask a host a question that only this installation can answer, and serve the account's links there from now on.

    Raises:
        NotFound: the account has no such domain.
        Unavailable: nobody answers there.
        Invalid: somebody else answers there.
        Conflict: it is another account's.
    """
    tenant = await accounts.get_account(app, account)
    domain = await get(app, tenant, host)
    await _ask(app, domain.host)
    try:
        async with app.db.transaction() as tx:
            await tx.domains.verify(account_id=tenant.id, domain_id=domain.id, now=app.clock())
            await _note(app, tx, tenant.id, "domain.verify", domain.host, actor)
            await tx.pools.announce_change(slug=f"{domain.host}/")
    except UniqueViolation as error:
        raise Conflict(f"{domain.host} is verified for another account: remove it there first") from error


async def remove(app: App, *, account: str, host: str, actor: str) -> None:
    """Take a domain out of service.

    Raises:
        NotFound: the account has no such domain.
        Conflict: links stand on it.
    """
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        domain = await tx.domains.lock(account_id=tenant.id, host=normalize(host))
        if domain is None:
            raise _no_such(account, host)
        if await tx.domains.has_pools(account_id=tenant.id, domain_id=domain.id):
            raise Conflict(f"links stand on {domain.host}: `grimbots pool remove` them first")
        await tx.domains.remove(account_id=tenant.id, domain_id=domain.id)
        await _note(app, tx, tenant.id, "domain.remove", domain.host, actor)
        await tx.pools.announce_change(slug=f"{domain.host}/")


async def get(app: App, tenant: Row, host: str) -> Row:
    """Return an account's domain.

    Raises:
        NotFound: it has no such domain.
    """
    domain = await app.db.domains.find(account_id=tenant.id, host=normalize(host))
    if domain is None:
        raise _no_such(tenant.name, host)
    return domain


async def list_domains(app: App, account: str | None = None) -> list[Any]:
    """Return the domains of one account, or of all."""
    account_id = None if account is None else (await accounts.get_account(app, account)).id
    rows: list[Any] = await app.db.domains.list_all(account_id=account_id)
    return rows


def answer(app: App, host: str, challenge: str) -> str:
    """Give what this installation, and no other, answers to a challenge that was sent to `host`."""
    return app.vault.domain_answer(normalize(host), challenge)


async def _ask(app: App, host: str) -> None:
    """Raise Unavailable or Invalid unless this installation answers at `host`; the sandbox asks itself by that name."""
    challenge, settings = secrets.token_urlsafe(CHALLENGE_BYTES), app.settings
    place = f"http://{settings.host}:{settings.port}" if settings.sandbox else locate(app, host)
    try:
        response = await app.http.request(
            "GET",
            f"{place}{CHALLENGE_PATH}{challenge}",
            party="domains",
            headers={"Host": host},
            timeout_seconds=CHALLENGE_SECONDS,
            public_only=not settings.sandbox,
            max_response_bytes=1024,
        )
    except (NeverSent, Ambiguous) as error:
        raise Unavailable(
            f"{place} does not answer ({error}): let its DNS record lead to this server and give it a certificate"
        ) from error
    if response.status != 200 or not hmac.compare_digest(response.body, answer(app, host, challenge).encode()):
        raise Invalid(f"{place} is answered by somebody else: let its DNS record lead to this server, Host unchanged")


def _no_such(account: str, host: str) -> NotFound:
    return NotFound(f"account {account!r} has no domain {host!r}: `grimbots domain list` shows them")


async def _note(app: App, tx: Transaction, account_id: int, action: str, host: str, actor: str) -> None:
    await tx.audit.note(
        account_id=account_id, actor=actor, action=action, subject=f"domain:{host}", details={}, at=app.clock()
    )
