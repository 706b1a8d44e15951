"""The old visual flow as steps: a chain of messages and waits, questions for its conditions, a charge for each payment.

The steps of a flow's step are called by its id. What leads on at once led on at once; a step with conditions waits, as
it did, and so does a payment; what comes behind an access was never reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from grimbots.services.funnels.fields import MAX_BUTTONS, MAX_MINUTES
from grimbots.services.funnels.moving.conditions import write_conditions
from grimbots.services.funnels.moving.drafts import Draft, Fields
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.sales import OPEN, Product, write_charge
from grimbots.services.funnels.moving.settings import Settings, read_list
from grimbots.services.funnels.moving.words import (
    LONGEST_PRODUCT,
    read_cents,
    read_link,
    read_media,
    read_number,
    read_text,
    write_html,
    write_plain,
)
from grimbots.services.funnels.splitting import MAX_CAPTION_UNITS, MAX_TEXT_UNITS
from grimbots.services.funnels.steps.delay import MAX_SECONDS

LONGEST_ID = 24
CHOOSE = "⬇️ Escolha uma opção"
RELEASED = "✅ Acesso liberado!"
NOTHING = "👇"
PLAIN = ("content", "message", "audio", "video")
KINDS = (*PLAIN, "buttons", "payment", "access")


@dataclass(slots=True)
class Flow:
    """A flow being written: `ids` gives our id of each old one."""

    draft: Draft
    settings: Settings
    menu: Sequence[Fields]
    products: Mapping[int, Product]
    raw: Mapping[str, Fields]
    ids: Mapping[str, str] = field(default_factory=dict)

    def place(self, old: str) -> str:
        """Say where an old step stood."""
        return f"flow_steps.{old}"

    def target(self, old: Any, place: str) -> str:
        """Give the step an old id leads to; "" where there is none."""
        named = _read_id(old)
        if named and named not in self.ids:
            self.draft.note(Remark("target_missing", place, {"target": named[:80]}))
        return self.ids.get(named, "")


def write_flow(
    draft: Draft, settings: Settings, steps: Sequence[Fields], menu: Sequence[Fields], products: Sequence[Product]
) -> str:
    """Write a flow and return its first step; "" where there is nothing in it."""
    raw = {named: step for step in steps if (named := _read_id(step.get("id")))}
    if not raw:
        return ""
    flow = Flow(draft, settings, menu, {product.place: product for product in products}, raw, _name(raw))
    start = flow.ids[_find_start(settings, raw)]
    reached: set[str] = set()
    todo = [_find_start(settings, raw)]
    while todo:
        old = todo.pop()
        if old not in reached and old in raw:
            reached.add(old)
            _write_step(flow, old, raw[old])
            todo += _list_targets(raw[old])
    draft.note(Remark("flow_taken", facts={"count": len(reached)}))
    return start


def _read_id(raw: Any) -> str:
    return str(raw) if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < 10**18 else read_text(raw)


def _name(raw: Mapping[str, Fields]) -> dict[str, str]:
    """Give each old step an id of ours, short enough for a button: its own where that will do."""
    ids: dict[str, str] = {}
    for number, old in enumerate(raw, 1):
        plain = f"f-{re.sub(r'[^0-9A-Za-z_-]+', '-', old)}"
        fits = len(plain) <= LONGEST_ID and plain not in ids.values()
        ids[old] = plain if fits else f"f-etapa{number}"
    return ids


def _find_start(settings: Settings, raw: Mapping[str, Fields]) -> str:
    """Give the first step: the one that is named, else the lowest in order."""
    named = _read_id(settings.values.get("flow_start_step_id"))
    orders = {old: read_number(step.get("order")) for old, step in raw.items()}
    return named if named in raw else min(raw, key=lambda old: (orders[old] is None, orders[old] or 0))


def get_config(step: Fields) -> Fields:
    """Give what a step says."""
    config = step.get("config")
    return config if isinstance(config, dict) else {}


def _get_connection(step: Fields, name: str) -> Any:
    ways = step.get("connections")
    if isinstance(ways, list):  # of an exported canvas: [{"target": id}], the first is `next`
        found = [way.get("target") for way in ways if isinstance(way, dict)]
        place = ("next", "pending", "retry").index(name)
        return found[place] if place < len(found) else None
    return ways.get(name) if isinstance(ways, dict) else None


def list_conditions(step: Fields) -> list[Fields]:
    """Give a step's conditions in their order."""
    raw = step.get("conditions")
    found = [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []
    return sorted(found, key=lambda one: read_number(one.get("order")) or 0)


def _list_targets(step: Fields) -> list[str]:
    """Give the old steps a step may lead to."""
    buttons = get_config(step).get("custom_buttons")
    tapped = [one.get("target_step") for one in buttons if isinstance(one, dict)] if isinstance(buttons, list) else []
    asked = [one.get(name) for one in list_conditions(step) for name in ("target_step", "fallback_step")]
    led = [_get_connection(step, name) for name in ("next", "pending", "retry")]
    return [_read_id(old) for old in (*tapped, *asked, *led, step.get("error_step_id")) if _read_id(old)]


def _write_step(flow: Flow, old: str, step: Fields) -> None:
    kind, entry = step.get("type"), flow.ids[old]
    following = flow.target(_get_connection(step, "next"), flow.place(old))
    if kind == "payment":
        _write_payment(flow, old, step)
    elif kind == "access":
        _write_access(flow, old, step)
    elif kind in KINDS:
        _write_content(flow, old, step, following)
    else:
        flow.draft.note(Remark("step_unusable", flow.place(old), {"kind": str(kind)[:40]}))
        _pass_on(flow.draft, entry, following)


def _pass_on(draft: Draft, entry: str, following: str) -> None:
    """Write a step that only leads on, or ends the funnel."""
    if following:
        draft.add(entry, "jump", to=following)
    else:
        draft.add(entry, "end")


@dataclass(slots=True)
class Scene:
    """An old step that says something, being written as `entry`, which leads on to `following`."""

    old: str
    step: Fields
    place: str
    entry: str
    variable: str
    text: str
    shown: Mapping[str, str]
    buttons: list[Fields]
    following: str
    places: Mapping[int, int] = field(default_factory=dict)

    @property
    def config(self) -> Fields:
        """What it says."""
        return get_config(self.step)

    @property
    def retry(self) -> Any:
        """The old id of the way called retry."""
        return _get_connection(self.step, "retry")

    def has_taps(self) -> bool:
        """Tell whether a button of it leads to a step."""
        return any("next" in button for button in self.buttons)

    def say(self, flow: Flow, kind: str, **fields: Any) -> None:
        """Write it so that its first step is `entry`, for what leads here leads to that."""
        needs_parts = len(self.text) > MAX_TEXT_UNITS or (bool(self.shown) and len(self.text) > MAX_CAPTION_UNITS)
        own = f"{self.entry}-texto" if needs_parts else self.entry
        text = self.text or (NOTHING if kind == "question" else "")
        first = flow.draft.say(own, kind, self.place, self.shown, text=text, **fields)
        if first != self.entry:
            flow.draft.add(self.entry, "jump", to=first)


def _write_content(flow: Flow, old: str, step: Fields, following: str) -> None:
    """Write a message with its buttons, the wait behind it, or a question where it has conditions."""
    place, entry = flow.place(old), flow.ids[old]
    text = write_html(get_config(step).get("message"), place, flow.draft.note)
    text = text or (CHOOSE if step.get("type") == "buttons" else "")
    shown = _read_shown(flow, step, place)
    if not text and not shown:
        flow.draft.note(Remark("step_unusable", place, {"kind": str(step.get("type"))}))
        _pass_on(flow.draft, entry, following)
        return
    buttons, places = _list_buttons(flow, old, step)
    variable = f"resposta_{[*flow.raw].index(old) + 1}"
    scene = Scene(old, step, place, entry, variable, text, shown, buttons, following, places)
    conditions = list_conditions(step)
    if conditions:
        scene.following = ""  # what waits for an answer does not go on by itself
        if write_conditions(flow, scene, conditions):
            return
    _write_message(flow, scene)


def _write_message(flow: Flow, scene: Scene) -> None:
    draft, seconds = flow.draft, read_number(scene.step.get("delay_seconds")) or 0
    if scene.has_taps():
        if scene.following:
            draft.note(Remark("next_with_buttons", scene.place))
        scene.say(flow, "message", buttons=scene.buttons)
        return
    following = scene.following
    if following and seconds >= 1 and not following.endswith("-espera"):
        wait = _write_wait(draft, scene.place, int(min(seconds, 10**7)))
        following = draft.add(f"{scene.entry}-espera", "delay", **wait, next=following)
    text = {"buttons": scene.buttons or "", "next": following}
    scene.say(flow, "message", **text)


def _write_wait(draft: Draft, place: str, seconds: int) -> Fields:
    """Give a wait in seconds where it is short, else in whole minutes."""
    if seconds <= MAX_SECONDS:
        return {"seconds": seconds}
    minutes = min(MAX_MINUTES, round(seconds / 60))
    if seconds != minutes * 60:
        draft.note(Remark("delay_fitted", place, {"minutes": minutes}))
    return {"minutes": minutes}


def _read_shown(flow: Flow, step: Fields, place: str) -> dict[str, str]:
    config = get_config(step)
    if step.get("type") == "audio":
        return read_media(config.get("audio_url") or config.get("media_url"), "audio", place, flow.draft.note)
    kind = "video" if step.get("type") == "video" else config.get("media_type")
    return read_media(config.get("media_url"), kind, place, flow.draft.note)


def _list_buttons(flow: Flow, old: str, step: Fields) -> tuple[list[Fields], dict[int, int]]:
    """Give a step's own buttons, then those of the bot that it names; and the places of its own in the old list."""
    config, draft, places = get_config(step), flow.draft, {}
    found: list[Fields] = []
    for place, raw in enumerate(read_list(config.get("custom_buttons"), flow.place(old), draft.note)):
        target, words = flow.target(raw.get("target_step"), flow.place(old)), write_plain(raw.get("text"))
        link = "" if target else read_link(raw.get("url"), flow.place(old), draft.note)
        if words and (target or link):
            found.append({"text": words, "next": target} if target else {"text": words, "url": link})
            places[id(found[-1])] = place
        if words and target:
            draft.remember(f"flow_{old}_{place}", target)
    selected = read_list(config.get("selected_buttons"), flow.place(old), draft.note)
    found += [button for raw in selected if (button := _find_selected(flow, raw))]
    return found[:MAX_BUTTONS], places


def _find_selected(flow: Flow, raw: Fields) -> Fields | None:
    index = raw.get("index")
    if not isinstance(index, int):
        return None
    if raw.get("type") == "main" and index in flow.products:
        product = flow.products[index]
        return {"text": product.label, "next": f"produto-{product.number}"}
    redirects = flow.settings.lists["redirect_buttons"]
    if raw.get("type") != "redirect" or not 0 <= index < len(redirects):
        return None
    link = read_link(redirects[index].get("url"), "redirect_buttons", flow.draft.note)
    words = write_plain(redirects[index].get("text"))
    return {"text": words, "url": link} if words and link else None


def _write_payment(flow: Flow, old: str, step: Fields) -> None:
    """Write what it sells, its charge, and what is given on the way that a payment opens."""
    draft, config, entry = flow.draft, get_config(step), flow.ids[old]
    first = next(iter(flow.products.values()), None)
    price_cents = read_cents(config.get("amount") or config.get("price")) or (first.price_cents if first else 0)
    if not price_cents:
        draft.note(Remark("payment_without_price", flow.place(old)))
        draft.add(entry, "end")
        return
    named = write_plain(config.get("description"), LONGEST_PRODUCT)
    paid = _write_paid(flow, old, step)
    charge = write_charge(draft, flow.settings, f"{entry}-pix", paid)
    waiting = get_config(flow.raw.get(_read_id(_get_connection(step, "pending")), {}))
    if pending := write_html(waiting.get("message"), flow.place(old), draft.note):
        draft.steps[charge]["texts"] = {**draft.steps[charge]["texts"], "pending": pending}
    product = named or (first.name if first else "Produto")
    draft.add(entry, "pick", product=product, price_cents=price_cents, next=charge)


def _write_paid(flow: Flow, old: str, step: Fields) -> str:
    """Write what follows a payment: the messages up to the next access, as they are, and its delivery. Where none comes
    at once the bot's own link is delivered, and the flow goes on.
    """
    entry, first = flow.ids[old], _find_paid_way(step)
    chain = _list_plain(flow, first)
    access = chain.pop() if chain and flow.raw[chain[-1]].get("type") == "access" else ""
    delivery = f"{entry}-acesso"
    if not access:
        return write_access(flow, delivery, flow.place(old), {}, flow.target(first, flow.place(old)))
    write_access(flow, delivery, flow.place(access), get_config(flow.raw[access]), "")
    names = [f"{entry}-pago{number}" for number, _ in enumerate(chain, 1)]
    for (name, following), plain in zip(pairwise([*names, delivery]), chain, strict=True):
        text = write_html(get_config(flow.raw[plain]).get("message"), flow.place(plain), flow.draft.note)
        shown = _read_shown(flow, flow.raw[plain], flow.place(plain))
        Scene(plain, flow.raw[plain], flow.place(plain), name, "", text, shown, [], following).say(
            flow, "message", next=following
        )
    return [*names, delivery][0]


def _find_paid_way(step: Fields) -> str:
    """Give the old id of where a payment leads: its `next`, or the condition that it is paid."""
    paid = [one for one in list_conditions(step) if one.get("type") == "payment_status"]
    named = [one.get("target_step") for one in paid if one.get("status", "paid") == "paid"]
    return _read_id(_get_connection(step, "next")) or next(filter(None, map(_read_id, named)), "")


def _list_plain(flow: Flow, old: str) -> list[str]:
    """Give the steps from here on that only say something, up to an access."""
    found: list[str] = []
    while old in flow.raw and old not in found:
        step, config = flow.raw[old], get_config(flow.raw[old])
        found.append(old)
        if step.get("type") == "access":
            return found
        says = (
            write_html(config.get("message"), "", lambda _: None) or config.get("media_url") or config.get("audio_url")
        )
        holds = config.get("custom_buttons") or config.get("selected_buttons") or list_conditions(step)
        if step.get("type") not in PLAIN or not says or holds or read_number(step.get("delay_seconds")):
            return []
        old = _read_id(_get_connection(step, "next"))
    return []


def write_access(flow: Flow, step: str, place: str, config: Fields, following: str) -> str:
    """Write a delivery with a button that opens the access link."""
    link = read_link(config.get("link") or flow.settings.values.get("access_link"), place, flow.draft.note)
    text = write_html(config.get("message"), place, flow.draft.note) or RELEASED
    if not link:
        flow.draft.note(Remark("access_missing", place))
    button: Fields | str = {"text": OPEN, "url": link} if link else ""
    return flow.draft.add(step, "delivery", text=text, link=button, next=following)


def _write_access(flow: Flow, old: str, step: Fields) -> None:
    """Write an access step as it is reached without a payment: a message with the link."""
    place, config = flow.place(old), get_config(step)
    link = read_link(config.get("link") or flow.settings.values.get("access_link"), place, flow.draft.note)
    text = write_html(config.get("message"), place, flow.draft.note) or RELEASED
    flow.draft.add(flow.ids[old], "message", text=text, buttons=[{"text": OPEN, "url": link}] if link else "")
