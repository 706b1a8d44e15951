"""/privacidade, /meusdados, /excluir, /paysupport: in every bot, before the funnel, for that person only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import people, takeovers
from grimbots.services.arrivals import read
from grimbots.services.funnels.events import Wrote
from grimbots.services.privacy_commands import Asked, Kind
from grimbots.services.privacy_texts import TEXTS
from grimbots.tests.services.chats import send_planned
from grimbots.tests.services.tellers import CHAT, CPF, EMAIL, Teller

Query = Callable[..., list[Any]]


@pytest.fixture
def teller(io_loop: Any, shop: Any, query: Query) -> Teller:
    """Give somebody who has told nothing yet."""
    made: Teller = io_loop.run_sync(Teller(shop, query).open)
    return made


def read_last(query: Query) -> Any:
    """Return the newest message: its method and its body."""
    return query("SELECT method, body FROM messages ORDER BY id DESC LIMIT 1")[0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/privacidade", Kind.PRIVACY),
        ("/privacy@some_bot", Kind.PRIVACY),
        (" /MeusDados ", Kind.DATA),
        ("/excluir por favor", Kind.ERASURE),
        ("/paysupport", Kind.SUPPORT),
        ("excluir", None),
        ("/excluirei", None),
        ("veja /excluir", None),
    ],
)
def test_commands_are_told_from_texts(text: str, kind: Kind | None) -> None:
    arrival = read({"update_id": 1, "message": {"chat": {"id": 5}, "from": {"id": 5}, "text": text}})
    assert arrival is not None
    assert arrival.act == (Asked(kind) if kind else Wrote(text))


@pytest.mark.gen_test
async def test_a_question_of_the_funnel_does_not_swallow_them(teller: Teller, query: Query) -> None:
    await teller.say("/start")  # which asks for an e-mail
    stands = query("SELECT step, state FROM leads WHERE chat_id = %s", CHAT)
    jobs = await teller.say("/privacidade")
    assert jobs == [f"{teller.cause()}#0"]
    assert read_last(query)[1]["text"].startswith(TEXTS["pt-BR"]["privacy"])
    assert query("SELECT step, state FROM leads WHERE chat_id = %s", CHAT) == stands


@pytest.mark.gen_test
async def test_the_same_update_again_answers_once(teller: Teller, query: Query) -> None:
    update = teller.make_text("/privacy")
    first, again = await teller.handle(update), await teller.handle(update)
    assert first == again != []
    assert query("SELECT count(*) FROM messages WHERE chat_id = %s", CHAT) == [(1,)]


@pytest.mark.gen_test
async def test_who_reads_english_is_told_in_english(teller: Teller, query: Query) -> None:
    teller.person["language_code"] = "en-GB"
    await teller.say("/privacy")
    assert read_last(query)[1]["text"].startswith(TEXTS["en"]["privacy"])


@pytest.mark.gen_test
async def test_a_chat_that_a_person_has_is_answered_too(teller: Teller, query: Query) -> None:
    await teller.say("/start")
    where = {"account_id": teller.tenant.account_id, "lead_id": teller.read_lead()}
    await takeovers.take(teller.app, **where, hours=1, actor="test")
    assert await teller.say("is anybody there?") == []
    assert await teller.say("/excluir") != []
    assert read_last(query)[1]["text"] == TEXTS["pt-BR"]["erase"]


@pytest.mark.gen_test
async def test_data_are_sent_as_a_file_made_when_it_is_sent(teller: Teller, query: Query, fake_telegram: Any) -> None:
    await teller.tell()
    await teller.say("/meusdados")
    assert read_last(query) == (
        "sendDocument",
        {"document": {"export": teller.read_lead(), "name": "meus-dados.json"}, "caption": TEXTS["pt-BR"]["data"]},
    )
    ((message_id,),) = query("SELECT max(id) FROM messages")
    await send_planned(teller.app, message_id)
    (call,) = fake_telegram.list_calls("sendDocument")
    assert call.params["chat_id"] == str(CHAT)
    told = json.loads(call.files["document"].body)
    assert (told["answers"]["email"], told["lead"]["first_name"]) == (EMAIL, "Brunhilde")
    assert told["clicks"][0]["address"] == "203.0.113.77" and told["payments"][0]["amount_cents"] == 1990
    assert EMAIL in [move.get("text") for move in told["moves"]]
    assert any(CPF in json.dumps(post) or "529" in json.dumps(post) for post in told["told_to_the_seller"])
    assert query("SELECT actor FROM audit WHERE action = 'lead.export'") == [("lead",)]


@pytest.mark.gen_test
async def test_paysupport_names_the_latest_payments_and_the_sellers_words(teller: Teller, query: Query) -> None:
    await teller.say("/paysupport")
    assert TEXTS["pt-BR"]["no_payments"] in read_last(query)[1]["text"]
    payment = await teller.tell()
    own = {"privacy": None, "support": "Fale com @loja"}
    await people.set_texts(teller.app, teller.tenant.account_id, **own, actor="test")
    await teller.say("/paysupport")
    text = read_last(query)[1]["text"]
    assert text.startswith("Fale com @loja") and f"nº {payment.id}" in text and "R$ 19,90" in text.replace("\xa0", " ")


@pytest.mark.gen_test
@pytest.mark.parametrize("word", [str(CHAT), "@Brunhilde_T", EMAIL.upper(), "52998224725", "11 98765-4321", "nobody"])
async def test_people_are_found_by_what_they_told(teller: Teller, query: Query, word: str) -> None:
    await teller.tell()
    found = await people.find(teller.app, teller.tenant.account_id, word, actor="test")
    assert [row.lead_id for row in found] == ([] if word == "nobody" else [teller.read_lead()])
    assert query("SELECT count(*) FROM audit WHERE action = 'lead.find'") == [(len(found),)]
    assert await people.find(teller.app, teller.tenant.account_id + 1, word, actor="test") == []
