"""A funnel's waits, notices, posts and takeovers on real rows: each once, after repeats, restarts and outages, too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import tornado.httpserver
import tornado.web

from grimbots.services import leads, notices, posts, takeovers, timers, wakes
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.funnels import versions
from grimbots.services.sweep import sweep
from grimbots.tests.conftest import Clock
from grimbots.tests.ports import pick_port
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.workers import work

Query = Callable[..., list[Any]]
STEPS: list[dict[str, Any]] = [
    {"id": "hi", "kind": "message", "text": "Oi", "next": "ask"},
    {"id": "ask", "kind": "question", "text": "Nome?", "variable": "nome", "next": "wait",
     "timeout_minutes": 60, "timeout": "late"},
    {"id": "wait", "kind": "delay", "minutes": 10, "next": "tell"},
    {"id": "tell", "kind": "notify", "text": "{{nome}} esperou", "next": "crm"},
    {"id": "crm", "kind": "webhook", "url": "https://example.com/crm", "values": {"nome": "{{nome}}"}, "next": "bye"},
    {"id": "bye", "kind": "message", "text": "Até, {{nome}}!"},
    {"id": "late", "kind": "message", "text": "Ainda está aí?", "buttons": [{"text": "Sim", "next": "ask"}]},
]  # fmt: skip
SELLER = 77


class Ears(tornado.web.RequestHandler):
    """The seller's server: keeps what it is told, and answers what it is told to."""

    def initialize(self, heard: list[Any], answers: list[int]) -> None:
        self.heard, self.answers = heard, answers

    def post(self) -> None:
        self.heard.append((dict(self.request.headers), self.request.body))
        self.set_status(self.answers.pop(0) if self.answers else 200)


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def answers() -> list[int]:
    return []


@pytest.fixture
def server_url(io_loop: Any, heard: list[Any], answers: list[int]) -> Iterator[str]:
    port = pick_port()
    listening = tornado.httpserver.HTTPServer(
        tornado.web.Application([(r"/crm", Ears, {"heard": heard, "answers": answers})])
    )
    listening.listen(port, "127.0.0.1")
    yield f"http://127.0.0.1:{port}/crm"
    listening.stop()
    io_loop.run_sync(listening.close_all_connections)


@pytest.fixture
def ana(io_loop: Any, app: Any, accounts: Any, query: Query) -> Buyer:
    """Give somebody at a bot whose funnel waits and tells others."""
    over = replace(app, settings=replace(app.settings, sandbox=True))
    tenant = accounts[0]
    funnel = {"name": "esperas", "steps": STEPS}
    published = io_loop.run_sync(partial(versions.publish, over, tenant.account_id, funnel, {}, actor="test"))
    query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, tenant.bot_id)
    return Buyer(over, tenant, query)


def list_said(query: Query) -> list[str]:
    return [text for (text,) in query("SELECT body ->> 'text' FROM messages ORDER BY id")]


async def find_lead(ana: Buyer) -> Any:
    return await ana.app.db.leads.find_by_chat(
        account_id=ana.tenant.account_id, bot_id=ana.tenant.bot_id, chat_id=ana.chat_id
    )


async def fire(ana: Buyer) -> list[str]:
    """Run the wakes that are due, as the queue would; returns the ids of the jobs that follow."""
    now = ana.app.clock()
    due = await ana.app.db.timers.claim_due(now=now, claimed_until=now + timers.CLAIM, limit=99)
    tasks = {"wakes.wake": wakes.wake, "takeovers.end": takeovers.end, "posts.retry": posts.retry}
    done = [await tasks[timer.kind](ana.app, timer_id=timer.id, **timer.payload) for timer in due]
    return [job.id for one in done for job in (one.follow_ups if one else ())]


async def answer_and_wait(ana: Buyer, clock: Clock) -> list[str]:
    await ana.say("/start")
    await ana.say("Bia")
    clock.move(minutes=10)
    return await fire(ana)


@pytest.mark.gen_test
async def test_a_delay_goes_on_at_its_time_once(ana: Buyer, clock: Clock, query: Query) -> None:
    await ana.say("/start")
    await ana.say("Bia")
    assert await fire(ana) == []
    clock.move(minutes=10)
    jobs = await fire(ana)
    assert list_said(query) == ["Oi", "Nome?", "Até, Bia!"]
    ((timer_id, payload),) = query("SELECT id, payload FROM timers WHERE status = 'fired'")
    again = await wakes.wake(ana.app, timer_id=timer_id, **payload)
    assert (
        again is not None and [job.id for job in again.follow_ups] == jobs
    )  # it may have died before it handed them on
    assert list_said(query) == ["Oi", "Nome?", "Até, Bia!"]
    clock.move(hours=2)
    assert await fire(ana) == []  # the question's own time, long answered
    assert query("SELECT count(*) FROM timers WHERE status = 'pending'") == [(0,)]


