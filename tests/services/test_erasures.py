"""Erasure: who is erased is in no table and no key of Redis, comes back by no road, and the money still adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.job import Job
from grimbots.services import erasures, exports, leads, old_leads, privacy_texts, subscriptions, tombstones
from grimbots.services.bots import from_row
from grimbots.services.errors import NotFound
from grimbots.services.old_leads import OldLead
from grimbots.services.personal_data import HOLDINGS
from grimbots.tests.conftest import Clock
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.tellers import CHAT, EMAIL, PERSON, Teller, search_redis, search_tables
from grimbots.tests.services.vips import BUYER

Query = Callable[..., list[Any]]


@pytest.fixture
def teller(io_loop: Any, shop: Shop, query: Query) -> Teller:
    """Give somebody who has told nothing yet."""
    made: Teller = io_loop.run_sync(Teller(shop, query).open)
    return made


async def pay(teller: Teller, payment: Any) -> None:
    """Let the provider tell that it is paid, by whom, and let it act."""
    body = teller.shop.provider.pay(payment.txid)
    await teller.shop.receive(body)
    await teller.shop.apply_events()


async def bury_update(teller: Teller) -> None:
    """Leave an update of the person among the dead jobs, as one that failed eight times would be."""
    job = Job(
        id="u:dead", task="updates.handle", queue="tasks", source=f"b{teller.tenant.bot_id}",
        account=str(teller.tenant.account_id), group=str(CHAT), payload={"update": teller.make_text(EMAIL)},
    )  # fmt: skip
    await teller.app.queue.bury(job, "attempts")


@pytest.mark.gen_test
async def test_erased_lead_is_nowhere_and_its_money_stays(
    teller: Teller, query: Query, redis_url: str, fake_telegram: Any
) -> None:
    payment = await teller.tell()
    await pay(teller, payment)
    await bury_update(teller)
    lead_id = teller.read_lead()
    book = query("SELECT kind, debit, credit, amount_cents FROM ledger_entries ORDER BY id")
    before = set(search_tables(query))
    assert {"leads", "clicks", "messages", "posts", "moves"} - before == {"moves"}  # sealed there, and its key in leads
    assert await search_redis(redis_url)
    await teller.erase()
    assert search_tables(query) == []
    assert await search_redis(redis_url) == []
    assert query("SELECT status, chat_id FROM leads WHERE id = %s", lead_id) == [("erased", -lead_id)]
    assert query("SELECT kind, debit, credit, amount_cents FROM ledger_entries ORDER BY id") == book and book
    assert query("SELECT state, paid_cents FROM payments") == [("paid", 1990)]
    assert query("SELECT actor, subject FROM audit WHERE action = 'lead.erase'") == [("lead", f"lead:{lead_id}")]
    assert [call.params["text"] for call in fake_telegram.list_calls("sendMessage")] == [
        privacy_texts.choose("pt")["erased"]
    ]


@pytest.mark.gen_test
async def test_answers_are_sealed_under_a_key_of_their_own(teller: Teller, query: Query) -> None:
    await teller.tell()
    ((state, key, marks),) = query("SELECT state, key_encrypted, marks FROM leads WHERE chat_id = %s", CHAT)
    assert isinstance(state["answers"], str) and key and len(marks) == 3
    events = [event for (event,) in query("SELECT event FROM moves")]
    assert sum("sealed_text" in event for event in events) == 3
    assert not any("text" in event for event in events)
    lead = await teller.app.db.leads.find_by_chat(
        account_id=teller.tenant.account_id, bot_id=teller.tenant.bot_id, chat_id=CHAT
    )
    assert leads.read_answers(teller.app, lead)["email"] == EMAIL


@pytest.mark.gen_test
async def test_who_has_told_nothing_has_no_key(teller: Teller, query: Query) -> None:
    await teller.say("/start")
    assert query("SELECT key_encrypted, marks FROM leads WHERE chat_id = %s", CHAT) == [(None, None)]


@pytest.mark.gen_test
async def test_transfer_after_the_erasure_settles_and_delivers_nothing(teller: Teller, query: Query) -> None:
    payment = await teller.tell()
    await teller.erase()
    body = teller.shop.provider.pay(payment.txid)
    await teller.shop.receive(json.dumps({**json.loads(body), "payer": PERSON}).encode())
    await teller.shop.apply_events()
    assert query("SELECT state, paid_cents, flags FROM payments") == [("paid", 1990, ["erased"])]
    assert query("SELECT sum(amount_cents) FROM ledger_entries WHERE kind = 'charge'") == [(1990,)]
    assert query("SELECT count(*) FROM deliveries") == [(0,)]
    assert query("SELECT status, body FROM provider_events")[0][0] == "applied"
    assert search_tables(query) == []


@pytest.mark.gen_test
async def test_who_comes_back_is_somebody_new(teller: Teller, query: Query) -> None:
    await teller.tell()
    old = teller.read_lead()
    await teller.erase()
    await teller.say("/start")
    assert teller.read_lead() not in (None, old)
    assert query("SELECT status, state -> 'answers', key_encrypted FROM leads WHERE chat_id = %s", CHAT) == [
        ("active", None, None)
    ]


@pytest.mark.gen_test
async def test_update_that_comes_again_brings_nobody_back(teller: Teller, query: Query) -> None:
    hello = teller.make_text("/start")
    await teller.handle(hello)
    await teller.erase()
    await teller.handle(hello)
    assert query("SELECT count(*) FROM leads WHERE chat_id = %s", CHAT) == [(0,)]
    assert search_tables(query) == []


@pytest.mark.gen_test
async def test_import_brings_nobody_back(teller: Teller, query: Query) -> None:
    await teller.say("/start")
    await teller.erase()
    now = teller.app.clock().isoformat()
    old = [OldLead(chat_id, "Brunhilde", "", "active", [], now, now) for chat_id in (CHAT, CHAT + 1)]
    bot = from_row(teller.app, await teller.app.db.bots.find_by_id(bot_id=teller.tenant.bot_id))
    assert await old_leads.bring_in(teller.app, bot, iter(old), "test") == 1
    assert query("SELECT chat_id FROM leads WHERE chat_id > %s", CHAT - 1) == [(CHAT + 1,)]


@pytest.mark.gen_test
async def test_only_the_own_button_erases_and_only_for_a_day(teller: Teller, query: Query, clock: Clock) -> None:
    await teller.say("/start")
    lead_id, now = teller.read_lead(), int(clock().timestamp())
    forged = f"erase:{lead_id}:{now}:{'A' * 12}"
    foreign = f"erase:{lead_id + 1}:{now}:{teller.app.vault.erasure_proof(lead_id + 1, now)}"
    for data in (forged, foreign):
        assert await teller.handle(teller.make_tap(data)) == [f"{teller.cause()}#0"]  # says that it is not valid
    await teller.say("/excluir")
    clock.move(days=1, seconds=1)
    await teller.tap("Apagar os meus dados")
    assert teller.read_lead() == lead_id
    ((body,),) = query("SELECT body FROM messages ORDER BY id DESC LIMIT 1")
    assert body["text"] == privacy_texts.choose("pt")["late"]


@pytest.mark.gen_test
async def test_erasure_that_ran_half_way_goes_on(teller: Teller, query: Query, fake_telegram: Any) -> None:
    """The process died between the commit and the follow-up: the job runs again."""
    await teller.tell()
    account_id, lead_id = teller.tenant.account_id, teller.read_lead()
    job = erasures.make_job(account_id, teller.tenant.bot_id, CHAT, lead_id, "lead")
    first = await erasures.erase(teller.app, **job.payload)
    again = await erasures.erase(teller.app, **job.payload)
    assert first and again and first.follow_ups[0].payload == again.follow_ups[0].payload
    assert query("SELECT count(*) FROM tombstones") == [(1,)]


@pytest.mark.gen_test
async def test_another_account_erases_and_exports_nobody(teller: Teller, shops: list[Shop], query: Query) -> None:
    await teller.tell()
    lead_id, other = teller.read_lead(), shops[1].tenant
    job = erasures.make_job(other.account_id, other.bot_id, CHAT, lead_id, "command")
    with pytest.raises(NotFound):
        await erasures.erase(teller.app, **job.payload)
    with pytest.raises(NotFound):
        await exports.write(teller.app, account_id=other.account_id, lead_id=lead_id)
    assert teller.read_lead() == lead_id


@pytest.mark.gen_test
async def test_restored_backup_is_put_right_by_the_file(teller: Teller, query: Query, shop: Shop) -> None:
    """The rows of before come back; the tombstone in the data folder takes them away again, and nobody else's."""
    await teller.tell()
    lead_id = teller.read_lead()
    ((row,),) = query("SELECT to_jsonb(leads) FROM leads WHERE id = %s", lead_id)
    await teller.erase()
    stones = tombstones.read([Path(teller.app.settings.data_dir)])
    assert [(stone.lead_id, stone.actor) for stone in stones] == [(lead_id, "lead")]
    names = ", ".join(name for name in row if name not in ("id", "account_id", "bot_id"))
    query(
        f"UPDATE leads SET ({names}) = (SELECT {names} FROM jsonb_populate_record(NULL::leads, %s::jsonb))"
        " WHERE id = %s",
        json.dumps(row),
        lead_id,
    )
    query("DELETE FROM tombstones")
    assert "leads" in search_tables(query)
    back = await erasures.reapply(teller.app, stones)
    assert [lead.chat_id for lead in back] == [CHAT]
    assert search_tables(query) == []
    await teller.say("/start")  # back of his own will: a new lead, which the tombstone does not mean
    assert await erasures.reapply(teller.app, stones) == []


