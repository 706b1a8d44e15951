"""SyncPay. No document of its own was seen: all of this is [S], eight public integrations that agree, and re-queried.

    POST /auth-token {"client_id", "client_secret"} -> {"access_token", "expires_in" or "expires_at"}
    POST /cash-in {"amount": 11.9 (reais), "description", "webhook_url", "client": {"name", "cpf", "email", "phone"}}
         -> {"message", "pix_code", "identifier"}
    GET  /transaction/<identifier> -> {"data": {"reference_id", "status", "amount", "transaction_date", "pix_code"}}
         status: pending, completed, failed, refunded, med; "paid" and "chargeback" by single ones
    event: {"transaction": {"reference_id", "status", "amount", "paid_at"}}, or older {"data": {"id", "status", ...}}
There is no key of ours: asked for again, a charge is another one, which is harmless: nobody was shown the first one's
code. Nor a list. One integration refunds by POST /transaction/<id>/refund: too few to move money by. Events are signed
in three ways that contradict each other, so none is looked at: each event is asked about.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from grimbots.conf.foreign_json import read_object
from grimbots.services.clients.tokens import Token
from grimbots.services.gateways.answers import (
    BRASILIA,
    as_reais,
    find,
    find_missing,
    find_text,
    read_instant,
    read_reais,
    read_text,
    refuse,
)
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
    Return,
    ReturnKind,
    Snapshot,
    Undecided,
    Verdict,
    read_answer,
)
from grimbots.services.gateways.logins import call_logged_in, name_account, read_token

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

# What a status means: whether money came in, and why it goes back. Any other: nothing has happened yet.
PAID = frozenset({"completed", "paid", "refunded", "med", "chargeback"})
RETURNS = MappingProxyType(
    {"refunded": ReturnKind.REFUND, "med": ReturnKind.DISPUTE, "chargeback": ReturnKind.CHARGEBACK}
)
NOWHERE = "00000000-0000-0000-0000-000000000000"
IDS = (("transaction", "reference_id"), ("data", "reference_id"), ("data", "identifier"), ("data", "idtransaction"))
OLD_IDS = (("data", "id"), ("reference_id",), ("identifier",), ("idtransaction",), ("id",))


class SyncPay(Gateway):
    """Client of SyncPay."""

    name = "syncpay"
    label = "SyncPay"
    fields = (
        Field("client_id", "Client ID", "No painel da SyncPay, em API.", is_secret=False),
        Field("client_secret", "Client Secret", "Da mesma chave."),
    )
    needs = frozenset({"name", "tax_id", "email", "phone"})
    url = "https://api.syncpayments.com.br/api/partner/v1"
    answer_within_seconds = 5.0
    signs_events = False
    repeats_create = False
    can_find = False
    can_refund = False
    can_refund_parts = False
    can_list = False

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Log in."""
        answer = await self._log_in(credentials)
        return answer if isinstance(answer, Refusal) else None

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a charge. It is paid until its end at SyncPay, which nobody tells; ours is what was asked for."""
        if missing := find_missing(self.label, request, self.needs, self.least_cents):
            return missing
        made = self._read(await self._call(credentials, "POST", "cash-in", _write_charge(request)))
        if isinstance(made, Refusal):
            return made
        provider_id = read_text(made, "identifier")
        expires_at = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        return Charge(provider_id, provider_id, read_text(made, "pix_code"), request.amount_cents, expires_at)

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by its id."""
        seen = self._read(await self._call(credentials, "GET", f"transaction/{quote(provider_id, safe='')}"))
        return seen if isinstance(seen, Refusal) else _read_snapshot(provider_id, seen)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Say that nobody knows.

        Raises:
            Undecided: always.
        """
        raise Undecided("SyncPay keeps no key of ours with a charge")

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Send the seller to the panel; what he does there is seen by `fetch`."""
        return Refusal("a SyncPay só devolve pelo painel dela: devolva lá, e a devolução aparece aqui")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Say that there is none."""
        return Refusal("a SyncPay não lista cobranças por API: compare com o extrato do painel dela")

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Ask, whatever came."""
        return Verdict.REQUERY

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read which charge it is of, in the newest form or an older one."""
        said = read_object(event.body)
        found = [provider_id for way in (*IDS, *OLD_IDS) if (provider_id := find_text(said, *way))]
        return (Hint(found[0], found[0], None),) if found else ()

    async def _call(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Response | Refusal:
        account = name_account(self.name, credentials)
        return await call_logged_in(
            self._http,
            account,
            lambda: self._log_in(credentials),
            lambda token: self._request(method, path, body, {"Authorization": f"Bearer {token}"}),
        )

    async def _log_in(self, credentials: Credentials) -> Token | Refusal:
        body = {"client_id": credentials["client_id"], "client_secret": credentials["client_secret"]}
        answer = self._read(await self._request("POST", "auth-token", body, {}))
        return answer if isinstance(answer, Refusal) else read_token(answer)

    async def _request(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Response:
        return await self._http.request(
            method,
            f"{self.url}/{path}",
            party=f"gateway:{self.name}",
            headers={"Accept": "application/json", **headers},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )

    def _read(self, response: Response | Refusal) -> dict[str, Any] | Refusal:
        if isinstance(response, Refusal):
            return response
        if response.status in (401, 403):
            return refuse(self.label, response.status)
        answer = read_answer(response)
        return refuse(self.label, response.status) if response.status >= 400 else answer


def _write_charge(request: ChargeRequest) -> dict[str, Any]:
    payer = request.payer
    return {
        "amount": as_reais(request.amount_cents),
        "description": request.description,
        "webhook_url": request.notification_url,
        "client": {
            "name": payer.name,
            "cpf": payer.tax_id,
            "email": payer.email,
            "phone": (payer.phone or "").removeprefix("+55").removeprefix("+"),
        },
    }


def _read_snapshot(provider_id: str, seen: dict[str, Any]) -> Snapshot:
    """Read a transaction. A charge is paid once and for its price, so its own id is its transfer's as well.

    Its end is not told: what stands in its place is the last that is.
    """
    cents, at = read_reais(seen, "data", "amount"), _read_moment(seen)
    status = (find_text(seen, "data", "status") or "").lower()
    charge = Charge(provider_id, provider_id, find_text(seen, "data", "pix_code") or "", cents, at)
    if status not in PAID:
        return Snapshot(charge, ())
    return Snapshot(charge, (Receipt(provider_id, cents, at),), tuple(_list_returns(provider_id, cents, at, status)))


def _list_returns(provider_id: str, cents: int, at: datetime, status: str) -> list[Return]:
    """Return what of the money goes back: all of it, for no status tells of a part."""
    kind = RETURNS.get(status)
    if kind is None:
        return []
    why = "refund" if kind is ReturnKind.REFUND else "med"  # a dispute that is lost is the same return
    return [Return(f"{provider_id}:{why}", provider_id, cents, at, kind, kind is not ReturnKind.DISPUTE)]


def _read_moment(seen: dict[str, Any]) -> datetime:
    for name in ("paid_at", "transaction_date"):
        if find(seen, "data", name):
            return read_instant(seen, "data", name, zone=BRASILIA)
    return datetime.now(UTC)
