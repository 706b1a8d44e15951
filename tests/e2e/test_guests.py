"""A crowd in the example funnel, which has every kind of step, under random faults of Telegram: 429, 403, 400, 5xx, no
answer at all. Every chat in order, every effect once, or its row says why not; nobody is left where he stands.

Judged from what the sandbox took and from the rows: by verdicts.judge; by replaying each lead's moves, which gives what
was to be said in the funnel's order; by the ways themselves (guests.TOLD) for all who met no fault; and by what the
seller's own server heard. CI runs a slice; `make proof` runs it whole (GRIMBOTS_PROOF=1): 1,000 chats at once.
GRIMBOTS_SEED=<number> draws the same people again.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import stories
from grimbots.services.funnels.effects import Say
from grimbots.tests.e2e import evidence, verdicts
from grimbots.tests.e2e.buyers import Manners
from grimbots.tests.e2e.evidence import Evidence, read_saying
from grimbots.tests.e2e.guests import TOLD, Examples, Guest, invite
from grimbots.tests.e2e.installation import Installation, open_installation
from grimbots.tests.fakes.sellers import SellerServer

WAYS = {"buys": 4, "thinks": 2, "silent": 2, "expires": 2}
ALWAYS = 1_000_000
SELLERS_BURST = 50  # a seller's chat hears of every sale of his bot
# Of a thousand calls so many fail so. An answer that takes 25 s comes after our client has hung up.
FAULTS: list[tuple[int, dict[str, Any]]] = [
    (20, {"http": 429, "retry_after": 1}),
    (3, {"http": 403}),
    (3, {"http": 400, "description": "Bad Request: message is too long"}),
    (5, {"http": 400, "description": "Bad Request: can't parse entities: unexpected end"}),
    (5, {"http": 400, "description": "Bad Request: wrong file identifier/HTTP URL specified"}),
    (10, {"http": 500}),
    (10, {"http": 502, "execute": True}),
    (10, {"drop": True}),
    (10, {"drop": True, "execute": True}),
]
TIMEOUTS: list[tuple[int, dict[str, Any]]] = [(2, {"delay_seconds": 25}), (2, {"delay_seconds": 25, "execute": True})]


@dataclass(frozen=True)
class Plan:
    """How many chats, of how many bots; how people are; what fails; how long it may take until all is at rest."""

    guests: int
    bots: int
    manners: Manners
    faults: list[tuple[int, dict[str, Any]]]
    rest_seconds: float


WHOLE = Plan(1000, 5, Manners((1, 20), 60, WAYS), FAULTS + TIMEOUTS, 600)
SLICE = Plan(30, 2, Manners((0, 0.1), 1.5, WAYS), FAULTS, 60)
PLAN = WHOLE if os.environ.get("GRIMBOTS_PROOF") == "1" else SLICE


@pytest.mark.slow
def test_a_crowd_walks_every_kind_of_step_in_order_and_once(servers_folder: Path) -> None:
    seed = int(os.environ.get("GRIMBOTS_SEED", secrets.randbelow(1_000_000)))
    print(f"\nseed {seed}")
    folder = servers_folder / "guests"
    folder.mkdir()
    assert asyncio.run(_run(folder, random.Random(seed))) == []


async def _run(folder: Path, dice: random.Random) -> list[str]:
    seller = SellerServer(folder)
    await seller.start()
    async with open_installation(folder, SSL_CERT_FILE=str(folder / "server.pem")) as installation:
        shops = Examples(installation, PLAN.bots, seller.url)
        await shops.open()
        guests = await _live(installation, shops, dice)
        found = await evidence.collect(installation, shops.names)
        verdict = verdicts.judge(found)
        planned = await _replay_all(installation)
        posts = installation.query("SELECT id, status, tries FROM posts")
        verdict.faults += [
            *(f"{guest.way} {guest.chat_id} is stuck: {guest.stuck}" for guest in guests if guest.stuck),
            *_compare_with_replays(found, planned),
            *_compare_with_ways(found, guests, verdict),
            *_check_posts(posts, seller.heard, verdict),
        ]
        await _report(installation, guests, verdict)
    await seller.stop()
    return verdict.faults


async def _live(installation: Installation, shops: Examples, dice: random.Random) -> list[Guest]:
    await installation.api("POST", "limits", {"chat_burst": SELLERS_BURST})
    for per_mille, what in PLAN.faults:
        await installation.api("POST", "faults", {"chance": per_mille / 1000, "times": ALWAYS, **what})
    began = time.monotonic()
    async with shops.heard():
        guests = await invite(shops, PLAN.guests, PLAN.manners, dice)
    walked = time.monotonic()
    await installation.api("DELETE", "faults")
    await evidence.wait_for_rest(installation, PLAN.rest_seconds)
    print(f"{walked - began:.0f} s until the last was at his end, at rest {time.monotonic() - walked:.0f} s later")
    return guests


async def _replay_all(installation: Installation) -> dict[int, list[tuple[str, str]]]:
    """Give what each lead was to be told, by the funnel's own word: its moves played again."""
    told = {}
    async with build_app(load(installation.environ), with_queue=False) as app:
        for lead_id, chat_id, bot_id, account_id in installation.query("SELECT id, chat_id, bot_id, account_id FROM leads"):
            lead = await app.db.leads.find_by_chat(account_id=account_id, bot_id=bot_id, chat_id=chat_id)
            passages = await stories.tell(app, lead)
            effects = [effect for passage in passages for effect in passage.done.effects if isinstance(effect, Say)]
            told[lead_id] = [(effect.step, read_saying(effect.body)[0]) for effect in effects]
    return told


