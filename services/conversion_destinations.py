"""Conversion destinations: an account's places at ad networks, and its own servers, that are told what happens.

Credentials are sealed. A destination that disowns its credentials is paused: it goes on collecting, its seller is told,
and a person resumes it. Every process knows which accounts have any at all (`Reporters`), so that what happens in the
others costs nothing.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grimbots.services.conversions.base import Destination, Network
from grimbots.services.conversions.scan import find_networks
from grimbots.services.errors import Invalid, NotFound
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

LONGEST_CREDENTIAL = 4_000
LONGEST_TEST_CODE = 64


class Reporters:
    """The accounts with a destination, as they were read last. Not known yet, it may be any: the statement decides."""

    def __init__(self) -> None:
        self._account_ids: frozenset[int] | None = None

    def may_report(self, account_id: int) -> bool:
        """Tell whether what happens in an account may have to be reported."""
        return self._account_ids is None or account_id in self._account_ids

    async def load(self, app: App) -> None:
        """Read them anew.

        Raises:
            DatabaseUnavailable, StatementTimeout: they are not known now.
        """
        self._account_ids = None
        self._account_ids = frozenset(row.account_id for row in await app.db.conversion_destinations.list_reporting())


async def watch(app: App) -> None:
    """Read anew who reports whenever any process has changed it, until cancelled."""
    async for _ in app.db.listen("conversion_destinations"):
        try:
            await app.reporters.load(app)
        except (DatabaseUnavailable, StatementTimeout) as error:
            log.warning("who reports conversions is not known now, so each is asked about: %s", error)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a destination is to be. No `events`: all that its network knows; no bots, no links: all."""

    network: str
    credentials: Mapping[str, str]
    events: Sequence[str] = ()
    bots: Sequence[str] = ()
    links: Sequence[str] = ()
    test_event_code: str = ""


async def add(app: App, account_id: int, wish: Wish, actor: str) -> int:
    """Add a destination; returns its id. It is told what happens from now on.

    Raises:
        Invalid: no such network or event, or a credential is missing, unknown or too long.
        NotFound: the account has no such bot or link.
    """
    network = _get_network(wish.network)
    events = _choose_events(network, wish.events)
    sealed = _seal(app, network, wish.credentials)
    if len(wish.test_event_code) > LONGEST_TEST_CODE:
        raise Invalid(f"the test event code has over {LONGEST_TEST_CODE} characters")
    async with app.db.transaction() as tx:
        destination_id: int = await tx.conversion_destinations.add(
            account_id=account_id,
            network=network.name,
            credentials_encrypted=sealed,
            events=events,
            bot_ids=[await _find_bot(tx, account_id, bot) for bot in wish.bots],
            pool_ids=[await _find_pool(tx, account_id, link) for link in wish.links],
            test_event_code=wish.test_event_code,
            keeps_seconds=int(network.keeps.total_seconds()),
            now=app.clock(),
        )
        await _note(app, tx, account_id, destination_id, "conversion.add", {"network": network.name}, actor)
    return destination_id


async def list_all(app: App, account_id: int) -> list[Row]:
    """Return an account's destinations."""
    rows: list[Row] = await app.db.conversion_destinations.list_all(account_id=account_id)
    return rows


async def list_paused(app: App, account_id: int) -> list[Row]:
    """Return those that wait for a person, with the reason."""
    return [row for row in await list_all(app, account_id) if row.status == "paused"]


async def resume(
    app: App, account_id: int, destination_id: int, actor: str, credentials: Mapping[str, str] | None = None
) -> None:
    """Send again what a destination is told, with other credentials if they are given.

    Raises:
        Invalid: the credentials are not in order.
        NotFound: the account has no such destination.
    """
    row = await get(app, account_id, destination_id)
    sealed = None if credentials is None else _seal(app, _get_network(row.network), credentials)
    key = {"account_id": account_id, "destination_id": destination_id}
    async with app.db.transaction() as tx:
        await tx.conversion_destinations.resume(**key, credentials_encrypted=sealed, now=app.clock())
        await _note(app, tx, account_id, destination_id, "conversion.resume", {"network": row.network}, actor)


async def remove(app: App, account_id: int, destination_id: int, actor: str) -> None:
    """Tell a destination nothing more; what waited for it ends.

    Raises:
        NotFound: the account has no such destination.
    """
    row = await get(app, account_id, destination_id)
    key = {"account_id": account_id, "destination_id": destination_id, "now": app.clock()}
    async with app.db.transaction() as tx:
        await tx.conversion_destinations.remove(**key)
        await tx.conversions.end_of_destination(**key, answer="the destination was removed")
        await _note(app, tx, account_id, destination_id, "conversion.remove", {"network": row.network}, actor)


