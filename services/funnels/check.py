"""check: everything that is wrong with a funnel, found before it is published. Pure.

First each step by itself (its fields' rules, its own), then, once every step can be read, the ways between them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from grimbots.services.funnels.definitions import Version, list_rules, read_version
from grimbots.services.funnels.fields import MAX_MINUTES
from grimbots.services.funnels.old_buttons import check_old_buttons, list_entries
from grimbots.services.funnels.prices import LEAST_CENTS, Priced, find_share
from grimbots.services.funnels.problems import Finding, Problem, describe
from grimbots.services.funnels.readings import join_place
from grimbots.services.funnels.rings import find_certain, find_rings
from grimbots.services.funnels.sources import Source
from grimbots.services.funnels.steps.base import Exit, Step, write_callback
from grimbots.services.funnels.surveys import Survey
from grimbots.services.funnels.texts import OF_MONEY, RESERVED, format_duration, format_money
from grimbots.services.funnels.usage import list_used
from grimbots.services.funnels.walks import Item

MAX_CALLBACK_BYTES = 64  # of a button's callback_data, in UTF-8 (Bot API: InlineKeyboardButton)
NONCE_CHARACTERS = 12  # of Vault.nonce
LONGEST_NAME = "😀" * 64  # a first or last name of Telegram; an emoji is two units
LONGEST_CODE = "0" * 512  # a BR Code
MOST_STARS = "0" * 9
ANY = frozenset({"now", "tap", "accept", "take", "paid", "answer", "time", "later", "upsell"})
SOLD = frozenset({"accept", "take"})  # ways on which something comes into the basket
UNSOLD = ANY - SOLD
PAID = frozenset({"paid", "upsell"})  # ways after a payment, on which the basket is empty
BESIDE = frozenset({"later", "upsell"})  # ways beside where the lead stands
AT_ONCE = frozenset({"now", "take"})
BY_ITSELF = AT_ONCE | {"time"}  # ways that need nobody
NAMED_BY_BASKET = dict.fromkeys((*OF_MONEY, "returned", "group", "left"), "-")


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
    """Make the variables this step may meet at their longest (the fullest basket) and at their emptiest."""
    items = _fill_basket(version)
    most = format_money(sum(item.price_cents for item in items), version.language)
    asked = {name: value for other in version.steps.values() for name, value in other.asks().items()}
    longest = {
        **asked,
        "first_name": LONGEST_NAME,
        "last_name": LONGEST_NAME,
        "username": "x" * 32,
        "start_param": "x" * 64,
        "product": " + ".join(item.name for item in items),
        "price": most,
        "total": most,
        "so_far": most,
        "full_price": format_money(sum(map(_find_full_price, version.steps.values())), version.language),
        "coupon": max((coupon.code for coupon in version.coupons.values()), key=len, default=""),
        "validity": format_duration((MAX_MINUTES - 1) * 60, version.language),
        "code": LONGEST_CODE,
        "stars": MOST_STARS,
        "returned": format_money(sum(item.price_cents for item in items), version.language),
        "group": "x" * 128,
        "left": format_duration((MAX_MINUTES - 1) * 60, version.language),
    }
    answered = dict.fromkeys(asked, "-")  # that a lead may come without an answer is for _check_variables
    has_basket = step.needs_basket or step.delivers or step.sells() is not None
    return Survey(files, longest, {**answered, **NAMED_BY_BASKET} if has_basket else answered)


def _fill_basket(version: Version) -> list[Item]:
    """Give the most that can be in one basket, by its names: every bump, and of what begins a basket the longest."""
    sold = [(step, item) for step in version.steps.values() if (item := step.sells())]
    begin = [item for step, item in sold if not step.needs_basket]
    bumps = [item for step, item in sold if step.needs_basket]
    return [*sorted(begin, key=lambda item: len(item.name))[-1:], *bumps]


def _check_callbacks(step: Step) -> Iterator[Finding]:
    sizes = [len(write_callback(step.id, button, "x" * NONCE_CHARACTERS).encode()) for button in step.taps()]
    if max(sizes, default=0) > MAX_CALLBACK_BYTES:
        yield Finding("id", "callback_too_long", {"bytes": max(sizes), "limit": MAX_CALLBACK_BYTES})


def _check_graph(version: Version) -> Iterator[Finding]:
    exits = list_exits(version)
    yield from _check_targets(version, exits)
    yield from check_old_buttons(version)
    yield from _checkreach(version, exits)
    yield from _check_loops(exits)
    yield from _check_money(version, exits)
    yield from _check_offers(version)
    yield from _check_discounts(version)
    yield from _check_coupons(version)
    yield from _check_variables(version, exits)


def _check_targets(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    if version.start not in version.steps:
        yield Finding("start", "unknown_target", {"target": version.start})
    for step, ways in exits.items():
        for way in ways:
            if way.target not in version.steps:
                yield Finding(way.field, "unknown_target", {"target": way.target}, step)


def _checkreach(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    old = version.old_buttons
    reached = reach(exits, [version.start, *list_entries(old, sold=True), *list_entries(old, sold=False)])
    for step in exits:
        if step not in reached:
            yield Finding("", "unreachable", step=step)


def _check_loops(exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    """Find rings of steps that lead on at once, and rings of delays that nothing leads out of; each is told once."""
    for ring in find_rings(_list_ways(exits, AT_ONCE)):
        yield Finding("next", "endless", {"loop": " → ".join([*ring, ring[0]])}, ring[0])
    onward = _list_ways(exits, BY_ITSELF)
    for ring in find_rings(onward):
        is_left = any(target not in ring for step in ring for target in onward[step])
        waits = any(way.by == "time" for step in ring for way in exits[step])
        if waits and not is_left:
            yield Finding("next", "endless_drip", {"loop": " → ".join([*ring, ring[0]])}, ring[0])


def _list_ways(exits: Mapping[str, list[Exit]], by: Collection[str]) -> dict[str, list[str]]:
    return {step: [way.target for way in ways if way.by in by and way.target in exits] for step, ways in exits.items()}


def _check_money(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    """An offer leads to a charge, a charge has an offer and delivers at once, nothing is delivered unpaid."""
    ways = [way for ways in exits.values() for way in ways]
    paid = [way.target for way in ways if way.by == "paid"]
    upsold = [way.target for way in ways if way.by == "upsell"]
    waited = [way.target for way in ways if way.by in ANY - {"now", "paid"}]
    old, old_with_basket = (list_entries(version.old_buttons, sold=sold) for sold in (False, True))
    empty_handed = reach(exits, [version.start, *paid, *upsold, *old], UNSOLD - PAID)
    unpaid = reach(exits, [version.start, *waited, *old, *old_with_basket], {"now"})
    for step in version.steps.values():
        if step.needs_basket and step.id in empty_handed:
            yield Finding("", "charge_without_offer", step=step.id)
        if step.delivers and step.id in unpaid:
            yield Finding("", "free_delivery", step=step.id)
        if step.charges and not _delivers(version, exits, step):
            yield Finding("next", "charge_without_delivery", step=step.id)
        for way in exits[step.id]:
            if way.by in SOLD and not _charges(version, exits, way.target):
                yield Finding(way.field, "offer_without_charge", step=step.id)


def _check_offers(version: Version) -> Iterator[Finding]:
    """Find steps that speak of an offer this funnel does not have, or take a discount off a discount."""
    for step in version.steps.values():
        for offer, place in step.names_offers():
            if offer not in version.steps or version.steps[offer].sells() is None:
                yield Finding(place, "unknown_offer", {"offer": offer}, step.id)
            elif place == "discount.of" and getattr(version.steps[offer], "discount", None):
                yield Finding(place, "discount_of_discount", {"offer": offer}, step.id)


def _check_discounts(version: Version) -> Iterator[Finding]:
    """Find discounts that leave too little to be charged."""
    for step in version.steps.values():
        if isinstance(step, Priced) and step.discount and step.full_price_cents:
            price_cents = find_share(step.full_price_cents, 100 - step.discount.percent)
            if price_cents < LEAST_CENTS:
                yield Finding("discount.percent", "discount_too_big", _say_prices(version, price_cents), step.id)


def _check_coupons(version: Version) -> Iterator[Finding]:
    """Find steps that ask for coupons where there are none, and coupons that leave too little of what is cheapest."""
    steps = [step for step in version.steps.values() if not step.needs_basket]
    prices = [item.price_cents for step in steps if (item := step.sells()) and item.price_cents]
    for place, coupon in enumerate(version.coupons.values()):
        if prices and min(prices) - coupon.find_worth(min(prices)) < LEAST_CENTS:
            field = "percent" if coupon.percent else "amount_cents"
            yield Finding(f"coupons[{place}].{field}", "coupon_too_big", _say_prices(version, min(prices)))
    for step in version.steps.values():
        if step.redeems and not version.coupons:
            yield Finding("", "no_coupons", step=step.id)


def _say_prices(version: Version, price_cents: int) -> dict[str, str]:
    """Write a price, and the least that can be charged."""
    prices = {"price": price_cents, "least": LEAST_CENTS}
    return {name: format_money(cents, version.language) for name, cents in prices.items()}


def _find_full_price(step: Step) -> int:
    item = step.sells()
    return max(item.price_cents, getattr(step, "full_price_cents", 0)) if item else 0


def _check_variables(version: Version, exits: Mapping[str, list[Exit]]) -> Iterator[Finding]:
    """Find variables nobody fills, and those a lead may come without to where they have no fallback."""
    asked = {name for step in version.steps.values() for name in step.asks()}
    known = ", ".join(sorted(asked | RESERVED))
    has = find_certain(exits, version.start)
    for step in version.steps.values():
        for name, place, has_fallback in list_used(step):
            if name not in asked | RESERVED:
                yield Finding(place, "unknown_variable", {"name": name, "known": known}, step.id)
            elif name in asked and not has_fallback and name not in has.get(step.id, asked):
                yield Finding(place, "unasked_variable", {"name": name}, step.id)


def _charges(version: Version, exits: Mapping[str, list[Exit]], step: str) -> bool:
    follow = reach(exits, [step], ANY - PAID - BESIDE)
    return any(version.steps[name].charges for name in follow if name in version.steps)


def _delivers(version: Version, exits: Mapping[str, list[Exit]], step: Step) -> bool:
    """Tell whether every way on from a payment comes, at once, to a delivery."""
    onward = _list_ways(exits, {"now"})
    todo, seen = [way.target for way in exits[step.id] if way.by == "paid"], set()
    while todo:
        name = todo.pop()
        if name in seen or (name in version.steps and version.steps[name].delivers):
            continue
        seen.add(name)
        if not onward.get(name):
            return False
        todo += onward[name]
    return True


def list_exits(version: Version) -> dict[str, list[Exit]]:
    """Give the ways out of every step."""
    return {step.id: list(step.exits()) for step in version.steps.values()}


def reach(exits: Mapping[str, list[Exit]], starts: Iterable[str], by: Collection[str] = ANY) -> set[str]:
    """Give every step that is reached from `starts` by ways of these kinds."""
    reached: set[str] = set()
    todo = list(starts)
    while todo:
        step = todo.pop()
        if step not in reached:
            reached.add(step)
            todo += [way.target for way in exits.get(step, ()) if way.by in by]
    return reached
