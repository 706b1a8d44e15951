"""Nudges: reminders, downsells and upsells: what a step has for later, whatever the lead does meanwhile. Pure.

    reminder    the unpaid code again                while that charge can be paid, and none was asked for since
    downsell    the lead is led to another step      if it has bought nothing since, nor come to other downsells
    upsell      the same, after a payment            if that was not given back

Each is looked at again at its time. With a person in the chat or a lead who has blocked the bot it is left out, not put
off: an offer that comes when nobody expects it is worth less than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from grimbots.services.funnels.effects import Nudge
from grimbots.services.funnels.events import Nudged
from grimbots.services.funnels.fields import MAX_MINUTES, Markup, Rule, Whole
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_text

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.base import Scene, Step
    from grimbots.services.funnels.surveys import Survey
    from grimbots.services.funnels.walks import Walk

MAX_NUDGES = 20
What = Literal["reminder", "downsell", "upsell"]


@dataclass(frozen=True, slots=True)
class Timed:
    """Something for so many minutes later: a `text`, or the step `next`; of an upsell, for whom has paid for `of`."""

    after_minutes: int
    text: str = ""
    next: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Timetable(Rule):
    """A list of what comes later, each an object of `after_minutes` and these fields."""

    needed: tuple[str, ...] = ("next",)
    others: tuple[str, ...] = ()
    least_minutes: int = 1

    def read(self, raw: Any) -> tuple[Timed, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > MAX_NUDGES:
            raise Wrong("too_many_nudges", limit=MAX_NUDGES)
        return tuple(self._read_at(place, one) for place, one in enumerate(raw))

    def check(self, value: tuple[Timed, ...], survey: Survey, step: Any) -> Iterator[Finding]:
        for place, one in enumerate(value):
            for finding in Markup().check(one.text, survey, step):
                yield replace(finding, field=f"[{place}].text")

    def _read_at(self, place: int, raw: Any) -> Timed:
        if not isinstance(raw, dict):
            raise Wrong("not_object", f"[{place}]")
        fields = ("after_minutes", *self.needed, *self.others)
        if unknown := [name for name in raw if name not in fields]:
            raise Wrong("unknown_field", join_place(f"[{place}]", unknown[0]))
        if missing := [name for name in ("after_minutes", *self.needed) if raw.get(name, "") == ""]:
            raise Wrong("missing", join_place(f"[{place}]", missing[0]))
        return Timed(**{name: self._read_field(place, name, raw[name]) for name in fields if name in raw})

    def _read_field(self, place: int, name: str, raw: Any) -> Any:
        try:
            if name == "after_minutes":
                return Whole(self.least_minutes, MAX_MINUTES, "bad_minutes").read(raw)
            return read_text(raw)
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", name, wrong.place), **wrong.facts) from None


def plan(
    step: Step, what: What, scene: Scene, payment_id: int | None = None, offers: Sequence[str] = ()
) -> list[Nudge]:
    """Plan all of one list of a step, from now on; of upsells those for what was paid (`offers`)."""
    return [
        Nudge(step.id, what, place, scene.now + timedelta(minutes=one.after_minutes), payment_id, scene.walk.stage)
        for place, one in enumerate(step.timetable(what))
        if not one.of or one.of in offers
    ]


def begin_downsells(step: Step, scene: Scene, payment_id: int | None = None) -> tuple[Walk, list[Nudge]]:
    """Plan a step's downsells in place of all that were planned before."""
    if not step.timetable("downsell"):
        return scene.walk, []
    walk = replace(scene.walk, stage=scene.walk.stage + 1)
    return walk, plan(step, "downsell", replace(scene, walk=walk), payment_id)


def find_obstacle(event: Nudged, scene: Scene) -> str:
    """Say in a word why nothing comes of a nudge; "": it is wanted."""
    walk, entry = scene.walk, find_entry(event, scene)
    if entry is None:
        return "gone"
    if event.obstacle or walk.is_held(scene.now):
        return event.obstacle or "held"
    if event.what == "reminder":
        order = walk.find_order(event.payment_id or 0)
        if order is None or not order.code or not order.is_open(scene.now):
            return "settled"
        return "" if order is walk.orders[-1] else "newer"
    target = scene.version.steps.get(entry.next)
    item = target.sells() if target else None
    if item is not None and item.offer in walk.bought:
        return "bought"
    if event.what == "upsell":
        return ""
    if walk.stage != event.stage:
        return "moved"
    return "offered" if entry.next in walk.offered else ""


def find_entry(event: Nudged | Nudge, scene: Scene) -> Timed | None:
    """Give what a nudge is about; None where the version has no such thing."""
    step = scene.version.steps.get(event.step)
    listed = step.timetable(event.what) if step else ()
    return listed[event.place] if 0 <= event.place < len(listed) else None
