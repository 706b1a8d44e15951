"""The move: the original's settings of one bot become a funnel that behaves the same, and remarks. Pure and total.

`inicio` (the welcome, or the visual flow) -> `produto-n` -> its bumps -> `pix-n` -> `acesso-n`, with the downsells and
upsells on the PIX. What is another way on purpose, and why, stands in docs/moving.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grimbots.services.funnels.check import list_exits
from grimbots.services.funnels.definitions import Version, read_version
from grimbots.services.funnels.fields import MAX_BUTTONS
from grimbots.services.funnels.moving import flows
from grimbots.services.funnels.moving.drafts import Draft, Fields
from grimbots.services.funnels.moving.offers import Sale, find_price, write_discounted, write_fixed
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.sales import (
    LANGUAGE,
    Product,
    list_links,
    read_products,
    write_bumps,
    write_charge,
    write_delivery,
)
from grimbots.services.funnels.moving.settings import Settings, read
from grimbots.services.funnels.moving.words import read_audio, read_media, write_html, write_plain
from grimbots.services.funnels.old_buttons import OTHER, VERIFY

START = "inicio"
MOST_OFFERS = 20  # of a charge's timed ways
WELCOME = "👋 Olá! Bem-vindo!"
GONE = "Este botão é de uma mensagem antiga e não vale mais."
GONE_OFFER = f"{GONE} Estas são as ofertas de agora 👇"
OLD_PIX = (
    "Este PIX foi gerado antes da nossa mudança de sistema, e não conseguimos conferir o pagamento por aqui.\n\n"
    "<b>Já pagou?</b> Envie o comprovante nesta conversa, que nós liberamos o seu acesso."
)
OLD_PIX_OFFER = f"{OLD_PIX}\n\nAinda não? Gere um código novo 👇"


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move gave: the funnel's definition, and what its seller is to know."""

    definition: Fields
    remarks: Sequence[Remark]


def move(raw: Any, name: str = "") -> Moved:
    """Make a funnel of old settings, whatever they are; `name` is the funnel's, else the bot's."""
    draft = Draft()
    settings = read(raw, draft.note)
    products, links = read_products(settings, draft), list_links(settings, draft)
    menu = _make_menu(products, links, draft)
    steps = settings.lists["flow_steps"] if settings.flag("flow_enabled") else []
    start = flows.write_flow(draft, settings, steps, menu, products) if steps else ""
    if settings.flag("flow_enabled") and not start:
        draft.note(Remark("flow_unusable", "flow_steps"))
    if not start:
        start = _write_welcome(draft, settings, menu)
    _write_sales(draft, settings, products)
    _write_old_messages(draft, menu)
    _sum_up(draft, settings, products, links)
    given = name or write_plain(settings.values.get("name") or settings.values.get("bot_name")) or "funil"
    definition = {"name": given, "language": LANGUAGE, "start": start, "steps": [*draft.steps.values()]}
    return Moved(_prune({**definition, "old_buttons": draft.old_buttons}), draft.remarks)


def _prune(definition: Fields) -> Fields:
    """Leave out the steps that no way leads to: the old system did not come there either."""
    version, _ = read_version(definition, version_id=0, assets={})
    old = version.old_buttons.values()
    walked = _walk(
        version, [version.start, *(button.to for button in old), *(name for one in old for name in one.takes)]
    )
    steps = {step["id"]: step for step in definition["steps"]}
    return {**definition, "steps": [steps[name] for name in walked if name in steps]}


def _walk(version: Version, starts: Sequence[str]) -> list[str]:
    """Give the steps that are reached, in the order somebody comes to them."""
    exits, todo = list_exits(version), [*reversed(starts)]
    walked: dict[str, None] = {}
    while todo:
        step = todo.pop()
        if step not in walked:
            walked[step] = None
            todo += [way.target for way in reversed(exits.get(step, []))]
    return [*walked]


