"""The example, whose funnel has every kind of step, in a whole installation: walked by a crowd under random faults of
Telegram (429, 403, 400, 5xx, no answer at all), and by one person at a real browser on the sandbox's chat page.

Of the crowd every chat is in order, every effect there once, or its row says why not, and nobody is left where he
stands. Judged from what the sandbox took and from the rows: by verdicts.judge; by replaying each lead's moves, which
gives what was to be said in the funnel's order; by the ways themselves (guests.TOLD) for all who met no fault; and by
what the seller's own server heard. CI runs a slice; `make proof` runs it whole (GRIMBOTS_PROOF=1): 1,000 chats at once,
or GRIMBOTS_CHATS=<number>. GRIMBOTS_SEED=<number> draws the same people again.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import stories
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.kinds import find_kinds
from grimbots.tests.e2e import evidence, verdicts
from grimbots.tests.e2e.buyers import Manners, shows
from grimbots.tests.e2e.guest_verdicts import (
    check_patience,
    check_posts,
    compare_with_replays,
    compare_with_ways,
    replay_all,
)
from grimbots.tests.e2e.guests import Examples, Guest, invite, walk_all
from grimbots.tests.e2e.installation import Installation, open_installation
from grimbots.tests.e2e.pages import CHAT, Person, open_page, pay_and_come_back, pay_in_stars, walk_and_order
from grimbots.tests.e2e.watches import Watch
from grimbots.tests.fakes.sellers import SellerServer
from grimbots.tests.rows import open_query

WAYS = {"buys": 4, "thinks": 2, "silent": 2, "expires": 2, "stars": 2}
ALWAYS = 1_000_000
SELLERS_BURST = 50  # a seller's chat hears of every sale of his bot
# Of a thousand calls so many fail so. An answer that takes 25 s comes after our client has hung up.
FAULTS: list[tuple[int, dict[str, Any]]] = [
    (10, {"http": 429, "retry_after": 1}),
    (2, {"http": 403}),
    (2, {"http": 400, "description": "Bad Request: message is too long"}),
    (3, {"http": 400, "description": "Bad Request: can't parse entities: unexpected end"}),
    (3, {"http": 400, "description": "Bad Request: wrong file identifier/HTTP URL specified"}),
    (5, {"http": 500}),
    (5, {"http": 502, "execute": True}),
    (5, {"drop": True}),
    (5, {"drop": True, "execute": True}),
]
TIMEOUTS: list[tuple[int, dict[str, Any]]] = [(1, {"delay_seconds": 25}), (1, {"delay_seconds": 25, "execute": True})]


@dataclass(frozen=True)
class Plan:
    """How many chats, of how many bots; how people are; what fails; how long all may take, to the ends and to rest."""

    guests: int
    bots: int
    manners: Manners
    faults: list[tuple[int, dict[str, Any]]]
    walk_seconds: float
    rest_seconds: float


# Guests wait while anything is owed to them (watches.py), so their own patience is 0.
CHATS = int(os.environ.get("GRIMBOTS_CHATS", "1000"))
WHOLE = Plan(CHATS, 5, Manners((2, 30), 0, WAYS), FAULTS + TIMEOUTS, 600, 200)
SLICE = Plan(30, 2, Manners((0, 0.1), 0, {"thinks": 1, "silent": 2, "stars": 1}), FAULTS, 600, 240)
PLAN = WHOLE if os.environ.get("GRIMBOTS_PROOF") == "1" else SLICE


REPORT_EVERY_SECONDS = 10.0
WAITER = 6001
WAITS = f"status = 'pending' AND payload -> 'lead_id' = (SELECT to_jsonb(id) FROM leads WHERE chat_id = {WAITER})"
LEAD = f"lead_id = (SELECT id FROM leads WHERE chat_id = {CHAT})"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class House:
    """An installation with bots that sell by the example, and their seller's own server."""

    installation: Installation
    shops: Examples
    seller: SellerServer


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def house(servers_folder: Path, runner: asyncio.Runner) -> Iterator[House]:
    """Give one house for both tests."""
    folder = servers_folder / "example"
    folder.mkdir()
    seller = SellerServer(folder)
    runner.run(seller.start())
    opened = open_installation(folder, SSL_CERT_FILE=str(folder / "server.pem"))
    installation = runner.run(opened.__aenter__())
    shops = Examples(installation, PLAN.bots, seller.url)
    runner.run(shops.open())
    yield House(installation, shops, seller)
    runner.run(opened.__aexit__(None, None, None))
    runner.run(seller.stop())


