"""One storm: buyers, blows, witnesses, and the verdict when all is at rest."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from grimbots.conf.settings import load
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.server import build_app, now
from grimbots.services import accounts, conversion_destinations, statements
from grimbots.services.conversion_destinations import Wish
from grimbots.tests.e2e import evidence, verdicts
from grimbots.tests.e2e.buyers import Manners, Tally, filled_seats
from grimbots.tests.e2e.evidence import Evidence
from grimbots.tests.e2e.installation import ACCOUNT, HOST, START_SECONDS, Installation, until
from grimbots.tests.e2e.storms import FAULTS, TIMEOUTS, Weather, storm
from grimbots.tests.e2e.verdicts import Verdict
from grimbots.tests.ports import pick_port
from grimbots.tests.storms.blows import Blows, disturbed
from grimbots.tests.storms.people import Person, Town
from grimbots.tests.storms.receivers import Pixel
from grimbots.tests.storms.searches import name_needles, search
from grimbots.tests.storms.verdicts import judge_found, judge_money, judge_purchases
from grimbots.tests.storms.witnesses import Witness

PROCESSES = 2
JUNK = "junk"
ACTS_PER_SECOND = 40.0  # of all buyers together: so busy are two cores that also are Telegram, the bank and the stores
SHORTEST_THOUGHT_SECONDS = 0.3
FAULTS_PER_ACT = 0.075  # with 0.25 the provider failed so steadily that it was left alone, and hardly a charge was made
SLICE_FAULTS_PER_SECOND = 2.0
BUYERS_PER_BOT = 100
WAYS = {
    "once": 45,
    "thrice": 12,
    "over": 5,
    "under": 5,
    "untold": 12,
    "blocks": 4,
    "returns": 6,
    "forged": 5,
    "never": 6,
}
OUTBOX = "SELECT payment_id, event, status, answer FROM conversions"
ENTRIES = "SELECT debit, credit, sum(amount_cents) AS cents FROM ledger_entries GROUP BY debit, credit"


@dataclass(frozen=True)
class Plan:
    """How many people at once, for how long; how soon one asks again, and how long it may take until all is at rest."""

    buyers: int
    seconds: float
    pause_seconds: tuple[float, float] = (2.0, 8.0)  # from one blow to the next
    patience_seconds: float = 60.0
    rest_seconds: float = 600.0
    least_ended: int = 1  # so many must have gone their way to the end

    @property
    def manners(self) -> Manners:
        """How long they think: so that all together act no faster than ACTS_PER_SECOND."""
        usual = max(SHORTEST_THOUGHT_SECONDS, self.buyers / ACTS_PER_SECOND)
        return Manners((usual / 2, usual * 3 / 2), self.patience_seconds, WAYS)

    @property
    def weather(self) -> Weather:
        """What the sandbox lets fail, as Telegram and as the provider: of so many acts, not of so many people."""
        if self.seconds < 60:
            return Weather(SLICE_FAULTS_PER_SECOND, FAULTS, kills=0, kill_every_seconds=0)
        return Weather(FAULTS_PER_ACT * ACTS_PER_SECOND, FAULTS + TIMEOUTS, kills=0, kill_every_seconds=0)


@dataclass
class Outcome:
    """What a run gives to report."""

    verdict: Verdict
    tally: Tally
    dealt: Counter[str]
    statuses: dict[int, int]
    seconds: dict[str, float] = field(default_factory=dict)
    searched_bytes: int = 0
    needles: int = 0


@dataclass
class Scene:
    """What stands during a storm."""

    installation: Installation
    town: Town
    pixel: Pixel
    witness: Witness


@asynccontextmanager
async def open_scene(folder: Path, plan: Plan) -> AsyncIterator[Scene]:
    """Start everything, with shops, a link, an ad network that is told of sales, and somebody who looks at it all."""
    pixel, installation = Pixel(now), Installation(folder, ("serve", "--processes", str(PROCESSES)))
    witness = Witness(installation)
    first_port = pick_port(PROCESSES)
    installation.environ["STATUS_PORT"] = str(first_port)
    await pixel.start()
    installation.environ["GRIMBOTS_CONVERSION_URLS"] = json.dumps({"meta": pixel.url})
    async with AsyncExitStack() as closing:
        closing.push_async_callback(pixel.stop)
        closing.push_async_callback(installation.close)
        await installation.open()
        for port in range(first_port, first_port + PROCESSES):  # a parent that cannot start its first ones gives up
            await until(partial(is_listening, HOST, port), START_SECONDS, "a process does not start")
        town = Town(installation, max(2, plan.buyers // BUYERS_PER_BOT))
        await town.open()
        await _report_to(installation, pixel)
        await witness.open()
        closing.push_async_callback(witness.close)
        yield Scene(installation, town, pixel, witness)


async def _report_to(installation: Installation, pixel: Pixel) -> None:
    async with build_app(load(installation.environ), with_queue=False) as app:
        account = await accounts.get_account(app, ACCOUNT)
        wish = Wish("meta", {"pixel_id": "1234567890", "access_token": pixel.token})
        await conversion_destinations.add(app, account.id, wish, actor="test")
    installation.secrets["pixel's token"] = pixel.token


async def run(plan: Plan, seed: int, folder: Path) -> Outcome:
    """Do one storm in an empty folder and judge it."""
    async with open_scene(folder, plan) as scene:
        began = time.monotonic()
        tally, blows = await _live(scene, plan, random.Random(seed))
        calmed = time.monotonic()
        await evidence.wait_for_rest(scene.installation, plan.rest_seconds)
        differences = await _keep_night(scene.installation, plan.rest_seconds)
        await evidence.wait_for_rest(scene.installation, plan.rest_seconds)
        await _wait_until_told(scene.installation, plan.rest_seconds)
        rested = time.monotonic()
        outcome = Outcome(Verdict(), tally, blows.dealt, scene.witness.statuses)
        outcome.seconds = {"storm": calmed - began, "until rest": rested - calmed}
        await _judge(scene, outcome)
        outcome.verdict.listed.update(f"found in the provider's statement: {kind}" for kind in differences)
    return outcome


async def _live(scene: Scene, plan: Plan, dice: random.Random) -> tuple[Tally, Blows]:
    """Let buyers, faults and blows have their time."""
    people, faults, blows_dice, pixel_dice = (random.Random(dice.random()) for _ in range(4))
    blows = Blows(scene.installation, blows_dice, plan.pause_seconds)
    async with (
        scene.town.heard(),
        filled_seats(scene.town, plan.buyers, plan.manners, people, Person) as tally,
        storm(scene.installation, plan.weather, faults),
        disturbed(scene.pixel, pixel_dice),
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(scene.witness.watch(scene.town.met))
        await blows.rage(plan.seconds)

        async def is_enough() -> bool:
            return tally.ended.total() >= plan.least_ended

        await until(is_enough, plan.rest_seconds, "hardly a buyer comes to his end")
        watching.cancel()
    return tally, blows


async def _keep_night(installation: Installation, seconds: float) -> list[str]:
    """Let the night's comparison come, which finds what no event told of and nobody asks about; give what it found."""
    (account_id, gateway_account_id), *_ = installation.query("SELECT account_id, id FROM gateway_accounts")
    began = now()
    async with build_app(load(installation.environ)) as app:
        job = statements.job(account_id, gateway_account_id, began - statements.WINDOW, began + statements.EDGE)
        await app.queue.enqueue(job)

        async def is_compared() -> bool:
            return bool(installation.query(f"SELECT 1 FROM gateway_accounts WHERE compared_at > '{began}'"))

        await until(is_compared, seconds, "the provider's statement is not compared")
    return [kind for (kind,) in installation.query("SELECT kind FROM statement_differences")]


