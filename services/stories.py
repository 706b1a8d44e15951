"""Stories: what happened to one lead in its funnel, told again: replayed on an edited version, or explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from grimbots.services import accounts, leads
from grimbots.services.errors import NotFound
from grimbots.services.funnels import explanations, journals, replays, versions
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.events import Started
from grimbots.services.funnels.explanations import Reason
from grimbots.services.funnels.replays import Difference, Happening, Passage
from grimbots.services.funnels.walks import Walk

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

MESSAGES = {
    "pt-BR": {
        "planned": "a mensagem está na fila desde {planned}",
        "sending": "a mensagem está sendo enviada desde {planned}",
        "sent": "a mensagem chegou ao Telegram em {sent}",
        "failed": "a mensagem falhou ({error}); reenvie-a na página de mensagens",
        "uncertain": "não se sabe se a mensagem chegou ({error}); decida na página de mensagens",
        "discarded": "a mensagem foi descartada por uma pessoa",
        "blocked": "a pessoa bloqueou o bot; nada chega até ela voltar",
        "gone": "a conversa não existe mais",
    },
    "en": {
        "planned": "the message has been queued since {planned}",
        "sending": "the message has been on its way since {planned}",
        "sent": "Telegram took the message at {sent}",
        "failed": "the message failed ({error}); send it again on the page of messages",
        "uncertain": "nobody knows whether the message arrived ({error}); decide on the page of messages",
        "discarded": "a person discarded the message",
        "blocked": "the lead has blocked the bot; nothing arrives until it is back",
        "gone": "the chat does not exist any more",
    },
}


async def find_lead(app: App, *, account: str, bot: str, who: str) -> Row:
    """Return a lead of an account's bot, named by chat id or @username.

    Raises:
        NotFound: no such account, bot or lead.
    """
    tenant = await accounts.get_account(app, account)
    lead = await leads.find_by_word(app, tenant.id, bot, who)
    if lead is None:
        raise NotFound(
            f"@{bot.lstrip('@')} of {account} knows no {who}: give a chat id or a @username of somebody there"
        )
    return lead


async def replay(app: App, lead: Row, edited: Version) -> tuple[int, Difference | None]:
    """Play what happened to a lead again on an edited version; returns how much that was and the first difference.

    Raises:
        NotFound: nothing is known of its way.
    """
    happenings = await _list_happenings(app, lead)
    if not happenings:
        raise NotFound("nothing is known of this lead's way from a /start on: it is kept for 90 days")
    edited = replace(edited, id=replays.EDITED_ID)
    return len(happenings), replays.find_difference(happenings, _begin(app, lead), edited)


async def tell(app: App, lead: Row) -> list[Passage]:
    """Play again what happened to a lead from its first /start that is known, on the versions it happened on."""
    return list(replays.play(await _list_happenings(app, lead), _begin(app, lead)))


async def explain(app: App, lead: Row, step: str, language: str, zone: ZoneInfo) -> list[str]:
    """Say why a lead got the message of a step, or did not; instants are told in `zone`."""
    words = MESSAGES[language]
    key = {"account_id": lead.account_id, "lead_id": lead.id}
    said = [_describe_message(row, words, zone) for row in await app.db.moves.list_messages(**key, step=step)]
    reasons = await _find_reasons(app, lead, step, is_said=bool(said))
    status = [words[lead.status]] if lead.status in words else []
    return [*said, *(explanations.describe(reason, language, zone) for reason in reasons), *status]


async def _find_reasons(app: App, lead: Row, step: str, *, is_said: bool) -> list[Reason]:
    walk = leads.walk(app, lead)
    if not walk.version_id:
        return [] if is_said else [Reason("never_started", {})]
    version = await versions.load(app, walk.version_id)
    passages = await tell(app, lead)
    missing = [] if is_said else explanations.explain(version, passages, walk, step, app.clock())
    return [*missing, *explanations.explain_nudges(passages, step, app.clock())]


def _describe_message(row: Row, words: dict[str, str], zone: ZoneInfo) -> str:
    planned, sent = [
        at.astimezone(zone).strftime("%d/%m/%Y %H:%M") if at else "" for at in (row.planned_at, row.sent_at)
    ]
    return words[row.status].format(planned=planned, sent=sent, error=row.error)


def _begin(app: App, lead: Row) -> Walk:
    """Make the walk of the lead as it was before its first /start."""
    return Walk(variables={**leads.walk(app, lead).variables, "start_param": ""})


async def _list_happenings(app: App, lead: Row) -> Sequence[Happening]:
    """Read what happened from the first /start that is known."""
    key: dict[str, Any] = {"account_id": lead.account_id, "lead_id": lead.id}
    payments: dict[str, list[int]] = {}
    for row in await app.db.moves.list_charges(**key):
        payments.setdefault(row.cause, []).append(row.id)
    found: list[Happening] = []
    for row in await app.db.moves.list_all(**key):
        event = journals.load(leads.read_event(app, lead, row.event))
        if found or isinstance(event, Started):
            version = await versions.load(app, row.version_id)
            found.append(Happening(row.at, version, event, payments.get(row.cause, ())))
    return found
