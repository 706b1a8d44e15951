"""Coupons: how often each was used, counted with the charge that is opened by it.

A funnel cannot know whether one is left: it opens the charge, and where the last one went to somebody else the charge
is cancelled before any provider is asked, and the funnel told why. A charge that ends unpaid gives its use back, by a
trigger (sql/migrations/0016_offers.sql).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grimbots.services import accounts
from grimbots.services.funnels import versions

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.funnels.effects import Charge
    from grimbots.sql.database import Row, Transaction


async def take(tx: Transaction, payment: Row, charge: Charge) -> None:
    """Count a use for a payment just opened, or note that none was left. The coupon is locked until the commit."""
    which = {"account_id": payment.account_id, "payment_id": payment.id, "code": charge.coupon}
    taken = await tx.coupons.count(**which, uses=charge.uses)
    off = sum(item.price_cents for item in charge.items) - charge.amount_cents
    await tx.coupon_uses.add(**which, discount_cents=off, state="refused" if taken is None else "taken")


async def was_refused(app: App, payment: Row) -> bool:
    """Tell whether a payment was to be made by a coupon of which none was left."""
    version = await versions.load(app, payment.version_id)
    if not version.coupons:
        return False
    return bool(await app.db.coupon_uses.was_refused(account_id=payment.account_id, payment_id=payment.id))


async def list_all(app: App, account: str) -> list[Any]:
    """Return how often each coupon of an account was used.

    Raises:
        NotFound: no such account.
    """
    tenant = await accounts.get_account(app, account)
    rows: list[Any] = await app.db.coupons.list_all(account_id=tenant.id)
    return rows
