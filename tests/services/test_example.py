"""The example that uses every kind of step, walked to its end on real rows, with a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.services import leads, notices, payments, timers, wakes
from grimbots.services.funnels import versions
from grimbots.services.funnels.files import read_files
from grimbots.tests.conftest import Clock
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]
EXAMPLE = Path(__file__).parents[2] / "handlers" / "commands" / "demo" / "completo.json"


@pytest.fixture
def ana(io_loop: Any, shop: Shop, query: Query) -> Buyer:
    """Give somebody at a bot that sells with the example."""
    definition, files = read_files(EXAMPLE)
    publish = partial(versions.publish, shop.app, shop.tenant.account_id, definition, files, actor="test")
    query("UPDATE bots SET funnel_id = %s WHERE id = %s", io_loop.run_sync(publish).funnel_id, shop.tenant.bot_id)
    return Buyer(shop.app, shop.tenant, query)


async def wait(ana: Buyer, clock: Clock, query: Query) -> None:
    """Move the clock to the end of her wait and let fire what is due: waits she has left behind, too."""
    ((seconds,),) = query(
        "SELECT extract(epoch FROM (state -> 'wait' ->> 'until')::timestamptz - %s) FROM leads WHERE chat_id = %s",
        clock(),
        ana.chat_id,
    )
    clock.move(seconds=float(seconds))
    due = await ana.app.db.timers.claim_due(now=clock(), claimed_until=clock() + timers.CLAIM, limit=9)
    for timer in due:
        if timer.kind == "wakes.wake":
            await wakes.wake(ana.app, timer_id=timer.id, **timer.payload)


async def pay(ana: Buyer, shop: Shop, query: Query) -> None:
    ((payment_id,),) = query("SELECT id FROM payments WHERE state = 'new'")
    await payments.charge(ana.app, payment_id=payment_id)
    payment = await shop.read(payment_id)
    key = {"payment_id": payment_id, "account_id": payment.account_id, "end_to_end_id": "E1"}
    await payments.settle(
        ana.app, **key, paid_cents=payment.amount_cents, paid_at=ana.app.clock(), actor="test", reason="test"
    )


def list_steps(query: Query, chat_id: int) -> list[str]:
    """Give the steps that spoke in a chat, in order, each run of messages once."""
    steps = [step for (step,) in query("SELECT step FROM messages WHERE chat_id = %s ORDER BY id", chat_id)]
    return [step for place, step in enumerate(steps) if place == 0 or steps[place - 1] != step]


@pytest.mark.gen_test(timeout=60)
async def test_every_kind_of_step_is_walked(ana: Buyer, shop: Shop, clock: Clock, query: Query) -> None:
    seller = Buyer(ana.app, ana.tenant, query, chat_id=77)
    seller.next_update_id = 9000
    await seller.say("/start")
    await notices.set_chat(ana.app, account=ana.tenant.name, bot=f"{ana.tenant.name}_bot", who="77", actor="test")
    await ana.say("/start")
    await ana.tap("Já sou cliente")
    await wait(ana, clock, query)  # she does not say where she lives for a day
    clock.move(seconds=5)
    await ana.tap("Continuar")
    await ana.say("acre")
    await ana.say("às cinco")
    await ana.say("5")
    await ana.tap("Agora não")
    await wait(ana, clock, query)
    assert clock().hour == 13 and clock().minute == 30  # 08:30 in Acre
    clock.move(seconds=5)
    await ana.tap("Quero ver")
    await ana.tap("Quero o plano por R$ 29,90")
    await ana.tap("✅ Sim, quero por mais R$ 9,90")
    await ana.say("não sei")
    await ana.say("manha10")
    await pay(ana, shop, query)
    await wait(ana, clock, query)
    await ana.say("ana@Example.com")
    assert list_steps(query, ana.chat_id) == [
        *("boas-vindas", "nao-achei", "onde-mora", "lembrete", "onde-mora", "que-horas", "elogio", "oferta"),
        *("volta", "plano", "audios", "cupom", "pagamento", "acesso", "email", "obrigada"),
    ]
    assert query("SELECT body ->> 'text' FROM messages WHERE chat_id = 77 AND step = 'avisa-lia'") == [
        ("💰 <b>Venda!</b> Ana comprou Plano Manhãs Leves + Áudios para Despertar. Acorda às 5h.",)
    ]
    ((values,),) = query("SELECT body -> 'data' -> 'values' FROM posts")
    assert (values["nome"], values["valor"], values["hora"]) == ("Ana ", "R$ 35,82", "5")
    whose = {"account_id": ana.tenant.account_id, "bot_id": ana.tenant.bot_id}
    walk = leads.walk(ana.app, await ana.app.db.leads.find_by_chat(**whose, chat_id=ana.chat_id))
    assert walk.step == "" and walk.answers["email"] == "ana@example.com"
    assert (walk.tags, walk.bought) == (("madrugador", "cliente"), ("plano", "audios"))
    clock.move(seconds=5)
    await ana.say("/start")
    await ana.tap("Já sou cliente")
    assert list_steps(query, ana.chat_id)[-1] == "cliente"
