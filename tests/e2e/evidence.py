"""Evidence: what the rows, the sales page's read model and the sandbox's own log say when all is at rest."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grimbots.conf.settings import load
from grimbots.queue.inspector import Inspector
from grimbots.queue.sightings import DeadJob
from grimbots.server import build_app
from grimbots.services import accounts, sales
from grimbots.services.app import App
from grimbots.services.sandbox.invoices import LINK
from grimbots.services.sessions import Member
from grimbots.tests.e2e.installation import ACCOUNT, Installation, until

TAG = re.compile(r"<[^>]+>")
Row = Mapping[str, Any]
Saying = tuple[str, tuple[str, ...]]

TABLES = {
    "messages": "SELECT *, (SELECT telegram_id FROM bots WHERE bots.id = bot_id) AS bot FROM messages ORDER BY id",
    "payments": "SELECT * FROM payments ORDER BY id",
    "transitions": "SELECT * FROM payment_transitions WHERE from_state <> to_state ORDER BY id",
    "receipts": "SELECT * FROM payment_receipts ORDER BY id",
    "events": "SELECT id, convert_from(body, 'UTF8') AS body, status, reason FROM provider_events ORDER BY id",
    "deliveries": "SELECT * FROM deliveries ORDER BY id",
    "updates": "SELECT telegram_id AS bot, update_id FROM applied_updates JOIN bots ON bots.id = bot_id",
    "bots": "SELECT id, telegram_id FROM bots",
}


@dataclass(frozen=True)
class Said:
    """A message a person saw: where it came in its bot's order of arrival, and what it said."""

    number: int
    saying: Saying
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Update:
    """An update Telegram had for a bot: when it could leave, and when it was answered 200 (None: never)."""

    bot: int
    update_id: int
    family: str
    chat_id: int
    made_at: datetime
    done_at: datetime | None


@dataclass(frozen=True)
class Evidence:
    """`rows` by table; `said` by chat; `charges` as the provider has them; the page's payments and mishaps by id."""

    rows: Mapping[str, Sequence[Row]]
    said: Mapping[int, list[Said]]
    updates: list[Update]
    events: Sequence[Row]
    charges: Sequence[Row]
    payments_shown: Mapping[int, Any]
    mishaps_shown: Mapping[int, Any]
    dead: list[DeadJob]
    pending: int
    errors: Sequence[Row]


async def collect(installation: Installation, bots: list[str]) -> Evidence:
    """Read it all."""
    posts = await _read_posts(installation)
    async with build_app(load(installation.environ)) as app:
        inspector = Inspector(app.queue)
        pending, dead = await _count_jobs(inspector), await inspector.dead(limit=1000)
        payments, mishaps = await _read_pages(app)
    return Evidence(
        rows={name: installation.query_by_name(statement) for name, statement in TABLES.items()},
        said=await _read_said(installation, bots),
        updates=[_read_update(post) for post in posts if post["kind"] == "update"],
        events=[post for post in posts if post["kind"] != "update"],
        charges=[*await installation.api("GET", "pix"), *await _read_stars(installation, bots)],
        payments_shown=payments,
        mishaps_shown=mishaps,
        dead=dead,
        pending=pending,
        errors=installation.read_errors(),
    )


async def wait_for_rest(installation: Installation, seconds: float) -> None:
    """Wait until nothing is under way in sandbox, rows and queue; what waits for minutes has them behind it at once."""
    paid = [charge["txid"] for charge in await installation.api("GET", "pix") if charge["paid"]]
    _let_checks_be_due(installation, paid)
    async with build_app(load(installation.environ)) as app:
        inspector = Inspector(app.queue)

        async def is_at_rest() -> bool:
            _let_events_grow_old(installation)  # late ones too
            _let_timers_be_due(installation)  # those of charges made since, too
            if any(_count_open(installation, paid).values()) or await _count_jobs(inspector):
                return False
            # Again, behind the posts: in this order nothing passes from one to the next unseen.
            posts = [post for post in await _read_posts(installation) if post["outcome"] is None]
            return not posts and not any(_count_open(installation, paid).values()) and not await _count_jobs(inspector)

        try:
            await until(is_at_rest, seconds, "something is still under way")
        except AssertionError as error:
            raise AssertionError(f"{error}: {_count_open(installation, paid)}, {await inspector.queues()}") from None


async def _count_jobs(inspector: Inspector) -> int:
    """Count what the queue holds, but for checks: charges nobody pays are asked about for a day."""
    return sum(depth.pending + depth.in_flight for depth in await inspector.queues() if depth.queue != "checks")


def _let_timers_be_due(installation: Installation) -> None:
    """Let the next try of a delivery and every expiry be due."""
    installation.query("UPDATE timers SET due_at = now() WHERE status = 'pending' AND due_at > now()")


def _let_checks_be_due(installation: Installation, paid: list[str]) -> None:
    """Let the next check of a charge that has money be due."""
    installation.query(f"""
        UPDATE payments SET next_check_at = now() - interval '1 hour'
        WHERE next_check_at IS NOT NULL AND idempotency_key IN ({_quote(paid)});
    """)


