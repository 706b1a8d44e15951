"""The Bot API methods about the bot itself, its webhook, and the queries it must answer."""

from __future__ import annotations

from typing import Any

from grimbots.services.sandbox import bots, queries, stars, updates, webhooks
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, Told, method

ANSWER_LIMIT = 200


@method("getMe")
def get_me(call: Call) -> dict[str, Any]:
    """Say who the token belongs to."""
    abilities = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    abilities["can_manage_bots"] = True
    return bots.as_user(call.bot) | abilities


@method("getWebhookInfo")
def get_webhook_info(call: Call) -> dict[str, Any]:
    """Say where updates go, how many wait and what went wrong last."""
    return webhooks.describe(call.sandbox, call.bot)


@method(
    "setWebhook",
    "url certificate:file ip_address max_connections:integer allowed_updates:json drop_pending_updates:boolean"
    " secret_token",
)
def set_webhook(call: Call) -> Told:
    """Point the bot's updates at a URL; an empty one removes the webhook."""
    params = call.params
    if not params.get("url"):
        return _remove_webhook(call)
    call.sandbox.floods.note_webhook(call.bot["id"], call.sandbox.clock())
    allowed = params.get("allowed_updates")
    if allowed is not None and not (isinstance(allowed, list) and all(isinstance(kind, str) for kind in allowed)):
        raise Refusal(400, "Bad Request: can't parse allowed_updates JSON object")
    columns = webhooks.read(
        call.bot,
        url=params["url"],
        secret=params.get("secret_token", ""),
        connections=params.get("max_connections", webhooks.DEFAULT_CONNECTIONS),
        allowed=allowed,
    )
    is_dropping = params.get("drop_pending_updates", False)
    if is_dropping:
        updates.drop_waiting(call.sandbox, call.bot)
    is_new = webhooks.put(call.sandbox, call.bot, columns, is_forced=is_dropping)
    return Told(True, "Webhook was set" if is_new else "Webhook is already set")


@method("deleteWebhook", "drop_pending_updates:boolean")
def delete_webhook(call: Call) -> Told:
    """Let updates wait until there is a webhook again."""
    return _remove_webhook(call)


@method("answerCallbackQuery", "callback_query_id text show_alert:boolean url cache_time:integer")
def answer_callback_query(call: Call) -> bool:
    """End the spinner of a tapped button, perhaps with a notice."""
    text = call.params.get("text", "")
    if len(text) > ANSWER_LIMIT:
        raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    content = {"text": text, "show_alert": call.params.get("show_alert", False)}
    queries.answer(call.sandbox, call.bot, call.params.get("callback_query_id", ""), "callback", content)
    return True


@method("answerPreCheckoutQuery", "pre_checkout_query_id ok:boolean error_message")
def answer_pre_checkout_query(call: Call) -> bool:
    """Let a checkout go on, or say why not."""
    is_fine, message = bool(call.params.get("ok")), str(call.params.get("error_message", ""))
    if not is_fine and not message:
        raise Refusal(400, "Bad Request: ERROR_MESSAGE_EMPTY")
    content = {"text": message, "show_alert": not is_fine}
    query_id = call.params.get("pre_checkout_query_id", "")
    queries.answer(call.sandbox, call.bot, query_id, "pre_checkout", content)
    if is_fine:
        stars.pay(call, query_id)
    return True


def _remove_webhook(call: Call) -> Told:
    if call.params.get("drop_pending_updates"):
        updates.drop_waiting(call.sandbox, call.bot)
    was_there = webhooks.remove(call.sandbox, call.bot)
    return Told(True, "Webhook was deleted" if was_there else "Webhook is already deleted")
