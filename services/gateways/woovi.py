"""Woovi, also called OpenPix. Amounts are cents; `correlationID` is ours and makes everything that is made once.

Source: github.com/woovibr/woovi-developers bb0dddf (src/swaggers/woovi.yml, docs/webhook). Its other repository,
woovi-prompts, describes a signature that no event has. Doubtful:
    - that `fee` of a charge is what Woovi keeps of it: the documents name it and do not explain it;
    - how `limit` and `skip` are asked for: they are seen in answers (`pageInfo`) only;
    - what a charge that is not there is answered with: 404, or 400 and a text, which is looked for.
An event bears `x-webhook-signature`, RSA over the body by a key that signs every merchant's events, and any header a
seller adds to his webhook. The first proves Woovi, the second whose webhook it is: an event with both is believed; with
one of them, as after a change of that key, it is asked about. X-OpenPix-Signature is deprecated and not looked at.
What came into a test account counts for nothing. After 42 minutes Woovi sends an event no more.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.answers import (
    MOST_PAGES,
    find,
    find_missing,
    find_text,
    read_cents,
    read_instant,
    read_objects,
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
from grimbots.services.gateways.proofs import is_word

LEAST_LIFE_SECONDS = 300
PAGE = 100
PAID_EVENTS = frozenset({"CHARGE_COMPLETED", "CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER", "TRANSACTION_RECEIVED"})
RETURN_EVENTS = frozenset(
    {
        "TRANSACTION_REFUND_RECEIVED",
        "PIX_TRANSACTION_REFUND_SENT_CONFIRMED",
        "PIX_TRANSACTION_REFUND_SENT_REJECTED",
        "DISPUTE_CREATED",
        "DISPUTE_ACCEPTED",
        "DISPUTE_REJECTED",
        "DISPUTE_CANCELED",
    }
)
DISPUTES = {
    "CREATED": ReturnKind.DISPUTE,
    "OPENED": ReturnKind.DISPUTE,
    "IN_REVIEW": ReturnKind.DISPUTE,
    "ACCEPTED": ReturnKind.CHARGEBACK,
    "REJECTED": ReturnKind.DISPUTE,
    "CANCELED": ReturnKind.DISPUTE,
}
WON = frozenset({"REJECTED", "CANCELED"})
NOT_FOUND = re.compile(r"not found|n[ãa]o encontrad", re.IGNORECASE)
# GET /api/v1/webhook/public-keys of production, which is also printed in webhook-signature-validation.mdx.
KEY = b"""-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/+NtIkjzevvqD+I3MMv3bLXDt
pvxBjY4BsRrSdca3rtAwMcRYYvxSnd7jagVLpctMiOxQO8ieUCKLSWHpsMAjO/zZ
WMKbqoG8MNpi/u3fp6zz0mcHCOSqYsPUUG19buW8bis5ZZ2IZgBObWSpTvJ0cnj6
HKBAA82Jln+lGwS1MwIDAQAB
-----END PUBLIC KEY-----
"""


class Woovi(Gateway):
    """Client of api.woovi.com. `txid` is our own key, its `correlationID`; `provider_id` the PIX's transactionID."""

    name = "woovi"
    label = "Woovi (OpenPix)"
    fields = (
        Field("app_id", "AppID", "Em API/Plugins > Nova API, do tipo API. Copie o AppID inteiro."),
        Field(
            "webhook_authorization",
            "Authorization do webhook",
            "Invente uma senha longa e escreva a mesma no cabeçalho Authorization do webhook que criar em API/Plugins.",
        ),
    )
    kept_headers = ("x-webhook-signature",)
    secret_headers = ("authorization",)
    url = "https://api.woovi.com"
    answer_within_seconds = 100.0
    public_keys: ClassVar[tuple[bytes, ...]] = (KEY,)

    async def test(self, credentials: Credentials) -> Refusal | None:
        """List a charge, then a transfer: an AppID may have the right to one and not to the other."""
        for path in ("charge?limit=1", "transaction?limit=1"):
            answer = await self._ask(credentials, "GET", path)
            if isinstance(answer, Refusal):
                return answer
        return None

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make the charge under our key. Of the buyer nothing is told: Woovi does not need it."""
        if missing := find_missing(self.label, request, self.needs, self.least_cents):
            return missing
        body = {
            "correlationID": request.idempotency_key,
            "value": request.amount_cents,
            "comment": request.description,
            "expiresIn": max(request.expires_in_seconds, LEAST_LIFE_SECONDS),
        }
        answer = await self._ask(credentials, "POST", "charge?return_existing=true", body)
        if isinstance(answer, Refusal):
            return answer
        made = _read_charge(find(answer, "charge"))
        until = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        return Charge(made.txid, made.provider_id, made.code, made.amount_cents, min(made.expires_at, until))

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by our key."""
        answer = await self._ask(credentials, "GET", f"charge/{quote(txid, safe='')}")
        return answer if isinstance(answer, Refusal) else await self._look(credentials, find(answer, "charge"))

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Return the charge by our key, unless Woovi says that there is none."""
        status, answer = await self._call(credentials, "GET", f"charge/{quote(idempotency_key, safe='')}")
        if _is_nowhere(status, answer):
            return None
        if status >= 400:
            return refuse(self.label, status)
        return await self._look(credentials, find(answer, "charge"))

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Give back under our key; where Woovi refuses it, it may be because that key has been used."""
        path, body = f"charge/{quote(txid, safe='')}/refund", {"correlationID": idempotency_key, "value": amount_cents}
        answer = await self._ask(credentials, "POST", path, body)
        if not isinstance(answer, Refusal):
            return _read_refund(find(answer, "refund"))
        listed = await self._ask(credentials, "GET", path)
        refunds = () if isinstance(listed, Refusal) else read_objects(listed, "refunds")
        known = [refund for refund in refunds if find_text(refund, "correlationID") == idempotency_key]
        return _read_refund(known[0]) if known else answer

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Return the charges made in the window and those of its transfers, each looked up by itself."""
        keys: dict[str, None] = {}
        for path, name in (("charge", "charges"), ("transaction", "transactions")):
            rows = await self._page(credentials, path, name, since, until)
            if isinstance(rows, Refusal):
                return rows
            moment = "createdAt" if name == "charges" else "time"
            inside = [row for row in rows if since <= read_instant(row, moment) < until]
            charges = inside if name == "charges" else [row["charge"] for row in inside if find(row, "charge")]
            ours = [charge for charge in charges if find(charge, "type") in (None, "DYNAMIC")]
            keys |= dict.fromkeys(read_text(charge, "correlationID") for charge in ours)
        found = [await self.fetch(credentials, txid=key, provider_id="") for key in keys]
        return tuple(snapshot for snapshot in found if isinstance(snapshot, Snapshot))

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Believe what Woovi signed and sent to this seller's webhook; one proof of the two is not enough."""
        is_ours = is_word(event.headers.get("authorization", ""), credentials["webhook_authorization"])
        is_theirs = _is_signed(self.public_keys, event)
        if is_ours and is_theirs:
            return Verdict.YES
        return Verdict.REQUERY if is_ours or is_theirs else Verdict.NO

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read what came in; what goes back is only named, to be asked about. A webhook's first event names nothing."""
        said = read_object(event.body)
        kind = (find_text(said, "event") or "").rpartition(":")[2]
        charge = find(said, "charge") or find(said, "pix", "charge")
        ids = find_text(charge, "correlationID"), find_text(charge, "transactionID")
        if kind in PAID_EVENTS and any(ids):
            return (Hint(*ids, _find_receipt(said, charge)),)
        if kind in RETURN_EVENTS:
            ways = (("dispute",), ("originalTransaction",))
            transfer = next(filter(None, (find_text(said, *way, "endToEndId") for way in ways)), None)
            return (Hint(*ids, None, end_to_end_id=transfer),) if transfer or any(ids) else ()
        return ()

    async def _look(self, credentials: Credentials, charge: Any) -> Snapshot:
        """Return what is known of a charge; of one that is paid the transfers, refunds and disputes are asked for."""
        made = _read_charge(charge)
        if find(charge, "status") != "COMPLETED":
            return Snapshot(made, ())
        key = quote(made.txid, safe="")
        rows = await self._list(credentials, f"transaction?charge={key}", "transactions")
        moves = sorted(
            (row for row in rows if find(row, "type") == "PAYMENT"), key=lambda row: read_instant(row, "time")
        )
        receipts = tuple(_read_receipt(row, None if place else _find_fee(charge)) for place, row in enumerate(moves))
        if not receipts:
            raise Undecided("the provider calls the charge paid and shows no transfer yet")
        refunds = await self._list(credentials, f"charge/{key}/refund", "refunds")
        returns = [_read_return(refund, receipts[0]) for refund in refunds]
        disputes = [await self._find_dispute(credentials, receipt) for receipt in receipts]
        return Snapshot(made, receipts, (*returns, *filter(None, disputes)))

    async def _find_dispute(self, credentials: Credentials, receipt: Receipt) -> Return | None:
        """Return a transfer's dispute; who may not read disputes hears of them by events alone."""
        status, answer = await self._call(credentials, "GET", f"dispute/{quote(receipt.end_to_end_id, safe='')}")
        dispute = find(answer, "dispute")
        word = find_text(dispute, "status") or ""
        if status >= 400 or word not in DISPUTES:
            return None
        kind = DISPUTES[word]
        cents = _find_cents(dispute) or receipt.amount_cents  # a number in one document, a text in another
        made = f"{receipt.end_to_end_id}:dispute", receipt.end_to_end_id, min(cents, receipt.amount_cents)
        at = read_instant(dispute, "createdAt") if find(dispute, "createdAt") else receipt.at
        return Return(*made, at, kind, kind is ReturnKind.CHARGEBACK, is_void=word in WON)

    async def _list(self, credentials: Credentials, path: str, name: str) -> Sequence[dict[str, Any]]:
        answer = await self._ask(credentials, "GET", path)
        if isinstance(answer, Refusal) or name not in answer:
            raise Undecided(f"the provider does not show the {name} of a charge it calls paid")
        return read_objects(answer, name)

    async def _page(
        self, credentials: Credentials, path: str, name: str, since: datetime, until: datetime
    ) -> Sequence[dict[str, Any]] | Refusal:
        found = list[dict[str, Any]]()
        for _ in range(MOST_PAGES):
            window = {"start": since.isoformat(), "end": until.isoformat(), "limit": PAGE, "skip": len(found)}
            answer = await self._ask(credentials, "GET", f"{path}?{urlencode(window)}")
            if isinstance(answer, Refusal):
                return answer
            page = read_objects(answer, name)
            found += page
            if find(answer, "pageInfo", "hasNextPage") is not True or not page:
                return found
        raise Undecided("the provider's list has no end")

    async def _ask(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | Refusal:
        status, answer = await self._call(credentials, method, path, body)
        return refuse(self.label, status) if status >= 400 else answer

    async def _call(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        response = await self._http.request(
            method,
            f"{self.url}/api/v1/{path}",
            party=f"gateway:{self.name}",
            headers={"Authorization": credentials["app_id"]},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )
        return response.status, read_answer(response)


def _is_nowhere(status: int, answer: dict[str, Any]) -> bool:
    return status == 404 or (status == 400 and NOT_FOUND.search(find_text(answer, "error") or "") is not None)


def _read_charge(charge: Any) -> Charge:
    pix = find(charge, "paymentMethods", "pix")
    return Charge(
        txid=read_text(charge, "correlationID"),
        provider_id=find_text(charge, "transactionID") or read_text(pix, "txId"),
        code=read_text(charge, "brCode"),
        amount_cents=read_cents(charge, "value"),
        expires_at=read_instant(charge, "expiresDate"),
    )


def _find_receipt(said: Any, charge: Any) -> Receipt | None:
    """Return the transfer of an event; None for a test account's, and where there is none to be read."""
    if find(said, "account", "environment") == "TESTING":
        return None
    try:
        return _read_receipt(find(said, "pix"), _find_fee(charge))
    except Undecided:
        return None


def _read_receipt(pix: Any, fee_cents: int | None) -> Receipt:
    return Receipt(read_text(pix, "endToEndId"), read_cents(pix, "value"), read_instant(pix, "time"), fee_cents)


def _find_fee(charge: Any) -> int | None:
    fees = (find(charge, "fee"), find(charge, "paymentMethods", "pix", "fee"))
    return next((fee for fee in fees if isinstance(fee, int) and not isinstance(fee, bool) and fee >= 0), None)


def _read_refund(refund: Any) -> Refund:
    id_ = find_text(refund, "correlationID") or read_text(refund, "endToEndId")
    return Refund(id_, read_cents(refund, "value"), find(refund, "status") == "CONFIRMED")


def _find_cents(dispute: Any) -> int | None:
    value = find_text(dispute, "value") or ""
    return int(value) if value.isascii() and value.isdecimal() else None


def _read_return(refund: dict[str, Any], receipt: Receipt) -> Return:
    """Return a refund; one names no transfer, and a charge has one but where somebody paid it twice."""
    back, at = _read_refund(refund), read_instant(refund, "time")
    is_void = find(refund, "status") == "REJECTED"
    made = back.id, receipt.end_to_end_id, back.amount_cents, at
    return Return(*made, ReturnKind.REFUND, back.is_settled, is_void)


def _is_signed(keys: tuple[bytes, ...], event: Event) -> bool:
    """Tell whether any of the keys signed the body."""
    try:
        signature = base64.b64decode(event.headers.get("x-webhook-signature", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_has_signed(_load_key(key), signature, event.body) for key in keys)


def _has_signed(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@cache
def _load_key(pem: bytes) -> RSAPublicKey:
    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise TypeError("Woovi signs by RSA")
    return key