def _make_menu(products: Sequence[Product], links: Sequence[Fields], draft: Draft) -> list[Fields]:
    """Give the keyboard of the welcome: what is sold, then the links."""
    menu = [{"text": product.label, "next": f"produto-{product.number}"} for product in products] + [*links]
    if len(menu) > MAX_BUTTONS:
        draft.note(Remark("too_many_buttons", "redirect_buttons", {"limit": MAX_BUTTONS}))
    return menu[:MAX_BUTTONS]


def _write_welcome(draft: Draft, settings: Settings, menu: Sequence[Fields]) -> str:
    place, values = "welcome_message", settings.values
    shown = read_media(values.get("welcome_media_url"), values.get("welcome_media_type"), place, draft.note)
    text = write_html(values.get("welcome_message"), place, draft.note)
    if not text and not shown:
        draft.note(Remark("no_welcome", place))
        text = WELCOME
    audio = read_audio(values.get("welcome_audio_enabled"), values.get("welcome_audio_url"), place, draft.note)
    return draft.say(START, "message", place, shown | audio, text=text, buttons=[*menu] or "")


def _write_sales(draft: Draft, settings: Settings, products: Sequence[Product]) -> None:
    """Write what each button leads to. A PIX of a downsell brings no downsells; one of an upsell,
    no upsells. What nothing leads to is pruned in the end.
    """
    accesses = {product.place: f"acesso-{product.number}" for product in products}
    charges = {product.place: f"pix-oferta-{product.number}" for product in products}
    upsells = _write_upsells(draft, settings, products)
    downsells = _write_downsells(draft, settings, products, charges)
    for product in products:
        own, access = product.number, accesses[product.place]
        later = {"upsells": upsells[product.place] or ""}
        first = write_charge(draft, settings, f"pix-{own}", access, **later, downsells=downsells[product.place] or "")
        bumps = write_bumps(draft, str(own), f"main_buttons[{product.place}]", product.bumps, first)
        picked = {"product": product.name, "price_cents": product.price_cents, "next": bumps[0]}
        draft.add(f"produto-{own}", "pick", **picked)
        _remember(draft, products, product, bumps)
        write_charge(draft, settings, charges[product.place], access, **later)
        _write_access(draft, settings, product, access)


def _write_access(draft: Draft, settings: Settings, product: Product, step: str) -> None:
    """Write a product's delivery, and the offer that renews a subscription."""
    if product.subscription is None:
        write_delivery(draft, settings, step)
        return
    renew = f"renovar-{product.number}"
    write_delivery(draft, settings, step, {**product.subscription, "renew": renew})
    words = {
        "text": "🔁 Renove <b>{{product}}</b> por {{price}}",
        "accept": {"text": "Renovar", "next": f"pix-{product.number}"},
    }
    draft.add(renew, "offer", product=product.name, price_cents=product.price_cents, **words)


def _write_downsells(
    draft: Draft, settings: Settings, products: Sequence[Product], charges: dict[int, str]
) -> dict[int, list[Fields]]:
    """Write the downsells; returns for each product those that hang on its charge."""
    found: dict[int, list[Fields]] = {product.place: [] for product in products}
    for sale in _list_sales(draft, settings, "downsell", charges):
        after = max(1, sale.wait(draft))
        shared = write_discounted(draft, sale, products) if sale.is_percentage else ""
        for product in products:
            entry = shared if sale.is_percentage else write_fixed(draft, sale, product, find_price(draft, sale))
            if entry:
                found[product.place].append({"after_minutes": after, "next": entry})
    return found


