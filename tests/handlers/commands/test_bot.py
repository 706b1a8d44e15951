"""`grimbots bot` against a sandbox: token, webhook, import, new, storage; no token is ever printed."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.services.sandbox.server import build
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.rows import Query, open_query
from grimbots.tests.services.test_old_leads import TABLES as OLD_TABLES

Face = Callable[..., Any]
READY_SECONDS = 30


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """Give a function that runs one SQL statement."""
    with open_query(database_url) as run:
        yield run


@pytest.fixture
def face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Face]:
    """Run a sandbox in a thread, name it to the commands, and give a function that asks its JSON face."""
    environ = {"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": "http://127.0.0.1:0", "GRIMBOTS_DATA": str(tmp_path)}
    ready, told, seconds = threading.Event(), {}, itertools.count(1_772_452_800, 2)

    def clock() -> float:
        """Give a time that goes on by itself: it takes setWebhook of one bot once a second."""
        return float(next(seconds))

    async def serve() -> None:
        server, told["loop"], told["stop"] = build(load(environ), clock), asyncio.get_running_loop(), asyncio.Event()
        await server.start()
        told["url"] = server.url
        ready.set()
        await told["stop"].wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(READY_SECONDS)
    monkeypatch.setenv("GRIMBOTS_SANDBOX", "1")
    monkeypatch.setenv("GRIMBOTS_SANDBOX_URL", told["url"])
    monkeypatch.setenv("TELEGRAM_URL", told["url"])

    def ask(path: str, **body: Any) -> Any:
        url = told["url"] + (path if path.startswith("/") else f"/sandbox/api/{path}")
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=READY_SECONDS) as answer:
            return json.loads(answer.read())

    yield ask
    told["loop"].call_soon_threadsafe(told["stop"].set)
    thread.join()


@pytest.fixture
def shop(command: Command, face: Face, capsys: pytest.CaptureFixture[str]) -> str:
    """Make an account with a bot; give the bot's token."""
    token = str(face("bots", username="loja_bot")["token"])
    command("account", "add", "loja")
    assert command("bot", "add", "--account", "loja", given=token) == 0
    capsys.readouterr()
    return token


