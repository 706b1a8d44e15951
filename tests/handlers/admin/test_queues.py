"""The operator's pages: depths, processes, dead jobs run again or deleted, stops, and nobody but administrators."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from grimbots.handlers.admin import dead
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Claim, Job, Register
from grimbots.queue.operators import Operator
from grimbots.queue.rates import Rates
from grimbots.services import crons
from grimbots.tests.conf.leaks import TOKEN
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.test_messages_jobs import work

NASTY = "<script>alert(1)</script>"


def make_job(job_id: str, task: str = "updates.handle", **payload: Any) -> Job:
    """Make a job of the first account."""
    return Job(job_id, task, "tasks", "b1", "1", "55", payload)


async def list_dead(app: Any) -> list[str]:
    """List the ids of the dead jobs."""
    return [dead.job.id for dead in await Inspector(app.queue).dead()]


@pytest.mark.gen_test
async def test_page_shows_every_queue_and_process(administrator: Reader, app: Any) -> None:
    assert "grimbots serve" in (await administrator.get("/admin/queues")).html
    await app.queue.bury(make_job("u:1:1"), "junk")
    async with work(app):
        page = (await administrator.get("/admin/queues")).text
    for word in ("campaigns", "gateway", "tasks", "webhook", "test:0", "Redis "):
        assert word in page


@pytest.mark.gen_test
async def test_page_shows_a_dead_job_with_its_texts_masked(administrator: Reader, app: Any) -> None:
    update = {"message": {"text": "my secret", "chat": {"id": 5}}}
    await app.queue.bury(make_job("u:1:1", update=update), "chat_full")
    page = (await administrator.get("/admin/queues/dead")).text
    for word in ("u:1:1", "updates.handle", "a conversa tinha mensagens demais", '"<9 characters>"', '"id": 5'):
        assert word in page
    assert "my secret" not in page


@pytest.mark.gen_test
async def test_page_strikes_secrets_out_of_what_a_job_died_of(
    administrator: Reader, app: Any, expect_errors: list[str]
) -> None:
    job = crons.run.job(id="cron:1", source="crons", account="", name=TOKEN, due_at=0.0)
    await app.queue.enqueue(replace(job, attempts_limit=1))
    async with work(app), asyncio.timeout(30):
        while await list_dead(app) != ["cron:1"]:
            await asyncio.sleep(0.02)
    page = (await administrator.get("/admin/queues/dead")).text
    assert "<token>" in page
    assert TOKEN not in page
    assert len(expect_errors) == 1


@pytest.mark.gen_test
async def test_page_shows_names_of_strangers_as_texts(administrator: Reader, app: Any) -> None:
    await app.queue.bury(make_job(f"u:{NASTY}", **{NASTY: 1, "odd \ud800": 2, "long" * 2000: 3}), NASTY)
    page = await administrator.get("/admin/queues/dead")
    assert (page.status, "<script" in page.html, NASTY in page.text) == (200, False, True)
    assert len(page.html) < 20_000


@pytest.mark.gen_test
async def test_dead_job_runs_again(administrator: Reader, app: Any) -> None:
    await app.queue.bury(make_job("u:1:1"), "attempts")
    answer = await administrator.post("/admin/queues/requeue", {"id": "u:1:1"})
    page = await administrator.follow(answer)
    assert "A tarefa voltou para o fim da fila" in page.text
    assert await list_dead(app) == []
    assert {depth.queue: depth.pending for depth in await Inspector(app.queue).queues()}["tasks"] == 1


@pytest.mark.gen_test
async def test_dead_job_is_deleted(administrator: Reader, app: Any) -> None:
    await app.queue.bury(make_job("u:1:1"), "attempts")
    page = await administrator.follow(await administrator.post("/admin/queues/discard", {"id": "u:1:1"}))
    assert "A tarefa foi apagada" in page.text
    assert await Inspector(app.queue).job("u:1:1") is None


@pytest.mark.gen_test
async def test_act_on_what_is_not_dead_says_what_it_is(administrator: Reader, app: Any) -> None:
    await app.queue.enqueue(make_job("u:1:1"))
    waiting = await administrator.follow(await administrator.post("/admin/queues/discard", {"id": "u:1:1"}))
    assert "já está na fila" in waiting.text
    gone = await administrator.follow(await administrator.post("/admin/queues/requeue", {"id": "nobody"}))
    assert "já terminou ou foi apagada" in gone.text
    assert (await administrator.post("/admin/queues/requeue")).status == 400
    assert (await administrator.get("/admin/queues?said=<script>")).html.count('class="said"') == 0


@pytest.mark.gen_test
async def test_message_given_up_says_that_the_row_decides(administrator: Reader, app: Any) -> None:
    await app.queue.bury(make_job("u:1:1#0", "messages.send", message_id=1), "attempts")
    assert "quem reenvia é o vendedor" in (await administrator.get("/admin/queues/dead")).text


@pytest.mark.gen_test
async def test_dead_jobs_are_read_page_by_page(
    administrator: Reader, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead, "PAGE_JOBS", 2)
    for place in range(3):
        await app.queue.bury(make_job(f"u:1:{place}#0"), "attempts")
    first = await administrator.get("/admin/queues/dead")
    older = first.html.partition('href="/admin/queues/dead?after=')[2].partition('"')[0]
    second = await administrator.get(f"/admin/queues/dead?after={older}")
    ids = [f"u:1:{place}#0" for place in range(3)]
    assert sorted(one for one in ids for page in (first, second) if f"<code>{one}</code>" in page.text) == ids


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("verb", "said"),
    [("pause", "Pausada: fila tasks. Nada dela começa"), ("drain", "Esvaziando: fila tasks. Nada novo")],
)
async def test_queue_is_stopped_after_a_page_that_asks(administrator: Reader, app: Any, verb: str, said: str) -> None:
    asked = await administrator.get(f"/admin/queues/{verb}?kind=queue&name=tasks")
    assert await Inspector(app.queue).stops() == [], "to ask does nothing"
    assert "Até alguém retomar" in asked.text
    fields = {"kind": "queue", "name": "tasks"}
    page = await administrator.follow(await administrator.post(f"/admin/queues/{verb}", fields))
    assert said in page.text
    assert "/admin/queues/resume?kind=queue&amp;name=tasks" in page.html
    assert "/admin/queues/pause?kind=queue&amp;name=tasks" not in page.html
    await administrator.get("/admin/queues/resume?kind=queue&name=tasks")
    page = await administrator.follow(await administrator.post("/admin/queues/resume", fields))
    assert "Retomada: o que esperava começa agora" in page.text
    page = await administrator.follow(await administrator.post("/admin/queues/resume", fields))
    assert "já não estava parada" in page.text


@pytest.mark.gen_test
async def test_bot_and_account_are_stopped_by_their_names(administrator: Reader, app: Any, accounts: Any) -> None:
    tenant = accounts[0]
    asked = await administrator.get(f"/admin/queues/drain?kind=account&name={tenant.account_id}")
    assert f"Esvaziar a conta {tenant.name}?" in asked.text
    for kind, name in (("account", str(tenant.account_id)), ("source", f"b{tenant.bot_id}")):
        await administrator.post("/admin/queues/pause", {"kind": kind, "name": name})
    page = (await administrator.get("/admin/queues")).text
    assert f"Pausada: conta {tenant.name}" in page
    assert "Pausada: origem @" in page
    assert {stop.kind for stop in await Inspector(app.queue).stops()} == {"account", "source"}


@pytest.mark.gen_test
async def test_page_resumes_what_a_command_stopped(administrator: Reader, app: Any) -> None:
    await Operator(app.queue).drain("account", NASTY)
    page = await administrator.get("/admin/queues")
    assert (f"Esvaziando: conta {NASTY}" in page.text, NASTY in page.html) == (True, False)
    await administrator.post("/admin/queues/resume", {"kind": "account", "name": NASTY})
    assert await Inspector(app.queue).stops() == []


@pytest.mark.gen_test
async def test_page_stops_what_there_is_and_nothing_else(administrator: Reader, app: Any) -> None:
    await administrator.get("/admin/audit?before=1")
    await administrator.get("/admin/queues")
    for kind, name in (("account", "1"), ("source", "b1"), ("queue", "nothing"), ("", ""), ("queue", ""), ("x", "y")):
        assert (await administrator.get(f"/admin/queues/pause?kind={kind}&name={name}")).status == 400
        await administrator.get("/admin/queues")
        assert (await administrator.post("/admin/queues/drain", {"kind": kind, "name": name})).status == 400
    fields = {"kind": "queue", "name": "tasks", "form": "forged"}
    assert (await administrator.post("/admin/queues/pause", fields)).status == 403
    assert await Inspector(app.queue).stops() == []


@pytest.mark.gen_test
async def test_dead_of_one_reason_are_shown_and_run_again_together(administrator: Reader, app: Any) -> None:
    for place in range(5):
        await app.queue.bury(make_job(f"u:1:{place}"), "junk" if place % 2 else "poison")
    page = await administrator.get("/admin/queues/dead?reason=junk")
    assert [one in page.text for one in ("u:1:0", "u:1:1", "u:1:3")] == [False, True, True]
    asked = await administrator.get("/admin/queues/requeue/all?reason=junk")
    assert "2 tarefas voltam" in asked.text
    assert (await administrator.post("/admin/queues/requeue/all")).status == 400
    await administrator.get("/admin/queues/requeue/all?reason=junk")
    done = await administrator.follow(await administrator.post("/admin/queues/requeue/all", {"reason": "junk"}))
    assert "voltaram para o fim" in done.text
    assert sorted(await list_dead(app)) == ["u:1:0", "u:1:2", "u:1:4"]
    audit = (await administrator.get("/admin/audit")).text
    assert ("job.requeue_all" in audit, "reason:junk" in audit, "root@example.com" in audit) == (True, True, True)


@pytest.mark.gen_test
async def test_job_tells_its_story(administrator: Reader, app: Any) -> None:
    await app.queue.bury(make_job("u:1:1", text="my secret"), "attempts")
    await administrator.get("/admin/queues/dead")
    await administrator.post("/admin/queues/requeue", {"id": "u:1:1"})
    await app.queue.enqueue(make_job("u:1:2"))
    await app.queue.hold_source("b1", 30)
    page = (await administrator.get("/admin/queues/job?id=u:1:2")).text
    for word in ("Entrou na fila", "Espera a origem, segurada, até", "A conversa, na ordem", "updates.handle"):
        assert word in page
    story = (await administrator.get("/admin/queues/job?id=u:1:1")).text
    assert "Mandada repetir" in story
    assert "por root@example.com" in story
    assert "my secret" not in story
    nobody = await administrator.get("/admin/queues/job?id=<script>")
    assert (nobody.status, "<script>" in nobody.html, "Nada se sabe" in nobody.text) == (404, False, True)


@pytest.mark.gen_test
async def test_calendar_and_audit_are_read_by_pages(administrator: Reader, app: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("grimbots.services.audit.PAGE_ACTS", 2)
    await app.queue.hold_source("b1", 30)
    page = (await administrator.get("/admin/queues/due")).text
    for word in ("Próxima hora", "Na fila <b>1</b>", "em até 1 min", "Por minuto"):
        assert word in page
    for place in range(4):
        await administrator.post("/admin/queues/discard", {"id": f"u:1:{place}"})
    first = await administrator.get("/admin/audit")
    older = first.html.partition('href="/admin/audit?before=')[2].partition('"')[0]
    second = await administrator.get(f"/admin/audit?before={older}")
    shown = [f"job:u:1:{place}" in seen.text for seen in (first, second) for place in range(4)]
    assert shown == [False, False, True, True, True, True, False, False]


@pytest.mark.gen_test
async def test_refresh_is_no_use_of_the_session(administrator: Reader, clock: Any, query: Any) -> None:
    clock.move(hours=11)
    assert (await administrator.get("/admin/queues", X_Refresh="1")).status == 200
    clock.move(hours=2)
    assert (await administrator.get("/admin/queues", X_Refresh="1")).place == "/login"


@pytest.mark.gen_test
async def test_page_shows_what_is_ready_comes_due_and_how_fast(
    administrator: Reader, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("grimbots.queue.inspector.monotonic", lambda: now)
    app.queue.rates = Rates()  # logging in looked already
    assert "O ritmo aparece na segunda olhada" in (await administrator.get("/admin/queues")).text
    for place in range(15):
        await app.queue.enqueue(make_job(f"u:1:{place}"))
    await app.queue.hold_source("b1", 30)
    now = 110.0
    page = (await administrator.get("/admin/queues")).text
    for word in ("Entram <b>1,5/s</b>", "Saem <b>0,0/s</b>", "Nada roda agora"):
        assert word in page


@pytest.mark.gen_test
async def test_page_shows_what_runs_of_an_account(administrator: Reader, app: Any) -> None:
    consumer = "elsewhere:0:1"
    await app.queue.enqueue(make_job("u:1:1"))
    await app.queue.lines[0].send(Register(consumer))
    await app.queue.lines[0].send(Claim(consumer, 1, {"tasks": 1}))
    page = (await administrator.get("/admin/queues")).text
    assert "Nada roda agora" not in page
    assert "/admin/queues/job?id=u%3A1%3A1" in page
    assert '<th scope="row">b1</th>' in page


@pytest.mark.gen_test
async def test_seller_sees_no_queues_and_cannot_tell_that_there_are(owner: Reader, app: Any) -> None:
    await app.queue.bury(make_job("u:1:1"), "attempts")
    for answer in (
        await owner.get("/admin/queues"),
        await owner.post("/admin/queues/requeue", {"id": "u:1:1"}),
        await owner.post("/admin/queues/discard", {"id": "u:1:1"}),
        await owner.get("/admin/queues/dead"),
        await owner.get("/admin/queues/due"),
        await owner.get("/admin/queues/job?id=u:1:1"),
        await owner.get("/admin/audit"),
        await owner.get("/admin/queues/drain?kind=queue&name=tasks"),
        await owner.post("/admin/queues/requeue/all", {"reason": "attempts"}),
        await owner.post("/admin/queues/pause", {"kind": "queue", "name": "tasks"}),
        await owner.post("/admin/queues/resume", {"kind": "queue", "name": "tasks"}),
    ):
        assert (answer.status, "u:1:1" in answer.text) == (404, False)
    assert await list_dead(app) == ["u:1:1"]
    assert await Inspector(app.queue).stops() == []
    assert "/admin/queues" not in (await owner.get("/sales/tenant1")).html
