"""message: what the step shows is what was paid for: a text, a link, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from grimbots.services.funnels.deliveries.base import DeliveryKind
from grimbots.services.funnels.problems import Finding

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.delivery import Delivery

TEXTS: Mapping[str, str] = {
    "pt-BR": "🎁 Aqui está o seu acesso a <b>{{product|seu pedido}}</b>. Bom proveito!",
    "en": "🎁 Here is your access to <b>{{product|your order}}</b>. Enjoy!",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(DeliveryKind):
    """Handed over once Telegram has taken every message of it."""

    kind: ClassVar[str] = "message"

    def default_text(self, language: str) -> str:
        return TEXTS[language]

    def check(self, step: Delivery) -> Iterator[Finding]:
        if not step.text and not step.link and not step.list_shown():
            yield Finding("text", "nothing_delivered")