def test_a_crowd_walks_in_order_and_is_told_everything_once(house: House, runner: asyncio.Runner) -> None:
    seed = int(os.environ.get("GRIMBOTS_SEED", secrets.randbelow(1_000_000)))
    print(f"\nseed {seed}")
    assert runner.run(_run(house, random.Random(seed))) == []


async def _run(house: House, dice: random.Random) -> list[str]:
    installation, shops = house.installation, house.shops
    guests = await _live(installation, shops, dice)
    found = await evidence.collect(installation, shops.names)
    verdict = verdicts.judge(found)
    posts = installation.query("SELECT id, status, tries FROM posts")
    verdict.faults += [
        *check_patience(found, guests),
        *compare_with_replays(found, await replay_all(installation)),
        *compare_with_ways(found, guests, verdict),
        *check_posts(posts, house.seller.heard, verdict),
    ]
    await _report(installation, guests, verdict)
    return verdict.faults


async def _live(installation: Installation, shops: Examples, dice: random.Random) -> list[Guest]:
    await installation.api("POST", "limits", {"chat_burst": SELLERS_BURST})
    for per_mille, what in PLAN.faults:
        await installation.api("POST", "faults", {"chance": per_mille / 1000, "times": ALWAYS, **what})
    began = time.monotonic()
    with open_query(installation.environ["DATABASE_URL"]) as query:
        watch = Watch(shops, query, installation.environ["REDIS_URL"])
        guests = invite(shops, watch, PLAN.guests, PLAN.manners, dice)
        async with watch.kept(), reported(installation, guests, began):
            await walk_all(guests, PLAN.walk_seconds)
    walked = time.monotonic()
    await installation.api("DELETE", "faults")
    await evidence.wait_for_rest(installation, PLAN.rest_seconds)
    print(f"{walked - began:.0f} s until the last was at his end, at rest {time.monotonic() - walked:.0f} s later")
    return guests


@asynccontextmanager
async def reported(installation: Installation, guests: Sequence[Guest], began: float) -> AsyncIterator[None]:
    """Say every ten seconds how far they are."""
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(_tell(installation, guests, began))
        yield
        telling.cancel()


async def _tell(installation: Installation, guests: Sequence[Guest], began: float) -> None:
    last = calls = struck = 0
    while True:
        await asyncio.sleep(REPORT_EVERY_SECONDS)
        for call in await installation.api("GET", f"calls?after={last}"):
            last, calls, struck = call["seq"], calls + 1, struck + (call["fault"] is not None)
        done, anew = sum(guest.is_done for guest in guests), sum(len(guest.lost) for guest in guests)
        seconds, looks = time.monotonic() - began, guests[0].watch.looks
        print(
            f"{seconds:5.0f} s: {done} chats done, {len(guests) - done} walking, {anew} walks anew,"
            f" {sum(guest.repeats for guest in guests)} acts again; {calls} calls, {struck} struck; {looks} looks",
            flush=True,
        )


