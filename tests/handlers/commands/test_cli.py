"""The `grimbots` command on real stores: what it says, where it says it, and its exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import psycopg2
import pytest

from grimbots import server
from grimbots.conf.settings import load
from grimbots.handlers.commands import cli
from grimbots.handlers.commands.embedded.servers import read_overrides, write_overrides
from grimbots.queue.job import Job
from grimbots.tests.deploy.fronts import run_backend
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.ports import pick_port


def test_account_add_makes_an_account(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("account", "add", "loja") == 0
    capsys.readouterr()
    assert command("account", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "loja"


def test_account_add_refuses_a_taken_name_in_one_sentence(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    capsys.readouterr()
    assert command("account", "add", "loja") == 1
    assert capsys.readouterr().err.startswith("grimbots: there is an account 'loja' already")


def test_list_says_what_to_do_where_there_is_nothing(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("bot", "list") == 0
    assert "grimbots bot add" in capsys.readouterr().out


def test_user_add_reads_the_password_from_a_pipe(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("user", "add", "ana@example.com", "--administrator", given="long enough 1\n") == 0
    assert command("user", "add", "ana@example.com", "--administrator", given="long enough 1\n") == 1
    assert "long enough 1" not in "".join(capsys.readouterr())


def test_user_password_changes_it_and_ends_what_is_open(
    command: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command("user", "add", "ana@example.com", "--administrator", given="long enough 1\n")
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, password_hash FROM users")
        (user_id, before), *_ = cursor.fetchall()
        cursor.execute(
            "INSERT INTO sessions (user_id, token_hash, created_at, seen_at, expires_at)"
            " VALUES (%s, 'x', now(), now(), now() + interval '1 day')",
            (user_id,),
        )
    assert command("user", "password", "Ana@example.com", given="short\n") == 1
    assert command("user", "password", "eva@example.com", given="long enough 2\n") == 1
    assert command("user", "password", "Ana@example.com", given="long enough 2\n") == 0
    assert "long enough" not in "".join(capsys.readouterr())
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT password_hash <> %s, (SELECT count(*) FROM sessions) FROM users", (before,))
        assert cursor.fetchall() == [(True, 0)]
        cursor.execute("SELECT action, subject FROM audit ORDER BY id DESC LIMIT 1")
        assert cursor.fetchall() == [("user.password", f"user:{user_id}")]


def test_user_forget_code_asks_for_none_any_more(
    command: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command("user", "add", "ana@example.com", "--administrator", given="long enough 1\n")
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO second_factors SELECT id, 'sealed', 0, now(), now() FROM users")
    assert command("user", "forget-code", "eva@example.com") == 1
    assert command("user", "forget-code", "Ana@example.com") == 0
    assert "with the password alone" in capsys.readouterr().out
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM second_factors")
        assert cursor.fetchall() == [(0,)]


def test_account_set_changes_name_and_time_zone(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    command("account", "add", "outra")
    assert command("account", "set", "loja", "--time-zone", "America/Manaus") == 0
    assert command("account", "set", "loja", "--name", "loja2") == 0
    capsys.readouterr()
    command("account", "list", "--json")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["time_zone"]) for row in rows] == [
        ("loja2", "America/Manaus"),
        ("outra", "America/Sao_Paulo"),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["loja"], "nothing to change"),
        (["loja", "--name", "outra"], "there is an account 'outra' already"),
        (["loja", "--name", "A b"], "no account name"),
        (["loja", "--time-zone", "Manaus"], "no time zone"),
        (["nobody", "--name", "x"], "no account 'nobody'"),
    ],
)
def test_account_set_refuses_in_one_sentence(
    command: Command, capsys: pytest.CaptureFixture[str], changes: list[str], told: str
) -> None:
    command("account", "add", "loja")
    command("account", "add", "outra")
    capsys.readouterr()
    assert command("account", "set", *changes) == 1
    assert told in capsys.readouterr().err


def test_user_add_refuses_an_empty_password(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("user", "add", "ana@example.com", "--administrator") == 1
    assert "no password was given" in capsys.readouterr().err


def test_bot_add_refuses_what_is_no_token(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    assert command("bot", "add", "--account", "loja", given="12:secret-but-short\n") == 1
    told = capsys.readouterr()
    assert "no bot token" in told.err
    assert "secret-but-short" not in told.err + told.out


def test_funnel_check_names_each_mistake(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "funil.json").write_text('{"name": "x", "steps": []}')
    assert command("funnel", "check", "funil.json", "--language", "en") == 1
    assert capsys.readouterr().out.startswith("steps:")
    (tmp_path / "funil.json").write_text("{")
    assert command("funnel", "check", "funil.json") == 1
    assert "funil.json:1:" in capsys.readouterr().err


def test_funnel_publish_counts_versions_of_what_changed(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    demo = str(Path(cli.__file__).parent / "demo" / "demo.json")
    for said in ("version 1 is current from now on", "version 1 was current already"):
        capsys.readouterr()
        assert command("funnel", "publish", demo, "--account", "loja", "--name", "outro") == 0
        assert f"funnel outro of loja: {said}" in capsys.readouterr().out


def test_gateway_add_refuses_what_is_not_offered(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("gateway", "add", "sandbox", "--account", "loja") == 1
    assert "no gateway 'sandbox' here" in capsys.readouterr().err


def test_queue_stats_lists_every_queue(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("queue", "stats", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["queue"] for row in rows} >= {"tasks", "webhook", "gateway"}
    assert command("queue", "stats") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert (header.split()[:2], len(lines)) == (["queue", "pending"], len(rows))
    assert max(map(len, (header, *lines))) <= 120


def test_queue_dead_shows_a_job_without_what_people_wrote(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    async def bury() -> None:
        async with server.build_app(load()) as app:
            payload = {"text": "meu segredo"}
            await app.queue.bury(Job("u:1:7", "updates.handle", "tasks", "b1", "1", payload=payload), "unreadable")

    asyncio.run(bury())
    assert command("queue", "dead", "--json") == 0
    told = capsys.readouterr().out
    row = json.loads(told)
    assert (row["id"], row["task"], row["reason"]) == ("u:1:7", "updates.handle", "unreadable")
    assert "segredo" not in told


def test_queue_job_retry_and_discard(command: Command, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def bury() -> None:
        async with server.build_app(load()) as app:
            await app.queue.bury(Job("x:1", "updates.handle", "tasks", "b1", "1", "9", {"text": "my secret"}), "junk")

    assert command("queue", "job", "x:1") == 1
    asyncio.run(bury())
    capsys.readouterr()
    assert command("queue", "job", "x:1", "--json") == 0
    told = capsys.readouterr().out
    assert "my secret" not in told
    assert (json.loads(told)["state"], json.loads(told)["chat"]) == ("dead", "9")
    assert command("queue", "retry", "x:1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "OK"
    assert command("queue", "discard", "x:1", "--json") == 1
    assert json.loads(capsys.readouterr().out)["answer"] == "PENDING"
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT actor, action, subject FROM audit ORDER BY id")
        assert cursor.fetchall() == [
            ("command", "job.requeue", "job:x:1"),
            ("command", "job.discard", "job:x:1"),
        ]


def test_queue_looks_and_peeks(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    async def enqueue() -> None:
        async with server.build_app(load()) as app:
            for number in range(3):
                job = Job(f"x:{number}", "updates.handle", "tasks", "b1", "1", "9", {"text": "my secret"})
                await app.queue.enqueue(job)
            await app.queue.hold_source("b1", 30)

    asyncio.run(enqueue())
    capsys.readouterr()

    def look(*argv: str) -> list[dict[str, object]]:
        assert command("queue", *argv, "--json") == 0
        told = capsys.readouterr().out
        assert "my secret" not in told
        return [json.loads(line) for line in told.splitlines()]

    (tasks,) = [row for row in look("stats") if row["queue"] == "tasks"]
    assert (tasks["pending"], tasks["enqueued_per_second"], tasks["paused"]) == (3, 0, False)
    assert look("stats", "ready") == [{"queue": "tasks", "source": "b1", "entries": 1}]
    assert look("stats", "due") == [{"window": "60 s", "jobs": 0, "chats": 0, "sources": 0, "holds": 1, "unseen": 0}]
    assert look("stats", "running") == look("stats", "processes") == []
    assert [row["id"] for row in look("peek", "tasks")] == ["x:0"]
    assert [row["id"] for row in look("peek", "--chat", "b1", "9", "--limit", "2")] == ["x:0", "x:1"]
    (job,) = look("job", "x:2")
    assert (job["ahead_in_chat"], job["running_on"]) == (2, None)
    assert str(job["waits_for"]).startswith("['source_hold b1 for ")
    assert command("queue", "job", "x:2") == 0
    assert "ahead_in_chat  2" in capsys.readouterr().out
    assert command("queue", "peek", "nothing") == 1
    assert "there is no queue 'nothing': there are campaigns" in capsys.readouterr().err


def test_queue_pause_drain_and_resume(command: Command, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*argv: str, code: int = 0) -> str:
        assert command("queue", *argv) == code
        told = capsys.readouterr()
        return told.out + told.err

    assert command("account", "add", "loja") == 0
    capsys.readouterr()
    assert say("pause").startswith("nothing is stopped")
    assert say("pause", "tasks") == (
        "queue tasks is paused: nothing of it starts, what runs finishes, new work waits\n"
        "It stays so over restarts, until: grimbots queue resume tasks\n"
    )
    assert "until: grimbots queue resume --account loja\n" in say("drain", "--account", "loja")
    assert "until: grimbots queue resume --source b7\n" in say("pause", "--source", "b7")
    assert "has no bot @ghost" in say("pause", "--account", "loja", "--bot", "ghost", code=1)
    assert "name one" in say("pause", "--bot", "ghost", code=1)
    assert "name one" in say("pause", "tasks", "--source", "b7", code=1)
    listed = [json.loads(line) for line in say("pause", "--json").splitlines()]
    assert [(row["kind"], row["paused"], row["closed"]) for row in listed] == [
        ("account", False, True),
        ("queue", True, False),
        ("source", True, False),
    ]
    assert json.loads(say("resume", "tasks", "--json"))["done"] is True
    assert say("resume", "--account", "loja").endswith("goes on: what waited starts now\n")
    assert say("resume", "--source", "b7").startswith("source b7 goes on")
    assert say("resume", "tasks", code=1) == "queue tasks was not stopped: nothing was done\n"
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT action, count(*) FROM audit WHERE action LIKE 'queue.%' GROUP BY 1 ORDER BY 1")
        assert cursor.fetchall() == [("queue.drain", 1), ("queue.pause", 2), ("queue.resume", 3)]


def test_migrate_says_that_nothing_is_missing(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("migrate") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_command_on_an_empty_database_names_the_cure(
    command: Command, empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    assert command("account", "list") == 1
    assert "grimbots migrate" in capsys.readouterr().err


def test_command_without_stores_names_what_to_set(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name)
    assert command("account", "list") == 1
    assert "DATABASE_URL and REDIS_URL must be set" in capsys.readouterr().err


def test_command_names_every_wrong_setting(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("GRIMBOTS_SLOT", "-1")
    assert command("account", "list") == 1
    told = capsys.readouterr().err
    assert "PORT" in told
    assert "GRIMBOTS_SLOT" in told


def test_command_line_that_is_wrong_exits_with_2(command: Command) -> None:
    with pytest.raises(SystemExit, match="2"):
        command("bot", "sell")


def test_doctor_says_what_is_wrong(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://bots.example.com")
    with run_backend() as telegram:
        monkeypatch.setenv("TELEGRAM_URL", f"http://127.0.0.1:{telegram.port}")
        assert command("doctor") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("WRONG")] == [line for line in lines if "append-only" in line]
    assert any(line.startswith("ok    Postgres") for line in lines)


def test_doctor_names_stores_that_are_away(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://grimbots@/postgres?host={tmp_path}")
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nothing.sock")
    monkeypatch.setenv("TELEGRAM_URL", f"http://127.0.0.1:{pick_port()}")
    assert command("doctor") == 1
    told = capsys.readouterr().out
    assert "WRONG Postgres" in told
    assert "WRONG Redis" in told
    assert "WRONG Telegram" in told


def test_read_overrides_ignores_what_a_killed_dev_left(tmp_path: Path) -> None:
    (tmp_path / "dev.lock").touch()
    write_overrides(tmp_path, {"DATABASE_URL": "postgresql://gone"})
    assert (tmp_path / "dev.json").stat().st_mode & 0o777 == 0o600
    assert read_overrides(tmp_path) == {}


def add_shop(database_url: str) -> None:
    """Add an account `loja` with a bot @loja_bot, as Telegram's answers would."""
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (name, created_at) VALUES ('loja', now()) RETURNING id")
        cursor.execute(
            "INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at, updated_at)"
            " VALUES (%s, 1, 'loja_bot', 'Loja', 'key', 'token', now(), now())",
            cursor.fetchone(),
        )
    connection.close()


def test_pool_add_list_and_remove(command: Command, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    add_shop(database_url)
    assert command("pool", "add", "promo", "--account", "loja", "--bot", "loja_bot") == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8080/go/promo leads to loja_bot\n"
    assert command("pool", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) | {"created_at": ""} == {
        "account": "loja",
        "slug": "promo",
        "strategy": "round_robin",
        "landing": False,
        "bots": "@loja_bot",
        "created_at": "",
    }
    assert command("pool", "remove", "promo", "--account", "loja") == 0
    capsys.readouterr()
    assert command("pool", "list") == 0
    assert "there is no link yet" in capsys.readouterr().out


def test_pool_add_refuses_a_bot_the_account_lacks(
    command: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_shop(database_url)
    assert command("pool", "add", "promo", "--account", "loja", "--bot", "other_bot") == 1
    assert "grimbots: account 'loja' has no bot @other_bot" in capsys.readouterr().err
