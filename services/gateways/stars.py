"""Telegram Stars: an invoice link of a bot's own. There is nothing to connect: the bot's token is all there is.

A link can be paid by anybody and any number of times, so every payment is asked about before it is made
(services/checkouts.py). Its payload comes back with the payment, so it says all that makes the charge: our key, the
price, from when until when it can be paid, and whose bot it is. What Telegram tells of a charge afterwards are its
bot's transactions, the oldest first (getStarTransactions): they are read from where the charge was made.

A transaction's id is the payment's `telegram_payment_charge_id`; the one that gives it back has the same id. An amount
is whole Stars: `amount_cents` of a charge in XTR, which has no hundredths. Sources: core.telegram.org,
/bots/payments-stars and /bots/api#startransaction (Bot API 10.3); not tried against the live Telegram.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.conf.foreign_json import read_object
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

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.services.clients.http import HttpClient

CURRENCY = "XTR"
LINK = "https://t.me/$"
PAYLOAD = re.compile(r"([0-9a-f]{32})-(\d{1,9})-(\d{1,11})-(\d{1,11})-(\d{1,16})")
PAGE = 100
Transactions = list[dict[str, Any]]
LONGEST_TITLE, LONGEST_TEXT = 32, 255


class Stars(Gateway):
    """Client of the Bot API's payments in Stars."""

    name = "stars"
    label = "Telegram Stars"
    fields = (Field("bot_token", "Token do bot", "O token que o @BotFather mostrou."),)
    url = "https://api.telegram.org"
    is_of_bot = True
    signs_events = False
    repeats_create = False
    can_find = False
    can_refund_parts = False
    can_list = False

    def __init__(self, http: HttpClient, settings: Settings) -> None:
        super().__init__(http, settings)
        self.url = settings.gateway_urls.get(self.name, settings.telegram_url)

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Ask who the token belongs to."""
        answer = await self._call(credentials, "getMe", {})
        return answer if isinstance(answer, Refusal) else None

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a link. Made again, it is another one to the same invoice, of which one payment is let through."""
        expires_at = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        payload, title = _write_payload(credentials, request), request.description[:LONGEST_TITLE]
        invoice = {
            "title": title,
            "description": request.description[:LONGEST_TEXT],
            "payload": payload,
            "currency": CURRENCY,
            "prices": [{"label": title, "amount": request.amount_cents}],
        }
        link = await self._call(credentials, "createInvoiceLink", invoice)
        if isinstance(link, Refusal):
            return link
        if not isinstance(link, str) or not link.startswith(LINK):
            raise Undecided("Telegram answered without a link")
        return Charge(payload, link.removeprefix(LINK), link, request.amount_cents, expires_at)

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return a charge by its payload, with the payments that bore it."""
        said = PAYLOAD.fullmatch(txid)
        if said is None or said[5] != _get_bot_id(credentials):
            return Refusal("this bot has made no such charge")
        found = await self._list_since(credentials, int(said[3]))
        if isinstance(found, Refusal):
            return found
        expires_at = datetime.fromtimestamp(int(said[4]), UTC)
        charge = Charge(txid, provider_id, LINK + provider_id, int(said[2]), expires_at)
        return _make_snapshot(charge, found)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Say that nobody can tell: Telegram lists what was paid, not what could be."""
        raise Undecided("Telegram tells of no charge that is not paid")

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Give a payment back, all of it: there are no parts. One that was given back stays so, whoever asked."""
        said = PAYLOAD.fullmatch(txid)
        found = await self._list_since(credentials, int(said[3])) if said else ()
        if isinstance(found, Refusal):
            return found
        paid = next((one for one in found if one.get("id") == end_to_end_id and _get_payload(one) == txid), None)
        if paid is None or _get_amount(paid) != amount_cents:
            return Refusal("Stars are given back by whole payments, and this is none of the charge")
        refund = Refund(_name_return(end_to_end_id), amount_cents, is_settled=True)
        if any(one.get("id") == end_to_end_id and "receiver" in one for one in found):
            return refund
        asked = {"user_id": paid["source"]["user"]["id"], "telegram_payment_charge_id": end_to_end_id}
        done = await self._call(credentials, "refundStarPayment", asked)
        return done if isinstance(done, Refusal) else refund

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Say that there is none: Telegram lists payments, not charges; each of ours is asked about."""
        return Refusal("Telegram lists what was paid, not what was asked for: each charge is asked about by itself")

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Ask: payments come as the bot's updates (services/checkouts.py), not by this way."""
        return Verdict.REQUERY

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read the charge a successful_payment is of."""
        payload = (read_object(event.body) or {}).get("invoice_payload")
        return (Hint(payload, None, None),) if isinstance(payload, str) and PAYLOAD.fullmatch(payload) else ()

    async def _list_since(self, credentials: Credentials, since: int) -> Transactions | Refusal:
        """Return the transactions from an instant on: where they begin is found in some steps, each twice the last."""
        offset, step, grows = 0, 1, True
        while step:
            probe = await self._get_page(credentials, offset + step - 1, 1)
            if isinstance(probe, Refusal):
                return probe
            is_before = bool(probe) and _get_date(probe[0]) < since
            offset += step if is_before else 0
            grows = grows and is_before
            step = step * 2 if grows else step // 2
        found: Transactions = []
        while True:
            page = await self._get_page(credentials, offset + len(found), PAGE)
            if isinstance(page, Refusal):
                return page
            found += page
            if len(page) < PAGE:
                return found

    async def _get_page(self, credentials: Credentials, offset: int, limit: int) -> Transactions | Refusal:
        said = await self._call(credentials, "getStarTransactions", {"offset": offset, "limit": limit})
        if isinstance(said, Refusal):
            return said
        page: Any = said.get("transactions") if isinstance(said, dict) else None
        if not isinstance(page, list) or not all(isinstance(one, dict) for one in page):
            raise Undecided("Telegram answered without transactions")
        return page

    async def _call(self, credentials: Credentials, method: str, params: dict[str, Any]) -> Any:
        """Return a call's result; a Refusal where Telegram says no."""
        response = await self._http.request(
            "POST",
            f"{self.url}/bot{credentials['bot_token']}/{method}",
            party="telegram",
            json=params,
            timeout_seconds=self.timeout_seconds,
        )
        answer = read_answer(response)
        if response.status >= 400:
            why = "it does not know the bot's token" if response.status in (401, 404) else "it does not do this"
            return Refusal(f"Telegram answered {response.status} to {method}: {why}")
        if answer.get("ok") is not True:
            raise Undecided(f"Telegram did not say whether {method} is done")
        return answer.get("result")