async def pause(app: App, row: Row, bot_id: int, reason: str) -> None:
    """Stop sending to a destination that disowns its credentials, and have its seller told, once."""
    key = {"account_id": row.account_id}
    now = app.clock()
    async with app.db.transaction() as tx:
        if await tx.conversion_destinations.pause(**key, destination_id=row.id, reason=reason, now=now):
            detail = f"{_name(row.network)} ({reason})"
            await tx.alarms.add(**key, bot_id=bot_id, kind="unreported", detail=detail, now=now)
            log.warning("conversion destination %d (%s) is paused: %s", row.id, row.network, reason)


async def get(app: App, account_id: int, destination_id: int) -> Row:
    """Return an account's destination.

    Raises:
        NotFound: it has no such one.
    """
    row = await app.db.conversion_destinations.find(account_id=account_id, destination_id=destination_id)
    if row is None or row.status == "removed":
        raise NotFound(f"this account has no destination {destination_id}: `grimbots conversion destinations`")
    return row


def open_network(app: App, row: Row) -> tuple[Network, Destination]:
    """Return a destination's network and the seller's place there.

    Raises:
        Invalid: this installation's code does not know the network (any more).
        MasterKeyError: the credentials cannot be read.
    """
    network = _get_network(row.network)(app.http, app.settings)
    credentials: dict[str, str] = json.loads(app.vault.decrypt(row.credentials_encrypted))
    return network, Destination(credentials, row.test_event_code, app.vault.post_key(row.account_id))


def _name(network: str) -> str:
    known = find_networks().get(network)
    return known.label if known else network


def _get_network(name: str) -> type[Network]:
    network = find_networks().get(name)
    if network is None:
        raise Invalid(f"there is no network {name!r} here: use one of {', '.join(sorted(find_networks()))}")
    return network


def _choose_events(network: type[Network], wanted: Sequence[str]) -> list[str]:
    unknown = sorted(set(wanted) - network.events)
    if unknown:
        known = ", ".join(sorted(network.events))
        raise Invalid(f"{network.name} cannot be told {', '.join(unknown)}: choose of {known}")
    return sorted({*wanted} or network.events)


def _seal(app: App, network: type[Network], credentials: Mapping[str, Any]) -> str:
    fields = {field.name: field for field in network.fields}
    given = {name: value.strip() for name, value in credentials.items() if isinstance(value, str) and value.strip()}
    missing = [f"{field.label} ({name})" for name, field in fields.items() if not (field.is_optional or name in given)]
    unknown = sorted(set(credentials) - set(fields))
    if missing:
        raise Invalid(f"{network.name} needs {', '.join(missing)}: fill it in")
    if unknown:
        raise Invalid(f"{network.name} does not know {', '.join(unknown)}: its fields are {', '.join(fields)}")
    if wrong := [name for name, value in given.items() if not re.fullmatch(fields[name].pattern, value)]:
        raise Invalid(f"{', '.join(wrong)} of {network.name} cannot be right: {fields[wrong[0]].help}")
    if any(len(value) > LONGEST_CREDENTIAL for value in given.values()):
        raise Invalid(f"a credential of {network.name} has over {LONGEST_CREDENTIAL} characters")
    return app.vault.encrypt(json.dumps(given))


async def _find_bot(tx: Transaction, account_id: int, username: str) -> int:
    row = await tx.bots.find_by_username(account_id=account_id, username=username.lstrip("@"))
    if row is None:
        raise NotFound(f"this account has no bot @{username.lstrip('@')}: `grimbots bot list` shows them")
    bot_id: int = row.id
    return bot_id


async def _find_pool(tx: Transaction, account_id: int, slug: str) -> int:
    pool_id: int | None = await tx.pools.lock_by_slug(account_id=account_id, slug=slug)
    if pool_id is None:
        raise NotFound(f"this account has no link {slug!r}: `grimbots pool list` shows them")
    return pool_id


async def _note(
    app: App, tx: Transaction, account_id: int, destination_id: int, action: str, details: dict[str, Any], actor: str
) -> None:
    await tx.audit.note(
        account_id=account_id,
        actor=actor,
        action=action,
        subject=f"conversion_destination:{destination_id}",
        details=details,
        at=app.clock(),
    )
    await tx.conversion_destinations.announce_change(account_id=account_id)
