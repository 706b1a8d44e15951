"""Updates: what Telegram posts to a bot's webhook, numbered per bot, stored, and carried queue by queue."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from grimbots.services.clients.http import Ambiguous, NeverSent, Response
from grimbots.services.sandbox import bots
from grimbots.services.sandbox.couriers import Verdict
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

ANSWER_SECONDS = 60
DAY_SECONDS, QUERY_SECONDS = 86_400, 150

# Kind -> (family of its delivery queue, seconds it lives). Source: tdlib/telegram-bot-api, Client.cpp (add_update*).
KINDS = {
    "message": ("chat", DAY_SECONDS),
    "callback_query": ("taps", QUERY_SECONDS),
    "pre_checkout_query": ("checkouts", QUERY_SECONDS),
    "my_chat_member": ("membership", DAY_SECONDS),
}

Execute = Callable[[Sandbox, Row, str, dict[str, Any]], Awaitable[None]]
"""Run a Bot API method that came back in a webhook's answer."""


def push(sandbox: Sandbox, bot: Row, kind: str, chat_id: int, content: dict[str, Any]) -> str:
    """Store an update for the bot, if it wants this kind; give the queue to wake once it is on disk."""
    family, life_seconds = KINDS[kind]
    queue = f"bot:{bot['id']}:{family}:{chat_id}"
    if bots.wants(bot, kind):
        update_id = sandbox.store.value(
            "UPDATE bots SET last_update_id = last_update_id + 1 WHERE id = :bot_id RETURNING last_update_id",
            bot_id=bot["id"],
        )
        now = sandbox.clock()
        sandbox.store.run(
            """
            INSERT INTO parcels (kind, owner, queue, body, made_at, expires_at)
            VALUES ('update', :owner, :queue, :body, :now, :expires_at)
            """,
            owner=f"bot:{bot['id']}",
            queue=queue,
            body=json.dumps({"update_id": update_id, kind: content}, ensure_ascii=False, separators=(",", ":")),
            now=now,
            expires_at=now + life_seconds,
        )
    return queue


def drop_waiting(sandbox: Sandbox, bot: Row) -> None:
    """Forget the updates that were not delivered yet."""
    sandbox.store.run(
        "UPDATE parcels SET outcome = 'dropped', done_at = :now WHERE owner = :owner AND outcome IS NULL",
        owner=f"bot:{bot['id']}",
        now=sandbox.clock(),
    )


async def send(sandbox: Sandbox, parcel: Row, execute: Execute) -> Verdict | None:
    """Post one update to its bot's webhook as Telegram does; None while the bot has none."""
    bot = bots.find_by_id(sandbox, int(parcel["owner"].removeprefix("bot:")))
    if bot is None or not bot["webhook_url"]:
        return None
    verdict, response = await _post(sandbox, bot, parcel["body"])
    if verdict.error:
        bots.note_webhook_error(sandbox, bot, verdict.error)
    elif response is not None:
        await _obey(sandbox, bot, response, execute)
    return verdict


async def _post(sandbox: Sandbox, bot: Row, body: str) -> tuple[Verdict, Response | None]:
    headers = {"Content-Type": "application/json"}
    if bot["webhook_secret"]:
        headers["X-Telegram-Bot-Api-Secret-Token"] = bot["webhook_secret"]
    try:
        response = await sandbox.http.request(
            "POST",
            bot["webhook_url"],
            party=f"webhook:{bot['id']}",
            headers=headers,
            body=body.encode(),
            timeout_seconds=ANSWER_SECONDS,
        )
    except NeverSent as error:
        return Verdict(f"Connection failed: {error}"), None
    except Ambiguous as error:
        return Verdict(f"Read timeout expired or connection closed: {error}"), None
    return judge(response), response


def judge(response: Response) -> Verdict:
    """Read a webhook's answer: anything but 2xx is a failure, redirects included."""
    if 200 <= response.status <= 299:
        return Verdict()
    retry_after = response.headers.get("Retry-After", "")
    return Verdict(
        f"Wrong response from the webhook: {response.status}",
        int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0,
    )


async def _obey(sandbox: Sandbox, bot: Row, response: Response, execute: Execute) -> None:
    """Run the method a 2xx body carries. Its result and its errors reach nobody but the call log."""
    params = _read_call(response)
    method = str(params.pop("method", "")).lower()
    if method and method not in {"setwebhook", "deletewebhook", "close", "logout"} and not method.startswith("get"):
        await execute(sandbox, bot, method, params)


def _read_call(response: Response) -> dict[str, Any]:
    content_type = response.headers.get("Content-Type", "")
    try:
        text = response.body.decode()
        if content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(text))
        read = json.loads(text) if text.strip() else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
