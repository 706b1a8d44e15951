"""Effects: what `advance` asked for, written as rows; for each a job that does it.

Effect n of a cause has the row (cause, n) and the job `<cause>#<n>`, however often the cause is handled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grimbots.services import (
    accesses,
    coupons,
    deliveries,
    gateway_accounts,
    leads,
    messages,
    notices,
    nudges,
    payments,
    posts,
    wakes,
)
from grimbots.services.funnels.effects import (
    INVITE,
    NONCE,
    STARS,
    Charge,
    Effect,
    Notify,
    Nudge,
    Post,
    Say,
    Verify,
    Wake,
)

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Database, Row, Transaction


async def plan(
    app: App,
    tx: Transaction,
    *,
    cause: str,
    lead: Row,
    version_id: int,
    effects: Sequence[Effect],
    campaign_id: int | None = None,
) -> list[Job]:
    """Write the rows of `effects` and return their jobs, in order, to be enqueued after the commit.

    The lead is locked, and its walk, of which a charge is the newest order, is saved already. What a campaign says is
    not said twice where it is in doubt.
    """
    jobs = []
    for ordinal, effect in enumerate(effects):
        match effect:
            case Say():
                jobs.append(await _plan_say(app, tx, cause, ordinal, lead, version_id, effect, campaign_id))
            case Charge():
                jobs.append(await _plan_charge(app, tx, cause, ordinal, lead, version_id, effect))
            case Verify():
                jobs.append(ask(cause, ordinal, lead, effect))
            case Post():
                jobs.append(await posts.plan(app, tx, cause=cause, ordinal=ordinal, lead=lead, effect=effect))
            case Notify() | Wake() | Nudge():
                where = {"cause": cause, "ordinal": ordinal, "lead": lead, "version_id": version_id}
                jobs += await _plan_aside(app, tx, effect, where)
    return jobs


async def pending(db: Database | Transaction, *, account_id: int, cause: str) -> list[Job]:
    """Return, in order, the jobs of what was planned for `cause` and is not done yet."""
    said = await db.messages.list_open_by_cause(account_id=account_id, cause=cause)
    charged = await db.payments.list_open_by_cause(account_id=account_id, cause=cause)
    posted = await db.posts.list_open_by_cause(account_id=account_id, cause=cause)
    jobs = {row.ordinal: messages.job(row) for row in said} | {row.ordinal: payments.job(row) for row in charged}
    jobs |= {row.ordinal: posts.job(row) for row in posted}
    return [jobs[ordinal] for ordinal in sorted(jobs)]


def ask(cause: str, ordinal: int, lead: Row, effect: Verify) -> Job:
    """Make the job that asks the provider about a payment. It has no row: who still waits presses the button again."""
    return payments.verify.job(
        id=f"{cause}#{ordinal}",
        source=f"b{lead.bot_id}",
        account=str(lead.account_id),
        payment_id=effect.payment_id,
        cause=cause,
    )


async def _plan_aside(app: App, tx: Transaction, effect: Notify | Wake | Nudge, where: dict[str, Any]) -> list[Job]:
    """Plan what is not said to the lead."""
    if isinstance(effect, Notify):
        return await notices.plan(app, tx, effect=effect, **where)
    if isinstance(effect, Nudge):
        await nudges.plan(app, tx, effect=effect, **where)
    else:
        await wakes.plan(app, tx, effect=effect, **where)
    return []


async def _plan_say(
    app: App,
    tx: Transaction,
    cause: str,
    ordinal: int,
    lead: Row,
    version_id: int,
    effect: Say,
    campaign_id: int | None,
) -> Job:
    nonce = app.vault.nonce(lead.bot_id, lead.chat_id, cause, ordinal)
    method, unfilled, access_id = await _grant(app, tx, lead, effect)
    body = _fill_in(unfilled, nonce, access_id)
    job = await messages.plan(
        tx,
        lead=lead,
        cause=cause,
        ordinal=ordinal,
        version_id=version_id,
        step=effect.step,
        method=method,
        body=body,
        nonce=nonce if _has_taps(unfilled) else None,
        policy=effect.policy if campaign_id is None else "once",
        campaign_id=campaign_id,
        payment_id=effect.payment_id,
        planned_at=app.clock(),
    )
    if effect.delivery and effect.payment_id is not None:
        await deliveries.plan(
            tx,
            account_id=lead.account_id,
            payment_id=effect.payment_id,
            lead_id=lead.id,
            step=effect.step,
            cause=cause,
            ordinal=ordinal,
            now=app.clock(),
        )
    return job


async def _plan_charge(
    app: App, tx: Transaction, cause: str, ordinal: int, lead: Row, version_id: int, effect: Charge
) -> Job:
    if effect.currency == STARS:
        await gateway_accounts.open_of_bot(tx, lead, app.clock())
    payment = await payments.open(
        tx,
        account_id=lead.account_id,
        bot_id=lead.bot_id,
        lead_id=lead.id,
        version_id=version_id,
        step=effect.step,
        cause=cause,
        ordinal=ordinal,
        items=[asdict(item) for item in effect.items],
        description=effect.description,
        amount_cents=effect.amount_cents,
        currency=effect.currency,
        expires_in_seconds=effect.expires_in_seconds,
        now=app.clock(),
    )
    if effect.coupon:
        await coupons.take(tx, payment, effect)
    await leads.bind_order(tx, lead, payment.id)
    return payments.job(payment)


async def _grant(app: App, tx: Transaction, lead: Row, effect: Say) -> tuple[str, Mapping[str, Any], int | None]:
    """Give the right that a message hands over; returns what is said then, and the access whose link it shows."""
    if effect.payment_id is None or (effect.grant is None and not _shows_invite(effect.body)):
        return effect.method, effect.body, None
    if effect.grant is None:
        of_step = {"account_id": lead.account_id, "payment_id": effect.payment_id, "step": effect.step}
        return effect.method, effect.body, (await tx.accesses.find_by_grant(**of_step)).id
    access = await accesses.give(app, tx, lead=lead, payment_id=effect.payment_id, step=effect.step, grant=effect.grant)
    if access.status == "inside":
        return "sendMessage", effect.grant.stay, None
    return effect.method, effect.body, access.id


def _list_buttons(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [button for row in body.get("reply_markup", {}).get("inline_keyboard", ()) for button in row]


def _has_taps(body: Mapping[str, Any]) -> bool:
    return any("callback_data" in button for button in _list_buttons(body))


def _shows_invite(body: Mapping[str, Any]) -> bool:
    return any(button.get("url") == INVITE for button in _list_buttons(body))


def _fill_in(body: Mapping[str, Any], nonce: str, access_id: int | None) -> dict[str, Any]:
    """Put a message's nonce and the access it shows the link of into its buttons."""
    if "reply_markup" not in body:
        return dict(body)
    keyboard = body["reply_markup"]["inline_keyboard"]
    rows = [[_fill_in_button(button, nonce, access_id) for button in row] for row in keyboard]
    return {**body, "reply_markup": {"inline_keyboard": rows}}


def _fill_in_button(button: Mapping[str, Any], nonce: str, access_id: int | None) -> dict[str, Any]:
    if button.get("url") == INVITE and access_id is not None:
        return {**button, "url": {"invite": access_id}}
    if "callback_data" not in button:
        return dict(button)
    return {**button, "callback_data": button["callback_data"].removesuffix(NONCE) + nonce}
