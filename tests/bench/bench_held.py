"""Kept-alive connections through nginx, and a trickle beside them: `python -m grimbots.tests.bench.bench_held --help`.

So many callers open a TLS connection each, ask once and keep it; meanwhile the mixed load (bench_mixed.py) goes on at
a low rate. Memory is each process's own part (Pss), with nobody there, with all of them, and after the trickle; the
kernel's for their sockets is the machine's slab. nginx keeps the callers, so the processes behind it see few of them.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
from dataclasses import asdict, dataclass
from pathlib import Path

from grimbots.tests.bench.bench_mixed import Run, measure, tell, warm_up
from grimbots.tests.bench.loads import Client, write_look
from grimbots.tests.bench.mixes import Crowd
from grimbots.tests.bench.reports import Figures, read_arguments
from grimbots.tests.bench.shares import list_children, read_pss_mib
from grimbots.tests.bench.sites import Site, open_site

OPEN_AT_ONCE = 50  # handshakes: callers come one by one, not all in the same instant
SETTLE_SECONDS = 1.0
CHATS = 20_000
MOST_MIB = 1024.0
ASK = write_look("/live")


@dataclass(frozen=True)
class Held:
    """Memory in MiB by process, before the callers came, with them, and after the trickle; how many stayed."""

    asked: int
    kept: int
    idle: Figures
    held: Figures
    after: Figures
    trickle: Run

    @property
    def is_good(self) -> bool:
        """Tell whether all of them stayed, in less than a GiB, and the trickle was served within its percentiles."""
        return (
            self.kept == self.asked and max(add_up(self.held), add_up(self.after)) < MOST_MIB and self.trickle.is_good
        )


async def hold(site: Site, connections: int, rate: float, seconds: float) -> Held:
    """Measure idle, with the callers, and with the trickle beside them."""
    crowd, visitors, client = Crowd(site), site.connect(), site.connect()
    async with crowd.look_on():
        await warm_up(site, client, crowd, rate)
        idle = read_memory(site)
        await _open(visitors, connections)
        await asyncio.sleep(SETTLE_SECONDS)
        held = read_memory(site)
        trickle = await measure(site, client, crowd, rate, seconds)
    figures = Held(connections, visitors.connections, idle, held, read_memory(site), trickle)
    visitors.close()
    client.close()
    return figures


async def _open(visitors: Client, connections: int) -> None:
    """Open connections, some at a time."""
    places = asyncio.Semaphore(OPEN_AT_ONCE)

    async def open_one() -> None:
        async with places:
            assert await visitors.hold(ASK) == 200

    await asyncio.gather(*(open_one() for _ in range(connections)))


def read_memory(site: Site) -> Figures:
    """Give what each process of nginx and of ours holds, and the kernel for all that is open."""
    nginx = [site.pids["nginx"], *list_children(site.pids["nginx"])]
    servers = {f"server {place}": read_pss_mib(pid) for place, pid in enumerate(site.list_servers())}
    return {"nginx": sum(map(read_pss_mib, nginx)), **servers, "kernel": read_slab_mib()}


def read_slab_mib() -> float:
    """Return what the kernel itself holds, sockets among it (proc(5), /proc/meminfo)."""
    found = re.search(r"^Slab: *(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def add_up(memory: Figures) -> float:
    """Add what the processes hold; the kernel's is the whole machine's."""
    return sum(mib for name, mib in memory.items() if name != "kernel")


def tell_held(held: Held) -> None:
    """Print what was measured."""
    tell(held.trickle)
    print(f"\n{held.kept} of {held.asked} connections kept: {'good' if held.is_good else 'NOT good'}; MiB")
    for title, memory in (("idle", held.idle), ("with them", held.held), ("after the trickle", held.after)):
        parts = ", ".join(f"{name} {mib:.0f}" for name, mib in memory.items())
        print(f"{title:>18}: {add_up(memory):.0f} without the kernel's ({parts})")


def allow_connections() -> None:
    """Take every open file that this process may have; nginx and the servers are started with the same."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", connections=10_000, rate=50.0, seconds=60.0)
    allow_connections()
    async with open_site(CHATS) as site:
        held = await hold(site, arguments.connections, arguments.rate, arguments.seconds)
    tell_held(held)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(asdict(held), indent=1), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
