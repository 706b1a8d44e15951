"""A chat with a funnel that moved in, written down line by line: what the lead does, what the bot says, how time goes.

Pure: `advance` is told what updates, payments and timers would tell it, with a clock of its own.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.check import check
from grimbots.services.funnels.definitions import Version, read_version
from grimbots.services.funnels.effects import Charge, Effect, Nudge, Say, Verify, Wake
from grimbots.services.funnels.events import (
    Charged,
    Event,
    Expired,
    Nudged,
    Paid,
    PaymentPending,
    Started,
    Tapped,
    TappedOld,
    Woke,
    Wrote,
)
from grimbots.services.funnels.moving.funnels import Moved, move
from grimbots.services.funnels.old_buttons import list_names
from grimbots.services.funnels.walks import Walk
from grimbots.tests.services.funnels.samples import NAMES, NOW

FIXTURES = Path(__file__).with_name("fixtures")
CHAT = 4242
BY_ITSELF = (Woke, Nudged, Expired)
SHOWN = ("photo", "video", "audio")


def read_fixture(name: str) -> Any:
    """Read old settings."""
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


@cache
def move_fixture(name: str) -> Moved:
    """Move old settings; what comes of them has no mistakes."""
    moved = move(read_fixture(name), name)
    assert [str(problem) for problem in check(moved.definition, {})] == []
    return moved


@cache
def read_moved(name: str) -> Version:
    """Read the funnel that old settings become."""
    version, findings = read_version(move_fixture(name).definition, version_id=7, assets={})
    assert not findings
    return version


class Transcript:
    """One lead's chat. `lines` is all of it; a keyboard stands in brackets behind its message."""

    def __init__(self, version: Version) -> None:
        self.version, self.walk, self.now = version, Walk(variables=NAMES), NOW
        self.lines: list[str] = []
        self.buttons: dict[str, Event] = {}
        self.payments: list[Charge] = []
        self.paid: set[int] = set()
        self._agenda: list[tuple[datetime, int, Event]] = []

    def start(self) -> None:
        """Send /start."""
        self._tell("/start", Started())

    def tap(self, label: str) -> None:
        """Press the newest button with this label."""
        self._tell(f"[{label}]", self.buttons[label])

    def tap_old(self, data: str) -> None:
        """Press a button of a message sent before the move, as updates.handle resolves it."""
        name = next((one for one in list_names(data, CHAT) if one in self.version.old_buttons), None)
        assert name is not None, f"{data} is no button of this funnel"
        self._tell(data, TappedOld(name))

    def write(self, text: str) -> None:
        """Write something."""
        self._tell(f"“{text}”", Wrote(text))

    def pay(self) -> None:
        """Pay the newest charge."""
        self.paid.add(len(self.payments))
        self._tell("paga", Paid(len(self.payments), self.payments[-1].step))

    def wait(self, **span: float) -> None:
        """Let time pass, and what comes due happen."""
        end = self.now + timedelta(**span)
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, event = heapq.heappop(self._agenda)
            if not (isinstance(event, Expired) and event.payment_id in self.paid):
                self._happen(event)
        self.now = end

    def _tell(self, line: str, event: Event) -> None:
        self.now += timedelta(seconds=5)
        self.lines.append(f"> {line}")
        self._happen(event)

    def _happen(self, event: Event) -> None:
        self.walk, effects = advance(self.version, self.walk, event, self.now)
        before = len(self.lines)
        for effect in effects:
            self._carry_out(effect)
        if len(self.lines) > before and isinstance(event, BY_ITSELF):
            self.lines.insert(before, f"… {self._say_time()}")

    def _say_time(self) -> str:
        minutes = round((self.now - NOW).total_seconds() / 60)
        return f"{minutes} min"

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Say():
                self._write_down(effect)
            case Charge():
                self._charge(effect)
            case Verify():
                if effect.payment_id not in self.paid:
                    order = self.walk.find_order(effect.payment_id)
                    assert order is not None
                    self._happen(PaymentPending(effect.payment_id, order.step))
            case Wake():
                self._plan(effect.due_at, Woke(effect.step, effect.number))
            case Nudge():
                event = Nudged(effect.step, effect.what, effect.place, effect.payment_id, effect.stage)
                self._plan(effect.due_at, event)

    def _plan(self, at: datetime, event: Event) -> None:
        heapq.heappush(self._agenda, (at, len(self._agenda), event))

    def _charge(self, effect: Charge) -> None:
        self.payments.append(effect)
        number, orders = len(self.payments), self.walk.orders
        self.walk = replace(self.walk, orders=(*orders[:-1], replace(orders[-1], payment_id=number)))
        expires = self.now + timedelta(seconds=effect.expires_in_seconds)
        self._plan(expires, Expired(number, effect.step))
        event = Charged(number, effect.step, f"PIX{number}", effect.amount_cents, expires)
        self.walk, effects = advance(self.version, self.walk, event, self.now)
        for one in effects:
            self._carry_out(one)

    def _write_down(self, said: Say) -> None:
        body = said.body
        shown = [f"({kind} {body[kind]})" for kind in SHOWN if kind in body]
        text = body.get("text") or body.get("caption") or ""
        rows = body.get("reply_markup", {}).get("inline_keyboard", ())
        keys = [self._name(button, said) for row in rows for button in row]
        keyboard = [f"[{' | '.join(keys)}]"] if keys else []
        self.lines.append(" ".join([*shown, *([text] if text else []), *keyboard]))

    def _name(self, button: dict[str, Any], said: Say) -> str:
        label = str(button["text"])
        if "url" in button:
            return f"{label} → {button['url']}"
        if "copy_text" in button:
            return f"{label} ⧉"
        _, step, name, _ = button["callback_data"].split(":")
        self.buttons[label] = Tapped(step, name, f"{len(self.lines)}", said.payment_id)
        return label