def _write_upsells(draft: Draft, settings: Settings, products: Sequence[Product]) -> dict[int, list[Fields]]:
    """Write the upsells; returns for each product those that follow its payment."""
    found: dict[int, list[Fields]] = {product.place: [] for product in products}
    charges = {product.place: f"pix-extra-{product.number}" for product in products}
    for sale in _list_sales(draft, settings, "upsell", charges):
        trigger = write_plain(sale.raw.get("trigger_product"))
        triggered = [product for product in products if not trigger or product.name == trigger]
        if not triggered:
            draft.note(Remark("no_trigger", sale.where, {"product": trigger}))
            continue
        shared = write_discounted(draft, sale, products) if sale.is_percentage else ""
        fixed = "" if sale.is_percentage else write_fixed(draft, sale, triggered[0], find_price(draft, sale))
        for product in triggered:
            if entry := shared or fixed:
                found[product.place].append({"after_minutes": sale.wait(draft), "next": entry})
    for product in products:
        write_charge(draft, settings, charges[product.place], f"acesso-extra-{product.number}")
        write_delivery(draft, settings, f"acesso-extra-{product.number}")
    return found


def _list_sales(draft: Draft, settings: Settings, kind: str, charges: dict[int, str]) -> list[Sale]:
    """Give the downsells or upsells that are on and have something to say."""
    if not settings.flag(f"{kind}s_enabled"):
        return []
    sales = [Sale(kind, place, raw, charges) for place, raw in enumerate(settings.lists[f"{kind}s"])]
    for sale in sales:
        if not sale.says():
            draft.note(Remark("offer_without_text", sale.where))
    usable = [sale for sale in sales if sale.says()]
    if len(usable) > MOST_OFFERS:
        draft.note(Remark("too_many_offers", f"{kind}s", {"limit": MOST_OFFERS}))
    return usable[:MOST_OFFERS]


def _remember(draft: Draft, products: Sequence[Product], product: Product, bumps: Sequence[str]) -> None:
    """Write what the buttons of a product's old messages do. Those of a sequence of bumps name no product; they are
    understood where only one has any, and but for the first ask again, for what was accepted before is not known.
    """
    step, place = f"produto-{product.number}", product.place
    draft.remember(f"buy_{place}", step)
    if not product.bumps:
        return
    taken = [step, f"bump-{product.number}-1"]
    draft.remember(f"bump_yes_{place}", bumps[1], taken)
    draft.remember(f"bump_no_{place}", bumps[1], [step])
    if sum(bool(other.bumps) for other in products) > 1:
        return
    draft.remember("multi_bump_yes_0", bumps[1], taken)
    draft.remember("multi_bump_no_0", bumps[1], [step])
    for number in range(1, len(product.bumps)):
        draft.remember(f"multi_bump_yes_{number}", step)
        draft.remember(f"multi_bump_no_{number}", step)


def _write_old_messages(draft: Draft, menu: Sequence[Fields]) -> None:
    """Write what is said where an old button has nothing to lead to."""
    buttons = [*menu] or ""
    draft.remember(VERIFY, draft.add("pix-antigo", "message", text=OLD_PIX_OFFER if menu else OLD_PIX, buttons=buttons))
    draft.remember(OTHER, draft.add("botao-antigo", "message", text=GONE_OFFER if menu else GONE, buttons=buttons))


def _sum_up(draft: Draft, settings: Settings, products: Sequence[Product], links: Sequence[Fields]) -> None:
    """Remark what came along, before all else, and what is another way on purpose, behind it."""
    steps = draft.steps.values()
    offers = {
        kind: {step["id"].split("-")[1] for step in steps if step["id"].startswith(f"{kind}-")}
        for kind in ("downsell", "upsell")
    }
    counts = {
        "buttons_taken": len(products),
        "links_taken": len(links),
        "downsells_taken": len(offers["downsell"]),
        "upsells_taken": len(offers["upsell"]),
        "old_buttons_taken": 1,
    }
    taken = [Remark(code, facts={"count": count}) for code, count in counts.items() if count]
    purposes = ["on_purpose_pix"] if products else []
    draft.remarks[:] = [
        *taken,
        *draft.remarks,
        *(Remark(code) for code in (*purposes, "on_purpose_safety", "on_purpose_left_out")),
    ]
