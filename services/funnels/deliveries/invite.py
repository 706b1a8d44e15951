"""invite: lets the buyer into a group or channel for good, by a link that is worth nothing to anybody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from grimbots.services.funnels.deliveries.base import DeliveryKind
from grimbots.services.funnels.effects import INVITE, Grant, Say
from grimbots.services.funnels.events import AccessNews
from grimbots.services.funnels.fields import GroupId, OneOf, Texts
from grimbots.services.funnels.texts import format_duration, render_plain

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.base import Scene
    from grimbots.services.funnels.steps.delivery import Delivery

BY_REQUEST, ONE_USE = "request", "one_use"
TEXTS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "given": "🎁 O seu acesso a <b>{{product|seu pedido}}</b> está liberado. Toque no botão para entrar: "
        "o link é só seu e não funciona para outra pessoa.",
        "open": "🔓 Entrar no grupo",
        "stay": "✅ Tudo certo com <b>{{product|seu pedido}}</b>: você continua no grupo e não precisa fazer nada.",
        "again": "🔑 O link que você tinha para <b>{{group|o grupo}}</b> não vale mais. "
        "Aqui está outro, só seu: toque no botão para entrar.",
    },
    "en": {
        "given": "🎁 Your access to <b>{{product|your order}}</b> is open. Tap the button to come in: "
        "the link is yours alone and works for nobody else.",
        "open": "🔓 Open the group",
        "stay": "✅ All is well with <b>{{product|your order}}</b>: you stay in the group, there is nothing to do.",
        "again": "🔑 The link you had to <b>{{group|the group}}</b> is not valid any more. "
        "Here is another, yours alone: tap the button to come in.",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite(DeliveryKind):
    """`by` request: everybody may open the link and only the buyer is let in; one_use: the first to open it is in."""

    kind: ClassVar[str] = "invite"
    words: ClassVar[Mapping[str, Mapping[str, str]]] = TEXTS

    group: int = field(metadata={"rule": GroupId()})
    by: str = field(default=BY_REQUEST, metadata={"rule": OneOf((BY_REQUEST, ONE_USE))})
    texts: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"rule": Texts(names=frozenset({"open", "stay", "again"}), labels=frozenset({"open"}))},
    )

    def default_text(self, language: str) -> str:
        return self.words[language]["given"]

    def rows(self, variables: Mapping[str, str], language: str) -> Sequence[Mapping[str, Any]]:
        return [{"text": render_plain(self.word("open", language), variables), "url": INVITE}]

    def grant(self, step: Delivery, scene: Scene) -> Grant | None:
        stay = step.say(self.word("stay", scene.version.language), scene.variables())[0]
        return Grant(group=self.group, by_request=self.by == BY_REQUEST, stay=stay.body)

    def find_group(self) -> int | None:
        return self.group

    def tell(self, step: Delivery, news: AccessNews, scene: Scene) -> tuple[Say, ...]:
        if news.word != "again":
            return ()
        variables, language = self.list_variables(news, scene), scene.version.language
        rows = self.rows(variables, language)
        return step.say(self.word("again", language), variables, rows=rows, payment_id=news.payment_id)

    def word(self, name: str, language: str) -> str:
        """Give one of its texts: the seller's, or ours."""
        return self.texts.get(name) or self.words[language][name]

    def list_variables(self, news: AccessNews, scene: Scene) -> dict[str, str]:
        """Give what its texts may name: of the order that paid for it too, while that is remembered."""
        order = scene.walk.find_order(news.payment_id)
        left = format_duration(news.left_seconds, scene.version.language) if news.left_seconds else ""
        return {**scene.variables(order.items if order else ()), "group": news.group, "left": left}
