"""A whole site on this machine: nginx and two processes under supervisord as shipped, stores, and the sandbox.

Nothing is pinned: whoever needs a core takes it, the load too. Callers speak TLS with nginx, as Telegram does.
"""

from __future__ import annotations

import signal
import sqlite3
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from grimbots.conf.settings import load
from grimbots.handlers.commands.embedded.children import Child, spawn, stop, wait_ready
from grimbots.handlers.commands.sandbox import make_bot
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.server import build_app
from grimbots.services import pools
from grimbots.services.app import App
from grimbots.tests import rows
from grimbots.tests.bench.loads import Client
from grimbots.tests.bench.rigs import HERE, HOST, START_SECONDS, STOP_SECONDS, list_pids, start_stores
from grimbots.tests.bench.shares import list_children
from grimbots.tests.bench.shops import ACCOUNT, FUNNEL, Shop, open_shop
from grimbots.tests.deploy.fronts import Front, accepts, make_certificate, run_nginx, wait_until
from grimbots.tests.deploy.supervisords import run_supervisord
from grimbots.tests.ports import pick_port

SERVER = HERE.parents[1] / "server.py"
SLUG, PROCESSES = "bench", 2
MASTERS = {"nginx": "nginx", "servers": "supervisord"}  # whose pid stands in which file
OPEN_CHATS = """
    WITH RECURSIVE people (id) AS (SELECT :first UNION ALL SELECT id + 1 FROM people WHERE id < :last)
    INSERT INTO chats (bot_id, id, first_name, last_name, username, language_code)
    SELECT bots.id, people.id, 'Ana Paula', 'Souza', 'ana' || people.id, 'pt-br'
    FROM people
    JOIN bots ON bots.username = 'bench_' || (people.id % :bots) || '_bot'
"""


@dataclass
class Site:
    """What runs. `pids` are the processes to be measured, with what they started."""

    folder: Path
    environ: dict[str, str]
    front: Front
    shop: Shop
    pids: dict[str, int]

    def connect(self) -> Client:
        """Give a client that goes through nginx."""
        return Client(HOST, self.front.port, ssl.create_default_context(cafile=self.front.certificate))

    def query(self, statement: str, *arguments: Any) -> list[Any]:
        """Ask Postgres."""
        return rows.query(self.environ["DATABASE_URL"], statement, *arguments)

    def list_servers(self) -> list[int]:
        """List the processes that serve."""
        return list_children(self.pids["servers"])

    def list_status_ports(self) -> range:
        """List the ports where each process shows how it is."""
        first = int(self.environ["STATUS_PORT"])
        return range(first, first + PROCESSES)


@asynccontextmanager
async def open_site(chats: int, funnel: Mapping[str, Any] = FUNNEL) -> AsyncIterator[Site]:
    """Start everything, with a shop of bots in service, a link to one of them, and so many people who may write."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        Path(name).chmod(0o755)  # Postgres runs as somebody else when we are root
        children = list[Child]()
        try:
            site = await _open(Path(name), funnel, children, servers)
            _open_chats(site, chats)
            yield site
        finally:
            servers.close()
            for child in reversed(children):
                await stop(child, STOP_SECONDS)


async def _open(folder: Path, funnel: Mapping[str, Any], children: list[Child], servers: ExitStack) -> Site:
    port, sandbox_port = pick_port(), pick_port()
    environ = await start_stores(folder, children)
    sandbox_url = f"http://{HOST}:{sandbox_port}"
    environ |= {"PORT": str(port), "GRIMBOTS_SANDBOX_URL": sandbox_url, "TELEGRAM_URL": sandbox_url}
    environ |= {"TRUSTED_PROXIES": HOST, "STATUS_PORT": str(pick_port(PROCESSES))}
    children.append(await _start_sandbox(sandbox_port, environ, folder))
    shop = await open_shop(environ, funnel, _make_token)
    await _open_link(environ)
    servers.enter_context(run_supervisord(folder, port, environ, f"{sys.executable} {SERVER}"))
    front = servers.enter_context(run_nginx(folder, make_certificate(folder), port))
    masters = {name: int((folder / f"{file}.pid").read_text()) for name, file in MASTERS.items()}
    site = Site(folder, environ, front, shop, masters | list_pids(children))
    wait_until(lambda: all(map(accepts, site.list_status_ports())), "the start of both processes", START_SECONDS)
    return site


async def _start_sandbox(port: int, environ: Mapping[str, str], folder: Path) -> Child:
    log = folder / "sandbox.log"
    command = [sys.executable, str(SERVER), "sandbox"]
    child = spawn("sandbox", command, stop_signal=signal.SIGTERM, environ=environ, log=log)
    await wait_ready(child, partial(is_listening, HOST, port), START_SECONDS, log)
    return child


async def _make_token(app: App, place: int) -> str:
    return await make_bot(app.http, app.settings, f"bench_{place}_bot", f"Bench {place}")


async def _open_link(environ: Mapping[str, str]) -> None:
    async with build_app(load(environ), with_queue=False) as app:
        await pools.save(app, account=ACCOUNT, slug=SLUG, usernames=["bench_0_bot"], actor="bench")


def _open_chats(site: Site, count: int) -> None:
    """Let the sandbox know the people: no bot may write to who never wrote to it, and their /starts do not go there."""
    first = site.shop.first_chat
    with sqlite3.connect(site.folder / "sandbox.sqlite3") as sandbox:
        sandbox.execute(OPEN_CHATS, {"first": first, "last": first + count - 1, "bots": len(site.shop.webhooks)})
    sandbox.close()
