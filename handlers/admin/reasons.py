"""Why a payment is as it is, in the reader's words: its flags, its history, where its buyer came from."""

from __future__ import annotations

import re
from typing import Any

from grimbots.handlers.admin.formats import show_money
from grimbots.handlers.admin.texts import Texts

# As services/receipts.py writes it: why, what came in, the price, the transfer's id, what that means.
TRANSFER = re.compile(r"(.*): (\d+) of (\d+) cents, (.*); (.*)", re.DOTALL)
OBSTACLE = re.compile(r"(\w+) in group (.*)", re.DOTALL)  # as services/groups.py writes it
NO_NEWS = "paid"  # such rulings say no more than the state and the flags do


def explain_flags(
    texts: Texts, flags: list[str], received_cents: int, amount_cents: int, currency: str = "BRL"
) -> list[str]:
    """Write a sentence per flag."""
    cents = {"received": received_cents, "amount": amount_cents}
    money = {name: show_money(amount, texts.language, currency) for name, amount in cents.items()}
    is_twin = received_cents <= amount_cents  # nothing was paid twice here: the same order was paid by another charge
    return [texts.name("flag", "twin" if flag == "double" and is_twin else flag, **money) for flag in flags]


def explain_move(texts: Texts, reason: str, currency: str = "BRL") -> str:
    """Write why a payment moved; a reason that is not the program's own stands as it came."""
    found = TRANSFER.fullmatch(reason)
    if obstacle := OBSTACLE.fullmatch(reason):
        return f"{obstacle[2]}: {texts.name('lost', obstacle[1])}"
    if found is None:
        return texts.name("why", reason)
    why, received, amount, transfer, ruling = found.groups()
    said = texts.say(
        "why_transfer",
        why=texts.name("why", why),
        received=show_money(int(received), texts.language, currency),
        amount=show_money(int(amount), texts.language, currency),
        transfer=transfer,
    )
    return said if ruling.startswith(NO_NEWS) else f"{said} · {texts.name('ruling', ruling)}"


def name_source(payment: Any) -> str:
    """Write where a buyer's last click came from: the ad's source and campaign, else the tracked link; "" for none."""
    named = [part for part in (payment.utm_source, payment.utm_campaign) if part]
    return " / ".join(named) or (f"/go/{payment.slug}" if payment.slug else "")
