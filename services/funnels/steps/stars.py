"""stars: asks for the basket's money in Telegram Stars, and leads on when it is paid. The way Telegram's terms want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from grimbots.services.funnels.effects import STARS, Say
from grimbots.services.funnels.effects import Charge as Open
from grimbots.services.funnels.events import MoneyNews, Nudged
from grimbots.services.funnels.fields import Texts, Whole
from grimbots.services.funnels.nudges import Timed
from grimbots.services.funnels.steps import charge
from grimbots.services.funnels.steps.base import Scene, Turn
from grimbots.services.funnels.texts import render_plain
from grimbots.services.funnels.walks import Order

if TYPE_CHECKING:
    from grimbots.services.funnels.coupons import Coupon

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
        "reminder": "Oi, {{first_name|tudo bem}}? A sua cobrança de {{stars}} Stars para <b>{{product}}</b> ainda está "
        "esperando, e vale por mais {{validity}}.",
        "coupon": "O cupom <b>{{coupon}}</b> não vale mais. Sem ele, são {{stars}} Stars.",
        "returned": "💸 Devolvemos {{returned}} do que você pagou. O seu acesso continua como está, e as Stars já "
        "estão de volta no seu saldo.",
        "refunded": "💸 Devolvemos o seu pagamento de <b>{{product|seu pedido}}</b>: {{returned}} estão de volta no "
        "seu saldo. Com isso o acesso foi encerrado. Para voltar, é só comprar de novo.",
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
        "reminder": "Hi {{first_name|there}}! Your invoice of {{stars}} Stars for <b>{{product}}</b> is still waiting, "
        "for another {{validity}}.",
        "coupon": "The coupon <b>{{coupon}}</b> does not count any more. Without it the price is {{stars}} Stars.",
        "returned": "💸 We gave {{returned}} of what you paid back. Your access stays as it is, and the Stars are in "
        "your balance again.",
        "refunded": "💸 We gave your payment for <b>{{product|your order}}</b> back: {{returned}} are in your balance "
        "again. With that your access is closed. To come back, just buy again.",
    },
}
UNSAID = {"qr", "code", "copy", "disputed", "charged_back", "restored"}  # of banks
NAMES = frozenset(TEXTS["pt-BR"]) - UNSAID
LABELS = frozenset({PAY, charge.PAID, charge.AGAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stars(charge.Charge):
    """A charge in Stars of everything in the basket, whose price in reais is turned into Stars, rounded up."""

    kind: ClassVar[str] = "stars"
    qr: ClassVar[bool] = False  # type: ignore[misc]  # there is no picture, so a funnel cannot ask for one

    cents_per_star: int = field(metadata={"rule": Whole(least=1, most=10_000, code="bad_rate")})
    texts: Mapping[str, str] = field(
        default_factory=dict, metadata={"rule": Texts(NAMES, frozenset(), LABELS, charge.SILENT)}
    )

    def _open(self, scene: Scene, coupon: Coupon | None) -> Turn:
        turn = charge.Charge._open(self, scene, coupon)
        return replace(
            turn, effects=[self._turn_into_stars(one) if isinstance(one, Open) else one for one in turn.effects]
        )

    def _turn_into_stars(self, effect: Open) -> Open:
        return replace(effect, amount_cents=self._count(effect.amount_cents), currency=STARS)

    def _present(self, order: Order, scene: Scene, amount_cents: int | None = None) -> tuple[Say, ...]:
        return self._show_code(self._text("invoice", scene), order, scene)

    def _show_code(self, text: str, order: Order, scene: Scene, price: str = "") -> tuple[Say, ...]:
        """Say a text with the invoice's button; the link it opens is the code."""
        variables = self._variables(order, scene)
        pay = {"text": render_plain(self._text(PAY, scene), variables), "url": order.code}
        paid = self.press(charge.PAID, self._text(charge.PAID, scene), variables)
        return self.say(text, variables, rows=[pay, paid], payment_id=order.payment_id)

    def _remind(self, one: Timed, event: Nudged, scene: Scene) -> tuple[Say, ...]:
        """Show the invoice's button again, below the reminder's own text or ours."""
        order = scene.walk.find_order(event.payment_id or 0)
        return self._show_code(one.text or self._text("reminder", scene), order, scene) if order else ()

    def _write_returned(self, event: MoneyNews, scene: Scene) -> str:
        return f"{event.amount_cents} Stars"

    def _text(self, name: str, scene: Scene) -> str:
        return self.texts.get(name) or TEXTS[scene.version.language][name]

    def _variables(self, order: Order, scene: Scene) -> dict[str, str]:
        stars = self._count(sum(item.price_cents for item in order.items) - order.discount_cents)
        return {**charge.Charge._variables(self, order, scene), "stars": str(stars)}

    def _count(self, cents: int) -> int:
        return -(-cents // self.cents_per_star)
