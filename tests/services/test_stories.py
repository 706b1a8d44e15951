"""A real lead's story: written down as it happens, replayed on an edited funnel, explained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from grimbots.services import leads, moves, payments, stories
from grimbots.services.errors import NotFound
from grimbots.services.funnels import replays, versions
from grimbots.services.funnels.definitions import read_version
from grimbots.services.funnels.effects import Say
from grimbots.tests.conftest import Clock
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.shops import FUNNEL, Shop

Query = Callable[..., list[Any]]
ZONE = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def ana(shop: Shop, query: Query) -> Buyer:
    """Give somebody at the shop's bot."""
    wanted = "UPDATE bots SET funnel_id = (SELECT funnel_id FROM funnel_versions WHERE id = %s) WHERE id = %s"
    query(wanted, shop.version_id, shop.tenant.bot_id)
    return Buyer(shop.app, shop.tenant, query)


async def buy(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> Any:
    """Let her buy: three of a week's events, and the payment's two."""
    await ana.say("/start")
    clock.move(minutes=1)
    await ana.tap("Quero")
    ((payment_id,),) = query("SELECT id FROM payments WHERE bot_id = %s", ana.tenant.bot_id)
    await payments.charge(ana.app, payment_id=payment_id)
    clock.move(minutes=2)
    payment = await shop.read(payment_id)
    await payments.settle(
        ana.app,
        payment_id=payment_id,
        account_id=payment.account_id,
        paid_cents=payment.amount_cents,
        paid_at=clock(),
        end_to_end_id="E1",
        actor="test",
        reason="test",
    )
    return await stories.find_lead(ana.app, account=ana.tenant.name, bot=f"{ana.tenant.name}_bot", who=str(ana.chat_id))


def edit(**changes: Any) -> Any:
    funnel = copy.deepcopy(FUNNEL)
    for step in funnel["steps"]:
        step.update(changes.get(step["id"], {}))
    return read_version(funnel, version_id=1, assets={})[0]


@pytest.mark.gen_test
async def test_a_real_lead_is_replayed(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> None:
    lead = await buy(ana, shop, clock, query)
    assert await stories.replay(ana.app, lead, edit()) == (4, None)
    count, found = await stories.replay(ana.app, lead, edit(access={"text": "Outro acesso"}))
    assert (count, found and found.step) == (4, "access")


@pytest.mark.gen_test
async def test_what_is_played_again_is_what_was_said(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> None:
    """The pure walk and the real one: the same messages, the same orders."""
    lead = await buy(ana, shop, clock, query)
    happenings = await stories._list_happenings(ana.app, lead)
    passages = list(replays.play(happenings, stories._begin(ana.app, lead)))
    said = [one.body for passage in passages for one in passage.done.effects if isinstance(one, Say)]
    rows = query("SELECT body FROM messages WHERE lead_id = %s ORDER BY id", lead.id)
    assert [body.get("text", body.get("caption")) for (body,) in rows] == [
        body.get("text", body.get("caption")) for body in said
    ]
    real, played = leads.walk(ana.app, lead), passages[-1].done.walk
    assert (played.orders, played.bought, played.step) == (real.orders, real.bought, real.step)


@pytest.mark.gen_test
async def test_a_lead_nothing_is_known_of_is_not_replayed(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> None:
    lead = await buy(ana, shop, clock, query)
    clock.move(days=moves.KEPT.days, minutes=-1)
    await moves.forget_old(ana.app)
    assert query("SELECT count(*) FROM moves") == [(1,)]  # the payment came two minutes after the rest
    with pytest.raises(NotFound, match="90 days"):
        await stories.replay(ana.app, lead, edit())


@pytest.mark.gen_test
async def test_a_step_is_explained(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> None:
    lead = await buy(ana, shop, clock, query)
    (said,) = await stories.explain(ana.app, lead, "access", "en", ZONE)
    assert said.startswith("the message has been queued since")
    query("UPDATE messages SET status = 'failed', error = 'Forbidden' WHERE step = 'access'")
    (said,) = await stories.explain(ana.app, lead, "access", "pt-BR", ZONE)
    assert said == "a mensagem falhou (Forbidden); reenvie-a na página de mensagens"


@pytest.mark.gen_test
async def test_what_was_never_said_is_explained(ana: Buyer, query: Query, clock: Clock) -> None:
    await ana.say("/start")
    which = {"account": ana.tenant.name, "bot": f"{ana.tenant.name}_bot", "who": str(ana.chat_id)}
    lead = await stories.find_lead(ana.app, **which)
    (reason,) = await stories.explain(ana.app, lead, "access", "pt-BR", ZONE)
    assert reason == "está no passo offer, e ainda não tocou em um botão que leve adiante"
    query("UPDATE leads SET status = 'blocked'")
    lead = await stories.find_lead(ana.app, **which)
    assert len(await stories.explain(ana.app, lead, "access", "en", ZONE)) == 2
    with pytest.raises(NotFound):
        await stories.find_lead(ana.app, **{**which, "who": "@eva"})


@pytest.mark.gen_test
async def test_a_version_of_another_account_is_not_read(ana: Buyer, accounts: Any) -> None:
    with pytest.raises(NotFound):
        await versions.get_current(ana.app, accounts[1].account_id, "nobody")
