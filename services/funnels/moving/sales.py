"""The old buttons, their order bumps, the PIX and what follows it as steps of a funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from grimbots.services.funnels.fields import MAX_BUTTONS
from grimbots.services.funnels.moving.drafts import Draft, Fields
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.settings import Settings, read_list
from grimbots.services.funnels.moving.words import (
    LONGEST_PRODUCT,
    PAID,
    PIX,
    read_cents,
    read_flag,
    read_link,
    read_media,
    read_number,
    read_text,
    write_html,
    write_plain,
)
from grimbots.services.funnels.texts import format_money

VALID_MINUTES = 30
LANGUAGE = "pt-BR"
CODE = (
    "🎯 <b>Produto:</b> {{product}}\n💰 <b>Valor:</b> {{price}}\n\n"
    "📱 <b>PIX Copia e Cola:</b>\n<code>{{code}}</code>\n\n<i>👆 Toque no código acima para copiar</i>\n\n"
    "⏰ <b>Válido por:</b> {{validity}}\n\n"
    "💡 <b>Após pagar, clique no botão abaixo para verificar e receber seu acesso!</b>"
)
PENDING = (
    "⏳ <b>Ainda não vimos o seu pagamento.</b>\n\n📱 <b>PIX Copia e Cola:</b>\n<code>{{code}}</code>\n\n"
    "Confira se o PIX saiu da sua conta, espere até 5 minutos e toque no botão de novo."
)
CONFIRMED = (
    "✅ <b>PAGAMENTO CONFIRMADO!</b>\n\n🎯 <b>Produto:</b> {{product}}\n💰 <b>Valor pago:</b> {{price}}\n\n"
    "🔗 <b>Seu acesso:</b>\n"
)
BELOW = "é só tocar no botão 👇"
NO_ACCESS = "✅ <b>Pagamento confirmado!</b>\n\nFale com o nosso suporte para receber o seu acesso."
ACCEPT, DECLINE = "✅ SIM! Quero por {{total}}", "❌ NÃO, continuar com {{so_far}}"
VERIFY = "✅ Verificar Pagamento"
OPEN = "✅ Acessar"
DAYS = {"hours": Decimal(1) / 24, "days": Decimal(1), "weeks": Decimal(7), "months": Decimal(365) / 12}


@dataclass(frozen=True, slots=True)
class Product:
    """A main button that can be bought. `place` counts from 0, as the old buttons did; `label` is what it shows,
    `words` what the seller wrote.
    """

    place: int
    name: str
    price_cents: int
    label: str
    words: str
    bumps: Sequence[Fields] = ()
    subscription: Fields | None = None

    @property
    def number(self) -> int:
        """Its number for people, which its steps are called by."""
        return self.place + 1


def read_products(settings: Settings, draft: Draft) -> list[Product]:
    """Read the main buttons that were shown: those with words and a price."""
    found = []
    for place, raw in enumerate(settings.lists["main_buttons"]):
        where, words, price_cents = f"main_buttons[{place}]", write_plain(raw.get("text")), read_cents(raw.get("price"))
        if not words or not price_cents:
            draft.note(Remark("button_without_price", where))
            continue
        name = write_plain(raw.get("description"), LONGEST_PRODUCT) or "Produto"
        label = _write_label(words, price_cents, raw.get("price_position"), settings.is_newer)
        bumps = [bump for bump in _list_bumps(raw, where, settings, draft) if _is_usable(bump, where, draft)]
        found.append(Product(place, name, price_cents, label, words, bumps, _read_subscription(raw, where, draft)))
    if len(found) > MAX_BUTTONS:
        draft.note(Remark("too_many_buttons", "main_buttons", {"limit": MAX_BUTTONS}))
    return found[:MAX_BUTTONS]


def _write_label(words: str, price_cents: int, position: Any, is_newer: bool) -> str:
    """Give a button's words; the newer system put the price beside them."""
    price = format_money(price_cents, LANGUAGE)
    if not is_newer:
        return words
    return f"{price} - {words}" if position == "before" else f"{words} - {price}"


def _list_bumps(raw: Fields, where: str, settings: Settings, draft: Draft) -> list[Fields]:
    """Give a button's bumps: a list, an older single one, or the oldest, one for every button of the bot."""
    if raw.get("order_bumps"):
        return read_list(raw["order_bumps"], f"{where}.order_bumps", draft.note)
    if isinstance(raw.get("order_bump"), dict):
        return [raw["order_bump"]]
    names = ("enabled", "message", "media_url", "price")
    return [{name: settings.values.get(f"order_bump_{name}") for name in names}]


