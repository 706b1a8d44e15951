"""Witnesses: they write down what can be seen of an installation: pages, errors, replies, metrics, commands.

Everything goes into the folder `seen`, beside which lie the logs; tests/storms/searches.py reads both.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.tests.e2e.installation import ACCOUNT, HOST, ROOT, Installation
from grimbots.tests.services.people import PASSWORD, add_person, log_in
from grimbots.tests.storms.people import Identity

LOOK_EVERY_SECONDS, ANSWER_SECONDS = 5.0, 10.0
MOST_SALES = 40  # whose pages are opened at the end
OVERSIZE = 200_000
SALES = f"/sales/{ACCOUNT}"
PAGES = (
    "/",
    "/live",
    "/ready",
    "/health",
    "/metrics",
    "/me",
    SALES,
    f"{SALES}/messages",
    f"{SALES}/events",
    f"{SALES}/chats",
    f"{SALES}/bots",
    f"{SALES}/reports",
    f"{SALES}/reports.csv",
    "/admin/queues",
    "/admin/queues/dead",
    "/admin/queues/due",
    "/admin/audit",
)
COMMANDS = (
    ("queue", "dead", "--json"),
    ("queue", "stats", "--json"),
    ("event", "list", "--account", ACCOUNT, "--json"),
    ("conversion", "list", "--account", ACCOUNT, "--json"),
    ("conversion", "destinations", "--account", ACCOUNT, "--json"),
    ("gateway", "list", "--account", ACCOUNT),
    ("bot", "list"),
    ("ledger", "statement", ACCOUNT),
    ("doctor",),
)


@dataclass
class Witness:
    """Somebody who looks at everything, logged in as owner and administrator. `statuses` counts what was answered."""

    installation: Installation
    statuses: dict[int, int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)

    async def open(self) -> None:
        """Log in, and learn what must not be seen of the installation."""
        self.folder = self.installation.folder / "seen"
        self.folder.mkdir()
        secrets = self.installation.secrets
        async with build_app(load(self.installation.environ), with_queue=False) as app:
            email = await add_person(app, "witness", ACCOUNT, administrator=True)
            secrets |= {"session": await log_in(app, email), "password": PASSWORD}
            self.hooks = {
                f"/webhook/telegram/{key}": app.vault.webhook_secret(key, generation)
                for key, generation in self.installation.query("SELECT key, secret_generation FROM bots")
            }
        gateways = self.installation.query("SELECT gateway, key FROM gateway_accounts")
        self.hooks |= {f"/webhook/payment/{gateway}/{key}": "" for gateway, key in gateways}
        for place, (path, secret) in enumerate(self.hooks.items()):
            secrets[f"webhook key {place}"] = path.rpartition("/")[2]
            secrets |= {f"webhook secret {place}": secret} if secret else {}
        self.session = aiohttp.ClientSession(
            headers={"Cookie": f"grimbots={secrets['session']}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )

    async def close(self) -> None:
        """Leave."""
        await self.session.close()

    async def watch(self, people: list[Identity]) -> None:
        """Look again and again, and ask for what goes wrong, until cancelled."""
        while True:
            await asyncio.gather(*(self.look(path) for path in PAGES))
            if people:
                await self.provoke(people[-1])
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def look(self, path: str, method: str = "GET", **request: Any) -> None:
        """Ask for a page and write down what came: status, headers, text. Nobody answers: neither is there a page."""
        url = f"http://{HOST}:{self.installation.port}{path}"
        try:
            async with self.session.request(method, url, allow_redirects=False, **request) as answer:
                self._keep(f"{method} {answer.status}", f"{dict(answer.headers)}\n{await answer.text()}")
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        except (aiohttp.ClientError, TimeoutError):
            self.statuses[0] = self.statuses.get(0, 0) + 1

    async def provoke(self, person: Identity) -> None:
        """Get every kind of error page, each asked for with what must not be in it; and dead letters."""
        told = {"cpf": person.cpf, "email": person.email, "phone": person.phone}
        for path, secret in self.hooks.items():
            right = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
            await self.look(path, "POST", headers=right, data=json.dumps({"message": told})[:-1])
            await self.look(path, "POST", headers=right, data=json.dumps([told]))
            await self.look(path, "POST", headers={"X-Telegram-Bot-Api-Secret-Token": "x"}, json=told)
            await self.look(path, "POST", headers=right, data=json.dumps(told) + " " * OVERSIZE)
            await self.look(path, "DELETE")
        await self.look(f"/nowhere/{person.cpf}", params=told)
        await self.look("/go/nowhere", params=told)
        await self.look(f"{SALES}/payments/999999999", params=told)
        await self.look(f"/sales/another/{person.phone}", "POST", data=told)

    async def look_closely(self) -> None:
        """Open what needs to know what is there: sales, jobs, both processes' metrics; and run the commands."""
        sales = self.installation.query(f"SELECT id FROM payments ORDER BY state, id DESC LIMIT {MOST_SALES}")
        for path in (*PAGES, *(f"{SALES}/payments/{payment}" for (payment,) in sales)):
            await self.look(path)
        await asyncio.gather(*(self.run(*arguments) for arguments in COMMANDS))

    async def run(self, *arguments: str) -> int:
        """Run a command, write down what it says, and give its exit code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "server.py"),
            *arguments,
            env=self.installation.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        self._keep(f"command {'-'.join(arguments[:2])} {process.returncode}", said.decode())
        return process.returncode or 0

    def list_files(self) -> list[Path]:
        """Give every log and all that was written down."""
        return sorted([*self.installation.folder.glob("*.log"), *self.folder.iterdir()])

    def _keep(self, name: str, text: str) -> None:
        (self.folder / f"{next(self._numbers):05} {name}.txt").write_text(text, encoding="utf-8")
