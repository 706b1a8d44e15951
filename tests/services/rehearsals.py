"""A scripted week in the simulator: its clock, its provider, its timers; what leads do is read, not drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Charge, Effect, Say
from grimbots.services.funnels.events import Event, Paid, Returned, Started, Tapped, Wrote
from grimbots.services.funnels.simulations import BEGIN, CODE, Habits, Person, Simulation
from grimbots.tests.services.scripts import DAYS, Act, Heard, Sold, read_heard


@dataclass(frozen=True, slots=True)
class Shown:
    """A button that a lead was shown."""

    label: str
    tap: Tapped


class Rehearsal(Simulation):
    """The script's leads, by their place in it. `heard` and `charges` are what came of it for each."""

    def __init__(self, version: Version, script: Mapping[str, Sequence[Act]]) -> None:
        super().__init__(version, len(script), DAYS, 0, Habits())
        self._script = list(script.values())
        self._shown: list[list[Shown]] = [[] for _ in self._script]
        self.heard: list[list[Heard]] = [[] for _ in self._script]
        self.charges: list[list[tuple[int, Charge]]] = [[] for _ in self._script]
        self._last_id = 0

    def begin(self) -> None:
        """Take the script's acts for what happens."""
        for number, acts in enumerate(self._script):
            for act in acts:
                self.plan(BEGIN + timedelta(minutes=act.minute), number, act)  # type: ignore[arg-type]

    def draw_payment(self, person: Person, made: datetime, expires: datetime) -> None:
        """Leave it to the script."""

    def react(self, now: datetime, number: int, person: Person, effects: Sequence[Effect]) -> None:
        """Leave it to the script."""

    def play(self, now: datetime, number: int, event: Any) -> None:
        """Let one thing happen; an act becomes the event it is."""
        if not isinstance(event, Act):
            super().play(now, number, event)
        elif event.do == "block":
            self.people[number].has_left = True
        else:
            super().play(now, number, self._read(number, event))

    def is_away(self, number: int, event: Any) -> bool:
        """Let who has blocked the bot come back."""
        if isinstance(event, Act) and event.do == "unblock":
            self.people[number].has_left = False
        return super().is_away(number, event)

    def carry_out(self, now: datetime, number: int, person: Person, effect: Effect) -> None:
        """Keep what is said and charged."""
        super().carry_out(now, number, person, effect)
        if isinstance(effect, Say):
            self._hear(number, effect)
        elif isinstance(effect, Charge):
            self._last_id += 1
            self.charges[number].append((self._last_id, effect))

    def list_sold(self, number: int) -> list[Sold]:
        """Give a lead's lines of the ledger."""
        paid = self.people[number].paid
        return [_write_line(charge, payment_id in paid) for payment_id, charge in self.charges[number]]

    def _hear(self, number: int, said: Say) -> None:
        nonce = f"{number}-{len(self.heard[number])}"
        self.heard[number].append(read_heard(said.step, said.body, [CODE]))
        for row in said.body.get("reply_markup", {}).get("inline_keyboard", ()):
            for button in row:
                if "callback_data" in button:
                    _, step, name, _ = button["callback_data"].split(":")
                    self._shown[number].append(Shown(button["text"], Tapped(step, name, nonce, said.payment_id)))

    def _read(self, number: int, act: Act) -> Event:
        match act.do:
            case "start":
                return Started(act.what)
            case "write":
                return Wrote(act.what)
            case "unblock":
                return Returned()
            case "pay":
                payment_id, charge = self.charges[number][-1]
                return Paid(payment_id, charge.step)
        shown = [one.tap for one in self._shown[number] if one.label.startswith(act.what)]
        assert shown, f"lead {number} was shown no {act.what!r}"
        return shown[-1]


def _write_line(charge: Charge, is_paid: bool) -> Sold:
    return Sold(tuple(item.offer for item in charge.items), charge.amount_cents, is_paid)