async def _wait_until_told(installation: Installation, seconds: float) -> None:
    """Wait until the ad network has been told everything; a pause of its rounds is over at once."""

    async def is_told() -> bool:
        installation.query("UPDATE conversion_destinations SET due_at = now() WHERE due_at > now() + interval '10 s'")
        return not installation.query("SELECT 1 FROM conversions WHERE status = 'planned' LIMIT 1")

    await until(is_told, seconds, "the ad network was not told of everything")


async def _judge(scene: Scene, outcome: Outcome) -> None:
    found = _leave_out_junk(await evidence.collect(scene.installation, scene.town.names))
    verdict = outcome.verdict = verdicts.judge(found)
    keys = {row["id"]: row["idempotency_key"] for row in found.rows["payments"]}
    paid = {
        keys[row["payment_id"]]: row["payment_id"] for row in found.rows["transitions"] if row["to_state"] == "paid"
    }
    outbox = scene.installation.query_by_name(OUTBOX)
    judge_purchases(paid, outbox, scene.pixel.list_purchases(), verdict)
    verdict.faults += [f"P: the ad network says: {mistake}" for mistake in sorted(set(scene.pixel.mistakes))]
    judge_money(found.charges, scene.installation.query_by_name(ENTRIES), verdict)
    await scene.witness.look_closely()
    if await scene.witness.run("ledger", "check"):
        verdict.faults.append("L: `grimbots ledger check` finds differences")
    _search(scene, outcome)


def _leave_out_junk(found: Evidence) -> Evidence:
    """Leave out the dead letters that the witness posted."""
    return replace(found, dead=[dead for dead in found.dead if dead.reason != JUNK])


def _search(scene: Scene, outcome: Outcome) -> None:
    """Search everything that was seen, and what the network was told, for what must not be there."""
    told = [one for times in scene.pixel.seen.values() for one in times]
    (scene.witness.folder / "network.txt").write_text("\n".join(map(json.dumps, told)))
    files = scene.witness.list_files()
    needles = name_needles(scene.installation.secrets, scene.town.met)
    outcome.needles, outcome.searched_bytes = len(needles), sum(file.stat().st_size for file in files)
    judge_found(search(files, needles), outcome.verdict)
