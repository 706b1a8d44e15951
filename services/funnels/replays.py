"""Replays: what happened to a lead, played again on an edited version: where it would have gone another way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from grimbots.services.funnels.advance import Trace, trace
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Charge, Effect, Say
from grimbots.services.funnels.events import Event
from grimbots.services.funnels.walks import Walk

EDITED_ID = -1  # of a version that is not published: no real one has it, and 0 is nobody's


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a lead: when, on which version, and the payments that were opened by it, in order."""

    at: datetime
    version: Version
    event: Event
    payment_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """What a happening led to: the walk before it, and what `trace` says of it."""

    happening: Happening
    before: Walk
    done: Trace


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step at which two versions part: what each did there; None for nothing at all."""

    at: datetime
    event: Event
    step: str
    before: Sequence[Effect] | None
    after: Sequence[Effect] | None


def play(happenings: Iterable[Happening], names: Walk, edited: Version | None = None) -> Iterator[Passage]:
    """Play what happened again, on the versions it happened on or on `edited`. `names`: the walk of one just come."""
    walk = names
    for happening in happenings:
        version = edited or happening.version
        done = trace(version, walk, happening.event, happening.at)
        yield Passage(happening, walk, done)
        walk = _bind(done, happening.payment_ids)


def find_difference(happenings: Sequence[Happening], names: Walk, edited: Version) -> Difference | None:
    """Return the first step at which `edited` does something else than was done, or None."""
    for old, new in zip(play(happenings, names), play(happenings, names, edited), strict=True):
        for step in dict.fromkeys((*_list_steps(old.done), *_list_steps(new.done))):
            before, after = _pick(old.done, step), _pick(new.done, step)
            if before != after:
                return Difference(old.happening.at, old.happening.event, step, before, after)
    return None


def _bind(done: Trace, payment_ids: Sequence[int]) -> Walk:
    """Give the order that was opened its payment, as services/effects.py does."""
    if not payment_ids or not any(isinstance(effect, Charge) for effect in done.effects):
        return done.walk
    orders = done.walk.orders
    return replace(done.walk, orders=(*orders[:-1], replace(orders[-1], payment_id=payment_ids[0])))


def _list_steps(done: Trace) -> list[str]:
    """Give the steps an event concerned: those that spoke of it where they were, and those it came through."""
    return [*(effect.step for effect in done.effects if isinstance(effect, Say | Charge)), *done.path]


def _pick(done: Trace, step: str) -> tuple[Effect, ...] | None:
    effects = tuple(effect for effect in done.effects if getattr(effect, "step", "") == step)
    return effects if effects or step in done.path else None
