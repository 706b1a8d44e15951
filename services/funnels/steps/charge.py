"""charge: asks for the basket's money by PIX, shows the code, and leads on when it is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from grimbots.services.funnels.bodies import Shown
from grimbots.services.funnels.effects import Charge as Open
from grimbots.services.funnels.effects import Say, Verify
from grimbots.services.funnels.events import (
    AccessNews,
    Charged,
    ChargeFailed,
    Expired,
    MoneyNews,
    Nudged,
    Paid,
    PaymentEvent,
    PaymentPending,
    StepEvent,
    Tapped,
    Woke,
    Wrote,
)
from grimbots.services.funnels.fields import MAX_MINUTES, Plain, Switch, Target, Texts, Whole
from grimbots.services.funnels.nudges import Timed, Timetable, What, begin_downsells, plan
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn, list_later
from grimbots.services.funnels.texts import VARIABLE, format_duration, render_plain
from grimbots.services.funnels.walks import Order, Walk

if TYPE_CHECKING:
    from grimbots.services.funnels.coupons import Coupon

PAID, AGAIN = "paid", "again"
CAPTIONS, LABELS = frozenset({"qr"}), frozenset({"copy", PAID, AGAIN})
MAX_COPY_CHARACTERS = 256  # copy_text of a button (Bot API 7.11); a longer code is copied from the text
TEXTS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "qr": "<b>{{product}}</b>\nValor: <b>{{price}}</b>\nVálido por {{validity}}\n\n"
        "Abra o app do seu banco e aponte a câmera para o QR Code, ou use o código da próxima mensagem.",
        "code": "Se preferir o <b>PIX Copia e Cola</b>, toque no código para copiar e cole no app do seu banco:\n\n"
        "<code>{{code}}</code>\n\nAssim que o pagamento cair, o acesso chega aqui na hora.",
        "copy": "Copiar código PIX",
        "paid": "Já paguei",
        "again": "Gerar novo código",
        "confirmed": "✅ <b>Pagamento confirmado!</b>\nObrigado pela confiança, {{first_name|e seja bem-vindo}}!",
        "pending": "Ainda não recebemos a confirmação do seu banco. Costuma levar só alguns segundos: "
        "espere um pouquinho e toque no botão de novo. Se ainda não pagou, use o código enquanto ele estiver válido.",
        "failed": "Não conseguimos gerar o seu PIX agora, e nada foi cobrado. Toque no botão para tentar de novo.",
        "paused": "Esta oferta está em pausa por um momento, e nada foi cobrado. "
        "Tente de novo daqui a pouco, tocando no botão.",
        "expired": "⏰ O código PIX de {{price}} venceu e não vale mais. Ainda quer <b>{{product}}</b>? "
        "É só gerar um novo código.",
        "reminder": "Oi, {{first_name|tudo bem}}? O seu PIX de {{price}} para <b>{{product}}</b> ainda está esperando, "
        "e vale por mais {{validity}}.",
        "coupon": "O cupom <b>{{coupon}}</b> não vale mais. Sem ele, o valor é {{price}}.",
        "returned": "💸 Devolvemos {{returned}} do seu pagamento. O seu acesso continua como está. "
        "O valor volta para a conta de onde o PIX saiu.",
        "refunded": "💸 Devolvemos o seu pagamento de <b>{{product|seu pedido}}</b>: {{returned}} voltam para a conta "
        "de onde o PIX saiu. Com isso o acesso foi encerrado. Para voltar, é só comprar de novo.",
        "disputed": "⚠️ O seu banco abriu uma contestação deste pagamento, e o acesso a <b>{{product|seu pedido}}</b> "
        "está suspenso até a decisão dele. Se não foi você quem pediu, fale com o seu banco.",
        "charged_back": "O seu banco devolveu a você {{returned}} deste pagamento, e o acesso a "
        "<b>{{product|seu pedido}}</b> foi encerrado. Para voltar, é só comprar de novo.",
        "restored": "✅ A contestação deste pagamento foi encerrada, e o seu acesso a "
        "<b>{{product|seu pedido}}</b> está liberado de novo.",
    },
    "en": {
        "qr": "<b>{{product}}</b>\nAmount: <b>{{price}}</b>\nValid for {{validity}}\n\n"
        "Open your bank's app and point the camera at the QR code, or use the code in the next message.",
        "code": "To pay with <b>PIX Copia e Cola</b>, tap the code to copy it and paste it into your bank's app:\n\n"
        "<code>{{code}}</code>\n\nYour access arrives here as soon as the payment does.",
        "copy": "Copy PIX code",
        "paid": "I have paid",
        "again": "Make a new code",
        "confirmed": "✅ <b>Payment confirmed!</b>\nThank you, {{first_name|and welcome}}!",
        "pending": "Your bank has not confirmed the payment yet. It usually takes a few seconds: "
        "wait a moment and tap the button again. If you have not paid yet, use the code while it is valid.",
        "failed": "We could not make your PIX code now, and nothing was charged. Tap the button to try again.",
        "paused": "This offer is on hold for a moment, and nothing was charged. "
        "Try again in a little while with the button.",
        "expired": "⏰ The PIX code for {{price}} has expired and can no longer be paid. "
        "Still want <b>{{product}}</b>? Just make a new code.",
        "reminder": "Hi {{first_name|there}}! Your PIX of {{price}} for <b>{{product}}</b> is still waiting, "
        "for another {{validity}}.",
        "coupon": "The coupon <b>{{coupon}}</b> does not count any more. Without it the price is {{price}}.",
        "returned": "💸 We gave {{returned}} of your payment back. Your access stays as it is. "
        "The money returns to the account the PIX came from.",
        "refunded": "💸 We gave your payment for <b>{{product|your order}}</b> back: {{returned}} return to the "
        "account the PIX came from. With that your access is closed. To come back, just buy again.",
        "disputed": "⚠️ Your bank has opened a dispute of this payment, and your access to "
        "<b>{{product|your order}}</b> is suspended until it decides. If you did not ask for that, talk to your bank.",
        "charged_back": "Your bank gave {{returned}} of this payment back to you, and your access to "
        "<b>{{product|your order}}</b> is closed. To come back, just buy again.",
        "restored": "✅ The dispute of this payment is over, and your access to <b>{{product|your order}}</b> "
        "is open again.",
    },
}
NAMES = frozenset(TEXTS["pt-BR"])
SILENT = frozenset({"confirmed"})  # "": nothing is said, for the delivery says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge(Step):
    """A PIX charge of everything in the basket.

    One basket has one open charge: who comes here again with the same basket while its charge can still be paid is
    shown the same code again (or waits for it, while the provider is being asked). Another basket or coupon, or a
    charge that expired or failed, makes a new one.
    """

    kind: ClassVar[str] = "charge"
    charges: ClassVar[bool] = True
    needs_basket: ClassVar[bool] = True
    speaks: ClassVar[bool] = True

    expires_in_minutes: int = field(metadata={"rule": Whole(least=1, most=MAX_MINUTES, code="bad_minutes")})
    description: str = field(default="", metadata={"rule": Plain()})
    texts: Mapping[str, str] = field(default_factory=dict, metadata={"rule": Texts(NAMES, CAPTIONS, LABELS, SILENT)})
    qr: bool = field(default=True, metadata={"rule": Switch()})
    reminders: tuple[Timed, ...] = field(default=(), metadata={"rule": Timetable(needed=(), others=("text",))})
    downsells: tuple[Timed, ...] = field(default=(), metadata={"rule": Timetable()})
    upsells: tuple[Timed, ...] = field(default=(), metadata={"rule": Timetable(others=("of",), least_minutes=0)})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        """Open a charge for the basket, or show the one that is open.

        What was just paid is never charged again by itself.
        """
        items = scene.walk.basket
        if not items or scene.payment_id is not None:
            return Turn(scene.walk)
        coupon = scene.find_coupon()
        order = scene.walk.find_open(self.id, items, coupon.code if coupon else "", scene.now)
        if order is not None:
            return Turn(scene.walk, self._present(order, scene) if order.code else ())
        return self._open(scene, coupon)

    def _open(self, scene: Scene, coupon: Coupon | None) -> Turn:
        """Open a charge for the basket; a coupon that is over is said to be."""
        items, off = scene.walk.basket, scene.find_discount(scene.walk.basket)
        order = Order(self.id, items, coupon=coupon.code if coupon else "", discount_cents=off)
        said = self._refuse_coupon(order, scene) if scene.walk.coupon and not coupon else ()
        effect = Open(
            self.id,
            items,
            sum(item.price_cents for item in items) - off,
            self.expires_in_minutes * 60,
            render_plain(self.description or "{{product}}", scene.variables(items)),
            order.coupon,
            coupon.uses if coupon else None,
        )
        return Turn(replace(scene.walk, coupon=order.coupon).with_order(order, scene.now), (*said, effect))

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if isinstance(event, Tapped):
            return self._tapped(event, scene)
        if isinstance(event, Nudged):
            return Turn(scene.walk, self._remind(self.reminders[event.place], event, scene))
        if isinstance(event, Wrote | Woke):
            return None
        order = scene.walk.find_order(event.payment_id) or Order(self.id, scene.walk.basket, event.payment_id)
        match event:
            case Charged():
                return self._charged(event, order, scene)
            case ChargeFailed(coupon=True):
                return self._go_on_without_coupon(event, order, scene)
            case ChargeFailed():
                word = "paused" if event.paused else "failed"
                return Turn(self._closed(event, scene), self._tell(word, order, scene, AGAIN))
            case PaymentPending():
                return Turn(scene.walk, self._tell("pending", order, scene, PAID))
            case Expired():
                waits = scene.stands_at(self.id) and scene.walk.basket == order.items
                return Turn(self._closed(event, scene), self._tell("expired", order, scene, AGAIN) if waits else ())
            case Paid():
                return self._paid(event, order, scene)
            case MoneyNews():
                return Turn(scene.walk, self._tell_of_return(event, order, scene))
            case AccessNews():
                return None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "paid")
        yield from list_later(self)

    def timetable(self, what: What) -> Sequence[Timed]:
        return {"reminder": self.reminders, "downsell": self.downsells, "upsell": self.upsells}[what]

    def names_offers(self) -> Iterator[tuple[str, str]]:
        for place, one in enumerate(self.upsells):
            if one.of:
                yield one.of, f"upsells[{place}].of"

    def taps(self) -> Sequence[str]:
        return PAID, AGAIN

    def check(self) -> Iterator[Finding]:
        if not shows_code(self.texts.get("code", "{{code}}")):
            yield Finding("texts.code", "code_missing")
        for place, one in enumerate(self.reminders):
            if one.after_minutes >= self.expires_in_minutes:
                limit = {"minutes": self.expires_in_minutes}
                yield Finding(f"reminders[{place}].after_minutes", "reminder_too_late", limit)
        for place, one in enumerate(self.upsells):
            if one.of and one.of == one.next:
                yield Finding(f"upsells[{place}].next", "upsell_of_itself")

    def _charged(self, event: Charged, order: Order, scene: Scene) -> Turn:
        """Show the code, and plan what follows while it is not paid."""
        changes: dict[str, Any] = {"code": event.code, "expires_at": event.expires_at}
        shown = self._present(replace(order, **changes), scene, event.amount_cents)
        reminders = plan(self, "reminder", scene, event.payment_id)
        walk, downsells = begin_downsells(self, scene, event.payment_id)
        return Turn(walk.change_order(event.payment_id, **changes), (*shown, *reminders, *downsells))

    def _paid(self, event: Paid, order: Order, scene: Scene) -> Turn:
        bought = self._closed(event, scene).with_bought(order.items)
        walk = replace(bought, basket=order.items, coupon=order.coupon)
        offers = [item.offer for item in order.items]
        upsells = plan(self, "upsell", scene, event.payment_id, offers)
        return Turn(walk, (*self._tell("confirmed", order, scene), *upsells), go=self.next)

    def _go_on_without_coupon(self, event: ChargeFailed, order: Order, scene: Scene) -> Turn:
        """Offer the same things at their price: the last of the coupon went to somebody else."""
        plain = {"coupon": "", "discount_cents": 0}
        walk = scene.walk.change_order(event.payment_id, closed=True, **plain)
        said = self._refuse_coupon(order, scene, AGAIN)
        return Turn(replace(walk, coupon="") if walk.coupon == order.coupon else walk, said)

    def _refuse_coupon(self, order: Order, scene: Scene, *buttons: str) -> tuple[Say, ...]:
        code = order.coupon or scene.walk.coupon
        plain = replace(order, coupon="", discount_cents=0)
        return self._tell("coupon", plain, scene, *buttons, coupon=code)

    def _remind(self, one: Timed, event: Nudged, scene: Scene) -> tuple[Say, ...]:
        """Show the code again: in the reminder's own text, or behind it."""
        order = scene.walk.find_order(event.payment_id or 0)
        if order is None:
            return ()
        text = one.text or self._text("reminder", scene)
        if shows_code(text):
            return self._show_code(text, order, scene)
        variables = self._variables(order, scene)
        said = self.say(text, variables, payment_id=order.payment_id)
        return (*said, *self._show_code(self._text("code", scene), order, scene))

    def _tapped(self, event: Tapped, scene: Scene) -> Turn | None:
        """Ask the provider, or take the basket of a charge that ended to a new one."""
        if event.payment_id is None:
            return None
        if event.button == PAID:
            return Turn(scene.walk, (Verify(event.payment_id),))
        order = scene.walk.find_order(event.payment_id)
        if event.button != AGAIN or order is None:
            return None
        coupon = order.coupon or scene.walk.coupon
        return Turn(replace(scene.walk, basket=order.items, coupon=coupon), go=self.id)

    def _closed(self, event: PaymentEvent, scene: Scene) -> Walk:
        return scene.walk.change_order(event.payment_id, closed=True)

    def _present(self, order: Order, scene: Scene, amount_cents: int | None = None) -> tuple[Say, ...]:
        """Show a code: the QR picture unless it is not wanted, then the code to copy with its two buttons."""
        variables = self._variables(order, scene)
        if amount_cents is not None:
            variables["price"] = scene.write_money(amount_cents)
        code = self._show_code(self._text("code", scene), order, scene, variables["price"])
        if not self.qr:
            return code
        picture = [Shown("photo", {"qr": order.code})]
        qr = self.say(self._text("qr", scene), variables, media=picture, payment_id=order.payment_id)
        return (*qr, *code)

    def _show_code(self, text: str, order: Order, scene: Scene, price: str = "") -> tuple[Say, ...]:
        """Say a text that shows the code, with the buttons to copy it and to say that it is paid."""
        variables = self._variables(order, scene)
        variables["price"] = price or variables["price"]
        rows = [self.press(PAID, self._text("paid", scene), variables)]
        if len(order.code) <= MAX_COPY_CHARACTERS:
            rows.insert(
                0, {"text": render_plain(self._text("copy", scene), variables), "copy_text": {"text": order.code}}
            )
        return self.say(text, variables, rows=rows, payment_id=order.payment_id)

    def _tell(self, name: str, order: Order, scene: Scene, *buttons: str, coupon: str = "") -> tuple[Say, ...]:
        if name in SILENT and self.texts.get(name) == "":
            return ()
        variables = self._variables(order, scene)
        variables["coupon"] = coupon or variables["coupon"]
        rows = [self.press(button, self._text(button, scene), variables) for button in buttons]
        return self.say(self._text(name, scene), variables, rows=rows, payment_id=order.payment_id)

    def _tell_of_return(self, event: MoneyNews, order: Order, scene: Scene) -> tuple[Say, ...]:
        variables = {**self._variables(order, scene), "returned": self._write_returned(event, scene)}
        return self.say(self._text(event.word, scene), variables, payment_id=order.payment_id)

    def _write_returned(self, event: MoneyNews, scene: Scene) -> str:
        return scene.write_money(event.amount_cents)

    def _text(self, name: str, scene: Scene) -> str:
        return self.texts.get(name) or TEXTS[scene.version.language][name]

    def _variables(self, order: Order, scene: Scene) -> dict[str, str]:
        validity = _describe_validity(order.expires_at, scene)
        named = scene.variables(order.items, order.discount_cents)
        return {**named, "coupon": order.coupon, "code": order.code, "validity": validity}


def shows_code(text: str) -> bool:
    """Tell whether a text names the code to pay."""
    return any(found[1] == "code" for found in VARIABLE.finditer(text))


def _describe_validity(expires_at: datetime | None, scene: Scene) -> str:
    if expires_at is None:
        return ""
    return format_duration((expires_at - scene.now).total_seconds(), scene.version.language)
