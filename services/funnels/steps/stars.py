"""stars: asks for the basket's money in Telegram Stars, and leads on when it is paid. The way Telegram's terms want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.effects import STARS, Say
from grimbots.services.funnels.effects import Charge as Open
from grimbots.services.funnels.fields import Texts, Whole
from grimbots.services.funnels.steps import charge
from grimbots.services.funnels.steps.base import Scene, Turn
from grimbots.services.funnels.texts import render_plain
from grimbots.services.funnels.walks import Order

PAY = "pay"
TEXTS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        **charge.TEXTS["pt-BR"],
        "invoice": "<b>{{product}}</b>\nValor: <b>{{stars}} Stars</b> ⭐\nVálido por {{validity}}\n\n"
        "Toque no botão para pagar. O acesso chega aqui na hora.",
        "pay": "Pagar {{stars}} ⭐",
        "again": "Gerar nova cobrança",
        "pending": "O Telegram ainda não confirmou o pagamento. Espere um pouquinho e toque no botão de novo.",
        "failed": "Não conseguimos gerar a cobrança agora, e nada foi cobrado. Toque no botão para tentar de novo.",
        "expired": "⏰ A cobrança em Stars venceu. Ainda quer <b>{{product}}</b>? É só gerar uma nova.",
    },
    "en": {
        **charge.TEXTS["en"],
        "invoice": "<b>{{product}}</b>\nAmount: <b>{{stars}} Stars</b> ⭐\nValid for {{validity}}\n\n"
        "Tap the button to pay. Your access arrives here at once.",
        "pay": "Pay {{stars}} ⭐",
        "again": "Make a new invoice",
        "pending": "Telegram has not confirmed the payment yet. Wait a moment and tap the button again.",
        "failed": "We could not make the invoice now, and nothing was charged. Tap the button to try again.",
        "expired": "⏰ The invoice in Stars has expired. Still want <b>{{product}}</b>? Just make a new one.",
    },
}
NAMES = frozenset(TEXTS["pt-BR"]) - {"qr", "code", "copy"}
LABELS = frozenset({PAY, charge.PAID, charge.AGAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stars(charge.Charge):
    """A charge in Stars of everything in the basket, whose price in reais is turned into Stars, rounded up."""

    kind: ClassVar[str] = "stars"

    cents_per_star: int = field(metadata={"rule": Whole(least=1, most=10_000, code="bad_rate")})
    texts: Mapping[str, str] = field(default_factory=dict, metadata={"rule": Texts(NAMES, frozenset(), LABELS)})

    def enter(self, scene: Scene) -> Turn:
        turn = charge.Charge.enter(self, scene)
        return replace(
            turn, effects=[self._turn_into_stars(one) if isinstance(one, Open) else one for one in turn.effects]
        )

    def _turn_into_stars(self, effect: Open) -> Open:
        return replace(effect, amount_cents=self._count(effect.amount_cents), currency=STARS)

    def _present(self, order: Order, scene: Scene, amount_cents: int | None = None) -> tuple[Say, ...]:
        """Show the invoice's button; the link it opens is the code."""
        variables = self._variables(order, scene)
        pay = {"text": render_plain(self._text(PAY, scene), variables), "url": order.code}
        paid = self.press(charge.PAID, self._text(charge.PAID, scene), variables)
        return self.say(self._text("invoice", scene), variables, rows=[pay, paid], payment_id=order.payment_id)

    def _text(self, name: str, scene: Scene) -> str:
        return self.texts.get(name) or TEXTS[scene.version.language][name]

    def _variables(self, order: Order, scene: Scene) -> dict[str, str]:
        stars = self._count(sum(item.price_cents for item in order.items))
        return {**charge.Charge._variables(self, order, scene), "stars": str(stars)}

    def _count(self, cents: int) -> int:
        return -(-cents // self.cents_per_star)
