"""Posts: what a funnel tells a server of the seller's. Rows, each tried until that server says yes, for some hours.

planned -> sent, or waiting -> planned again by a timer, or failed after the last try. A server may hear the same thing
twice, so each post bears its id: the form and the signature are those of Standard Webhooks (standardwebhooks.com).
The address is the seller's word, so only the public internet is dialled; the sandbox may dial its own machine.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

from grimbots.queue.task import Done
from grimbots.services import schedules, timers
from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.funnels.effects import Post
from grimbots.services.signatures import sign
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

TRIES = 10  # over some 8 hours
TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
GONE = 410  # the server wants no more of this
GROUP = "posts"  # one at a time per bot: a server that hangs holds one slot


async def plan(app: App, tx: Transaction, *, cause: str, ordinal: int, lead: Row, effect: Post) -> Job:
    """Plan a post once, and return its job."""
    body = {
        "type": "funnel.step",
        "timestamp": app.clock().isoformat(),
        "data": {"bot_id": lead.bot_id, "lead_id": lead.id, "step": effect.step, "values": dict(effect.values)},
    }
    key = {"account_id": lead.account_id, "cause": cause, "ordinal": ordinal}
    added = await tx.posts.add(
        **key, bot_id=lead.bot_id, lead_id=lead.id, step=effect.step, url=effect.url, body=body, now=app.clock()
    )
    return job(added or await tx.posts.find_by_cause(**key))


def job(post: Row) -> Job:
    """Make the job of a post's next try."""
    again = f"@{post.tries}" if post.tries else ""
    return send.job(
        id=f"{post.cause}#{post.ordinal}{again}",
        source=f"b{post.bot_id}",
        account=str(post.account_id),
        group=GROUP,
        post_id=post.id,
    )


@task("posts.send", queue="campaigns", attempts=3)
async def send(app: App, *, post_id: int) -> Done:
    """Try a post once and write what came of it."""
    post = await app.db.posts.find_by_id(post_id=post_id)
    if post.status != "planned":
        return Done()
    error, is_final = await _try(app, post)
    if not error:
        await _end(app, post, "sent", None)
    elif is_final or post.tries + 1 >= TRIES:
        log.warning("post %d is given up: %s", post.id, error)
        await _end(app, post, "failed", error)
    else:
        await _put_off(app, post, error)
    return Done()


@task("posts.retry", queue="campaigns")
async def retry(app: App, *, timer_id: int, account_id: int, post_id: int) -> Done:
    """Plan a post again."""
    async with app.db.transaction() as tx:
        post = await tx.posts.plan_again(account_id=account_id, post_id=post_id, now=app.clock())
        await timers.finish(tx, timer_id, app.clock())
    return Done([job(post)] if post else [])


async def give_up(app: App, post: Row, reason: str) -> None:
    """Close a post whose job is dead."""
    await _end(app, post, "failed", reason)


def make_secret(app: App, account_id: int) -> str:
    """Give the secret that an account's posts are signed with, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(app.vault.post_key(account_id)).decode("ascii")


async def list_troubled(app: App, account_id: int, limit: int = 100) -> list[Any]:
    """Return the posts that did not arrive, or not yet, the newest first."""
    rows: list[Any] = await app.db.posts.list_troubled(account_id=account_id, limit=limit)
    return rows


async def _try(app: App, post: Row) -> tuple[str, bool]:
    """Post, and return what went wrong ("" for nothing) and whether that is the last word."""
    body = json.dumps(post.body, ensure_ascii=False, separators=(",", ":")).encode()
    key = app.vault.post_key(post.account_id)
    headers = {**sign(key, f"post_{post.id}", int(app.clock().timestamp()), body), "Content-Type": "application/json"}
    try:
        response = await app.http.request(
            "POST",
            post.url,
            party="post",
            headers=headers,
            body=body,
            timeout_seconds=TIMEOUT_SECONDS,
            public_only=not app.settings.sandbox,
            max_response_bytes=MAX_ANSWER_BYTES,
        )
    except (NeverSent, Ambiguous) as error:
        return str(error), False
    return "" if 200 <= response.status < 300 else f"it answers {response.status}", response.status == GONE


async def _end(app: App, post: Row, status: str, error: str | None) -> None:
    await app.db.posts.end(account_id=post.account_id, post_id=post.id, status=status, error=error, now=app.clock())


async def _put_off(app: App, post: Row, error: str) -> None:
    now = app.clock()
    async with app.db.transaction() as tx:
        await tx.posts.put_off(account_id=post.account_id, post_id=post.id, tries=post.tries, error=error)
        await timers.plan(
            tx,
            retry,
            account_id=post.account_id,
            bot_id=post.bot_id,
            payment_id=None,
            cause=f"post:{post.id}",
            ordinal=post.tries,
            payload={"account_id": post.account_id, "post_id": post.id},
            due_at=schedules.next_try(post.tries + 1, now),
            now=now,
        )
