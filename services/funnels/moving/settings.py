"""The old settings read: one row of the original's bot_configs, in every shape it went out in. Total.

What comes may be the row itself (lists as JSON in texts), the panel's answer to GET /api/bots/<id>/config (lists),
either of them wrapped in `config`, `export` or `bot`, or a flow the editor exported: an object with `flow_steps`, or
the bare list. What cannot be read is empty, as it was for the old system, and remarked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.foreign_json import read_json
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.words import Note, read_flag, read_text

WRAPPERS = ("config", "export", "bot", "bot_config", "settings")
LISTS = ("main_buttons", "redirect_buttons", "downsells", "upsells", "flow_steps")
FIELDS = frozenset(
    {
        *("welcome_message", "welcome_media_url", "welcome_media_type", "welcome_audio_enabled", "welcome_audio_url"),
        *("downsells_enabled", "upsells_enabled", "access_link", "success_message", "pending_message"),
        *("flow_enabled", "flow_start_step_id", *LISTS),
        # One bump for every button, in a time before the buttons had their own.
        *("order_bump_enabled", "order_bump_message", "order_bump_media_url", "order_bump_price"),
    }
)
# What names a row, and what the panel's answer tells besides.
BESIDE = frozenset(
    {
        *("id", "bot_id", "user_id", "name", "bot_name", "username", "created_at", "updated_at", "success", "error"),
        *("message", "has_meta_pixel", "pool_name", "exported_at", "title", "description"),
    }
)
MOST_WRAPPERS = 5
OF_TODAY = ("flow_enabled", "flow_steps", "flow_start_step_id")  # fields the older system did not have
OF_TODAYS_BUTTONS = ("price_position", "subscription")


@dataclass(frozen=True, slots=True)
class Settings:
    """One bot's settings. `is_newer`: written by the system of 2026, which put prices on buttons by itself."""

    values: Mapping[str, Any]
    lists: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    is_newer: bool = False

    def text(self, name: str) -> str:
        """Give a text."""
        return read_text(self.values.get(name))

    def flag(self, name: str) -> bool:
        """Give a switch."""
        return read_flag(self.values.get(name))


def read(raw: Any, note: Note) -> Settings:
    """Read settings."""
    values = unwrap(raw)
    for name in values:
        if name not in FIELDS | BESIDE:
            note(Remark("unknown_field", str(name)[:80]))
    lists = {name: read_list(values.get(name), name, note) for name in LISTS}
    buttons = lists["main_buttons"]
    is_newer = any(name in values for name in OF_TODAY) or any(
        name in button for button in buttons for name in OF_TODAYS_BUTTONS
    )
    return Settings(values, lists, is_newer)


def unwrap(raw: Any) -> Mapping[str, Any]:
    """Take the settings out of what they came in."""
    for _ in range(MOST_WRAPPERS):
        found = _parse(raw) if isinstance(raw, str) else raw
        if isinstance(found, list):
            return {"flow_enabled": True, "flow_steps": found}
        if not isinstance(found, dict):
            return {}
        inner = next((found[name] for name in WRAPPERS if isinstance(found.get(name), dict | list)), None)
        if inner is None or FIELDS & found.keys():
            return _rename_flow(found)
        raw = inner
    return {}


def _rename_flow(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an exported flow the names of a row: `steps` or `nodes` for `flow_steps`."""
    for name in ("steps", "nodes"):
        if isinstance(raw.get(name), list) and "flow_steps" not in raw:
            rest = {key: value for key, value in raw.items() if key != name}
            return {"flow_enabled": True, **rest, "flow_steps": raw[name]}
    return raw


def read_list(raw: Any, place: str, note: Note) -> list[dict[str, Any]]:
    """Read a list of objects; what is none of these keeps its place as an empty object, for buttons count by place."""
    parsed = _parse(raw) if isinstance(raw, str) else raw
    if parsed is None or parsed == "":
        return []
    if not isinstance(parsed, list):
        note(Remark("unreadable", place))
        return []
    for number, one in enumerate(parsed):
        if not isinstance(one, dict):
            note(Remark("unreadable", f"{place}[{number}]"))
    return [one if isinstance(one, dict) else {} for one in parsed]


def _parse(text: str) -> Any:
    """Parse JSON; a text that is none stays a text, so that it is seen to be none."""
    try:
        return read_json(text) if text.strip() else None
    except ValueError:
        return text
