"""Verdicts on guests: rows and the sandbox's record, held against replays, the guests' ways, the seller's server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import stories
from grimbots.services.funnels.effects import Say
from grimbots.tests.e2e.evidence import Evidence, read_saying
from grimbots.tests.e2e.guests import TOLD, Guest
from grimbots.tests.e2e.installation import Installation
from grimbots.tests.e2e.verdicts import Verdict

NOTICE = "avisa-lia"  # said to the seller


async def replay_all(installation: Installation) -> dict[int, list[tuple[str, str]]]:
    """Give what each lead was to be told, by the funnel's own word: its moves played again."""
    told = {}
    async with build_app(load(installation.environ), with_queue=False) as app:
        for lead_id, chat_id, bot_id, account_id in installation.query(
            "SELECT id, chat_id, bot_id, account_id FROM leads"
        ):
            lead = await app.db.leads.find_by_chat(account_id=account_id, bot_id=bot_id, chat_id=chat_id)
            passages = await stories.tell(app, lead)
            effects = [effect for passage in passages for effect in passage.done.effects if isinstance(effect, Say)]
            told[lead_id] = [(effect.step, read_saying(effect.body)[0]) for effect in effects]
    return told


def compare_with_replays(found: Evidence, told: Mapping[int, list[tuple[str, str]]]) -> Iterator[str]:
    """What was planned is what the funnel says to what happened, in its order: nothing twice, nothing left out."""
    rows: dict[int, list[tuple[str, str]]] = {lead_id: [] for lead_id in told}
    for row in found.rows["messages"]:
        if row["step"] != NOTICE:
            rows[row["lead_id"]].append((row["step"], read_saying(row["body"])[0]))
    for lead_id, planned in rows.items():
        if planned != told[lead_id]:
            yield f"lead {lead_id} was to be told {told[lead_id]}, planned was {planned}"


def compare_with_ways(found: Evidence, guests: Sequence[Guest], verdict: Verdict) -> Iterator[str]:
    """Whoever never had to ask twice, and of whom nothing failed or was repeated, was told his way, step by step.

    What was repeated may come once more whenever the first call is done at last.
    """
    rows = [row for row in found.rows["messages"] if row["step"] != NOTICE]
    troubled = {row["chat_id"] for row in rows if row["status"] != "sent" or row["resent"]}
    steps = {(row["chat_id"], read_saying(row["body"])): row["step"] for row in rows}
    for guest in guests:
        if guest.repeats or guest.lost or guest.chat_id in troubled:
            continue
        verdict.count("chats told exactly their way")
        arrived = [steps.get((guest.chat_id, one.saying), "?") for one in found.said[guest.chat_id]]
        told = tuple(step for step, _ in groupby(arrived))
        if told[: len(TOLD[guest.way])] != TOLD[guest.way]:
            yield f"{guest.way} {guest.chat_id} was told {told}"


def check_patience(found: Evidence, guests: Sequence[Guest]) -> Iterator[str]:
    """Nobody is left without an answer but where a message to him failed, and its row says so.

    What failed and was planned again when he came back (`regrants`) has arrived since.
    """
    rows = found.rows["messages"]
    failed = {row["chat_id"] for row in rows if row["status"] in ("failed", "uncertain") or row["regrants"]}
    for guest in guests:
        if guest.stuck:
            yield f"{guest.way} {guest.chat_id} is stuck: {guest.stuck}"
        elif guest.lost and guest.chat_id not in failed:
            yield f"{guest.way} {guest.chat_id} began anew, waiting for {guest.lost[0]}, and nothing had failed"


def check_posts(posts: Sequence[Any], heard: Mapping[str, list[Any]], verdict: Verdict) -> Iterator[str]:
    """The seller's server heard of every sale once; more often only what was tried again, never only what gave up."""
    times = Counter({name: len(bodies) for name, bodies in heard.items()})
    for post_id, status, tries in posts:
        verdict.count(f"posts {status}")
        if not 1 <= times.pop(f"post_{post_id}", 0) <= 1 + tries or status != "sent":
            yield f"post {post_id} is {status} after {tries} more tries"
    yield from (f"{name} was never planned" for name in times)
