"""Chats whose messages and taps arrive swapped: `python -m grimbots.tests.bench.bench_order --help`.

Each person presses /start, then in each round presses it again, or writes, and taps a button, one right after the
other, at a steady rate through nginx to two processes, carried as Telegram does (couriers.py). Rounds are drawn: as
they were done; the tap first by up to 30 ms; by 50 to 200 ms; or the tap is the older and comes up to 30 ms after a
text, or after a /start, which is never held back. At first an operator drains one of the bots for a second, so that its
updates are sent again. Which acted first is read from how the leads were moved. A swap is within the hold-back when the
older one's 200 came less than that after the newer one had left, beyond it when the older one left later than that
after the newer one's 200, else unclear. `counted` is what the server counted itself.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from random import Random
from typing import Any

from grimbots.services.intake import HOLD_BACK_MS
from grimbots.tests.bench import people, shops
from grimbots.tests.bench.couriers import Carried, Courier
from grimbots.tests.bench.loads import post
from grimbots.tests.bench.reports import read_arguments
from grimbots.tests.bench.rigs import HOST, wait_until
from grimbots.tests.bench.sites import SERVER, Site, open_site

OFFER, *REST = shops.FUNNEL["steps"]
FUNNEL: dict[str, Any] = {
    **shops.FUNNEL,
    "steps": [
        {**OFFER, "decline": {"text": "Agora não", "next": "bye"}},
        *REST,
        {"id": "bye", "kind": "message", "text": "Tudo bem. Até mais!"},
    ],
}
BEHIND_START = "older tap behind a /start"
# By how much the second comes after the first, in ms; whether the tap is the first, and whether it is the newer one.
ROUNDS = {
    "in order": ((0, 150), False, True),
    "tap first, soon": ((0, 30), True, True),
    "tap first, late": ((50, 200), True, True),
    "older tap late": ((0, 30), False, False),
    BEHIND_START: ((0, 30), False, False),
}
REFUSED_BOT, REFUSED_SECONDS = "bench_0_bot", 1.0
FIND_BUTTONS = """
    SELECT chat_id, min(body #>> '{reply_markup,inline_keyboard,1,0,callback_data}')
    FROM messages
    WHERE step = 'offer' AND chat_id = ANY (%s)
    GROUP BY chat_id
"""
FIND_ACTS = """
    SELECT leads.bot_id, split_part(moves.cause, ':', 3)::bigint, min(moves.id)
    FROM moves
    JOIN leads ON leads.id = moves.lead_id
    WHERE leads.chat_id = ANY (%s)
    GROUP BY 1, 2
"""
SWAPPED = re.compile(r"^grimbots_telegram_updates_swapped_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """Two updates of one chat, the older one first: their numbers, their bot's path, and how they were carried."""

    kind: str
    path: str
    numbers: tuple[int, int]
    older: Carried
    newer: Carried

    @property
    def span(self) -> str:
        """Tell how far apart they arrived: in order, or swapped within the hold-back, beyond it, or unclear."""
        hold_seconds = HOLD_BACK_MS / 1000
        if self.older.answered_at < self.newer.left_at:
            return "in order"
        if self.older.answered_at - self.newer.left_at < hold_seconds:
            return "within"
        return "beyond" if self.older.left_at - self.newer.answered_at > hold_seconds else "unclear"


@dataclass(frozen=True)
class Verdict:
    """Pairs and inversions acted on, by "kind, span"; what the server counted; updates sent again."""

    pairs: dict[str, int]
    inversions: dict[str, int]
    counted: int
    refusals: int

    @property
    def is_good(self) -> bool:
        """Tell whether what came in order, or within the hold-back, acted in order, and the rest was counted."""
        return not any(map(_is_promised, self.inversions)) and self.counted == sum(self.inversions.values())


def _is_promised(name: str) -> bool:
    """Tell whether pairs that arrived so act in order. A /start is not held back: it waits for no older tap."""
    kind, _, span = name.rpartition(", ")
    return span == "in order" or (span == "within" and kind != BEHIND_START)


async def measure(site: Site, chats: int, rate: float, rounds: int) -> Verdict:
    """Let so many chats go through so many rounds, `rate` pairs a second."""
    client = site.connect()
    courier, random, people_there = Courier(client), Random(1), list(islice(site.shop.chats, chats))
    counted_before = read_counted(site)
    await post(client, [site.shop.start(chat_id) for chat_id in people_there], rate)
    buttons = await _wait_buttons(site, people_there)
    await _operate(site, "drain")
    resuming = asyncio.create_task(_resume(site, courier))
    began_at, under_way = time.monotonic(), []
    for place, chat_id in enumerate(people_there * rounds):
        due_at = began_at + place / rate
        await asyncio.sleep(due_at - time.monotonic())
        under_way.append(asyncio.create_task(_go_round(site, courier, random, chat_id, buttons[chat_id], due_at)))
    pairs = await asyncio.gather(*under_way)
    await resuming
    acts = await _wait_acts(site, people_there, chats + 2 * len(pairs))
    client.close()
    return judge(pairs, acts, read_counted(site) - counted_before)


async def _go_round(site: Site, courier: Courier, random: Random, chat_id: int, button: str, due_at: float) -> Pair:
    kind = random.choice(list(ROUNDS))
    (least, most), is_tap_first, is_tap_newer = ROUNDS[kind]
    webhook, gap_seconds = site.shop.find(chat_id), random.uniform(least, most) / 1000
    tap_due, message_due = (due_at, due_at + gap_seconds) if is_tap_first else (due_at + gap_seconds, due_at)
    older, newer = next(webhook.numbers), next(webhook.numbers)
    tap_number, message_number = (newer, older) if is_tap_newer else (older, newer)
    tap = webhook.write(tap_number, people.tap(chat_id, button))
    said = people.text(chat_id, "quanto custa?") if kind == "older tap late" else people.start(chat_id)
    message = webhook.write(message_number, said)
    tap_carried, message_carried = await asyncio.gather(
        courier.carry(webhook.path, ("taps", chat_id), tap, tap_due),
        courier.carry(webhook.path, ("messages", chat_id), message, message_due),
    )
    carried = (message_carried, tap_carried) if is_tap_newer else (tap_carried, message_carried)
    return Pair(kind, webhook.path, (older, newer), *carried)


async def _resume(site: Site, courier: Courier) -> None:
    await courier.refused.wait()
    await asyncio.sleep(REFUSED_SECONDS)
    await _operate(site, "resume")


async def _operate(site: Site, verb: str) -> None:
    command = [sys.executable, str(SERVER), "queue", verb, "--account", shops.ACCOUNT, "--bot", REFUSED_BOT]
    process = await asyncio.create_subprocess_exec(*command, env=site.environ, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0


async def _wait_buttons(site: Site, chats: list[int]) -> dict[int, str]:
    async def find() -> dict[int, str]:
        buttons = dict(site.query(FIND_BUTTONS, chats))
        return buttons if len(buttons) == len(chats) else {}

    return await wait_until(find)


async def _wait_acts(site: Site, chats: list[int], count: int) -> dict[tuple[str, int], int]:
    """Wait until every update has acted; give the place of each act by its bot's path and its number."""
    paths = {bot_id: f"/webhook/telegram/{key}" for bot_id, key in site.query("SELECT id, key FROM bots")}

    async def find() -> dict[tuple[str, int], int]:
        acts = {(paths[bot_id], number): place for bot_id, number, place in site.query(FIND_ACTS, chats)}
        return acts if len(acts) == count else {}

    return await wait_until(find)


def judge(pairs: Sequence[Pair], acts: dict[tuple[str, int], int], counted: int) -> Verdict:
    """Count the pairs, and those of which the newer one acted first."""
    seen, inversions = Counter[str](), Counter[str]()
    for pair in pairs:
        name = f"{pair.kind}, {pair.span}"
        seen[name] += 1
        older, newer = (acts[pair.path, number] for number in pair.numbers)
        if newer < older:
            inversions[name] += 1
    refusals = sum(pair.older.refusals + pair.newer.refusals for pair in pairs)
    return Verdict(dict(sorted(seen.items())), dict(sorted(inversions.items())), counted, refusals)


def read_counted(site: Site) -> int:
    """Add up what the processes counted as acted on after a later one."""
    pages = (urllib.request.urlopen(f"http://{HOST}:{port}/metrics").read() for port in site.list_status_ports())
    return sum(int(float(SWAPPED.findall(page.decode())[0])) for page in pages)


def tell(verdict: Verdict) -> None:
    """Print a line per kind and span."""
    print(f"{'pairs, how they arrived':<32}{'pairs':>8}{'inverted':>10}")
    for name, count in verdict.pairs.items():
        print(f"{name:<32}{count:>8}{verdict.inversions.get(name, 0):>10}")
    print(f"counted by the server: {verdict.counted}; sent again: {verdict.refusals}; ", end="")
    print("good" if verdict.is_good else "NOT good")


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", chats=10_000, rate=100.0, rounds=3)
    async with open_site(arguments.chats, FUNNEL) as site:
        verdict = await measure(site, arguments.chats, arguments.rate, arguments.rounds)
    tell(verdict)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(asdict(verdict), indent=1), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
