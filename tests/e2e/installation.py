"""A whole installation: Postgres, Redis, the sandbox and a server, each a real process that a test may kill."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from grimbots.conf.settings import load
from grimbots.handlers.commands.embedded.children import Child, find_holders, spawn, stop, wait, wait_ready
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.handlers.commands.sandbox import make_bot
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.server import build_app
from grimbots.services import accounts, bots, gateway_accounts
from grimbots.services.funnels import versions
from grimbots.sql.migrate import migrate
from grimbots.tests import rows
from grimbots.tests.ports import pick_port

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
START_SECONDS = 60.0
ACCOUNT = "kill"


class Installation:
    """Processes by name: `postgres`, `redis`, `sandbox`, `server`. `kill` is SIGKILL; whoever kills starts again.

    `serve` is the server's command line, `more` what is set besides. `secrets` has, by name, what must never be seen of
    what was made here.
    """

    def __init__(self, folder: Path, serve: Sequence[str] = ("serve",), more: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.secrets: dict[str, str] = {}
        self._more = more or {}
        self.children: dict[str, Child] = {}
        self.environ: dict[str, str] = {}
        self._starts: dict[str, Callable[[], Any]] = {
            "postgres": self._start_postgres,
            "redis": self._start_redis,
            "sandbox": partial(self._start_own, "sandbox"),
            "server": partial(self._start_own, *serve),
        }

    async def open(self) -> None:
        """Start everything and migrate."""
        self.sandbox_port, self.port = pick_port(), pick_port()  # ours, also while what listens there is dead
        sandbox_url = f"http://{HOST}:{self.sandbox_port}"
        self.environ |= {
            "PATH": os.environ["PATH"],
            "HOST": HOST,
            "PORT": str(self.port),
            "GRIMBOTS_DATA": str(self.folder),
            "GRIMBOTS_SANDBOX": "1",
            "GRIMBOTS_SANDBOX_URL": sandbox_url,
            "TELEGRAM_URL": sandbox_url,
            **self._more,
        }
        self.session = aiohttp.ClientSession(sandbox_url)
        for name in ("postgres", "redis"):
            await self.start(name)
        await migrate(self.environ["DATABASE_URL"])
        for name in ("sandbox", "server"):
            await self.start(name)

    async def close(self) -> None:
        """Stop everything, the last one first."""
        await self.session.close()
        for name in ("server", "sandbox", "redis", "postgres"):
            if name in self.children:
                await stop(self.children[name], 40)

    async def start(self, name: str) -> None:
        """Start one process and wait until it answers."""
        self.children[name] = await self._starts[name]()

    async def kill(self, name: str) -> None:
        """End one process as a power cut would."""
        self.children[name].process.send_signal(signal.SIGKILL)
        await wait(self.children[name])

    async def pause(self, name: str) -> None:
        """Let one process hang: it is there, and answers nobody until `resume`."""
        self._signal(name, signal.SIGSTOP)

    async def resume(self, name: str) -> None:
        """Let it go on."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        """Reach what it started too: each backend of Postgres is a session of its own, found by its folder."""
        os.killpg(self.children[name].process.pid, number)
        for pid in find_holders(self.folder / name, name):
            with suppress(ProcessLookupError):  # a backend whose client has gone
                os.kill(pid, number)

    async def _start_postgres(self) -> Child:
        self.environ["DATABASE_URL"], child = await start_postgres(
            self.folder / "postgres", self.folder / "postgres.log"
        )
        return child

    async def _start_redis(self) -> Child:
        self.environ["REDIS_URL"], child = await start_redis(self.folder / "redis", self.folder / "redis.log")
        return child

    async def _start_own(self, command: str, *options: str) -> Child:
        log = self.folder / f"{command}.log"
        line = [sys.executable, ROOT / "server.py", command, *options]
        child = spawn(command, line, stop_signal=signal.SIGTERM, environ=self.environ, log=log)
        port = self.port if command == "serve" else self.sandbox_port
        await wait_ready(child, partial(is_listening, HOST, port), START_SECONDS, log)
        return child

    async def seed(
        self, definition: Mapping[str, Any], username: str, files: Mapping[str, bytes] | None = None
    ) -> None:
        """Make an account with the sandbox's gateway (once), a funnel, and a bot of this name in service with it."""
        settings = load(self.environ)
        async with build_app(settings, with_queue=False) as app:
            if await app.db.accounts.find(name=ACCOUNT) is None:
                account = await accounts.add_account(app, ACCOUNT, actor="test")
                credentials = {"api_key": secrets.token_urlsafe(16), "webhook_secret": secrets.token_urlsafe(32)}
                await gateway_accounts.add_gateway_account(app, account.id, "sandbox", credentials, actor="test")
                self.secrets |= credentials
            account = await accounts.get_account(app, ACCOUNT)
            await versions.publish(app, account.id, {**definition, "name": username}, files or {}, actor="test")
            token = await make_bot(app.http, settings, username, username)
            await bots.add(app, account=ACCOUNT, token=token, funnel=username, actor="test")
            self.secrets[f"token of @{username}"] = token

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's JSON face (which lives while the server is dead) and give its answer."""
        async with self.session.request(method, f"/sandbox/api/{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status == 200, f"{method} {path}: {answer.status} {text}"
            return json.loads(text)

    async def read_calls(self) -> list[dict[str, Any]]:
        """Give every Bot API call the sandbox ever received."""
        calls: list[dict[str, Any]] = []
        while page := await self.api("GET", f"calls?after={calls[-1]['seq'] if calls else 0}"):
            calls += page
        return calls

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Read or change rows straight in Postgres."""
        return rows.query(self.environ["DATABASE_URL"], statement)

    def query_by_name(self, statement: str) -> list[dict[str, Any]]:
        """Read rows straight from Postgres, each by the names of its columns."""
        return rows.query_by_name(self.environ["DATABASE_URL"], statement)

    def read_errors(self) -> list[dict[str, Any]]:
        """Give the ERROR lines of every server there was."""
        lines = (self.folder / "serve.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and '"level": "ERROR"' in line]


@asynccontextmanager
async def open_installation(folder: Path, **more: str) -> AsyncIterator[Installation]:
    """Give a running installation with its data in `folder`, and stop it at the end. `more`: settings of its own."""
    installation = Installation(folder, more=more)
    try:
        await installation.open()
        yield installation
    finally:
        await installation.close()


async def until(check: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until `check()` gives something true, and give that."""
    last: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not (last := await check()):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds} s") from None
    return last
