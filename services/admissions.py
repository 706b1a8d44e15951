"""Admissions: what a bot does to people in its groups: answers who asks to come in, puts out whose time is over.

A row is planned, then done by a job. Telegram takes each of these calls twice without harm, so one whose answer is not
clear is made again until it is. What is right is asked when it is done: whoever has paid meanwhile is let in, and
stays. Without the bot's rights a row waits for them; what Telegram refuses for good is shown to the seller.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.task import Again, Done
from grimbots.services import charges, deaths, groups
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

ANSWER, REMOVE = "answer", "remove"
DONE = (Kind.OK, Kind.IGNORED)
UNCLEAR = (Kind.NEVER_SENT, Kind.AMBIGUOUS, Kind.CONFLICT)


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done now: the calls, each with the person's id, and the word for it."""

    word: str
    methods: tuple[str, ...]


APPROVED, DECLINED = Deed("approved", ("approveChatJoinRequest",)), Deed("declined", ("declineChatJoinRequest",))
REMOVED = Deed("removed", ("banChatMember", "unbanChatMember"))  # banned for a moment: free to come back


async def plan(
    app: App, tx: Transaction, *, account_id: int, group_id: int, user_id: int, act: str, cause: str
) -> list[Job]:
    """Plan to do something to a person, once per cause; returns its job, none if it was planned before."""
    row = await tx.group_acts.add(
        account_id=account_id, group_id=group_id, user_id=user_id, act=act, cause=cause, now=app.clock()
    )
    return [] if row is None else [job(row)]


def job(act: Row) -> Job:
    """Make the job that does a planned act; unordered: a group that floods holds no chat."""
    return do.job(id=f"ga:{act.id}@{act.rounds}", source=f"b{act.bot_id}", account=str(act.account_id), act_id=act.id)


@task("groups.do", queue="tasks", timeout_seconds=90.0)
async def do(app: App, *, act_id: int) -> Done:
    """Do one planned act and write what became of it."""
    act = await app.db.group_acts.find_by_id(act_id=act_id)
    if act is None or act.status != "planned":
        return Done()
    of_person = {"account_id": act.account_id, "group_id": act.group_id, "user_id": act.user_id}
    deed = choose(act.act, is_live=await app.db.accesses.is_live(**of_person))
    if deed is None:
        await _close(app, act, "dropped")
        return Done()
    answer = await _carry_out(app, act, deed)
    if answer.kind in DONE:
        await _finish(app, act, deed)
    else:
        await _put_off(app, act, answer)
    return Done()


def choose(act: str, *, is_live: bool) -> Deed | None:
    """Say what an act means now; None: there is nothing to do any more. Pure."""
    if act == ANSWER:
        return APPROVED if is_live else DECLINED
    return None if is_live else REMOVED


async def give_up(app: App, act: Row, reason: str) -> None:
    """Mark an act whose job is dead as failed."""
    await app.db.group_acts.close(
        act_id=act.id, account_id=act.account_id, status="failed", outcome=None, error=reason, now=app.clock()
    )


async def _carry_out(app: App, act: Row, deed: Deed) -> Answer:
    bot = await app.bots.by_id(app, act.bot_id)
    group = await app.db.groups.get(account_id=act.account_id, group_id=act.group_id)
    answer = await _revoke_links(app, act, bot, group) if deed is REMOVED else Answer(Kind.OK)
    if answer.kind is Kind.FLOOD or answer.kind in UNCLEAR:
        return answer
    for method in deed.methods:
        params = {"user_id": act.user_id, **({"only_if_banned": True} if method == "unbanChatMember" else {})}
        answer = await groups.call(app, bot, group, method, params)
        if answer.kind not in DONE:
            break
    return answer


async def _revoke_links(app: App, act: Row, bot: Bot, group: Row) -> Answer:
    """Make the links of who is put out worth nothing. One that Telegram refuses to revoke is spent or gone."""
    links = await app.db.accesses.list_links(account_id=act.account_id, group_id=act.group_id, user_id=act.user_id)
    answer = Answer(Kind.OK)
    for row in links:
        answer = await groups.call(app, bot, group, "revokeChatInviteLink", {"invite_link": row.link})
    return answer


async def _finish(app: App, act: Row, deed: Deed) -> None:
    metrics.group_acts.labels(deed.word).inc()
    async with app.db.transaction() as tx:
        await tx.group_acts.close(
            act_id=act.id, account_id=act.account_id, status="done", outcome=deed.word, error=None, now=app.clock()
        )
        if deed is REMOVED:
            await tx.accesses.mark_removed(
                account_id=act.account_id, group_id=act.group_id, user_id=act.user_id, now=app.clock()
            )


async def _put_off(app: App, act: Row, answer: Answer) -> None:
    """Write why it could not be done, or try again later.

    Raises:
        Again: it is tried again, however long that lasts.
    """
    if answer.kind is Kind.FLOOD:
        raise Again(answer.retry_after_seconds, "telegram: too many requests", spend=False)
    if answer.kind in UNCLEAR:
        raise Again(charges.wait_seconds(act.planned_at, app.clock()), answer.description, spend=False)
    if answer.kind is Kind.DEAD_BOT:
        await deaths.confirm(app, act.bot_id, answer)
    waits = answer.kind in (Kind.LOST_CHAT, Kind.DEAD_BOT)
    metrics.group_acts.labels("waiting" if waits else "refused").inc()
    log.warning("act %d in group %d is not done: %s", act.id, act.group_id, answer.description)
    await _close(app, act, "waiting" if waits else "failed", answer.description)


async def _close(app: App, act: Row, status: str, error: str | None = None) -> None:
    await app.db.group_acts.close(
        act_id=act.id, account_id=act.account_id, status=status, outcome=None, error=error, now=app.clock()
    )
