"""`make load`: Locust against nginx and two processes on this machine, with the sandbox; 100 users, then 1,000."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from itertools import islice
from pathlib import Path

from grimbots.tests.bench.shops import FUNNEL
from grimbots.tests.bench.sites import SLUG, Site, open_site

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
CHATS = 20_000
FIRST_NUMBER, MOST_UPDATES = 800_000_000, 1000  # of the updates, past those of the benches; of one user
USERS_A_SECOND = 10  # that come, as the old plan had it


def write_targets(site: Site, users: int, path: Path) -> None:
    """Write where everything is, with chats and update numbers that nobody else has."""
    first_chat, *_ = islice(site.shop.chats, users)
    bots = [
        {"path": webhook.path, "secret": webhook.secret, "username": f"bench_{place}_bot"}
        for place, webhook in enumerate(site.shop.webhooks)
    ]
    targets = {
        "bots": bots,
        "first_chat": first_chat,
        "first_number": FIRST_NUMBER + MOST_UPDATES * (first_chat - site.shop.first_chat),
        "payment_path": site.shop.payment_path,
        "payment_secret": site.shop.payment_secret,
        "price_cents": FUNNEL["steps"][0]["price_cents"],
        "slug": SLUG,
        "sandbox_url": site.environ["GRIMBOTS_SANDBOX_URL"],
    }
    path.write_text(json.dumps(targets), encoding="utf-8")


async def run_locust(site: Site, users: int, seconds: float, *options: str) -> int:
    """Let so many users come and stay so long; give Locust's exit code: 1 where anything failed."""
    targets = site.folder / "targets.json"
    write_targets(site, users, targets)
    length = users / USERS_A_SECOND + seconds
    command = [sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "--only-summary"]
    command += ["--host", f"https://127.0.0.1:{site.front.port}", "-u", users, "-r", USERS_A_SECOND]
    command += ["-t", f"{length:.0f}s", *options]
    environ = os.environ | {"LOAD_TARGETS": str(targets)}
    process = await asyncio.create_subprocess_exec(*map(str, command), env=environ)
    return await process.wait()


async def _main() -> int:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--users", default="100,1000", help="how many at once, run after run")
    parser.add_argument("--seconds", default=60.0, type=float, help="after the last one came")
    arguments = parser.parse_args()
    codes = list[int]()
    async with open_site(CHATS) as site:
        for users in map(int, arguments.users.split(",")):
            print(f"\n{users} users", flush=True)
            codes.append(await run_locust(site, users, arguments.seconds))
    return max(codes)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
