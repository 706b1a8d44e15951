"""Connections to providers: whether one takes a gateway account's credentials, and knows where to post its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.services import gateway_accounts
from grimbots.services.errors import NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.gateways.base import Refusal
    from grimbots.sql.database import Row


async def test(app: App, *, account_id: int, gateway_account_id: int) -> Refusal | None:
    """Ask the provider; None: it takes the credentials. Nothing is charged.

    Raises:
        NotFound: the account has no such gateway account.
        NeverSent, Ambiguous, Undecided: the provider did not say.
    """
    row = await _get(app, account_id, gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, row)
    return await gateway.test(credentials)


async def register(app: App, *, account_id: int, gateway_account_id: int, actor: str) -> Refusal | None:
    """Tell the provider where to post events, where it is not told with each charge; None: it knows.

    Raises:
        NotFound: the account has no such gateway account.
        NeverSent, Ambiguous, Undecided: the provider did not say; it may know.
    """
    row = await _get(app, account_id, gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, row)
    refusal = await gateway.register(credentials, gateway_accounts.notification_url(app, row))
    if refusal is None:
        await app.db.audit.note(
            account_id=account_id,
            actor=actor,
            action="gateway.register",
            subject=f"gateway_account:{row.id}",
            details={"gateway": row.gateway},
            at=app.clock(),
        )
    return refusal


async def _get(app: App, account_id: int, gateway_account_id: int) -> Row:
    row = await gateway_accounts.get_by_id(app, gateway_account_id)
    if row.account_id != account_id:
        raise NotFound(f"this account has no gateway account {gateway_account_id}")
    return row