@pytest.mark.gen_test
async def test_who_blocked_the_bot_goes_on_when_he_is_back(ana: Buyer, clock: Clock, query: Query) -> None:
    await ana.say("/start")
    await ana.handle(ana.make_membership("kicked"))
    clock.move(hours=1)
    assert await fire(ana) == []
    assert list_said(query) == ["Oi", "Nome?"]
    await ana.handle(ana.make_membership("member"))
    assert list_said(query)[2:] == ["Ainda está aí?"]


@pytest.mark.gen_test
async def test_a_notice_goes_to_the_sellers_own_chat(ana: Buyer, clock: Clock, query: Query) -> None:
    seller = Buyer(ana.app, ana.tenant, query, chat_id=SELLER)
    seller.person["username"] = "Lia"
    seller.next_update_id = 5000
    where = {"account": ana.tenant.name, "bot": f"{ana.tenant.name}_bot", "actor": "test"}
    with pytest.raises(NotFound, match="press /start"):
        await notices.set_chat(ana.app, **where, who=str(SELLER))
    await seller.say("/start")
    lead = await notices.set_chat(ana.app, **where, who="@lia")
    assert lead.chat_id == SELLER
    await answer_and_wait(ana, clock)
    assert query("SELECT chat_id, body ->> 'text' FROM messages WHERE step = 'tell'") == [(SELLER, "Bia esperou")]


@pytest.mark.gen_test
async def test_without_the_sellers_chat_the_lead_is_served_all_the_same(ana: Buyer, clock: Clock, query: Query) -> None:
    await answer_and_wait(ana, clock)
    assert list_said(query)[-1] == "Até, Bia!"
    assert query("SELECT count(*) FROM messages WHERE step = 'tell'") == [(0,)]


async def point(ana: Buyer, clock: Clock, query: Query, url: str) -> int:
    """Let a lead come to the webhook step, whose address is `url`; returns the post's id."""
    jobs = await answer_and_wait(ana, clock)
    ((post_id, cause),) = query("UPDATE posts SET url = %s RETURNING id, cause", url)
    assert f"{cause}#1" in jobs
    return int(post_id)


@pytest.mark.gen_test
async def test_a_post_is_signed_so_that_its_server_can_prove_it(
    ana: Buyer, clock: Clock, query: Query, server_url: str, heard: list[Any]
) -> None:
    post_id = await point(ana, clock, query, server_url)
    await posts.send(ana.app, post_id=post_id)
    await posts.send(ana.app, post_id=post_id)
    ((headers, body),) = heard
    secret = base64.b64decode(posts.make_secret(ana.app, ana.tenant.account_id).removeprefix("whsec_"))
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    assert json.loads(body)["data"]["values"] == {"nome": "Bia"}
    assert query("SELECT status, tries FROM posts") == [("sent", 0)]


@pytest.mark.gen_test
async def test_a_post_is_tried_again_later_and_later_until_it_is_taken(
    ana: Buyer, clock: Clock, query: Query, server_url: str, heard: list[Any], answers: list[int]
) -> None:
    answers += [429, 302]
    post_id = await point(ana, clock, query, server_url)
    for minutes in (1, 2):
        await posts.send(ana.app, post_id=post_id)
        assert query("SELECT status FROM posts") == [("waiting",)]
        clock.move(minutes=minutes, seconds=-1)
        assert await fire(ana) == []
        clock.move(seconds=1)
        assert len(await fire(ana)) == 1
    await posts.send(ana.app, post_id=post_id)
    assert query("SELECT status, tries FROM posts") == [("sent", 2)]
    assert len({headers["Webhook-Id"] for headers, _ in heard}) == 1 and len(heard) == 3


@pytest.mark.gen_test
@pytest.mark.parametrize("spoil", ["gone", "tries"])
async def test_a_post_that_nobody_takes_is_listed(
    ana: Buyer, clock: Clock, query: Query, server_url: str, answers: list[int], spoil: str
) -> None:
    answers += [410 if spoil == "gone" else 404]
    post_id = await point(ana, clock, query, server_url)
    query("UPDATE posts SET tries = %s", 0 if spoil == "gone" else posts.TRIES - 1)
    await posts.send(ana.app, post_id=post_id)
    (listed,) = await posts.list_troubled(ana.app, ana.tenant.account_id)
    assert (listed.id, listed.status) == (post_id, "failed")


