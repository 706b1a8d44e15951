"""`grimbots dev`, the command behind `make run`: everything on this machine, with one command and one Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grimbots.conf.settings import Settings, load
from grimbots.handlers.commands.embedded.children import Child, spawn, wait_ready
from grimbots.handlers.commands.embedded.folders import lock_folder
from grimbots.handlers.commands.embedded.servers import (
    child_environ,
    list_missing,
    remove_overrides,
    start_store,
    write_overrides,
)
from grimbots.handlers.commands.ports import check_free, find_free
from grimbots.handlers.commands.seeds import BOT, EMAIL, SLUG, seed
from grimbots.handlers.commands.supervisors import Supervisor, is_listening
from grimbots.services import logins
from grimbots.sql.migrate import migrate

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

SERVER_FILE = Path(__file__).parents[2] / "server.py"
SANDBOX_PORT = 8081
START_SECONDS = 60.0


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("dev", help="try GrimBots here: private stores, sandbox, demo shop, server (make run)")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Plan:
    """What this run starts, and the settings it adds for its processes and for commands in another shell."""

    settings: Settings
    missing: list[str]
    overrides: dict[str, str] = field(default_factory=dict)
    link: str = ""  # the secret of the link that logs in to the demo shop

    @property
    def has_demo(self) -> bool:
        """Tell whether the sandbox and the demo shop come too: only where no store of the user's own is named."""
        return len(self.missing) == 2

    @property
    def data(self) -> Path:
        """Give the data folder."""
        return Path(self.settings.data_dir).resolve()

    def override(self, **overrides: str) -> None:
        """Add settings."""
        self.overrides |= overrides
        self.settings = load(child_environ(self.overrides))


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Start everything, say what to open, keep it alive until Ctrl-C or SIGTERM, stop everything."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    plan = Plan(settings, list_missing(settings))
    async with AsyncExitStack() as stack:
        stack.enter_context(await lock_folder(plan.data))
        remove_overrides(plan.data)  # a killed run could not
        check_free(settings.host, settings.port)
        supervisor = Supervisor(_say)
        stack.push_async_callback(supervisor.close)
        starting = asyncio.create_task(_start(server, plan, supervisor))
        if await _first(starting, stopped):
            stack.callback(remove_overrides, plan.data)
            _print_screen(plan)
            await stopped.wait()
        _say("stopping")
    _say("everything is stopped; the data stays in " + str(plan.data))
    return 0


async def _first(work: asyncio.Task[None], stopped: asyncio.Event) -> bool:
    """Wait for `work` or for the signal to stop, which cancels it; tell whether the work was done."""
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if work.done():
        work.result()
        return True
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return False


async def _start(server: Server, plan: Plan, supervisor: Supervisor) -> None:
    """Start what is needed, side by side where nothing waits for the other: a Python takes half a second to start."""
    await asyncio.gather(*(supervisor.add(partial(_start_store, plan, setting)) for setting in plan.missing))
    await migrate(plan.settings.database_url)
    starting = []
    if plan.has_demo:
        url = f"http://127.0.0.1:{find_free('127.0.0.1', SANDBOX_PORT)}"
        plan.override(GRIMBOTS_SANDBOX="1", GRIMBOTS_SANDBOX_URL=url, TELEGRAM_URL=url)
        starting.append(_start_demo(server, plan, supervisor))
    write_overrides(plan.data, {**plan.overrides, "HOST": plan.settings.host, "PORT": str(plan.settings.port)})
    address = (plan.settings.host, plan.settings.port)
    starting.append(supervisor.add(partial(_start_own, plan, "The server", "serve", address)))
    await asyncio.gather(*starting)


async def _start_demo(server: Server, plan: Plan, supervisor: Supervisor) -> None:
    address = ("127.0.0.1", urlsplit(plan.settings.sandbox_url).port or SANDBOX_PORT)
    await supervisor.add(partial(_start_own, plan, "The sandbox", "sandbox", address))
    async with server.build_app(plan.settings, with_queue=False) as app:
        await seed(app, _say)
        plan.link = await logins.make_link(app, EMAIL)


async def _start_store(plan: Plan, setting: str) -> Child:
    store = await start_store(setting, plan.data)
    plan.override(**{store.setting: store.url})
    return store.child


async def _start_own(plan: Plan, name: str, command: str, address: tuple[str, int]) -> Child:
    """Start one of our own processes. It may die at any instant, so it dies at once with its parent."""
    child = spawn(
        name,
        [sys.executable, SERVER_FILE, command],
        stop_signal=signal.SIGTERM,
        death_signal=signal.SIGKILL,
        environ=child_environ(plan.overrides),
    )
    await wait_ready(child, partial(is_listening, *address), START_SECONDS, log=None)
    return child


def _say(line: str) -> None:
    print(f"grimbots: {line}", file=sys.stderr, flush=True)


def _print_screen(plan: Plan) -> None:
    here = f"http://{plan.settings.host}:{plan.settings.port}"
    grimbots = Path(sys.argv[0])
    shown = grimbots.relative_to(Path.cwd()) if grimbots.is_relative_to(Path.cwd()) else grimbots
    opened = [
        *(_list_demo(plan, here, f"{shown} user link {EMAIL}") if plan.has_demo else []),
        ("its health", f"{here}/health"),
        ("add a bot", f"{shown} bot add --account <name>   (README: a second bot in five minutes)"),
        ("everything else", f"{shown} --help"),
    ]
    lines = [f"  {what:<20}{where}" for what, where in opened]
    print(
        "\nGrimBots is running.",
        *lines,
        f"Data: {plan.data}. Ctrl-C stops all of it; the data stays.\n",
        sep="\n",
        flush=True,
    )


def _list_demo(plan: Plan, here: str, another: str) -> list[tuple[str, str]]:
    """List what the demo shop has to open; its sales by a link that works once."""
    return [
        ("talk to @" + BOT, f"{here}/sandbox"),
        ("come by an ad", f"{here}/go/{SLUG}"),
        ("see its sales", f"{here}/login/link/{plan.link}"),
        ("", f"(once, within ten minutes; another: {another})"),
    ]
