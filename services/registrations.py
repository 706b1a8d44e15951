"""Registrations: providers that post events to one address, whatever the charge, are told ours when somebody says so.

Never by themselves: a bank keeps one address per PIX key, and another system of the seller's may have put its own in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.services import gateway_accounts
from grimbots.services.errors import Invalid, NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App


async def register(app: App, account_id: int, gateway_account_id: int, actor: str) -> None:
    """Tell the provider of a gateway account where to post its events.

    Raises:
        NotFound: the account has no such gateway account.
        Invalid: the provider says no; the message says what to do.
        NeverSent, Ambiguous, Undecided: the provider did not say; it may know.
    """
    row = await gateway_accounts.get_by_id(app, gateway_account_id)
    if row.account_id != account_id:
        raise NotFound(f"this account has no gateway account {gateway_account_id}")
    gateway, credentials = gateway_accounts.open_gateway(app, row)
    refusal = await gateway.register(credentials, gateway_accounts.notification_url(app, row))
    if refusal is not None:
        raise Invalid(refusal.reason)
    await app.db.audit.note(
        account_id=account_id,
        actor=actor,
        action="gateway.register",
        subject=f"gateway_account:{row.id}",
        details={"gateway": row.gateway},
        at=app.clock(),
    )
