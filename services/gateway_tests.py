"""Tests of a seller's credentials: his provider is asked whether it takes them. Nothing is charged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grimbots.services import gateway_accounts
from grimbots.services.charges import UNANSWERED
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.gateways.scan import offered_gateways

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.gateways.base import Refusal
    from grimbots.sql.database import Row


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a gateway account's test, in words."""

    id: int
    gateway: str
    is_taken: bool
    words: str


async def require(app: App, gateway: str, credentials: Mapping[str, str]) -> str:
    """Ask a provider about credentials that are not kept yet; returns why it could not be asked, or "".

    Raises:
        Invalid: it does not take them; the message says what to do.
    """
    kind = offered_gateways(app.settings)[gateway]
    try:
        refusal = await kind(app.http, app.settings).test(kind.prepare(credentials, app.clock()))
    except UNANSWERED as error:
        return str(error)
    if refusal is not None:
        raise Invalid(refusal.reason)
    return ""


async def test_all(app: App, account_id: int) -> list[Result]:
    """Ask the provider of each of an account's gateway accounts."""
    rows = await app.db.gateway_accounts.list_all(account_id=account_id)
    return list(await asyncio.gather(*(_test(app, row) for row in rows)))


async def _test(app: App, row: Row) -> Result:
    try:
        refusal = await _ask(app, row)
    except UNANSWERED as error:
        return Result(row.id, row.gateway, False, f"could not be asked: {error}")
    except NotFound as error:
        return Result(row.id, row.gateway, False, str(error))
    return Result(row.id, row.gateway, refusal is None, refusal.reason if refusal else "takes the credentials")


async def _ask(app: App, row: Row) -> Refusal | None:
    account = await gateway_accounts.get_by_id(app, row.id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    return await gateway.test(credentials)
