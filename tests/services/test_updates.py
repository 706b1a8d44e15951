"""updates.handle on a real Postgres: what a seller's buyers send, and what must come of it, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services.funnels import versions
from grimbots.tests.services.buyers import CHAT, Buyer
from grimbots.tests.services.funnels.samples import FILES, make_funnel
from grimbots.tests.services.log_lines import open_log_lines


@pytest.mark.gen_test
async def test_handle_start_makes_the_lead_and_plans_the_welcome(buyer: Buyer) -> None:
    jobs = await buyer.say("/start ad7")
    assert jobs == [f"{buyer.cause()}#0"]
    ((first_name, start_param, step, status),) = buyer.query("SELECT first_name, start_param, step, status FROM leads")
    assert (first_name, start_param, step, status) == ("Ana", "ad7", "welcome", "active")
    planned = buyer.query("SELECT method, step, chat_id, cause, ordinal FROM messages")
    assert planned == [("sendPhoto", "welcome", CHAT, buyer.cause(), 0)]


@pytest.mark.gen_test
async def test_handle_binds_buttons_to_their_message(buyer: Buyer) -> None:
    await buyer.say("/start")
    ((nonce,),) = buyer.query("SELECT nonce FROM messages")
    assert buyer.find_button("Ver") == f"v1:welcome:0:{nonce}"
    assert len(nonce) == 12


@pytest.mark.gen_test
async def test_handle_walks_to_a_charge_with_its_payment_bound(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    jobs = await buyer.tap("✅ Sim, quero por mais R$ 9,90")
    assert jobs == [f"{buyer.cause()}#0"]
    ((payment_id, amount_cents, items, state),) = buyer.query("SELECT id, amount_cents, items, state FROM payments")
    assert (amount_cents, state) == (2980, "new")
    assert items[1] == {"offer": "bump", "name": "Livro", "price_cents": 990}
    ((lead_state, step),) = buyer.query("SELECT state, step FROM leads")
    assert (lead_state["orders"][-1]["payment_id"], step) == (payment_id, "charge")


@pytest.mark.gen_test
async def test_handle_again_writes_nothing_and_gives_the_same_jobs(buyer: Buyer) -> None:
    update = buyer.make_text("/start")
    first = await buyer.handle(update)
    assert await buyer.handle(update) == first
    assert (buyer.count("messages"), buyer.count("applied_updates")) == (1, 1)


@pytest.mark.gen_test
async def test_handle_again_across_midnight_writes_nothing(buyer: Buyer) -> None:
    update = buyer.make_text("/start")
    first = await buyer.handle(update)
    buyer.app.clock.move(hours=13)
    assert await buyer.handle(update) == first
    assert (buyer.count("messages"), buyer.count("applied_updates")) == (1, 1)


@pytest.mark.gen_test
async def test_handle_twice_at_once_applies_once(buyer: Buyer) -> None:
    update = buyer.make_text("/start")
    one, other = await asyncio.gather(buyer.handle(update), buyer.handle(update))
    assert one == other == [f"{buyer.cause()}#0"]
    assert (buyer.count("leads"), buyer.count("messages"), buyer.count("applied_updates")) == (1, 1, 1)


@pytest.mark.gen_test
async def test_handle_a_charges_tap_many_times_at_once_opens_one_payment(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    data = buyer.find_button("Não, obrigado")
    await asyncio.gather(*(buyer.handle(buyer.make_tap(data)) for _ in range(5)))
    assert buyer.count("payments") == 1


@pytest.mark.gen_test
async def test_handle_again_leaves_out_what_is_done(buyer: Buyer) -> None:
    update = buyer.make_text("/start")
    await buyer.handle(update)
    buyer.query("UPDATE messages SET status = 'sent', sent_at = planned_at")
    assert await buyer.handle(update) == []


@pytest.mark.gen_test
async def test_handle_again_gives_an_unfinished_charge(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    update = buyer.make_tap(buyer.find_button("Não, obrigado"))
    first = await buyer.handle(update)
    assert await buyer.handle(update) == first == [f"{buyer.cause()}#0"]


@pytest.mark.gen_test
async def test_handle_again_asks_the_provider_again(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    await buyer.tap("Não, obrigado")
    buyer.query(
        "UPDATE messages SET step = 'charge', payment_id = payments.id, nonce = 'ofthecharge1'"
        " FROM payments WHERE messages.id = (SELECT max(id) FROM messages)"
    )
    update = buyer.make_tap("v1:charge:paid:ofthecharge1")
    first = await buyer.handle(update)
    assert first == [f"{buyer.cause()}#0"]
    assert await buyer.handle(update) == first


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "data", ["", "junk", "v1:welcome:0:unknownnonce", "v1:welcome:0", "v2:welcome:0:{nonce}", "v1:offer:accept:{nonce}"]
)
async def test_handle_ignores_a_button_that_was_never_shown(buyer: Buyer, data: str) -> None:
    await buyer.say("/start")
    ((nonce,),) = buyer.query("SELECT nonce FROM messages")
    with open_log_lines() as log:
        assert await buyer.handle(buyer.make_tap(data.replace("{nonce}", nonce))) == []
    assert (buyer.count("messages"), buyer.count("applied_updates")) == (1, 1)
    (line,) = log.read()
    assert "never shown" in line
    assert nonce not in line


@pytest.mark.gen_test
async def test_handle_refuses_a_tap_from_another_chat(buyer: Buyer) -> None:
    await buyer.say("/start")
    stranger = Buyer(buyer.app, buyer.tenant, buyer.query, chat_id=777)
    stranger.next_update_id = 5000
    assert await stranger.handle(stranger.make_tap(buyer.find_button("Ver"))) == []
    assert (buyer.count("leads"), buyer.count("messages")) == (1, 1)


@pytest.mark.gen_test
async def test_handle_refuses_a_tap_in_another_accounts_bot(buyer: Buyer, accounts: Any) -> None:
    await buyer.say("/start")
    stranger = Buyer(buyer.app, accounts[1], buyer.query)
    assert await stranger.handle(stranger.make_tap(buyer.find_button("Ver"))) == []
    assert (buyer.count("leads"), buyer.count("messages")) == (1, 1)


@pytest.mark.gen_test
async def test_handle_keeps_the_same_chat_of_two_bots_apart(buyer: Buyer, accounts: Any) -> None:
    other = Buyer(buyer.app, accounts[1], buyer.query)
    await buyer.say("/start")
    assert await other.say("/start") == []
    leads = buyer.query("SELECT account_id, version_id IS NULL FROM leads ORDER BY id")
    assert leads == [(accounts[0].account_id, False), (accounts[1].account_id, True)]


@pytest.mark.gen_test
async def test_handle_leaves_a_lead_on_its_version_until_it_starts_anew(buyer: Buyer) -> None:
    await buyer.say("/start")
    newer = make_funnel(offer={"text": "Nova oferta"})
    published = await versions.publish(buyer.app, buyer.tenant.account_id, newer, FILES, actor="command")
    await buyer.tap("Ver")
    assert buyer.query("SELECT version_id FROM leads") != [(published.version_id,)]
    await buyer.say("/start")
    assert buyer.query("SELECT version_id FROM leads") == [(published.version_id,)]


@pytest.mark.gen_test
async def test_handle_a_text_without_an_open_question_plans_nothing(buyer: Buyer) -> None:
    await buyer.say("oi")
    assert await buyer.say("oi?") == []
    assert (buyer.count("messages"), buyer.count("applied_updates")) == (1, 2)


@pytest.mark.gen_test
async def test_handle_notes_a_block_and_a_return(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.handle(buyer.make_membership("kicked"))
    assert buyer.query("SELECT status FROM leads") == [("blocked",)]
    await buyer.handle(buyer.make_membership("member"))
    assert buyer.query("SELECT status FROM leads") == [("active",)]


@pytest.mark.gen_test
@pytest.mark.parametrize("comes_back", ["/start", "oi", "member"])
async def test_handle_gives_a_returning_buyer_what_was_not_delivered(buyer: Buyer, comes_back: str) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    await buyer.tap("Não, obrigado")
    buyer.query(
        "INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, status, created_at)"
        " SELECT p.account_id, p.id, p.lead_id, 'delivery', min(m.id), 'failed', p.created_at"
        " FROM payments p JOIN messages m ON m.lead_id = p.lead_id GROUP BY p.id"
    )
    buyer.query("UPDATE messages SET status = 'failed' WHERE id = (SELECT message_id FROM deliveries)")
    buyer.query("UPDATE leads SET status = 'blocked'")
    update = buyer.make_membership("member") if comes_back == "member" else buyer.make_text(comes_back)
    jobs = await buyer.handle(update)
    delivery = "SELECT cause || '#' || ordinal FROM messages WHERE id = (SELECT message_id FROM deliveries)"
    assert jobs[0].startswith(buyer.query(delivery)[0][0])
    assert buyer.query("SELECT status FROM leads") == [("active",)]
    assert buyer.query("SELECT status FROM deliveries") == [("planned",)]


@pytest.mark.gen_test
async def test_handle_notes_a_message_without_text_and_says_nothing(buyer: Buyer) -> None:
    sticker = buyer.make_text("")
    sticker["message"].pop("text")
    assert await buyer.handle(sticker) == []
    assert (buyer.count("leads"), buyer.count("messages")) == (1, 0)


@pytest.mark.gen_test
async def test_handle_an_edited_start_restarts_nothing(buyer: Buyer) -> None:
    await buyer.say("/start")
    edited = buyer.make_text("/start")
    edited["edited_message"] = edited.pop("message")
    assert await buyer.handle(edited) == []
    assert buyer.count("applied_updates") == 1


@pytest.mark.gen_test
async def test_handle_takes_names_postgres_cannot_hold(buyer: Buyer) -> None:
    buyer.person |= {"first_name": "A\x00na\ud83d <b>", "username": "\udc00"}
    await buyer.say("/start \x00")
    assert buyer.query("SELECT first_name, username FROM leads") == [("Ana <b>", "")]
    ((body,),) = buyer.query("SELECT body FROM messages")
    assert body["caption"] == "Oi, Ana &lt;b&gt;!"


@pytest.mark.gen_test
async def test_handle_keeps_a_language_that_is_left_out(buyer: Buyer) -> None:
    await buyer.say("/start")
    buyer.person.pop("language_code")
    await buyer.say("/start")
    assert buyer.query("SELECT language_code FROM leads") == [("pt-br",)]


@pytest.mark.gen_test
async def test_handle_rolls_back_whole_when_a_row_cannot_be_written(buyer: Buyer) -> None:
    await buyer.say("/start")
    buyer.query("ALTER TABLE messages ADD CONSTRAINT broken CHECK (step <> 'offer')")
    try:
        with pytest.raises(Exception, match="broken"):
            await buyer.tap("Ver")
    finally:
        buyer.query("ALTER TABLE messages DROP CONSTRAINT broken")
    assert buyer.query("SELECT step FROM leads") == [("welcome",)]
    assert buyer.count("applied_updates") == 1


@pytest.mark.gen_test
async def test_handle_junk_that_was_queued_does_nothing(buyer: Buyer) -> None:
    assert await buyer.handle({"update_id": "x"}) == []
    assert buyer.count("leads") == 0


@pytest.mark.gen_test
async def test_handle_waits_while_postgres_is_away(buyer: Buyer) -> None:
    await buyer.app.db.close()
    with pytest.raises(Again) as waits:
        await buyer.say("/start")
    assert waits.value.spend is False
