"""subscription: lets the buyer into a group or channel for some days, reminds, waits a little, and puts out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from grimbots.services.funnels.deliveries.invite import TEXTS as INVITE_TEXTS
from grimbots.services.funnels.deliveries.invite import Invite
from grimbots.services.funnels.effects import Grant, Say
from grimbots.services.funnels.events import AccessNews, Tapped
from grimbots.services.funnels.fields import Days, Target, Texts, Whole
from grimbots.services.funnels.steps.base import Exit, Scene, Turn

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.delivery import Delivery

RENEW = "renew"
MOST_DAYS, MOST_GRACE_DAYS, MOST_REMINDERS = 3660, 60, 5
TEXTS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        **INVITE_TEXTS["pt-BR"],
        "stay": "✅ Assinatura renovada! Você continua no grupo e não precisa fazer nada.",
        "ending": "⏳ A sua assinatura de <b>{{group|o grupo}}</b> termina em {{left}}. "
        "Renove agora para não perder o acesso: os dias se somam aos que você ainda tem.",
        "grace": "⚠️ A sua assinatura de <b>{{group|o grupo}}</b> venceu. Você ainda fica no grupo por {{left}}: "
        "renove até lá para continuar.",
        "ended": "A sua assinatura de <b>{{group|o grupo}}</b> terminou e o acesso foi encerrado. "
        "Quer voltar? É só assinar de novo.",
        "renew": "🔁 Renovar",
    },
    "en": {
        **INVITE_TEXTS["en"],
        "stay": "✅ Your subscription is renewed! You stay in the group, there is nothing to do.",
        "ending": "⏳ Your subscription to <b>{{group|the group}}</b> ends in {{left}}. "
        "Renew now and keep your access: the days are added to those you still have.",
        "grace": "⚠️ Your subscription to <b>{{group|the group}}</b> has ended. You stay in the group for {{left}}: "
        "renew within that time to go on.",
        "ended": "Your subscription to <b>{{group|the group}}</b> has ended and your access is closed. "
        "Want to come back? Just subscribe again.",
        "renew": "🔁 Renew",
    },
}
NAMES = frozenset({"open", "stay", "again", "ending", "grace", "ended", "renew"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(Invite):
    """The days begin when the buyer comes in. `renew` is the step, an offer, that its reminders' button leads to."""

    kind: ClassVar[str] = "subscription"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = TEXTS

    days: int = field(metadata={"rule": Whole(least=1, most=MOST_DAYS, code="bad_days")})
    renew: str = field(metadata={"rule": Target()})
    remind_days: tuple[int, ...] = field(
        default=(3, 1), metadata={"rule": Days(most=MOST_DAYS, most_items=MOST_REMINDERS)}
    )
    grace_days: int = field(default=1, metadata={"rule": Whole(least=0, most=MOST_GRACE_DAYS, code="bad_days")})
    texts: Mapping[str, str] = field(
        default_factory=dict, metadata={"rule": Texts(names=NAMES, labels=frozenset({"open", "renew"}))}
    )

    def grant(self, step: Delivery, scene: Scene) -> Grant | None:
        right = Invite.grant(self, step, scene)
        terms = {"days": self.days, "remind_days": self.remind_days, "grace_days": self.grace_days}
        return replace(right, **terms) if right else None  # type: ignore[arg-type]

    def tell(self, step: Delivery, news: AccessNews, scene: Scene) -> tuple[Say, ...]:
        if news.word == "again":
            return Invite.tell(self, step, news, scene)
        variables, language = self.list_variables(news, scene), scene.version.language
        rows = [step.press(RENEW, self.word(RENEW, language), variables)]
        return step.say(self.word(news.word, language), variables, rows=rows, payment_id=news.payment_id)

    def take_tap(self, tap: Tapped, scene: Scene) -> Turn | None:
        return Turn(scene.walk, go=self.renew) if tap.button == RENEW else None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.renew, "gives.renew", "tap")

    def taps(self) -> Sequence[str]:
        return (RENEW,)
