"""Inline keyboards: checked as Telegram checks them, and for exactly one action per button, as its documents say.

Source of the refusals: tdlib/telegram-bot-api, Client.cpp (get_inline_keyboard_button); recorded answers of Telegram's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from grimbots.services.sandbox.refusals import Refusal

Button = dict[str, Any]

ACTIONS = {
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
}
STYLES = {"danger", "success", "primary"}
CALLBACK_BYTES, COPY_CHARACTERS = 64, 256
BUTTONS_LIMIT, ROW_LIMIT = 100, 8


def check(markup: Any) -> dict[str, Any] | None:
    """Give the inline keyboard a message will show; None for one without buttons.

    Raises:
        Refusal: in Telegram's words where it has any.
    """
    if not isinstance(markup, dict):
        raise _refuse("object expected as reply markup")
    if "inline_keyboard" not in markup:
        raise _refuse("the sandbox shows inline keyboards only")
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list):
        raise _refuse('field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise _refuse('field "inline_keyboard" must be an Array of Arrays')
    keyboard = [[_check_button(button) for button in row] for row in rows if row]
    if any(len(row) > ROW_LIMIT for row in keyboard) or sum(map(len, keyboard)) > BUTTONS_LIMIT:
        raise _refuse("reply markup is too long")
    return {"inline_keyboard": keyboard} if keyboard else None


def _check_button(button: Any) -> Button:
    if not isinstance(button, dict):
        raise _refuse_button("InlineKeyboardButton must be an Object")
    if "text" not in button:
        raise _refuse_button('Can\'t find field "text"')
    if not isinstance(button["text"], str):
        raise _refuse_button('Field "text" must be of type String')
    if not button["text"].strip():
        raise _refuse_button("Button text must be non-empty")
    actions = [name for name in button if name in ACTIONS and button[name] not in (None, "", False)]
    if not actions:
        raise _refuse_button("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise _refuse_button(f"exactly one action is allowed, not {' and '.join(actions)}")
    if button.get("style") is not None and button["style"] not in STYLES:
        raise _refuse("BUTTON_STYLE_INVALID")
    _check_action(actions[0], button[actions[0]])
    return {
        name: value for name, value in button.items() if name in {"text", "style", "icon_custom_emoji_id", actions[0]}
    }


def _check_action(action: str, value: Any) -> None:
    if action == "callback_data":
        _check_callback(value)
    elif action == "url":
        _check_url(value)
    elif action == "copy_text":
        _check_copy(value)
    elif action in {"pay", "callback_game"}:
        raise _refuse("BUTTON_TYPE_INVALID")


def _check_callback(value: Any) -> None:
    if not isinstance(value, str):
        raise _refuse_button('Field "callback_data" must be of type String')
    if len(value.encode("utf-8", "surrogatepass")) > CALLBACK_BYTES:
        raise _refuse("BUTTON_DATA_INVALID")


def _check_url(value: Any) -> None:
    if not isinstance(value, str):
        raise _refuse_button('Field "url" must be of type String')
    parts = urlsplit(value if "://" in value else f"http://{value}")
    if parts.scheme not in {"http", "https", "tg", "ton", "tonsite"}:
        raise _refuse(f"inline keyboard button URL '{value}' is invalid: Unsupported URL protocol")
    if not parts.netloc or (parts.scheme in {"http", "https"} and not _is_host(parts.hostname or "")):
        raise _refuse(f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")


def _is_host(host: str) -> bool:
    return "." in host or ":" in host or host == "localhost"


def _check_copy(value: Any) -> None:
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise _refuse_button("Can't parse copy text button: Can't find field \"text\"")
    if not 1 <= len(text) <= COPY_CHARACTERS:
        raise _refuse("BUTTON_COPY_TEXT_INVALID")


def _refuse(message: str) -> Refusal:
    return Refusal(400, f"Bad Request: {message}")


def _refuse_button(message: str) -> Refusal:
    return _refuse(f"can't parse inline keyboard button: {message}")