def test_token_takes_the_new_one_from_a_pipe(
    command: Command, face: Face, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = face("bots/loja_bot/revoke", force=True)["token"]
    assert command("bot", "token", "@loja_bot", "--account", "loja", given=shop) == 1
    assert command("bot", "token", "@loja_bot", "--account", "loja", given=new) == 0
    told = "".join(capsys.readouterr())
    assert "@loja_bot is in service with its new token" in told
    assert "Telegram does not know this token" in told
    assert new not in told
    assert shop not in told


def test_token_of_another_bot_needs_to_be_said(
    command: Command, face: Face, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = face("bots", username="outra_bot")["token"]
    assert command("bot", "token", "loja_bot", "--account", "loja", given=other) == 1
    assert "--replace" in capsys.readouterr().err
    assert command("bot", "token", "loja_bot", "--account", "loja", "--replace", given=other) == 0
    assert "it took the place of @loja_bot" in capsys.readouterr().out
    urls = {bot["username"]: bot["webhook"]["url"] for bot in face("bots")}
    assert (urls["loja_bot"], bool(urls["outra_bot"])) == ("", True)


def test_webhook_sets_ours_again(command: Command, face: Face, shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    (before,) = face("bots")
    face(f"/bot{shop}/setWebhook", url="https://thief.example.org/x")
    assert face("bots")[0]["webhook"]["url"] == "https://thief.example.org/x"
    assert command("bot", "webhook", "loja_bot", "--account", "loja") == 0
    assert face("bots")[0]["webhook"]["url"] == before["webhook"]["url"]
    assert "is in service" in capsys.readouterr().out


def test_import_reads_lines_and_shows_how_far_it_is(
    command: Command, face: Face, shop: str, query: Query, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tokens = [face("bots", username=f"loja{number}_bot")["token"] for number in range(3)]
    lines = ["token,funnel", *tokens[:2], "", "# uma pausa", "12:short", f"{tokens[2]},nenhum", shop]
    assert command("bot", "import", "--account", "loja", given="\n".join(lines)) == 1
    told = capsys.readouterr().out
    assert told.splitlines()[0] == "2 bots taken in, 1 known already, 2 lines refused"
    assert [line.partition(":")[0] for line in told.splitlines()[1:3]] == ["line 6", "line 7"]
    assert told.splitlines()[-1] == "in service: 3, waiting: 0, refused by Telegram: 0"
    (tmp_path / "bots.csv").write_text("\n".join(tokens))
    assert command("bot", "import", "bots.csv", "--account", "loja") == 0
    assert "1 bots taken in, 2 known already, 0 lines refused" in (again := capsys.readouterr().out)
    assert [token for token in tokens if token in told + again] == []
    assert query("SELECT count(*) FROM bots WHERE status = 'active'") == [(4,)]


def test_import_may_leave_the_rest_to_the_server(
    command: Command, face: Face, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = face("bots", username="outra_bot")["token"]
    assert command("bot", "import", "--account", "loja", "--no-wait", given=token) == 0
    command("bot", "list", "--json")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row["username"], row["status"]) for row in rows] == [
        (token.partition(":")[0], "new"),
        ("loja_bot", "active"),
    ]


def test_import_of_nothing_says_what_to_write(command: Command, shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("bot", "import", "--account", "loja") == 1
    assert command("bot", "import", "none.csv", "--account", "loja") == 1
    told = capsys.readouterr().err
    assert "write one a line" in told
    assert "none.csv cannot be read" in told


def test_new_prints_the_link(command: Command, shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("bot", "new", "nova_bot", "--account", "loja", "--manager", "loja_bot", "--name", "Nova Loja")
    assert command(*argv) == 0
    assert capsys.readouterr().out.startswith("https://t.me/newbot/loja_bot/nova_bot?name=Nova+Loja\n")


def test_token_of_a_managed_bot_is_replaced_by_its_manager(
    command: Command, face: Face, shop: str, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    made = face("bots/loja_bot/managed", username="nova_bot", name="Nova", user_id=5)
    token = face(f"/bot{shop}/getManagedBotToken", user_id=made["id"])["result"]
    command("bot", "add", "--account", "loja", given=token)
    assert command("bot", "token", "nova_bot", "--account", "loja", "--managed") == 1
    assert "has no manager" in capsys.readouterr().err
    query("UPDATE bots SET manager_id = (SELECT id FROM bots WHERE username = 'loja_bot') WHERE username = 'nova_bot'")
    assert command("bot", "token", "nova_bot", "--account", "loja", "--managed") == 0
    assert face(f"/bot{shop}/getManagedBotToken", user_id=made["id"])["result"] != token


def test_storage_greets_in_the_chat(
    command: Command, face: Face, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("bot", "storage", "loja_bot", "--account", "loja", "--chat", "77")
    assert command(*argv) == 1
    assert "press Start" in capsys.readouterr().err
    face("bots/loja_bot/chats/77/messages", text="/start")
    assert command(*argv) == 0
    said = face("bots/loja_bot/chats/77/messages")[-1]["text"]
    assert said.startswith("📦 Aqui @loja_bot guarda as mídias")


def test_leads_counts_them_first_and_then_adds_them_once(
    command: Command, shop: str, query: Query, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.executescript(OLD_TABLES.replace("900000001", shop.partition(":")[0]))
    argv = ("bot", "leads", "@loja_bot", "--account", "loja", "--from", f"sqlite:///{tmp_path / 'old.db'}")
    assert command(*argv) == 0
    assert "3 leads of @loja_bot: 1 do not want to hear of it, 1 have bought" in capsys.readouterr().out
    assert query("SELECT count(*) FROM leads") == [(0,)]
    for added in (3, 0):
        assert command(*argv, "--write") == 0
        assert f"{added} leads of @loja_bot came along" in capsys.readouterr().out
