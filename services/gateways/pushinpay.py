"""PushinPay. Sources: its documents at app.theneo.io/pushinpay, as far as seen; public integrations where marked [S].

    POST /api/pix/cashIn {"value": <cents>, "webhook_url"} -> {"id", "qr_code", "status", "value"}
    GET  /api/transactions/<id> -> {"id", "status", "value"}, [S] "qr_code", and once paid "end_to_end_id", "payer_name"
    event: {"id", "status", "value", "end_to_end_id"}, as JSON or [S] as a form, twice at times; nothing in it is signed
There is no key of ours: asked for again, a charge is another one, which is harmless: nobody was shown the first one's
code. Nor a list; nor, as far as any document says, a sign of money that went back: POST /api/transactions/<id>/refund
exists [S], but what it did could not be seen, so a refund is for the seller's hand in the panel.
[S] or [K], and acted upon only where it costs nothing: 50 cents at least; ids whose letters change their case between
create and event; a `value` that is a text; 2 s for our answer to an event; blocked for more than a look-up a minute.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.answers import BRASILIA, find_missing, find_text, read_instant, read_text, refuse
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Credentials,
    Event,
    Field,
    Gateway,
    Hint,
    Receipt,
    Refund,
    Refusal,
    Snapshot,
    Undecided,
    Verdict,
    read_answer,
)

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

PAID = "paid"  # the others are created, pending [S], canceled, expired [S]: unpaid, as is what nobody knows
PIX_ID = re.compile(r"E[0-9]{8}([0-9]{12})[a-zA-Z0-9]{11}")  # ISPB, UTC to the minute, a word (the manual of the SPI)
NOWHERE = "00000000-0000-0000-0000-000000000000"


class PushinPay(Gateway):
    """Client of PushinPay."""

    name = "pushinpay"
    label = "PushinPay"
    fields = (Field("api_key", "Token da API", "No painel da PushinPay, em Configurações: o token de produção."),)
    url = "https://api.pushinpay.com.br/api"
    answer_within_seconds = 2.0
    least_cents = 50
    signs_events = False
    repeats_create = False
    can_find = False
    can_refund = False
    can_refund_parts = False
    can_list = False

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Ask for a charge that is not there: only whose token is known hears that it is not."""
        response = await self._call(credentials, "GET", f"transactions/{NOWHERE}")
        if response.status in (200, 404):
            return None
        answer = self._read(response)
        return answer if isinstance(answer, Refusal) else refuse(self.label, response.status)

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a charge. It is paid until its end at PushinPay, which nobody tells; ours is what was asked for."""
        if missing := find_missing(self.label, request, self.needs, self.least_cents):
            return missing
        body = {"value": request.amount_cents, "webhook_url": request.notification_url}
        made = self._read(await self._call(credentials, "POST", "pix/cashIn", body))
        if isinstance(made, Refusal):
            return made
        provider_id = read_text(made, "id")
        expires_at = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        return Charge(provider_id.lower(), provider_id, read_text(made, "qr_code"), _read_value(made), expires_at)

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by its id."""
        seen = self._read(await self._call(credentials, "GET", f"transactions/{quote(provider_id, safe='')}"))
        return seen if isinstance(seen, Refusal) else _read_snapshot(seen)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Say that nobody knows.

        Raises:
            Undecided: always.
        """
        raise Undecided("PushinPay keeps no key of ours with a charge")

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Send the seller to the panel."""
        return Refusal("a PushinPay não confirma devoluções por API: devolva no painel dela e anote aqui")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Say that there is none."""
        return Refusal("a PushinPay não lista cobranças por API: compare com o extrato do painel dela")

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Ask, whatever came: at best an event holds a word that was typed into the panel."""
        return Verdict.REQUERY

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read which charge it is of, be it JSON or a form."""
        said = read_object(event.body) or dict(parse_qsl(event.body.decode(errors="replace")))
        provider_id = find_text(said, "id")
        return () if provider_id is None else (Hint(provider_id.lower(), provider_id, None),)

    async def _call(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Response:
        return await self._http.request(
            method,
            f"{self.url}/{path}",
            party=f"gateway:{self.name}",
            headers={"Authorization": f"Bearer {credentials['api_key']}", "Accept": "application/json"},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )

    def _read(self, response: Response) -> dict[str, Any] | Refusal:
        if response.status in (401, 403):
            return refuse(self.label, response.status)
        answer = read_answer(response)
        return refuse(self.label, response.status) if response.status >= 400 else answer


def _read_snapshot(seen: dict[str, Any]) -> Snapshot:
    """Read a transaction. A charge is paid once and for its price, so its own id is its transfer's as well.

    Its end is not told: what stands in its place is the last that is.
    """
    provider_id, cents, told_at = read_text(seen, "id"), _read_value(seen), _read_moment(seen)
    charge = Charge(provider_id.lower(), provider_id, find_text(seen, "qr_code") or "", cents, told_at)
    is_paid = find_text(seen, "status") == PAID
    return Snapshot(charge, (Receipt(provider_id.lower(), cents, told_at),) if is_paid else ())


def _read_value(answer: dict[str, Any]) -> int:
    value = read_text(answer, "value")
    if not re.fullmatch(r"[1-9][0-9]{0,11}", value):
        raise Undecided("the provider's answer has no value in cents")
    return int(value)


def _read_moment(seen: dict[str, Any]) -> datetime:
    """Return when it was paid: no document names a field for it, but the id of a PIX holds its minute."""
    if find_text(seen, "paid_at"):
        return read_instant(seen, "paid_at", zone=BRASILIA)
    pix_id = PIX_ID.fullmatch(find_text(seen, "end_to_end_id") or "")
    if pix_id is not None:
        return datetime.strptime(pix_id[1], "%Y%m%d%H%M").replace(tzinfo=UTC)
    return read_instant(seen, "updated_at", zone=BRASILIA) if find_text(seen, "updated_at") else datetime.now(UTC)
