"""Campaigns: the beginning of a published funnel said to many leads of a bot, a slice a second.

A campaign is a cursor over the bot's leads. Each slice plans messages as rows, each recipient once, and moves the
cursor in the same transaction; a million recipients never lie in Redis, and a restart goes on where the cursor stands.
A recipient stays where it stands in its funnel: what it presses in a campaign's message leads it on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.queue.job import Accepted
from grimbots.queue.memory import MemoryLevel
from grimbots.queue.task import Done
from grimbots.services import accounts, effects, leads
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.funnels import versions
from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.effects import Effect, Say
from grimbots.services.funnels.events import Started
from grimbots.services.funnels.walks import Walk
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.funnels.definitions import Version
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

AUDIENCES = ("all", "buyers", "others", "unpaid")
# A bot may notify about 30 chats a second (core.telegram.org/bots/faq, November 2026); its answers need some of that.
MESSAGES_A_SECOND = 25
SLICE = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
CATCH_UP = timedelta(seconds=2)  # a slice that comes late by more is not made up for
CLAIM = timedelta(seconds=15)  # a slice handed to the queue is handed again after this, until it is planned
PAGE_LEADS = 1000  # looked at for one slice
MOST_UNSENT = 2 * MESSAGES_A_SECOND  # with so many on their way the next slice waits
MOST_DUE, MOST_LISTED = 100, 100


async def start(
    app: App, *, account: str, bot: str, funnel: str, audience: str, quiet_days: int, starts_at: datetime, actor: str
) -> Row:
    """Begin a campaign at `starts_at` to those of the bot's present leads that are not heard of for `quiet_days`.

    Raises:
        NotFound: no such account, bot or published funnel.
        Invalid: the audience is unknown.
    """
    if audience not in AUDIENCES or quiet_days < 0:
        raise Invalid(f"choose an audience of {', '.join(AUDIENCES)}, and 0 quiet days or more")
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        bot_row = await tx.bots.find_by_username(account_id=tenant.id, username=bot.removeprefix("@"))
        if bot_row is None:
            raise NotFound(f"account {account!r} has no bot @{bot}: `grimbots bot list` shows them")
        version = await _load_current(app, tx, tenant.id, funnel)
        campaign = await tx.campaigns.add(
            account_id=tenant.id,
            bot_id=bot_row.id,
            version_id=version.id,
            audience=audience,
            quiet_days=quiet_days,
            starts_at=starts_at,
            now=app.clock(),
        )
        details = {"bot": bot_row.username, "funnel": funnel, "audience": audience, "quiet_days": quiet_days}
        await _note(app, tx, campaign, "campaign.start", details, actor)
    return campaign


async def pause(app: App, *, account: str, campaign_id: int, actor: str) -> None:
    """Plan nothing more until it is resumed; what is planned already, about a second's worth, is still said.

    Raises:
        NotFound: the account has no such campaign.
        Conflict: it is not running.
    """
    await _change(app, account, campaign_id, "paused", was=("running",), actor=actor)


async def resume(app: App, *, account: str, campaign_id: int, actor: str) -> None:
    """Go on behind the last recipient. Raises as `pause`, Conflict when it is not paused."""
    await _change(app, account, campaign_id, "running", was=("paused",), actor=actor)


async def stop(app: App, *, account: str, campaign_id: int, actor: str) -> None:
    """End it for good; what Telegram was not asked for yet is not said. Raises as `pause`, Conflict when it is over."""
    await _change(app, account, campaign_id, "stopped", was=("running", "paused"), actor=actor)


async def _change(app: App, account: str, campaign_id: int, status: str, *, was: Collection[str], actor: str) -> None:
    tenant = await accounts.get_account(app, account)
    async with app.db.transaction() as tx:
        campaign = await tx.campaigns.lock(account_id=tenant.id, campaign_id=campaign_id)
        if campaign is None:
            raise NotFound(f"account {account!r} has no campaign {campaign_id}: `grimbots campaign list` shows them")
        if campaign.status not in was:
            raise Conflict(f"campaign {campaign_id} is {campaign.status}: nothing was done")
        key = {"account_id": tenant.id, "campaign_id": campaign_id}
        await tx.campaigns.set_status(**key, status=status, now=app.clock())
        if status == "stopped":
            await tx.campaigns.discard_planned(**key)
        await _note(app, tx, campaign, f"campaign.{status}", {"was": campaign.status}, actor)


async def list_campaigns(app: App, account: str) -> list[Any]:
    """Return the newest campaigns of an account, each with what became of its messages."""
    tenant = await accounts.get_account(app, account)
    rows: list[Any] = await app.db.campaigns.list_all(account_id=tenant.id, limit=MOST_LISTED)
    return rows


async def hand_out_due(app: App) -> int:
    """Hand the slices that are due to the queue and return how many; harmless in several processes at once.

    Raises:
        QueueUnavailable: Redis is away; the slices are handed again after CLAIM.
    """
    now = app.clock()
    due = await app.db.campaigns.claim_due(now=now, claimed_until=now + CLAIM, limit=MOST_DUE)
    await asyncio.gather(*(_hand_out(app, campaign) for campaign in due))
    return len(due)


@task("campaigns.expand", queue="campaigns")
async def expand(app: App, *, account_id: int, campaign_id: int, number: int) -> Done:
    """Plan slice `number`, once, and hand on the jobs that say it."""
    async with app.db.transaction() as tx:
        campaign = await tx.campaigns.lock(account_id=account_id, campaign_id=campaign_id)
        if campaign is None or campaign.status != "running" or campaign.slices != number:
            return Done()  # what an earlier run planned and did not hand on, the sweep does
        jobs = await _plan_slice(app, tx, campaign)
    await _spread(app, jobs)
    return Done()


async def _plan_slice(app: App, tx: Transaction, campaign: Row) -> list[Job]:
    now = app.clock()
    key = {"account_id": campaign.account_id, "campaign_id": campaign.id}
    crowded = app.queue.memory_level >= MemoryLevel.HIGH
    if crowded or await tx.campaigns.count_unsent(**key, limit=MOST_UNSENT) >= MOST_UNSENT:
        await tx.campaigns.move_on(**key, **_standing_still(campaign, now))
        return []
    version = await versions.load(app, campaign.version_id, tx)
    page_end, recipients = await _find_recipients(tx, campaign, version, now)
    jobs = [job for lead in recipients for job in await _plan_for(app, tx, campaign, version, lead)]
    await tx.campaigns.move_on(
        **key,
        cursor_lead_id=page_end or campaign.last_lead_id,
        recipients=len(recipients),
        next_slice_at=_next_slice_at(campaign, now) if recipients else now,
        finished_at=now if page_end is None else None,
    )
    return _each_once(jobs)


async def _spread(app: App, jobs: Sequence[Job]) -> None:
    """Enqueue a slice's jobs to begin one after the other, all over its second: at once they would hold up answers."""
    step = SLICE / max(1, len(jobs))
    holds = [round(place * step / MILLISECOND) for place in range(len(jobs))]
    await asyncio.gather(*(app.queue.enqueue(job, hold_ms=hold) for job, hold in zip(jobs, holds, strict=True)))


