"""Updates: what Telegram posts to a bot's webhook, numbered per bot, stored, and carried queue by queue."""

from __future__ import annotations

import json
import zlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from tornado.httputil import HTTPFile, HTTPInputError, parse_body_arguments

from grimbots.conf.foreign_json import read_json
from grimbots.services.clients.http import Ambiguous, NeverSent, Response
from grimbots.services.sandbox import bots, faults, parcels, webhooks
from grimbots.services.sandbox.connections import Connections
from grimbots.services.sandbox.couriers import Verdict
from grimbots.services.sandbox.registry import Upload, make_upload
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

ANSWER_SECONDS = 60
LONGEST_BYTES = 1 << 16  # an update that does not fit is dropped at the source (Client.cpp, add_update_impl)
REASONS = {status.value: status.phrase for status in HTTPStatus}
DAY_SECONDS, QUERY_SECONDS = 86_400, 150

# Kind -> (family of its delivery queue, seconds it lives). Source: tdlib/telegram-bot-api, Client.cpp (add_update*).
KINDS = {
    "message": ("chat", DAY_SECONDS),
    "callback_query": ("taps", QUERY_SECONDS),
    "pre_checkout_query": ("checkouts", QUERY_SECONDS),
    "my_chat_member": ("membership", DAY_SECONDS),
    "chat_member": ("admissions", DAY_SECONDS),
    "chat_join_request": ("admissions", DAY_SECONDS),
    "managed_bot": ("managers", DAY_SECONDS),
}

Execute = Callable[[Sandbox, Row, str, dict[str, Any], dict[str, Upload]], Awaitable[None]]
"""Run a Bot API method, with its parameters and uploads, that came back in a webhook's answer."""


def push(sandbox: Sandbox, bot: Row, kind: str, chat_id: int, content: dict[str, Any]) -> str:
    """Store an update for the bot, if it wants this kind; give the queue to wake once it is on disk.

    `chat_id` is whose queue it goes in: of a chat_member and a chat_join_request the person's.
    """
    family, life_seconds = KINDS[kind]
    queue = f"bot:{bot['id']}:{family}:{chat_id}"
    written = json.dumps(content, separators=(",", ":"))  # like Telegram, with \u escapes
    if webhooks.wants(bot, kind) and len(written) + len(kind) <= LONGEST_BYTES:
        fault = faults.take(sandbox, "updates", bot=bot["username"], method=kind, chat_id=chat_id)
        body = f'{{"update_id":{_next_id(sandbox, bot)},"{kind}":{written}}}'
        for _ in range(fault.copies):
            parcels.add(
                sandbox,
                "update",
                owner=f"bot:{bot['id']}",
                queue=queue,
                body=body,
                delay_seconds=fault.delay_seconds,
                life_seconds=life_seconds,
            )
    return queue


def _next_id(sandbox: Sandbox, bot: Row) -> int:
    number: int = sandbox.store.value(
        "UPDATE bots SET last_update_id = last_update_id + 1 WHERE id = :bot_id RETURNING last_update_id",
        bot_id=bot["id"],
    )
    return number


def drop_waiting(sandbox: Sandbox, bot: Row) -> None:
    """Forget the updates that were not delivered yet."""
    sandbox.store.run(
        "UPDATE parcels SET outcome = 'dropped', done_at = :now WHERE owner = :owner AND outcome IS NULL",
        owner=f"bot:{bot['id']}",
        now=sandbox.clock(),
    )


async def send(sandbox: Sandbox, parcel: Row, execute: Execute) -> Verdict | None:
    """Post one update to its bot's webhook as Telegram does; None while the bot has none."""
    bot = _find_bot(sandbox, parcel)
    if bot is None:
        return None
    connections = sandbox.connections.setdefault(bot["id"], Connections(bot["max_connections"]))
    await connections.take()
    verdict, is_kept = Verdict("the attempt was given up"), False
    try:
        bot = _find_bot(sandbox, parcel)
        if bot is None or connections.is_closed:
            return None if bot is None else Verdict("the webhook was set anew")
        verdict, is_kept = await _deliver(sandbox, bot, parcel, execute)
    finally:
        connections.give_back(is_kept=is_kept, is_success=not verdict.error)
    if verdict.error and not connections.is_closed:
        webhooks.note_error(sandbox, bot, connections, verdict)
    return verdict


def _find_bot(sandbox: Sandbox, parcel: Row) -> Row | None:
    """Give the bot a parcel goes to, if it has a webhook now."""
    bot = bots.find_by_id(sandbox, int(parcel["owner"].removeprefix("bot:")))
    return bot if bot is not None and bot["webhook_url"] and not bots.is_banned(sandbox, bot) else None


async def _deliver(sandbox: Sandbox, bot: Row, parcel: Row, execute: Execute) -> tuple[Verdict, bool]:
    """Post an update and obey the answer; give what became of it, and whether the connection stays open."""
    try:
        response = await _post(sandbox, bot, parcel["body"])
    except (NeverSent, Ambiguous) as failure:
        return Verdict(webhooks.describe_failure(failure)), False
    verdict = judge(response)
    if not verdict.error:
        await _obey(sandbox, bot, response, execute)
    return verdict, response.headers.get("Connection", "").lower() != "close"


async def _post(sandbox: Sandbox, bot: Row, body: str) -> Response:
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
    if bot["webhook_secret"]:
        headers["X-Telegram-Bot-Api-Secret-Token"] = bot["webhook_secret"]
    return await sandbox.http.request(
        "POST",
        bot["webhook_url"],
        party=f"webhook:{bot['id']}",
        headers=headers,
        body=body.encode(),
        timeout_seconds=ANSWER_SECONDS,
    )


def judge(response: Response) -> Verdict:
    """Read a webhook's answer: anything but 2xx is a failure, redirects included."""
    if 200 <= response.status <= 299:
        return Verdict()
    phrase = REASONS.get(response.status, "")
    retry_after = response.headers.get("Retry-After", "")
    return Verdict(
        f"Wrong response from the webhook: {response.status} {phrase}".rstrip(),
        int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0,
        response.status,
    )


async def _obey(sandbox: Sandbox, bot: Row, response: Response, execute: Execute) -> None:
    """Run the method a 2xx body carries. Its result and its errors reach nobody but the call log."""
    params, files = _read_call(response)
    method = str(params.pop("method", "")).lower()
    if method and method not in {"setwebhook", "deletewebhook", "close", "logout"} and not method.startswith("get"):
        await execute(sandbox, bot, method, params, files)


def _read_call(response: Response) -> tuple[dict[str, Any], dict[str, Upload]]:
    """Give the parameters and uploads of a body in JSON, a form or multipart."""
    content_type = response.headers.get("Content-Type", "")
    is_packed = response.headers.get("Content-Encoding", "") in {"gzip", "deflate"}
    try:
        body = zlib.decompress(response.body, wbits=47) if is_packed else response.body
        if content_type.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
            return _read_form(content_type, body)
        read = read_json(body.decode()) if body.strip() else {}
    except (ValueError, zlib.error, HTTPInputError):
        return {}, {}
    return (read if isinstance(read, dict) else {}), {}


def _read_form(content_type: str, body: bytes) -> tuple[dict[str, Any], dict[str, Upload]]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    parse_body_arguments(content_type, body, arguments, files)
    params = {name: values[0].decode() for name, values in arguments.items()}
    return params, {name: make_upload(each[0]["body"], each[0]["filename"]) for name, each in files.items()}