def read_key(payload: str) -> str | None:
    """Return our own key out of an invoice's payload."""
    said = PAYLOAD.fullmatch(payload)
    return said and said[1]


def make_return(charge_id: str, amount: int, at: datetime) -> Return:
    """Say that a payment went back: whole, once, and at once."""
    return Return(_name_return(charge_id), charge_id, amount, at, ReturnKind.REFUND, is_settled=True)


def _name_return(charge_id: str) -> str:
    return f"{charge_id}:refund"


def _write_payload(credentials: Credentials, request: ChargeRequest) -> str:
    begin = int(request.asked_at.timestamp())
    parts = (request.amount_cents, begin, begin + request.expires_in_seconds, _get_bot_id(credentials))
    return "-".join((request.idempotency_key, *map(str, parts)))


def _get_bot_id(credentials: Credentials) -> str:
    return credentials["bot_token"].partition(":")[0]


def _make_snapshot(charge: Charge, found: Transactions) -> Snapshot:
    """Return a charge with the payments that bore its payload, and those of them that went back."""
    paid = [one for one in found if _get_payload(one) == charge.txid]
    receipts = tuple(Receipt(_get_id(one), _get_amount(one), _get_instant(one)) for one in paid)
    amounts = {receipt.end_to_end_id: receipt.amount_cents for receipt in receipts}
    back = [one for one in found if "receiver" in one and one.get("id") in amounts]
    returns = tuple(make_return(_get_id(one), amounts[_get_id(one)], _get_instant(one)) for one in back)
    return Snapshot(charge, receipts, returns)


def _get_payload(transaction: dict[str, Any]) -> str:
    source = transaction.get("source")
    is_payment = isinstance(source, dict) and source.get("transaction_type", "invoice_payment") == "invoice_payment"
    return str(source.get("invoice_payload", "")) if is_payment and isinstance(source, dict) else ""


def _get_id(transaction: dict[str, Any]) -> str:
    found = transaction.get("id")
    if not isinstance(found, str) or not found:
        raise Undecided("a transaction has no id")
    return found


def _get_amount(transaction: dict[str, Any]) -> int:
    return _get_whole(transaction, "amount")


def _get_date(transaction: dict[str, Any]) -> int:
    return _get_whole(transaction, "date")


def _get_instant(transaction: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(_get_date(transaction), UTC)


def _get_whole(transaction: dict[str, Any], name: str) -> int:
    found = transaction.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**40:
        raise Undecided(f"a transaction has no {name}")
    return found