@pytest.mark.gen_test
async def test_what_is_declared_to_stay_stays(teller: Teller, query: Query) -> None:
    """What is declared to stay stays as it was."""
    payment = await teller.tell()
    await pay(teller, payment)
    tables = [name for name, holding in HOLDINGS.items() if holding.columns and name not in ("audit", "tombstones")]
    kept = {name: ", ".join(sorted(HOLDINGS[name].columns)) for name in tables}
    before = {
        name: query(f"SELECT {columns} FROM {name} ORDER BY id")
        for name, columns in kept.items()
        if has_id(query, name)
    }
    await teller.erase()
    after = {
        name: query(f"SELECT {columns} FROM {name} ORDER BY id")
        for name, columns in kept.items()
        if has_id(query, name)
    }
    assert {name: rows for name, rows in before.items() if after[name][: len(rows)] != rows} == {}


def has_id(query: Query, table: str) -> bool:
    return bool(query("SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'id'", table))


@pytest.mark.gen_test
async def test_places_in_groups_are_given_up_and_no_row_remembers_whose_they_were(
    open_vip: Any, query: Query, clock: Clock
) -> None:
    vip = await open_vip("subscription")
    payment = await vip.buy()
    await vip.join()
    assert await vip.status() == "member"
    ((lead_id,),) = query("SELECT id FROM leads WHERE chat_id = %s", BUYER)
    job = erasures.make_job(vip.shop.tenant.account_id, vip.shop.tenant.bot_id, BUYER, lead_id, "command")
    done = await erasures.erase(vip.app, **job.payload)
    assert done is not None
    await erasures.finish(vip.app, **done.follow_ups[0].payload)
    assert await vip.status() == "left"
    assert query("SELECT status, user_id, link FROM accesses") == [("removed", -lead_id, None)]
    assert query("SELECT count(*) FROM group_acts WHERE user_id = %s", BUYER) == [(0,)]
    query("UPDATE payments SET state = 'refunded' WHERE id = %s", payment.id)
    clock.move(days=40)
    await subscriptions.take_back_refunded(vip.app)
    assert query("SELECT count(*) FROM group_acts WHERE status = 'planned'") == [(0,)]