async def _report(installation: Installation, guests: Sequence[Guest], verdict: verdicts.Verdict) -> None:
    ways, figures = Counter(guest.way for guest in guests), verdict.figures
    print(f"{len(guests)} chats at once: {_list_counts(ways)}")
    print(
        f"walks begun anew: {sum(len(guest.lost) for guest in guests)} by {sum(bool(one.lost) for one in guests)} chats"
    )
    print(f"acts done again: {sum(guest.repeats for guest in guests)}; stuck: {sum(bool(one.stuck) for one in guests)}")
    calls = await installation.read_calls()
    struck = Counter(call["fault"] for call in calls if call["fault"])
    print(f"calls of the Bot API: {len(calls)}, struck by a fault: {struck.total()}")
    for place, (_, what) in enumerate(PLAN.faults, 1):
        print(f"  {struck[place]:6} {what}")
    for title, counts in (("found", figures), ("listed as uncertain or failed", verdict.listed)):
        print(f"{title}:")
        for name, number in sorted(counts.items()):
            print(f"  {number:6} {name}")
    print(f"out of order {figures['out of order']}, duplicates {figures['repeated']}, lost {figures['lost']}")
    print(f"faults: {len(verdict.faults)}")
    for fault in verdict.faults[:30]:
        print(f"  {fault}")


def _list_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


def test_who_waits_does_so_while_anything_is_owed_and_no_longer(house: House, runner: asyncio.Runner) -> None:
    runner.run(_wait_in_vain(house))


async def _wait_in_vain(house: House) -> None:
    """What never comes is known not to come once all has been said, however late; in a hurry once no wait is left."""
    chats = f"bots/{house.shops.names[0]}/chats/{WAITER}"
    with open_query(house.installation.environ["DATABASE_URL"]) as query:
        watch = Watch(house.shops, query, house.installation.environ["REDIS_URL"])
        async with watch.kept():
            late = {"chat_id": WAITER, "method": "sendPhoto", "delay_seconds": 2, "execute": True}
            await house.installation.api("POST", "faults", late)
            await house.installation.api("POST", f"{chats}/messages", {"text": "/start"})
            assert await watch.wait(WAITER, 0, shows("Nunca")) is None
            welcome = await watch.wait(WAITER, 0, shows("Vamos!"))
            assert welcome is not None
            tap = {"message_id": welcome["message_id"], "button": "Vamos!"}
            await house.installation.api("POST", f"{chats}/taps", tap)
            assert await watch.hurry(WAITER, 0, shows("Nunca")) is None
            assert await watch.wait(WAITER, 0, shows("Continuar"))
    assert house.installation.query(f"SELECT 1 FROM timers WHERE {WAITS}") == []


@pytest.mark.browser
def test_every_kind_of_step_in_a_browser(house: House, runner: asyncio.Runner) -> None:
    runner.run(_walk(house))


async def _walk(house: House) -> None:
    async with open_page(house.installation, house.shops.names[0]) as page:
        person = Person(page, house.installation)
        await walk_and_order(person)
        await pay_and_come_back(person)
        await pay_in_stars(person)
        if folder := os.environ.get("GRIMBOTS_PICTURES"):
            await page.screenshot(path=Path(folder) / "example.png")
    query = house.installation.query
    version, walked = await _list_walked(house.installation)
    assert {version.steps[name].kind for name in walked} == find_kinds().keys()
    said = query(f"SELECT step, status FROM messages WHERE {LEAD}")
    assert {step for step, _ in said} == {step.id for step in version.steps.values() if step.speaks}
    assert {status for _, status in said} == {"sent"}
    assert query(f"SELECT state, amount_cents, currency FROM payments WHERE {LEAD} ORDER BY id") == [
        ("paid", 3582, "BRL"),
        ("paid", 891, "BRL"),
        ("paid", 374, "XTR"),
    ]
    told = [told["data"]["lead_id"] for heard in house.seller.heard.values() for told in heard]
    assert [(told.count(lead_id),) for (lead_id,) in query(f"SELECT id FROM leads WHERE chat_id = {CHAT}")] == [(3,)]
    assert house.installation.read_errors() == []


async def _list_walked(installation: Installation) -> tuple[Version, set[str]]:
    """Replay what happened: the version, and the steps that were come through."""
    ((account_id, bot_id),) = installation.query(f"SELECT account_id, bot_id FROM leads WHERE chat_id = {CHAT}")
    async with build_app(load(installation.environ), with_queue=False) as app:
        lead = await app.db.leads.find_by_chat(account_id=account_id, bot_id=bot_id, chat_id=CHAT)
        passages = await stories.tell(app, lead)
    return passages[0].happening.version, {step for passage in passages for step in passage.done.path}
