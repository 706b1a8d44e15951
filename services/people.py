"""People, as whoever answers for their data looks for them: over all bots of an account, by what they told too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grimbots.services import erasures, lead_keys
from grimbots.services.errors import Invalid, NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

LIMIT = 100
LONGEST_TEXT = 2000  # of a seller's; what follows it has to fit into one message


async def find(app: App, account_id: int, who: str, *, actor: str) -> list[Any]:
    """Find leads by a chat id, a @username, an e-mail, a CPF or a telephone, and write down who looked.

    Raises:
        Invalid: there is nothing to look for.
    """
    who = who.strip()
    if not who.lstrip("@"):
        raise Invalid("look for a chat id, a @username, an e-mail, a CPF or a telephone")
    mark = lead_keys.normalize(who)
    rows: list[Any] = await app.db.privacy.find_leads(
        account_id=account_id,
        chat_id=int(who) if who.isdecimal() and len(who) < 17 else None,
        username=who.lstrip("@"),
        mark=app.vault.lead_mark(account_id, mark) if mark else None,
        limit=LIMIT,
    )
    for row in rows:
        await app.db.audit.note(
            account_id=account_id,
            actor=actor,
            action="lead.find",
            subject=f"lead:{row.lead_id}",
            details={},
            at=app.clock(),
        )
    return rows


async def look(app: App, account_id: int, lead_id: int, *, actor: str) -> Row:
    """Return a lead with what every table holds of it in its `counts`, and write down who looked.

    Raises:
        NotFound: the account has no such lead, or it was erased.
    """
    row = await _get(app, account_id, lead_id)
    await app.db.audit.note(
        account_id=account_id, actor=actor, action="lead.look", subject=f"lead:{lead_id}", details={}, at=app.clock()
    )
    return row


async def order_erasure(app: App, account_id: int, lead_id: int, *, actor: str) -> None:
    """Have a lead erased, in its chat's order; the erasure itself writes down whose order it was.

    Raises:
        NotFound: the account has no such lead, or it was erased.
        QueueUnavailable: nothing was ordered.
    """
    await erasures.order(app, await _get(app, account_id, lead_id), actor)


async def list_erased(app: App, account_id: int) -> list[Any]:
    """Return the latest erasures of an account, the newest first."""
    rows: list[Any] = await app.db.tombstones.list_recent(account_id=account_id, limit=LIMIT)
    return rows


async def set_texts(app: App, account_id: int, *, privacy: str | None, support: str | None, actor: str) -> None:
    """Change what an account's bots say at /privacidade and /paysupport; None leaves a text as it is.

    Raises:
        Invalid: a text is too long.
    """
    if any(len(text or "") > LONGEST_TEXT for text in (privacy, support)):
        raise Invalid(f"a text of yours has {LONGEST_TEXT} signs at most")
    async with app.db.transaction() as tx:
        await tx.privacy.set_texts(account_id=account_id, privacy_text=privacy, support_text=support)
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="account.privacy_texts",
            subject=f"account:{account_id}",
            details={},
            at=app.clock(),
        )


async def _get(app: App, account_id: int, lead_id: int) -> Row:
    row = await app.db.privacy.count_kept(account_id=account_id, lead_id=lead_id)
    if row is None:
        raise NotFound("there is no such lead in this account, or its data were erased")
    return row
