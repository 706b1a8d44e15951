"""People, as whoever answers for their data looks for them: over all bots of an account, by what they told too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grimbots.services import lead_keys
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.services.app import App

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


async def list_erased(app: App, account_id: int) -> list[Any]:
    """Return the latest erasures of an account, the newest lead first."""
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
