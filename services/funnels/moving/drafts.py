"""A funnel being written: its steps in order, the buttons of old messages, the remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.splitting import MAX_CAPTION_UNITS, MAX_TEXT_UNITS, fits, split

Fields = dict[str, Any]
SPOKEN = ("photo", "video", "audio")


@dataclass(slots=True)
class Draft:
    """What is written so far. Steps keep the order they were first named in."""

    steps: dict[str, Fields] = field(default_factory=dict)
    old_buttons: dict[str, Fields] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def note(self, remark: Remark) -> None:
        """Remark something, once."""
        if remark not in self.remarks:
            self.remarks.append(remark)

    def add(self, step: str, kind: str, **fields: Any) -> str:
        """Write a step; empty fields are left out. Returns its id."""
        self.steps[step] = {"id": step, "kind": kind, **{name: value for name, value in fields.items() if value != ""}}
        return step

    def say(self, step: str, kind: str, place: str, shown: Mapping[str, str], **fields: Any) -> str:
        """Write a step that says something, and messages before it where that does not fit into one. Returns the first.

        Beside a photo or film a text is its caption; one too long for that follows, whole, with the buttons.
        """
        text = fields.get("text", "")
        media = {name: value for name, value in shown.items() if name in SPOKEN}
        rest = {name: value for name, value in shown.items() if name not in SPOKEN}
        needs_two = bool(media) and not fits(text, MAX_CAPTION_UNITS)
        parts = split(text, MAX_TEXT_UNITS) if text else [""]
        if needs_two:
            self.note(Remark("text_behind_media", place))
        if len(parts) > 1:
            self.note(Remark("text_in_parts", place, {"count": len(parts)}))
        before: list[Fields] = [dict(media)] if needs_two else []
        before += [{"text": part} for part in parts[:-1]]
        names = [f"{step}-{number}" for number, _ in enumerate(before, 1)]
        for (name, following), one in zip(pairwise([*names, step]), before, strict=True):
            self.add(name, "message", **one, next=following)
        own = {} if needs_two else media
        self.add(step, kind, **{**fields, **own, **rest, "text": parts[-1]})
        return names[0] if names else step

    def remember(self, button: str, to: str, takes: Sequence[str] = ()) -> None:
        """Write what a button of an old message leads to."""
        self.old_buttons[button] = {"to": to, "takes": list(takes)} if takes else {"to": to}
