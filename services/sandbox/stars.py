"""Telegram Stars: invoice links, checkouts that the bot lets through, payments, refunds and the bot's transactions."""

from __future__ import annotations

import secrets
from typing import Any

from grimbots.services.sandbox import chats, messages, updates
from grimbots.services.sandbox.invoices import CURRENCY, LINK
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, method
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

LONGEST_PAYLOAD_BYTES = 128
MOST_TRANSACTIONS = 100


@method(
    "createInvoiceLink",
    "business_connection_id title description payload provider_token currency prices:json "
    "subscription_period:integer max_tip_amount:integer suggested_tip_amounts:json provider_data "
    "photo_url photo_size:integer photo_width:integer photo_height:integer need_name:boolean "
    "need_phone_number:boolean need_email:boolean need_shipping_address:boolean "
    "send_phone_number_to_provider:boolean send_email_to_provider:boolean is_flexible:boolean",
)
def create_invoice_link(call: Call) -> str:
    """Make a link that anybody can pay, any number of times."""
    title, description, payload, amount = _read_invoice(call)
    slug = secrets.token_urlsafe(16)
    call.sandbox.store.run(
        """
        INSERT INTO invoices (slug, bot_id, title, description, payload, amount)
        VALUES (:slug, :bot_id, :title, :description, :payload, :amount)
        """,
        slug=slug,
        bot_id=call.bot["id"],
        title=title,
        description=description,
        payload=payload,
        amount=amount,
    )
    return LINK + slug


@method("getStarTransactions", "offset:integer limit:integer")
def get_star_transactions(call: Call) -> dict[str, Any]:
    """Give the bot's transactions, the oldest first."""
    limit = call.params.get("limit", MOST_TRANSACTIONS)
    if not 1 <= limit <= MOST_TRANSACTIONS:
        raise Refusal(400, "Bad Request: invalid limit specified")
    rows = call.sandbox.store.list(
        "SELECT * FROM star_transactions WHERE bot_id = :bot_id ORDER BY seq LIMIT :limit OFFSET :offset",
        bot_id=call.bot["id"],
        limit=limit,
        offset=call.params.get("offset", 0),
    )
    return {"transactions": [_as_transaction(call, row) for row in rows]}


@method("refundStarPayment", "user_id:integer telegram_payment_charge_id")
def refund_star_payment(call: Call) -> bool:
    """Give a payment back, once."""
    known = call.sandbox.store.list(
        "SELECT * FROM star_transactions WHERE bot_id = :bot_id AND id = :id AND chat_id = :chat_id ORDER BY seq",
        bot_id=call.bot["id"],
        id=call.params.get("telegram_payment_charge_id", ""),
        chat_id=call.params.get("user_id", 0),
    )
    if not known:
        raise Refusal(400, "Bad Request: CHARGE_NOT_FOUND")
    if len(known) > 1:
        raise Refusal(400, "Bad Request: CHARGE_ALREADY_REFUNDED")
    paid = known[0]
    _note(call.sandbox, call.bot, paid["id"], paid["chat_id"], paid["payload"], paid["amount"], is_refund=True)
    call.queues.append(_say(call.sandbox, call.bot, paid["chat_id"], "refunded_payment", _as_payment(paid)))
    return True


def pay(call: Call, query_id: str) -> None:
    """Make the payment that a bot has let through, if it is in Stars, and tell the bot."""
    checkout = call.sandbox.store.find(
        """
        SELECT checkouts.*, queries.chat_id
        FROM checkouts
        JOIN queries ON queries.id = checkouts.query_id
        WHERE checkouts.query_id = :query_id AND checkouts.currency = :currency
        """,
        query_id=query_id,
        currency=CURRENCY,
    )
    if checkout is None:
        return
    charge_id, chat_id = f"stx{secrets.token_hex(16)}", checkout["chat_id"]
    _note(call.sandbox, call.bot, charge_id, chat_id, checkout["payload"], checkout["amount"])
    paid = {"id": charge_id, "payload": checkout["payload"], "amount": checkout["amount"]}
    call.queues.append(_say(call.sandbox, call.bot, chat_id, "successful_payment", _as_payment(paid)))


def _read_invoice(call: Call) -> tuple[str, str, str, int]:
    title, description = str(call.params.get("title", "")), str(call.params.get("description", ""))
    payload, prices = str(call.params.get("payload", "")), call.params.get("prices")
    if call.params.get("currency") != CURRENCY:
        raise Refusal(400, "Bad Request: the sandbox makes invoices in XTR only")
    if not 1 <= len(title) <= 32:
        raise Refusal(400, "Bad Request: INVOICE_TITLE_INVALID")
    if not 1 <= len(description) <= 255:
        raise Refusal(400, "Bad Request: INVOICE_DESCRIPTION_INVALID")
    if not 1 <= len(payload.encode()) <= LONGEST_PAYLOAD_BYTES:
        raise Refusal(400, "Bad Request: INVOICE_PAYLOAD_INVALID")
    price = prices[0] if isinstance(prices, list) and len(prices) == 1 and isinstance(prices[0], dict) else {}
    amount = price.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1 or not price.get("label"):
        raise Refusal(400, "Bad Request: STARS_INVOICE_INVALID")
    return title, description, payload, amount


def _note(
    sandbox: Sandbox, bot: Row, charge_id: str, chat_id: int, payload: str, amount: int, *, is_refund: bool = False
) -> None:
    sandbox.store.run(
        """
        INSERT INTO star_transactions (id, bot_id, chat_id, payload, amount, at, is_refund)
        VALUES (:id, :bot_id, :chat_id, :payload, :amount, :now, :is_refund)
        """,
        id=charge_id,
        bot_id=bot["id"],
        chat_id=chat_id,
        payload=payload,
        amount=amount,
        now=int(sandbox.clock()),
        is_refund=is_refund,
    )


def _say(sandbox: Sandbox, bot: Row, chat_id: int, kind: str, content: dict[str, Any]) -> str:
    """Put a service message into the chat, as the buyer's; give the queue of its update."""
    chat = chats.find(sandbox, bot, chat_id)
    if chat is None:
        raise Refusal(400, "Bad Request: chat not found")
    message = messages.add(sandbox, bot, chats.as_chat(chat), chats.as_user(chat), {kind: content})
    return updates.push(sandbox, bot, "message", chat_id, message)


def _as_payment(paid: Any) -> dict[str, Any]:
    return {
        "currency": CURRENCY,
        "total_amount": paid["amount"],
        "invoice_payload": paid["payload"],
        "telegram_payment_charge_id": paid["id"],
        "provider_payment_charge_id": paid["payload"],
    }


def _as_transaction(call: Call, row: Row) -> dict[str, Any]:
    chat = chats.find(call.sandbox, call.bot, row["chat_id"])
    user = chats.as_user(chat) if chat else {"id": row["chat_id"], "is_bot": False, "first_name": ""}
    partner = {"type": "user", "transaction_type": "invoice_payment", "user": user, "invoice_payload": row["payload"]}
    side = {"receiver": partner} if row["is_refund"] else {"source": partner}
    return {"id": row["id"], "amount": row["amount"], "date": row["at"]} | side