async def _find_recipients(
    tx: Transaction, campaign: Row, version: Version, now: datetime
) -> tuple[int | None, Sequence[Row]]:
    """Return the leads of the next slice, and how far it goes; None where no lead is left."""
    span = {"account_id": campaign.account_id, "bot_id": campaign.bot_id, "after": campaign.cursor_lead_id}
    page_end = await tx.campaigns.find_page_end(**span, last_lead_id=campaign.last_lead_id, limit=PAGE_LEADS)
    if page_end is None:
        return None, ()
    most = max(1, MESSAGES_A_SECOND // max(1, len(_say_beginning(version, Walk(), now))))
    slice_ = await tx.campaigns.list_slice(
        **span,
        page_end=page_end,
        audience=campaign.audience,
        quiet_since=now - timedelta(days=campaign.quiet_days),
        limit=most,
    )
    return (slice_[-1].id if len(slice_) == most else page_end), slice_


async def _plan_for(app: App, tx: Transaction, campaign: Row, version: Version, lead: Row) -> list[Job]:
    said = _say_beginning(version, leads.walk(app, lead), app.clock())
    return await effects.plan(
        app,
        tx,
        cause=f"c:{campaign.id}:{lead.id}",
        lead=lead,
        version_id=version.id,
        effects=said,
        campaign_id=campaign.id,
    )


def _say_beginning(version: Version, walk: Walk, now: datetime) -> Sequence[Effect]:
    """Return what a funnel says to who begins it; what else it does there (a delay, a post) is for who came himself."""
    begun = advance(version, walk, Started(walk.variables.get("start_param", "")), now)[1]
    return [effect for effect in begun if isinstance(effect, Say)]


async def _load_current(app: App, tx: Transaction, account_id: int, funnel: str) -> Version:
    row = await tx.funnels.find_by_name(account_id=account_id, name=funnel)
    if row is None or row.current_version_id is None:
        raise NotFound(f"there is no published funnel {funnel!r}: `grimbots funnel publish` makes one")
    return await versions.load(app, row.current_version_id, tx)


async def _note(app: App, tx: Transaction, campaign: Row, action: str, details: Mapping[str, Any], actor: str) -> None:
    await tx.audit.note(
        account_id=campaign.account_id,
        actor=actor,
        action=action,
        subject=f"campaign:{campaign.id}",
        details=dict(details),
        at=app.clock(),
    )


def _next_slice_at(campaign: Row, now: datetime) -> datetime:
    """Keep the pace where a slice came a little late."""
    planned: datetime = campaign.next_slice_at + SLICE
    return planned if now - planned < CATCH_UP else now + SLICE


def _standing_still(campaign: Row, now: datetime) -> dict[str, Any]:
    """Give the values of a slice that waits: too much is on its way."""
    cursor: int = campaign.cursor_lead_id
    return {"cursor_lead_id": cursor, "recipients": 0, "next_slice_at": now + SLICE, "finished_at": None}


def _each_once(jobs: Sequence[Job]) -> list[Job]:
    """Leave out what is there already: all that one lead is told is one job."""
    return list({job.id: job for job in jobs}.values())


async def _hand_out(app: App, campaign: Row) -> None:
    job = expand.job(
        id=f"c:{campaign.id}@{campaign.slices}",
        source=f"b{campaign.bot_id}",
        account=str(campaign.account_id),
        account_id=campaign.account_id,
        campaign_id=campaign.id,
        number=campaign.slices,
    )
    if await app.queue.enqueue(job) is Accepted.DEAD:
        log.error("job %s is dead, so its campaign stands still: look at it with `grimbots queue dead`", job.id)
