"""/sales/<account>/payments/<id>/refund: giving money back: a page that asks first, and its form, which acts once."""

from __future__ import annotations

import re
import secrets

from grimbots.handlers.admin.amounts import read_amount
from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import refunds, sales
from grimbots.services.errors import Conflict, Invalid, NotFound

KEY_BYTES = 18
KEY = re.compile(r"[A-Za-z0-9_-]{24}")


class RefundHandler(AccountHandler):
    """GET and POST /sales/<account>/payments/<id>/refund?transfer=."""

    async def get(self, _account: str, payment_id: str) -> None:
        """Ask whether it is to go back, and how much. The form has a key of its own: sent twice it asks once."""
        self.member.demand_give_back()
        await self._ask(int(payment_id), self.get_query_argument("transfer", ""), "")

    async def post(self, _account: str, payment_id: str) -> None:
        """Ask for the refund, and show the payment; where it cannot be, say why on the page that asks."""
        self.member.demand_give_back()
        transfer, key = self.get_body_argument("transfer", ""), self.get_body_argument("key", "")
        if not KEY.fullmatch(key):
            raise Invalid("this form is not complete: open it again")
        story = await sales.get_story(self.app, self.member, int(payment_id))
        try:
            row = await refunds.ask(
                self.app,
                account_id=self.member.account_id,
                payment_id=int(payment_id),
                actor=self.member.actor,
                end_to_end_id=transfer,
                amount_cents=read_amount(self.get_body_argument("amount", ""), story.payment.currency),
                request_key=key,
            )
        except (Conflict, Invalid):
            await self._ask(int(payment_id), transfer, "refund_refused")
            return
        await refunds.hand_over(self.app, row)
        self.go(f"/sales/{self.member.account}/payments/{payment_id}")

    async def _ask(self, payment_id: int, transfer: str, refusal: str) -> None:
        story = await sales.get_story(self.app, self.member, payment_id)
        receipt = next((one for one in story.receipts if one.end_to_end_id == transfer), None)
        if receipt is None:
            raise NotFound(f"payment {payment_id} has no such transfer")
        key = secrets.token_urlsafe(KEY_BYTES)
        await self.show("refund.html", tab="sales", story=story, receipt=receipt, key=key, refusal=refusal)
