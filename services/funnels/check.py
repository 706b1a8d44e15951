"""check: everything that is wrong with a funnel, found before it is published. Pure.

First each step by itself (its fields' rules, its own), then, once every step can be read, the ways between them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from grimbots.services.funnels.definitions import Version, list_rules, read_version
from grimbots.services.funnels.fields import MAX_MINUTES
from grimbots.services.funnels.problems import Finding, Problem, describe
from grimbots.services.funnels.readings import join_place
from grimbots.services.funnels.sources import Source
from grimbots.services.funnels.steps.base import Exit, Step, write_callback
from grimbots.services.funnels.surveys import Survey
from grimbots.services.funnels.texts import format_duration, format_money

MAX_CALLBACK_BYTES = 64  # of a button's callback_data, in UTF-8 (Bot API: InlineKeyboardButton)
NONCE_CHARACTERS = 12  # of Vault.nonce
LONGEST_NAME = "😀" * 64  # a first or last name of Telegram; an emoji is two units
LONGEST_CODE = "0" * 512  # a BR Code
NAMED_BY_BASKET = {"product": "-", "price": "-", "code": "-", "validity": "-", "group": "-", "left": "-"}


def check(definition: Any, files: Mapping[str, Source], language: str = "pt-BR") -> list[Problem]:
    """Return every mistake of a funnel in words of `language`; `files` are those beside it, by name."""
    version, findings = read_version(definition, version_id=0, assets={})
    misread = {finding.step for finding in findings}
    in_steps = [found for step in version.steps.values() for found in _check_step(version, step, files, misread)]
    in_graph = [] if findings else list(_check_graph(version))
    return [describe(finding, language) for finding in (*findings, *in_steps, *in_graph)]


def _check_step(
    version: Version, step: Step, files: Mapping[str, Source], misread: Collection[str]
) -> Iterator[Finding]:
    """Check the fields of a step, and what must hold between them unless one could not be read."""
    survey = _survey(version, step, files)
    for name, rule in list_rules(type(step)):
        for finding in rule.check(getattr(step, name), survey, step):
            yield replace(finding, field=join_place(name, finding.field), step=step.id)
    between = () if step.id in misread else step.check()
    for finding in (*between, *_check_callbacks(step)):
        yield replace(finding, step=step.id)


def _survey(version: Version, step: Step, files: Mapping[str, Source]) -> Survey:
    """Make the variables this step may meet at their longest (every product in one basket) and at their emptiest."""
    items = [item for other in version.steps.values() if (item := other.sells())]
    longest = {
        "first_name": LONGEST_NAME,
        "last_name": LONGEST_NAME,
        "username": "x" * 32,
        "start_param": "x" * 64,
        "product": " + ".join(item.name for item in items),
        "price": format_money(sum(item.price_cents for item in items), version.language),
        "validity": format_duration((MAX_MINUTES - 1) * 60, version.language),
        "code": LONGEST_CODE,
        "group": "x" * 128,
        "left": format_duration((MAX_MINUTES - 1) * 60, version.language),
    }
    has_basket = step.needs_basket or step.delivers or step.sells() is not None
    return Survey(files, longest, NAMED_BY_BASKET if has_basket else {})


def _check_callbacks(step: Step) -> Iterator[Finding]:
    sizes = [len(write_callback(step.id, button, "x" * NONCE_CHARACTERS).encode()) for button in step.taps()]
    if max(sizes, default=0) > MAX_CALLBACK_BYTES:
        yield Finding("id", "callback_too_long", {"bytes": max(sizes), "limit": MAX_CALLBACK_BYTES})


def _check_graph(version: Version) -> Iterator[Finding]:
    exits = {step.id: list(step.exits()) for step in version.steps.values()}
    yield from _check_targets(version, exits)
    yield from _check_reach(version, exits)
    yield from _check_loops(exits)
    yield from _check_money(version, exits)


def _check_targets(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    if version.start not in version.steps:
        yield Finding("start", "unknown_target", {"target": version.start})
    for step, ways in exits.items():
        for way in ways:
            if way.target not in version.steps:
                yield Finding(way.field, "unknown_target", {"target": way.target}, step)


def _check_reach(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    reached = _reach(exits, [version.start], {"now", "tap", "accept", "paid"})
    for step in exits:
        if step not in reached:
            yield Finding("", "unreachable", step=step)


def _check_loops(exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    """Find rings of steps that lead on at once; each is told at its first step only. Looks at each step once."""
    order = {step: place for place, step in enumerate(exits)}
    seen: set[str] = set()
    for step in exits:
        chain = _chain(exits, step, seen)
        end = _find_onward(exits, chain[-1]) if chain else None
        if end in chain:
            ring = chain[chain.index(end) :]
            first = ring.index(min(ring, key=order.__getitem__))
            loop = [*ring[first:], *ring[: first + 1]]
            yield Finding("next", "endless", {"loop": " → ".join(loop)}, loop[0])


def _check_money(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    """A charge has something to charge for and delivers at once; a delivery is not reached without paying."""
    paid = [way.target for ways in exits.values() for way in ways if way.by == "paid"]
    pressed = [way.target for ways in exits.values() for way in ways if way.by in ("tap", "accept")]
    empty_handed = _reach(exits, [version.start, *paid], {"now", "tap", "paid"})
    unpaid = _reach(exits, [version.start, *pressed], {"now"})
    for step in version.steps.values():
        if step.needs_basket and step.id in empty_handed:
            yield Finding("", "charge_without_offer", step=step.id)
        if step.delivers and step.id in unpaid:
            yield Finding("", "free_delivery", step=step.id)
        if step.charges and not _delivers(version, exits, step):
            yield Finding("next", "charge_without_delivery", step=step.id)


def _delivers(version: Version, exits: Mapping[str, list[Exit]], step: Step) -> bool:
    follow = _reach(exits, [way.target for way in exits[step.id] if way.by == "paid"], {"now"})
    return any(version.steps[name].delivers for name in follow if name in version.steps)


def _reach(exits: Mapping[str, list[Exit]], starts: Iterable[str], by: Collection[str]) -> set[str]:
    """Give every step that is reached from `starts` by ways of these kinds."""
    reached: set[str] = set()
    todo = list(starts)
    while todo:
        step = todo.pop()
        if step not in reached:
            reached.add(step)
            todo += [way.target for way in exits.get(step, ()) if way.by in by]
    return reached


def _chain(exits: Mapping[str, list[Exit]], step: str, seen: set[str]) -> list[str]:
    """Follow the ways that lead on at once from `step`, until one waits or was `seen`, here or before."""
    chain: list[str] = []
    onward: str | None = step
    while onward is not None and onward in exits and onward not in seen:
        seen.add(onward)
        chain.append(onward)
        onward = _find_onward(exits, onward)
    return chain


def _find_onward(exits: Mapping[str, list[Exit]], step: str) -> str | None:
    return next((way.target for way in exits[step] if way.by == "now"), None)
