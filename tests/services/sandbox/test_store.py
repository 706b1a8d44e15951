"""What the sandbox keeps: a kill -9 takes back nothing it has answered, and what waited goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tornado.ioloop
from tornado.netutil import bind_sockets

from grimbots.services.sandbox.store import Store
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook, ask, wait_until

SERVE = """
import asyncio, os
from grimbots.conf.settings import load
from grimbots.services.sandbox.server import serve
asyncio.run(serve(load(os.environ)))
"""
TXID = "f" * 32


class Process:
    """A sandbox as a process of its own."""

    def __init__(self, folder: Path) -> None:
        [listening] = bind_sockets(0, "127.0.0.1")
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.close()
        self.environ = os.environ | {
            "GRIMBOTS_SANDBOX": "1",
            "GRIMBOTS_DATA": str(folder),
            "GRIMBOTS_SANDBOX_URL": self.url,
        }

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, env=self.environ)
        await wait_until(self._answers)

    async def _answers(self) -> bool:
        try:
            return (await ask(f"{self.url}/sandbox/api/bots")).status == 200
        except OSError:
            return False

    async def kill(self) -> None:
        """Kill it where it stands."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@pytest.fixture
def process(io_loop: tornado.ioloop.IOLoop, tmp_path: Path) -> Iterator[Process]:
    """Give a running sandbox process."""
    made = Process(tmp_path)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.kill)


@pytest.mark.gen_test
async def test_kill_keeps_chats_charges_calls_and_faults(process: Process, webhook: Webhook) -> None:
    driver: Any = Driver(SimpleNamespace(url=process.url))  # type: ignore[arg-type]
    driver.token = await driver.make_bot("loja_bot")
    await driver.say()
    sent = await driver.send("fica")
    charge = (await driver.put_charge(TXID, webhook.url)).json
    await driver.face("faults", "POST", {"method": "sendMessage", "http": 500})
    await process.kill()
    await process.start()
    assert await driver.make_bot("loja_bot") == driver.token
    assert (await driver.chat("messages")).json[-1] == sent
    assert (await driver.provider(TXID)).json == charge
    assert [call["method"] for call in (await driver.face("calls")).json] == ["sendMessage"]
    assert (await driver.call("sendMessage", chat_id=CHAT, text="x")).status == 500


@pytest.mark.gen_test
async def test_kill_keeps_updates_and_events_that_wait(process: Process, webhook: Webhook) -> None:
    driver: Any = Driver(SimpleNamespace(url=process.url))  # type: ignore[arg-type]
    driver.token = await driver.make_bot("loja_bot")
    await driver.call("setWebhook", url=webhook.url, secret_token="s")
    await driver.put_charge(TXID, webhook.url)
    webhook.gate.clear()
    await driver.say("1")
    await driver.say("2")
    await driver.face(f"pix/{TXID}/pay", "POST", {})
    await webhook.wait(2)
    await process.kill()
    webhook.deliveries.clear()
    webhook.gate.set()
    await process.start()
    await webhook.wait(3)
    texts = [update["message"]["text"] for update in webhook.updates if "message" in update]
    assert texts == ["1", "2"]
    assert [update["txid"] for update in webhook.updates if "event" in update] == [TXID]


@pytest.mark.gen_test
async def test_update_ids_go_on_after_a_kill(process: Process, webhook: Webhook) -> None:
    driver: Any = Driver(SimpleNamespace(url=process.url))  # type: ignore[arg-type]
    driver.token = await driver.make_bot("loja_bot")
    await driver.call("setWebhook", url=webhook.url)
    await driver.say("1")
    await webhook.wait(1)
    await process.kill()
    await process.start()
    await driver.say("2")
    ids = await wait_until(lambda: read_ids(webhook, "1", "2"))
    assert ids["2"] == ids["1"] + 1


async def read_ids(webhook: Webhook, *texts: str) -> dict[str, int]:
    """Give the update ids by text once all of these arrived; one may have come twice, with the same id."""
    ids = {update["message"]["text"]: update["update_id"] for update in webhook.updates}
    return ids if set(texts) <= set(ids) else {}


@pytest.mark.gen_test
async def test_change_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite3")
    with pytest.raises(sqlite3.IntegrityError), store.change():
        store.run("UPDATE counters SET value = 9")
        store.run("INSERT INTO counters VALUES ('change', 1)")
    await store.flush()
    assert [row["value"] for row in store.list("SELECT value FROM counters")] == [0]
    store.close()


@pytest.mark.gen_test
async def test_flush_returns_when_others_see_the_write(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "a.sqlite3"), sqlite3.connect(tmp_path / "a.sqlite3")
    store.run("UPDATE counters SET value = 5")
    assert other.execute("SELECT value FROM counters").fetchone() == (0,)
    await store.flush()
    assert other.execute("SELECT value FROM counters").fetchone() == (5,)
    other.close()
    store.close()


@pytest.mark.gen_test
async def test_failed_commit_is_told_to_whoever_waits(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "a.sqlite3"), sqlite3.connect(tmp_path / "a.sqlite3", isolation_level=None)
    store._db.execute("CREATE TABLE child (id INTEGER REFERENCES bots (id) DEFERRABLE INITIALLY DEFERRED)")
    store._db.execute("PRAGMA foreign_keys = ON")
    store.run("INSERT INTO child VALUES (404)")
    with pytest.raises(sqlite3.IntegrityError):
        await store.flush()
    assert other.execute("SELECT count(*) FROM child").fetchone() == (0,)
    other.close()
    store.close()


def test_store_opens_a_file_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    older = sqlite3.connect(path)
    older.execute("CREATE TABLE faults (id INTEGER PRIMARY KEY, times INTEGER NOT NULL, is_dropped INTEGER NOT NULL)")
    older.close()
    for _ in range(2):
        store = Store(path)
        assert "acts" in {row["name"] for row in store.list("SELECT name FROM pragma_table_info('faults')")}
        store.close()
