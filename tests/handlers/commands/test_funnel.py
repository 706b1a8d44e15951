"""`grimbots funnel` and `grimbots chat`: what they say, and what needs no database."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grimbots import server
from grimbots.handlers.commands import cli
from grimbots.services.errors import Invalid
from grimbots.services.funnels.bundles import read_bundle, write_bundle
from grimbots.tests.rows import open_query

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command with no store named and none to be found."""
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "-m", "grimbots.server", *argv],
        cwd=folder,
        env={**environ, "GRIMBOTS_DATA": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_simulate_needs_no_database_and_repeats_itself(tmp_path: Path) -> None:
    first, again = (
        run(tmp_path, "funnel", "simulate", "demo", "--leads", "40", "--days", "7", "--seed", "1", "--json")
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    report = json.loads(first.stdout)
    assert {"steps", "revenue_cents", "sends_per_day", "longest_wait"} <= report.keys()


def test_simulate_says_what_is_wrong_with_the_funnel(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"name": "x", "steps": [{"id": "a", "kind": "jump", "to": "a"}]}))
    answer = run(tmp_path, "funnel", "simulate", "x.json")
    assert answer.returncode == 1 and "a.next" in answer.stderr


def test_a_bundle_holds_a_funnel_and_its_files(tmp_path: Path) -> None:
    definition = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))
    picture = (DEMO / "welcome.png").read_bytes()
    write_bundle(tmp_path / "a.zip", definition, {"welcome.png": [picture[:10], picture[10:]]})
    folder = tmp_path / "unpacked"
    folder.mkdir()
    found, files = read_bundle(tmp_path / "a.zip", folder)
    assert found == definition
    assert {name: path.read_bytes() for name, path in files.items()} == {"welcome.png": picture}
    with pytest.raises(Invalid, match="is there already"):
        write_bundle(tmp_path / "a.zip", definition, {})
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_bundle_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    definition = {"name": "x", "steps": [{"id": "a", "kind": "message", "photo": "../evil.png", "text": "x"}]}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("funnel.json", json.dumps(definition))
        bundle.writestr("../evil.png", b"x")
        bundle.writestr("other.txt", b"x")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    read_bundle(tmp_path / "a.zip", folder)
    assert [path.name for path in folder.iterdir()] == ["funnel.json"]
    assert not (tmp_path / "evil.png").exists()


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no")
    with pytest.raises(Invalid, match="no bundle"):
        read_bundle(tmp_path / "a.zip", tmp_path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as bundle:
        bundle.writestr("other.json", "{}")
    with pytest.raises(Invalid, match="no bundle"):
        read_bundle(tmp_path / "b.zip", tmp_path)


@pytest.fixture
def command(
    database_url: str, flushed_redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., int]]:
    """Give a function that runs one command line on real stores and gives its exit code."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url, "GRIMBOTS_DATA": "."}.items():
        monkeypatch.setenv(name, value)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield lambda *argv: cli.main(argv, cli.Server(build_app=server.build_app, serve=server.serve))
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


LEAD = """
WITH account AS (
    SELECT id, now() - interval '1 hour' AS at FROM accounts WHERE name = 'loja'
), bot AS (
    INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at, updated_at)
    SELECT id, 1, 'loja_bot', 'Loja', 'key', 'token', at, at FROM account
    RETURNING id, account_id
), lead AS (
    INSERT INTO leads (account_id, bot_id, chat_id, first_name, version_id, step, created_at, updated_at)
    SELECT bot.account_id, bot.id, 501, 'Ana', funnel_versions.id, 'boas-vindas', now(), now()
    FROM bot JOIN funnel_versions USING (account_id)
    RETURNING id, account_id, version_id
)
INSERT INTO moves (account_id, lead_id, version_id, cause, event, at)
SELECT account_id, id, version_id, 'u:1:1', '{"kind": "Started", "param": ""}', now() - interval '1 hour' FROM lead
"""


def test_a_real_lead_is_replayed_explained_and_taken_over(
    command: Callable[..., int], database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("account", "add", "loja")
    assert command("funnel", "publish", str(DEMO / "demo.json"), "--account", "loja") == 0
    with open_query(database_url) as query:
        query(LEAD)
    lead = ("--account", "loja", "--bot", "loja_bot", "--lead", "501")
    assert command("funnel", "replay", str(DEMO / "demo.json"), *lead) == 0
    edited = (DEMO / "demo.json").read_text(encoding="utf-8").replace("Eu sou a Lia", "Eu sou a Bia")
    (tmp_path / "edited.json").write_text(edited, encoding="utf-8")
    (tmp_path / "welcome.png").write_bytes((DEMO / "welcome.png").read_bytes())
    capsys.readouterr()
    assert command("funnel", "replay", "edited.json", *lead) == 1
    assert "first different at boas-vindas" in capsys.readouterr().out
    assert command("funnel", "explain", "oferta", *lead) == 0
    assert "ainda não tocou em um botão" in capsys.readouterr().out
    assert command("chat", "take", *lead, "--hours", "2") == 0
    assert command("funnel", "explain", "oferta", *lead, "--language", "en") == 0
    assert "a person has the chat until" in capsys.readouterr().out
    assert command("chat", "list", "--account", "loja") == command("chat", "notices", *lead) == 0
    assert "501" in capsys.readouterr().out
    assert command("chat", "return", *lead) == 0
    assert command("chat", "return", *lead) == 1


def test_a_funnel_is_taken_to_another_account(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for account in ("loja", "outra"):
        command("account", "add", account)
    command("funnel", "publish", str(DEMO / "demo.json"), "--account", "loja")
    assert command("funnel", "export", "demo", "demo.zip", "--account", "loja") == 0
    assert command("funnel", "import", "demo.zip", "--account", "outra", "--name", "copia") == 0
    capsys.readouterr()
    assert command("funnel", "simulate", "copia", "--account", "outra", "--leads", "20") == 0
    assert capsys.readouterr().out.startswith("copia: 20 leads in 7 days")
    assert command("funnel", "posts", "--account", "outra") == command("funnel", "coupons", "--account", "outra") == 0
    capsys.readouterr()
    assert command("funnel", "secret", "--account", "outra") == 0
    assert capsys.readouterr().out.startswith("whsec_")
