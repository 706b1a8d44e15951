"""What everybody may ask of every bot about his own data: /privacidade, /meusdados, /excluir, /paysupport.

Told apart before the funnel is asked, so they work where there is none, where it waits for an answer, and while a
person has the chat. What follows is a message of the chat, in its order; the erasure itself is services/erasures.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from grimbots.services import figures, messages, privacy_texts
from grimbots.services.funnels.texts import format_money
from grimbots.services.privacy_commands import Kind

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

LATEST_PAYMENTS = 5


async def answer(app: App, tx: Transaction, lead: Row, kind: Kind, *, cause: str) -> list[Job]:
    """Plan the answer to a command, once per cause, and return its job. The lead is locked."""
    words = privacy_texts.choose(lead.language_code)
    if kind is Kind.DATA:
        await note(app, tx, lead, "lead.export", actor="lead")
        return await say(app, tx, lead, "sendDocument", _show_data(lead, words), cause=cause)
    if kind is Kind.ERASURE:
        return await say(app, tx, lead, "sendMessage", _ask_back(app, lead, words), cause=cause)
    account = await tx.privacy.find_texts(account_id=lead.account_id)
    text = _tell_policy(account, words)
    if kind is Kind.SUPPORT:
        text = await _tell_support(tx, lead, account, words)
    return await say(app, tx, lead, "sendMessage", {"text": text}, cause=cause)


async def say(app: App, tx: Transaction, lead: Row, method: str, body: Mapping[str, Any], *, cause: str) -> list[Job]:
    """Plan a message that no step of a funnel says."""
    job = await messages.plan(
        tx,
        lead=lead,
        cause=cause,
        ordinal=0,
        version_id=None,
        step="",
        method=method,
        body=body,
        nonce=None,
        policy="retry",
        payment_id=None,
        planned_at=app.clock(),
    )
    return [job]


async def note(app: App, tx: Transaction, lead: Row, action: str, *, actor: str) -> None:
    """Write down who saw, took or erased a lead's data."""
    await tx.audit.note(
        account_id=lead.account_id, actor=actor, action=action, subject=f"lead:{lead.id}", details={}, at=app.clock()
    )


def _show_data(lead: Row, words: Mapping[str, str]) -> dict[str, Any]:
    """Name what the document is made of when it is sent: no copy of it lies in a row."""
    return {"document": {"export": lead.id, "name": words["file"]}, "caption": words["data"]}


def _ask_back(app: App, lead: Row, words: Mapping[str, str]) -> dict[str, Any]:
    asked_at = int(app.clock().timestamp())
    data = f"erase:{lead.id}:{asked_at}:{app.vault.erasure_proof(lead.id, asked_at)}"
    button = {"text": words["confirm"], "callback_data": data}
    return {"text": words["erase"], "reply_markup": {"inline_keyboard": [[button]]}}


def _tell_policy(account: Row, words: Mapping[str, str]) -> str:
    return f"{account.privacy_text or words['privacy']}\n\n{words['rights']}"


async def _tell_support(tx: Transaction, lead: Row, account: Row, words: Mapping[str, str]) -> str:
    rows = await tx.privacy.list_latest_payments(account_id=lead.account_id, lead_id=lead.id, limit=LATEST_PAYMENTS)
    zone = figures.open_zone(account.time_zone)
    lines = [words["payments"], *(_describe(row, zone, words) for row in rows)] if rows else [words["no_payments"]]
    return "\n".join([account.support_text or words["support"], "", *lines])


def _describe(row: Row, zone: ZoneInfo, words: Mapping[str, str]) -> str:
    return words["payment"].format(
        id=row.id,
        at=row.created_at.astimezone(zone).strftime("%d/%m/%Y"),
        amount=format_money(row.amount_cents, "pt-BR")
        if row.currency == "BRL"
        else f"{row.amount_cents} {row.currency}",
        description=row.description,
        state=words[f"state.{row.state}"],
    )