@pytest.mark.gen_test
async def test_a_post_reaches_nothing_inside(
    ana: Buyer, clock: Clock, query: Query, server_url: str, heard: list[Any]
) -> None:
    post_id = await point(ana, clock, query, server_url)
    outside = replace(ana.app, settings=replace(ana.app.settings, sandbox=False))
    await posts.send(outside, post_id=post_id)
    assert heard == []
    ((status, error),) = query("SELECT status, error FROM posts")
    assert status == "waiting" and "not of the public internet" in error


async def take(ana: Buyer, hours: int = 2) -> int:
    lead = await find_lead(ana)
    await takeovers.take(ana.app, account_id=lead.account_id, lead_id=lead.id, hours=hours, actor="test")
    return int(lead.id)


@pytest.mark.gen_test
async def test_a_person_has_the_chat_until_he_gives_it_back(ana: Buyer, clock: Clock, query: Query) -> None:
    await ana.say("/start")
    await ana.say("Bia")
    lead_id = await take(ana)
    (held,) = await takeovers.list_open(ana.app, ana.tenant.account_id)
    assert (held.lead_id, held.first_name, held.step) == (lead_id, "Ana", "wait")
    clock.move(minutes=10)
    assert await fire(ana) == [] == await ana.say("/start")
    await takeovers.give_back(ana.app, account_id=ana.tenant.account_id, lead_id=lead_id, actor="test")
    assert list_said(query) == ["Oi", "Nome?", "Até, Bia!"]
    assert await takeovers.list_open(ana.app, ana.tenant.account_id) == []
    with pytest.raises(Conflict):
        await takeovers.give_back(ana.app, account_id=ana.tenant.account_id, lead_id=lead_id, actor="test")


@pytest.mark.gen_test
async def test_a_takeover_ends_by_itself_unless_it_was_taken_anew(ana: Buyer, clock: Clock, query: Query) -> None:
    await ana.say("/start")
    await ana.say("Bia")
    await take(ana, hours=1)
    clock.move(minutes=30)
    await take(ana, hours=1)
    clock.move(minutes=30)
    assert await fire(ana) == []
    assert len(await takeovers.list_open(ana.app, ana.tenant.account_id)) == 1
    clock.move(minutes=30)
    assert len(await fire(ana)) == 2
    assert list_said(query)[-1] == "Até, Bia!"
    assert query("SELECT count(*) FROM takeovers WHERE ended_at IS NULL") == [(0,)]


@pytest.mark.gen_test
async def test_nobody_takes_a_chat_he_cannot_have(ana: Buyer, accounts: Any) -> None:
    await ana.say("/start")
    lead = await find_lead(ana)
    with pytest.raises(NotFound):
        await takeovers.take(ana.app, account_id=accounts[1].account_id, lead_id=lead.id, hours=1, actor="test")
    with pytest.raises(Invalid):
        await takeovers.take(ana.app, account_id=lead.account_id, lead_id=lead.id, hours=0, actor="test")


@pytest.mark.gen_test
async def test_find_by_word_finds_by_number_and_name(ana: Buyer) -> None:
    ana.person["username"] = "AnaB"
    await ana.say("/start")
    for word in (str(ana.chat_id), "@anab", "AnaB"):
        assert await leads.find_by_word(ana.app, ana.tenant.account_id, f"@{ana.tenant.name}_bot", word)
    assert await leads.find_by_word(ana.app, ana.tenant.account_id, f"{ana.tenant.name}_bot", "@eva") is None


@pytest.mark.gen_test(timeout=60)
async def test_a_wait_ends_through_the_queue_and_is_said(
    ana: Buyer, clock: Clock, query: Query, fake_telegram: Any
) -> None:
    steps = [{**step, "next": "bye"} if step["id"] == "tell" else step for step in STEPS if step["id"] != "crm"]
    funnel = {"name": "esperas", "steps": steps}
    await versions.publish(ana.app, ana.tenant.account_id, funnel, {}, actor="test")
    await ana.say("/start")
    await ana.say("Bia")
    clock.move(minutes=10)
    async with work(ana.app):
        await timers.fire_due(ana.app)
        await sweep(ana.app)
        await fake_telegram.wait_for_calls(3)
        await wait_until(lambda: query("SELECT DISTINCT status FROM messages") == [("sent",)])
    assert list_said(query) == ["Oi", "Nome?", "Até, Bia!"]
    assert query("SELECT kind FROM timers WHERE status = 'fired'") == [("wakes.wake",)]
