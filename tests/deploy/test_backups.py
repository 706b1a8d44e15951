"""Backups: a shop that was destroyed is there again, and what cannot be known is not taken for undone."""

from __future__ import annotations

import asyncio
import gzip
import io
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from grimbots import server
from grimbots.conf.programs import ProgramError
from grimbots.conf.settings import load
from grimbots.handlers.commands import cli
from grimbots.handlers.commands.archives import MANIFEST, pack, unpack
from grimbots.handlers.commands.embedded.children import stop
from grimbots.queue.job import Job
from grimbots.server import build_app
from grimbots.services import erasures, leads, tombstones
from grimbots.services.errors import Invalid
from grimbots.sql import dumps
from grimbots.tests import rows
from grimbots.tests.deploy.loads import make_shop, start_campaign
from grimbots.tests.deploy.programs import make_path
from grimbots.tests.e2e.installation import ROOT, Installation, open_installation, until
from grimbots.tests.e2e.travellers import Traveller, make_link

Command = Callable[..., tuple[int, str]]


def run_command(installation: Installation, *arguments: str | Path) -> str:
    """Run a `grimbots` command as an operator does, and give what it printed."""
    line = [sys.executable, ROOT / "server.py", *arguments]
    done = subprocess.run(line, env=installation.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_identity(folder: Path) -> tuple[Path, str]:
    """Make a key pair; give the file of the private one, and the public one."""
    if shutil.which("age") is None:
        pytest.skip("age is not installed: make front")
    identity = folder / "identity.txt"
    subprocess.run(["age-keygen", "--output", identity], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", identity], check=True, capture_output=True, text=True).stdout
    return identity, public.strip()


def decrypt(archive: Path, identity: Path) -> Path:
    plain = archive.with_suffix("")
    subprocess.run(["age", "--decrypt", "--identity", identity, "--output", plain, archive], check=True)
    return plain


async def destroy(installation: Installation) -> None:
    """Lose the machine: processes, stores, key, spool and settings. Telegram and the provider live on."""
    await installation.kill("server")
    for name in ("redis", "postgres"):
        await stop(installation.children[name])
        shutil.rmtree(installation.folder / name)
    shutil.rmtree(installation.folder / "spool")
    for name in ("master.key", "grimbots.env"):
        (installation.folder / name).unlink()


async def rehearse(folder: Path, identity: Path, recipient: str) -> dict[str, Any]:
    """Sell, leave one update unhandled, save, destroy, restore, go on."""
    folder.mkdir()
    async with open_installation(folder / "shop") as shop:
        settings = shop.folder / "grimbots.env"
        settings.write_text(f"BACKUP_RECIPIENT={recipient}\n")
        shop.environ |= {"GRIMBOTS_ENV": str(settings), "PATH": make_path()}
        await make_link(shop)
        buyer, waiting = Traveller(shop, 7001, "go"), Traveller(shop, 7002, "start")
        for step in (buyer.step, buyer.finish, waiting.approach):
            await step()
        assert await buyer.judge() == []
        run_command(shop, "queue", "pause", "tasks")
        await waiting.step()

        async def has_pending() -> bool:
            return '"pending": 1' in run_command(shop, "queue", "stats", "--json")

        await until(has_pending, 30, "the update does not wait")
        archive = Path(run_command(shop, "backup", folder).split()[0])
        saved = {table: shop.query(f"SELECT * FROM {table} ORDER BY 1") for table in SOLD}
        calls = await shop.read_calls()
        await destroy(shop)

        del shop.environ["GRIMBOTS_ENV"]
        for name in ("postgres", "redis"):
            await shop.start(name)
        told = run_command(shop, "restore", decrypt(archive, identity))
        restored = {table: shop.query(f"SELECT * FROM {table} ORDER BY 1") for table in SOLD}
        await shop.start("server")
        paused = run_command(shop, "queue", "stats")
        run_command(shop, "queue", "resume", "tasks")
        await waiting.finish()
        return {
            "told": told,
            "same": saved == restored,
            "rows": {table: len(found) for table, found in restored.items()},
            "paused": paused,
            "faults": [*await buyer.judge(), *await waiting.judge()],
            "repeated": [
                call for call in (await shop.read_calls())[len(calls) :] if call["params"].get("chat_id") == 7001
            ],
            "token": await read_token(shop),
            "mode": stat.S_IMODE(archive.stat().st_mode),
            "is_plain": b"POSTGRES" in archive.read_bytes().upper(),
            "errors": shop.read_errors(),
        }


SOLD = ("payments", "payment_receipts", "payment_transitions", "deliveries", "messages", "clicks", "leads", "bots")


async def read_token(shop: Installation) -> str:
    async with build_app(load(shop.environ), with_queue=False) as app:
        ((encrypted,),) = shop.query("SELECT token_encrypted FROM bots")
        return app.vault.decrypt(encrypted)


@pytest.mark.slow
def test_destroyed_shop_is_restored_from_an_encrypted_backup(servers_folder: Path) -> None:
    folder = servers_folder / "rehearsal"
    identity, recipient = make_identity(servers_folder)
    found = asyncio.run(rehearse(folder, identity, recipient))
    assert found["same"] and found["rows"]["payments"] == 1 and found["rows"]["messages"] > 3
    assert "paused" in found["paused"]  # Redis is there again, with what an operator did
    assert found["faults"] == [] and found["errors"] == []
    assert found["repeated"] == []  # to the first buyer, whose sale was over
    assert ":" in found["token"]
    assert (found["mode"], found["is_plain"]) == (0o600, False)
    assert "Restored: all that was committed before" in found["told"]


@pytest.fixture
def command(
    database_url: str,
    flushed_redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Give a function that runs one command line on the session's stores; its exit code and what it said."""
    monkeypatch.chdir(tmp_path)
    settings = {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url, "GRIMBOTS_DATA": str(tmp_path)}
    for name, value in {**settings, "PATH": make_path()}.items():
        monkeypatch.setenv(name, value)

    def run(*argv: str | Path) -> tuple[int, str]:
        code = cli.main([str(part) for part in argv], cli.Server(build_app=server.build_app, serve=server.serve))
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def archive(command: Command, tmp_path: Path) -> Path:
    """Give a backup of an empty installation that was not encrypted."""
    code, said = command("backup", tmp_path)
    assert code == 0, said
    return Path(said.split()[0])


def test_unencrypted_backup_has_no_master_key_and_is_ours_alone(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == [MANIFEST, "postgres.sql.gz", "redis-0.rdb"]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".grimbots-")] == []


def test_backup_says_that_the_key_must_be_kept_elsewhere(command: Command, tmp_path: Path) -> None:
    assert "is not in it" in command("backup", tmp_path)[1]


def test_backup_refuses_a_folder_that_is_not_there(command: Command, tmp_path: Path) -> None:
    code, said = command("backup", tmp_path / "nowhere")
    assert code == 1
    assert said.startswith("grimbots: The backup was not made") and "nowhere" in said


def test_restore_touches_no_database_that_has_tables(command: Command, archive: Path) -> None:
    code, said = command("restore", archive)
    assert code == 1
    assert "tables: name an empty one" in said and "nothing was done" in said


def test_restore_needs_the_key_the_data_was_encrypted_with(
    command: Command, archive: Path, tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    key = tmp_path / "master.key"
    right, wrong = key.read_text(), "A" * 43
    key.unlink()
    assert "is not in this backup: put your copy of it at" in command("restore", archive)[1]
    key.touch(mode=0o600)
    key.write_text(wrong)
    assert "put that one there" in command("restore", archive)[1]
    assert rows.query(empty_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    key.write_text(right)
    assert command("restore", archive)[0] == 0
    assert command("restore", archive)[0] == 1  # it is there: a second time changes nothing


def test_restore_refuses_what_is_not_whole(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    for place, harmed in enumerate([whole[:2000], whole.replace(b"REDIS", b"RODIS"), b"", b"no tar"]):
        archive.write_bytes(harmed)
        (tmp_path / f"out{place}").mkdir()
        with pytest.raises(Invalid, match="another backup"):
            unpack(archive, tmp_path / f"out{place}")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "folder"])
def test_restore_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    archive, out = tmp_path / "bad.tar", tmp_path / "out"
    out.mkdir()
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo(name)
        member.type = tarfile.DIRTYPE if name == "folder" else tarfile.REGTYPE
        tar.addfile(member)
    with pytest.raises(Invalid, match="no file of a backup"):
        unpack(archive, out)
    assert list(out.iterdir()) == []


def test_encrypted_backup_carries_the_key_and_says_how_to_decrypt_it(tmp_path: Path) -> None:
    identity, recipient = make_identity(tmp_path)
    saved, out, archive = tmp_path / "saved", tmp_path / "out", tmp_path / "backup.tar.age"
    saved.mkdir()
    out.mkdir()
    (saved / "master.key").write_text("secret")
    asyncio.run(pack(saved, archive, recipient, made_at="now"))
    with pytest.raises(Invalid, match="age --decrypt"):
        unpack(archive, out)
    assert unpack(decrypt(archive, identity), out)["made_at"] == "now"
    assert (out / "master.key").read_text() == "secret"
    assert b"secret" not in archive.read_bytes()


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", make_path())


@pytest.mark.usefixtures("path")
def test_what_was_open_counts_as_in_doubt(
    database_url: str, empty_database_url: str, flushed_redis_url: str, tmp_path: Path
) -> None:
    environ = {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url, "GRIMBOTS_DATA": str(tmp_path)}
    asyncio.run(make_shop(environ))
    asyncio.run(start_campaign(environ, recipients=4))
    insert = """
        INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, method, body, policy, status,
            planned_at, sending_at, sent_at)
        SELECT account_id, bot_id, id, chat_id, %s || id, 0, 'sendMessage', '{}', %s, %s, now(), %s, %s
        FROM leads
        LIMIT 1
    """
    for policy in ("retry", "once"):
        for status in ("planned", "sending", "sent"):
            at = None if status == "planned" else "2026-03-02T12:00Z"
            rows.query(database_url, insert, policy + status, policy, status, at, at if status == "sent" else None)
    asyncio.run(dumps.dump(database_url, tmp_path / "dump.gz"))
    asyncio.run(dumps.load(empty_database_url, tmp_path / "dump.gz"))
    found = rows.query(empty_database_url, "SELECT policy, status, resent FROM messages ORDER BY id")
    assert found == [
        *[("retry", "planned", True)] * 2,
        ("retry", "sent", False),
        *[("once", "uncertain", False)] * 2,
        ("once", "sent", False),
    ]
    assert rows.query(empty_database_url, "SELECT status FROM campaigns") == [("paused",)]


def read_chats(url: str) -> list[tuple[int]]:
    return rows.query(url, "SELECT chat_id FROM leads ORDER BY chat_id")


async def erase_somebody(environ: dict[str, str]) -> int:
    """Erase the newest lead; returns its chat's id."""
    async with build_app(load(environ), with_queue=False) as app:
        ((account_id, lead_id, chat_id),) = rows.query(
            environ["DATABASE_URL"], "SELECT account_id, id, chat_id FROM leads ORDER BY id DESC LIMIT 1"
        )
        async with app.db.transaction() as tx:
            lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
            await erasures.wipe(app, tx, lead, "test")
    return int(chat_id)


async def enqueue_update(environ: dict[str, str], bot_id: int, chat_id: int) -> None:
    """Let an update of a chat wait, and another be dead."""
    async with build_app(load(environ)) as app:
        place = {"task": "updates.handle", "queue": "tasks", "source": f"b{bot_id}", "account": "1"}
        what = {"group": str(chat_id), "payload": {"text": "my name is Brunhilde"}}
        await app.queue.enqueue(Job(id="u:waits", **place, **what))
        await app.queue.bury(Job(id="u:dead", **place, **what), "attempts")


async def list_traces(url: str, chat_id: int) -> list[bytes]:
    """List the keys of Redis that name a chat or hold what was written there."""
    words = (b"Brunhilde", b"%d" % chat_id)
    async with redis.asyncio.from_url(url, protocol=3) as client:
        held = [(key, key + (await client.dump(key) or b"")) async for key in client.scan_iter()]
    return [key for key, raw in held if any(word in raw for word in words)]


async def flush(url: str) -> None:
    async with redis.asyncio.from_url(url, protocol=3) as client:
        await client.flushall()


def test_who_was_erased_after_the_backup_is_gone_before_it_serves(
    command: Command,
    tmp_path: Path,
    database_url: str,
    flushed_redis_url: str,
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url, "GRIMBOTS_DATA": str(tmp_path)}
    asyncio.run(make_shop(environ))
    asyncio.run(start_campaign(environ, recipients=3))
    ((bot_id, chat_id),) = rows.query(database_url, "SELECT bot_id, chat_id FROM leads ORDER BY id DESC LIMIT 1")
    asyncio.run(enqueue_update(environ, bot_id, chat_id))
    archive = Path(command("backup", tmp_path)[1].split()[0])
    before = read_chats(database_url)
    assert asyncio.run(erase_somebody(environ)) == chat_id
    (tmp_path / "later").mkdir()
    assert command("backup", tmp_path / "later")[0] == 0
    assert len(asyncio.run(list_traces(flushed_redis_url, chat_id))) > 2
    asyncio.run(flush(flushed_redis_url))
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    code, said = command("restore", archive)
    assert code == 0, said
    assert "erased before and came back with it: 1" in said
    assert set(before) - set(read_chats(empty_database_url)) == {(chat_id,)}
    assert rows.query(empty_database_url, "SELECT count(*) FROM leads WHERE status = 'erased'") == [(1,)]
    assert asyncio.run(list_traces(flushed_redis_url, chat_id)) == []
    known = [[stone.digest for stone in tombstones.read([folder])] for folder in (tmp_path, tmp_path / "later")]
    assert len(known[0]) == 1 and known[0] == known[1]


@pytest.mark.usefixtures("path")
def test_dump_that_breaks_off_leaves_nothing(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "dump.gz"
    asyncio.run(dumps.dump(database_url, file))
    whole = gzip.decompress(file.read_bytes())
    compressed = io.BytesIO()
    with gzip.open(compressed, "wb") as writing:
        writing.write(whole)
    file.write_bytes(compressed.getvalue()[: len(compressed.getvalue()) // 2])
    with pytest.raises(EOFError):
        asyncio.run(dumps.load(empty_database_url, file))
    file.write_bytes(gzip.compress(whole.replace(b"CREATE TABLE public.leads", b"CREATE TABEL public.leads")))
    with pytest.raises(ProgramError, match=r"psql failed.*TABEL"):
        asyncio.run(dumps.load(empty_database_url, file))
    assert rows.query(empty_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_missing_program_is_named_with_its_package(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="pg_dump is not installed: apt-get install postgresql-client"):
        asyncio.run(dumps.dump(database_url, tmp_path / "dump.gz"))


def test_password_is_not_in_the_command_line() -> None:
    address, secret = dumps._split("postgresql://ana:hidden@db.example.com:5432/grimbots")
    assert "hidden" not in address and "host=db.example.com" in address
    assert secret == {"PGPASSWORD": "hidden"}
