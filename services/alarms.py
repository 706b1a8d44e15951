"""Alarms: what a seller must know of a bot at once, told in Telegram by a bot of the same account.

Rows made in the transaction of what they tell. Told where the account keeps its media, the storage chat of any of its
bots, at most once: a repeat would be worse than silence, for the pages say it too. Who has no such chat reads it there.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from grimbots.services.clients.telegram import Kind
from grimbots.services.secrets import MasterKeyError

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

TOLD_A_ROUND = 20
TELLERS_TRIED = 3
TEXTS = {
    "dead": (
        "⚠️ @{username} parou: o Telegram recusou o token ({detail}). Os links já não mandam ninguém para ele e o que "
        "ele ia dizer espera. Pegue o token novo no @BotFather e informe-o na página Bots do painel."
    ),
    "taken": (
        "⚠️ @{username} foi tomado por outro servidor: o Telegram manda as mensagens dele para {detail}, nenhuma chega "
        "aqui. Se não foi você, revogue o token no @BotFather; depois use “Conectar de novo” na página Bots do painel."
    ),
    "missing": (
        "⚠️ @{username} foi desconectado: o Telegram não manda as mensagens dele a ninguém. Use “Conectar de novo” na "
        "página Bots do painel."
    ),
    "unreported": (
        "⚠️ As conversões de @{username} não chegam: {detail}. Elas esperam e são enviadas quando você informar "
        "credenciais novas com grimbots conversion resume; depois de alguns dias a rede não as aceita mais."
    ),
    "stranger": (
        "Alguém criou {detail} pelo link de @{username}, e ninguém aqui o tinha anunciado: ele não entrou na conta. "
        "Se foi você, anuncie-o com grimbots bot new e crie-o de novo."
    ),
}


async def tell_due(app: App) -> int:
    """Tell what is due and return how many alarms that was; harmless in several processes at once."""
    due = await app.db.alarms.claim_due(now=app.clock(), limit=TOLD_A_ROUND)
    await asyncio.gather(*(_tell(app, alarm) for alarm in due))
    return len(due)


async def _tell(app: App, alarm: Row) -> None:
    key = {"account_id": alarm.account_id}
    about = await app.db.bots.find_by_id(bot_id=alarm.bot_id)
    text = TEXTS[alarm.kind].format(username=about.username, detail=alarm.detail)
    for teller in await app.db.alarms.list_tellers(**key, bot_id=alarm.bot_id, limit=TELLERS_TRIED):
        kind = await _say(app, teller.id, text)
        if kind in (Kind.OK, Kind.AMBIGUOUS):
            await app.db.alarms.tell(**key, alarm_id=alarm.id, teller_id=teller.id)
            return
        if kind in (Kind.NEVER_SENT, Kind.FLOOD):
            await app.db.alarms.put_back(**key, alarm_id=alarm.id)
            return
    log.info("alarm %d of bot %d (%s) could be told by no bot of its account", alarm.id, alarm.bot_id, alarm.kind)


async def _say(app: App, bot_id: int, text: str) -> Kind:
    try:
        bot = await app.bots.by_id(app, bot_id)
    except MasterKeyError as error:
        log.error("bot %d can tell nobody anything: %s", bot_id, error)
        return Kind.DEAD_BOT
    answer = await app.telegram.call(bot.token, "sendMessage", {"chat_id": bot.storage_chat_id, "text": text})
    return answer.kind