def _is_usable(bump: Fields, where: str, draft: Draft) -> bool:
    if not read_flag(bump.get("enabled")):
        return False
    if read_cents(bump.get("price")) and (read_text(bump.get("message")) or read_text(bump.get("media_url"))):
        return True
    draft.note(Remark("bump_without_text", where))
    return False


def _read_subscription(raw: Fields, where: str, draft: Draft) -> Fields | None:
    terms = raw.get("subscription")
    if not isinstance(terms, dict) or not read_flag(terms.get("enabled")):
        return None
    count, days_each = read_number(terms.get("duration_value")), DAYS.get(str(terms.get("duration_type")))
    group = read_text(terms.get("vip_chat_id")) or str(terms.get("vip_chat_id"))
    digits = group.removeprefix("-")
    if count is None or days_each is None or not group.startswith("-") or not digits.isdecimal() or len(digits) > 15:
        draft.note(Remark("subscription_unusable", where))
        return None
    days = min(3660, max(1, -int(-(count * days_each) // 1)))
    draft.note(Remark("subscription_in_days", where, {"days": days}))
    return {"kind": "subscription", "group": -int(digits), "days": days, "grace_days": 0}


def list_links(settings: Settings, draft: Draft) -> list[Fields]:
    """Give the redirect buttons."""
    found = []
    for place, raw in enumerate(settings.lists["redirect_buttons"]):
        link = read_link(raw.get("url"), f"redirect_buttons[{place}]", draft.note)
        if (words := write_plain(raw.get("text"))) and link:
            found.append({"text": words, "url": link})
    return found


def write_bumps(draft: Draft, owner: str, where: str, bumps: Sequence[Fields], charge: str) -> list[str]:
    """Write bumps one behind the other and then the charge; returns each one's first step, the charge last."""
    names = [f"bump-{owner}-{number}" for number, _ in enumerate(bumps, 1)]
    following, entries = charge, [charge]
    for place in reversed(range(len(bumps))):
        bump = bumps[place]
        following = _write_bump(draft, names[place], f"{where}.order_bumps[{place}]", bump, following)
        entries.insert(0, following)
    return entries


def _write_bump(draft: Draft, step: str, where: str, bump: Fields, following: str) -> str:
    text = write_html(bump.get("message"), where, draft.note) or "<b>{{product}}</b>"
    return draft.say(
        step,
        "bump",
        where,
        read_media(bump.get("media_url"), bump.get("media_type"), where, draft.note),
        product=write_plain(bump.get("description"), LONGEST_PRODUCT) or "Bônus",
        price_cents=read_cents(bump.get("price")),
        text=text,
        accept=write_plain(bump.get("accept_text")) or ACCEPT,
        decline=write_plain(bump.get("decline_text")) or DECLINE,
        next=following,
    )


def write_charge(draft: Draft, settings: Settings, step: str, following: str, **more: Any) -> str:
    """Write a charge that shows its code as the old system did."""
    texts = {
        "code": CODE,
        "paid": VERIFY,
        "confirmed": "",
        "pending": write_html(settings.values.get("pending_message"), "pending_message", draft.note, PIX) or PENDING,
    }
    return draft.add(step, "charge", expires_in_minutes=VALID_MINUTES, qr=False, texts=texts, next=following, **more)


def write_delivery(draft: Draft, settings: Settings, step: str, subscription: Fields | None = None) -> str:
    """Write what a payment brings: the success message with the access link."""
    link = read_link(settings.values.get("access_link"), "access_link", draft.note)
    own = write_html(settings.values.get("success_message"), "success_message", draft.note, PAID)
    if not link and subscription is None:
        draft.note(Remark("access_missing", "access_link"))
    shown = escape(link) or ("" if subscription is None else BELOW)
    text = own.replace("{link}", shown) if own else CONFIRMED + shown if shown else NO_ACCESS
    button: Fields | str = ""
    if own and link and "{link}" not in own:
        draft.note(Remark("link_not_shown", "success_message"))
        button = {"text": OPEN, "url": link}
    return draft.add(step, "delivery", text=text, link=button, gives=subscription or "")