def _quote(txids: list[str]) -> str:
    return ", ".join(f"'{txid}'" for txid in ["", *txids])


def _let_events_grow_old(installation: Installation) -> None:
    """Let the ten minutes be over in which an event waits for what it speaks of; its job tries once more."""
    installation.query("""
        UPDATE provider_events
        SET received_at = received_at - interval '10 minutes'
        WHERE status = 'received' AND received_at > now() - interval '10 minutes'
    """)


def _count_open(installation: Installation, paid: list[str]) -> Row:
    (counts,) = installation.query_by_name(f"""
        SELECT (SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')) AS messages,
            (SELECT count(*) FROM payments WHERE state IN ('new', 'creating')) AS charges,
            (SELECT count(*) FROM payments WHERE idempotency_key IN ({_quote(paid)})
                AND NOT EXISTS (SELECT FROM payment_receipts WHERE payment_id = payments.id)) AS unseen,
            (SELECT count(*) FROM provider_events WHERE status = 'received') AS events,
            (SELECT count(*) FROM timers WHERE status = 'pending') AS timers
    """)
    return counts


async def _read_posts(installation: Installation) -> list[dict[str, Any]]:
    posts: list[dict[str, Any]] = []
    while page := await installation.api("GET", f"posts?after={posts[-1]['seq'] if posts else 0}"):
        posts += page
    return posts


def _read_update(post: Row) -> Update:
    _, bot, family, chat_id = post["queue"].split(":")
    done_at = datetime.fromisoformat(post["done_at"]) if post["outcome"] == "carried" else None
    body = json.loads(post["body"])
    family = "payments" if "successful_payment" in body.get("message", {}) else family
    made_at = datetime.fromisoformat(post["leaves_at"])
    return Update(int(bot), body["update_id"], family, int(chat_id), made_at, done_at)


async def _read_stars(installation: Installation, bots: list[str]) -> list[Row]:
    """Give what was paid in Stars as the provider's charges are: by our key, with what came in."""
    charges = []
    for bot in bots:
        for paid in await _read_transactions(installation, bot):
            if "source" in paid:
                key = paid["source"]["invoice_payload"].partition("-")[0]
                charges.append({"txid": key, "paid": [{"amount_cents": paid["amount"]}]})
    return charges


async def _read_transactions(installation: Installation, bot: str) -> list[dict[str, Any]]:
    """Give a bot's transactions in Stars."""
    found: list[dict[str, Any]] = []
    path = f"/bot{installation.secrets[f'token of @{bot}']}/getStarTransactions"
    while True:
        async with installation.session.post(path, json={"offset": len(found)}) as answer:
            page = (await answer.json())["result"]["transactions"]
        if not page:
            return found
        found += page


async def _read_said(installation: Installation, bots: list[str]) -> dict[int, list[Said]]:
    said: dict[int, list[Said]] = defaultdict(list)
    albums: set[str | None] = set()
    for bot in bots:
        for message in await installation.api("GET", f"bots/{bot}/messages?after=0"):
            album = message.get("media_group_id")
            if message["from"]["is_bot"] and (album is None or album not in albums):  # of an album the first
                albums.add(album)
                said[message["chat"]["id"]].append(
                    Said(message["message_id"], read_saying(message), read_codes(message))
                )
    return said


def read_saying(body: Row) -> Saying:
    """Give what a message says and what its buttons send back: the same of a row's body and of what came."""
    text = html.unescape(TAG.sub("", body.get("text") or body.get("caption") or ""))
    rows = (body.get("reply_markup") or {}).get("inline_keyboard", [])
    return " ".join(text.split()), tuple(
        button["callback_data"] for row in rows for button in row if "callback_data" in button
    )


def read_codes(message: Row) -> tuple[str, ...]:
    """Give the PIX codes a message shows, and the links of its invoices in Stars."""
    entities = [entity for entity in message.get("entities", []) if entity["type"] == "code"]
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    links = (button.get("url", "") for row in rows for button in row)
    return (
        *(message["text"][one["offset"] : one["offset"] + one["length"]] for one in entities),
        *(link for link in links if link.startswith(LINK)),
    )


async def _read_pages(app: App) -> tuple[dict[int, Any], dict[int, Any]]:
    """Give what the seller sees: every payment, and every message that did not arrive or may not have."""
    account = await accounts.get_account(app, ACCOUNT)
    member = Member(0, account.id, ACCOUNT, "America/Sao_Paulo", "owner")
    payments = await _read_all(app, member, sales.list_payments)
    return payments, await _read_all(app, member, sales.list_mishaps)


async def _read_all(app: App, member: Member, read: Any) -> dict[int, Any]:
    rows: dict[int, Any] = {}
    before = None
    while True:
        page = await read(app, member, before)
        rows |= {row.id: row for row in page.rows}
        before = page.next_before
        if before is None:
            return rows
