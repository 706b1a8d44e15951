"""A week written down: who comes, what each says, presses and pays, and when; the same for every way of playing it.

Minutes are counted from the Monday on which the simulator's time begins, at midnight in Brasília.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DAYS = 7
DAY = 1440
TAG = re.compile(r"<[^>]+>")
SOUTH, ACRE = "Sul, Sudeste", "Acre"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does: start, write, tap (the newest button so named), pay (the newest code), block, unblock."""

    minute: float
    do: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as its reader sees it: the step that spoke, the words, the buttons."""

    step: str
    words: str
    buttons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sold:
    """A line of the ledger of offers: what a charge was for, what it asked, and whether it was paid."""

    offers: tuple[str, ...]
    charged_cents: int
    is_paid: bool


def _walk_to_offer(begin: float, param: str = "", zone: str = SOUTH, hour: str = "6") -> list[Act]:
    told = [("start", param), ("tap", "Vamos!"), ("tap", zone), ("write", hour)]
    return [Act(begin + place, do, what) for place, (do, what) in enumerate(told)]


WEEK: Mapping[str, Sequence[Act]] = {
    "buys everything": [
        *_walk_to_offer(0, hour="às seis"),
        Act(4, "write", "6"),
        Act(5, "tap", "Quero ver"),
        Act(6, "tap", "Quero o plano"),
        Act(7, "tap", "✅ Sim"),
        Act(8, "write", "nenhum"),
        Act(9, "write", "manha10"),
        Act(12, "tap", "Já paguei"),
        Act(13, "pay"),
        Act(3 * DAY + 600, "write", "ana@"),
        Act(3 * DAY + 601, "write", "Ana@Example.com"),
        Act(6 * DAY + 60, "tap", "Quero o caderno"),
        Act(6 * DAY + 61, "pay"),
        Act(6 * DAY + 70, "start"),
        Act(6 * DAY + 71, "tap", "Já sou cliente"),
    ],
    "thinks it over and stops": [
        Act(100, "start"),
        Act(101, "tap", "Já sou cliente"),
        Act(102, "tap", ACRE),
        Act(103, "write", "9"),
        Act(104, "tap", "Agora não"),
        Act(700, "tap", "Não quero mais"),
        Act(701, "write", "tem certeza?"),
    ],
    "is silent, is led on twice, picks": [
        Act(200, "start"),
        Act(201, "tap", "Vamos!"),
        Act(DAY + 300, "tap", "Continuar"),
        Act(DAY + 301, "write", "acre"),
        *[Act(DAY + minute, "write", "cedo") for minute in (302, 303, 304)],
        Act(DAY + 310, "tap", "Quero ver"),
        Act(2 * DAY + 400, "tap", "Quero por"),
        Act(2 * DAY + 401, "tap", "Não tenho cupom"),
        Act(2 * DAY + 600, "tap", "Só a primeira semana"),
        Act(2 * DAY + 610, "pay"),
    ],
    "blocks and comes back": [
        *_walk_to_offer(300, "PRIMEIROS5"),
        Act(305, "tap", "Quero ver"),
        Act(306, "tap", "Quero o plano"),
        Act(307, "tap", "Não, obrigado"),
        Act(308, "tap", "Não tenho cupom"),
        Act(310, "block"),
        Act(400, "unblock"),
        Act(500, "tap", "Só os áudios"),
        Act(510, "pay"),
    ],
    "leaves for good": [Act(400, "start"), Act(401, "tap", "Vamos!"), Act(402, "block")],
    "pays when it is too late": [
        *_walk_to_offer(500, hour="12"),
        Act(505, "tap", "Quero ver"),
        Act(506, "tap", "Prefiro pensar"),
        Act(507, "tap", "Quero o plano"),
        Act(508, "tap", "✅ Sim"),
        Act(509, "tap", "Não tenho cupom"),
        Act(650, "pay"),
    ],
    "presses twice, begins anew, asks again": [
        *_walk_to_offer(800),
        Act(805, "tap", "Quero ver"),
        Act(805.02, "tap", "Quero ver"),
        Act(806, "tap", "Quero o plano"),
        Act(807, "tap", "✅ Sim"),
        Act(808, "tap", "Não tenho cupom"),
        *_walk_to_offer(810, zone=ACRE),
        Act(815, "tap", "Quero ver"),
        Act(816, "tap", "Quero o plano"),
        Act(817, "tap", "✅ Sim"),
        Act(818, "tap", "Não tenho cupom"),
        Act(930, "tap", "Gerar novo código"),
        Act(935, "pay"),
    ],
}


def read_heard(step: str, body: Mapping[str, Any], codes: Sequence[str]) -> Heard:
    """Read what a call's body, or a message of the chat, says; a code is a code, whoever made it."""
    words = " ".join(html.unescape(TAG.sub("", body.get("text") or body.get("caption") or "")).split())
    for code in codes:
        words = words.replace(code, "<code>")
    rows = (body.get("reply_markup") or {}).get("inline_keyboard", ())
    return Heard(step, words, tuple(button["text"] for row in rows for button in row))