def _compare_with_replays(found: Evidence, told: Mapping[int, list[tuple[str, str]]]) -> Iterator[str]:
    """What was planned is what the funnel says to what happened, in its order: nothing twice, nothing left out."""
    rows: dict[int, list[tuple[str, str]]] = {lead_id: [] for lead_id in told}
    for row in found.rows["messages"]:
        if row["step"] != "avisa-lia":  # the seller's
            rows[row["lead_id"]].append((row["step"], read_saying(row["body"])[0]))
    for lead_id, planned in rows.items():
        if planned != told[lead_id]:
            yield f"lead {lead_id} was to be told {told[lead_id]}, planned was {planned}"


def _compare_with_ways(found: Evidence, guests: Sequence[Guest], verdict: verdicts.Verdict) -> Iterator[str]:
    """Whoever never had to ask twice, and of whom nothing failed, was told his way, step by step."""
    rows = [row for row in found.rows["messages"] if row["step"] != "avisa-lia"]
    troubled = {row["chat_id"] for row in rows if row["status"] != "sent"}
    steps = {(row["chat_id"], read_saying(row["body"])): row["step"] for row in rows}
    for guest in guests:
        if guest.repeats or guest.lost or guest.chat_id in troubled:
            continue
        verdict.count("chats told exactly their way")
        arrived = [steps.get((guest.chat_id, one.saying), "?") for one in found.said[guest.chat_id]]
        told = tuple(step for step, _ in groupby(arrived))
        if told[: len(TOLD[guest.way])] != TOLD[guest.way]:
            yield f"{guest.way} {guest.chat_id} was told {told}"


def _check_posts(posts: Sequence[Any], heard: Mapping[str, list[Any]], verdict: verdicts.Verdict) -> Iterator[str]:
    """The seller's server heard of every sale once; more often only what was tried again, never only what gave up."""
    times = Counter({name: len(bodies) for name, bodies in heard.items()})
    for post_id, status, tries in posts:
        verdict.count(f"posts {status}")
        if not 1 <= times.pop(f"post_{post_id}", 0) <= 1 + tries or status != "sent":
            yield f"post {post_id} is {status} after {tries} more tries"
    yield from (f"{name} was never planned" for name in times)


async def _report(installation: Installation, guests: Sequence[Guest], verdict: verdicts.Verdict) -> None:
    ways, repeats = Counter(guest.way for guest in guests), sum(guest.repeats for guest in guests)
    print(f"{len(guests)} chats at once {dict(ways)}, {sum(bool(guest.lost) for guest in guests)} began anew")
    print(f"unanswered acts: {repeats}; stuck: {sum(bool(guest.stuck) for guest in guests)}")
    calls = await installation.read_calls()
    struck = Counter(call["fault"] for call in calls if call["fault"])
    kinds = {str(what): struck[place] for place, (_, what) in enumerate(PLAN.faults, 1)}
    print(f"calls of the Bot API: {len(calls)}, struck by a fault: {struck.total()} {kinds}")
    for title, counts in (("found", verdict.figures), ("listed", verdict.listed)):
        print(f"{title}:")
        for name, number in sorted(counts.items()):
            print(f"  {number:6} {name}")
    print(f"faults: {len(verdict.faults)}")
    for fault in verdict.faults[:30]:
        print(f"  {fault}")
