"""What a seller is told about a move: what came along, what could not, what is another way on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Sort(StrEnum):
    """What a remark is about."""

    TAKEN = "taken"
    LEFT = "left"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to tell: `place` is where it stood in the old settings, `code` a key of WORDS, `facts` fill it in."""

    code: str
    place: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sort(self) -> Sort:
        """What it is about."""
        return WORDS[self.code][0]

    def describe(self, language: str) -> str:
        """Put it into words of `language` (pt-BR or en)."""
        _, portuguese, english = WORDS[self.code]
        said = (portuguese if language == "pt-BR" else english).format(**self.facts)
        return f"{self.place}: {said}" if self.place else said


WORDS: Mapping[str, tuple[Sort, str, str]] = {
    "buttons_taken": (
        Sort.TAKEN,
        "{count} botão(ões) de compra, cada um com o seu preço e os seus order bumps",
        "{count} buy button(s), each with its price and its order bumps",
    ),
    "links_taken": (Sort.TAKEN, "{count} botão(ões) de link", "{count} link button(s)"),
    "downsells_taken": (
        Sort.TAKEN,
        "{count} downsell(s), contados a partir do PIX que não foi pago",
        "{count} downsell(s), counted from the PIX that was not paid",
    ),
    "upsells_taken": (
        Sort.TAKEN,
        "{count} upsell(s), enviados depois do pagamento",
        "{count} upsell(s), sent after the payment",
    ),
    "flow_taken": (
        Sort.TAKEN,
        "o fluxo visual com {count} etapa(s); com ele ligado as boas-vindas não são enviadas, como antes",
        "the visual flow with {count} step(s); while it is on the welcome is not sent, as before",
    ),
    "old_buttons_taken": (
        Sort.TAKEN,
        "os botões de mensagens antigas continuam funcionando, com os preços deste funil",
        "buttons of old messages go on working, at this funnel's prices",
    ),
    "unreadable": (
        Sort.LEFT,
        "não deu para ler este campo; o sistema antigo também o tratava como vazio. Confira e preencha no funil",
        "this field cannot be read; the old system, too, took it for empty. Look at it and fill it in in the funnel",
    ),
    "unknown_field": (
        Sort.LEFT,
        "este campo não faz parte de um funil e ficou de fora",
        "this field is no part of a funnel and was left out",
    ),
    "no_welcome": (
        Sort.LEFT,
        "não há mensagem de boas-vindas; escrevemos uma curta, troque-a pela sua",
        "there is no welcome message; we wrote a short one, put your own in its place",
    ),
    "button_without_price": (
        Sort.LEFT,
        "o botão não tem texto ou preço que se possa ler; como antes, ele não aparece",
        "the button has no text or no price that can be read; as before, it is not shown",
    ),
    "link_unusable": (
        Sort.LEFT,
        "o link “{link}” não é um endereço que o Telegram abra; o botão ficou de fora",
        "the link “{link}” is no address that Telegram opens; the button was left out",
    ),
    "too_many_buttons": (
        Sort.LEFT,
        "o Telegram mostra no máximo {limit} botões; os que passam disso ficaram de fora",
        "Telegram shows {limit} buttons at most; those beyond that were left out",
    ),
    "bump_without_text": (
        Sort.LEFT,
        "o order bump está ligado, mas sem mensagem ou sem preço; ficou de fora",
        "the order bump is on, but has no message or no price; it was left out",
    ),
    "offer_without_text": (
        Sort.LEFT,
        "esta oferta não tem mensagem nem mídia; o Telegram não a enviaria, e ficou de fora",
        "this offer has neither a message nor media; Telegram would not send it, and it was left out",
    ),
    "too_many_offers": (
        Sort.LEFT,
        "são mais de {limit}; os que passam disso ficaram de fora",
        "there are more than {limit}; those beyond that were left out",
    ),
    "price_too_low": (
        Sort.LEFT,
        "com o desconto o preço fica abaixo de R$ 0,50; como antes, este produto não é oferecido aqui",
        "discounted the price falls below R$ 0.50; as before, this product is not offered here",
    ),
    "offer_without_price": (
        Sort.CHANGED,
        "não há preço; vale {price}, o que o sistema antigo cobrava nesse caso. Confira antes de publicar",
        "there is no price; it is {price}, what the old system charged then. Look at it before you publish",
    ),
    "no_buttons_to_discount": (
        Sort.LEFT,
        "o desconto é sobre os botões de compra, e não há nenhum; a oferta ficou de fora",
        "the discount is on the buy buttons, and there are none; the offer was left out",
    ),
    "no_trigger": (
        Sort.LEFT,
        "nenhum botão vende “{product}”, o produto que dispara este upsell; ele ficou de fora",
        "no button sells “{product}”, the product that sets this upsell off; it was left out",
    ),
    "media_private": (
        Sort.LEFT,
        (
            "a mídia está em um canal privado ({address}); como antes, só o texto é enviado. "
            "Baixe o arquivo, deixe-o ao lado do funil e escreva o nome dele no passo"
        ),
        (
            "the media lies in a private channel ({address}); as before, only the text is sent. "
            "Download the file, put it beside the funnel and write its name in the step"
        ),
    ),
    "media_no_address": (
        Sort.LEFT,
        "“{address}” não é um endereço; como antes, só o texto é enviado. Um file_id só vale para o bot que o recebeu",
        "“{address}” is no address; as before, only the text is sent. A file_id is worth something to its own bot only",
    ),
    "access_missing": (
        Sort.LEFT,
        "não há link de acesso: quem paga recebe só um aviso. Coloque o link nas entregas (acesso-...)",
        "there is no access link: who pays gets no more than a word. Put the link into the deliveries (acesso-...)",
    ),
    "link_not_shown": (
        Sort.CHANGED,
        "a mensagem de sucesso não mostra o link de acesso; um botão “Acessar” o abre",
        "the success message does not show the access link; a button opens it",
    ),
    "subscription_unusable": (
        Sort.LEFT,
        "a assinatura está ligada, mas sem grupo ou prazo que se possa ler; o produto é entregue sem ela",
        "the subscription is on, but has no group or term that can be read; the product is delivered without it",
    ),
    "subscription_in_days": (
        Sort.CHANGED,
        (
            "a assinatura vale {days} dia(s): os prazos são em dias inteiros. O comprador é avisado antes do fim, "
            "e o link do grupo é só dele"
        ),
        (
            "the subscription lasts {days} day(s): terms are whole days. The buyer is reminded before the end, "
            "and the group's link is his alone"
        ),
    ),
    "media_secured": (
        Sort.CHANGED,
        "o endereço da mídia agora começa com https://; confira se ele abre",
        "the media's address begins with https:// now; look whether it opens",
    ),
    "bad_markup": (
        Sort.CHANGED,
        "o Telegram recusaria este texto por causa de “{sign}”; ele é enviado sem formatação",
        "Telegram would refuse this text because of “{sign}”; it is sent without formatting",
    ),
    "text_behind_media": (
        Sort.CHANGED,
        "o texto não cabe na legenda (1024 sinais): a mídia vai antes, o texto inteiro com os botões depois",
        "the text does not fit a caption (1024 signs): the media goes first, the whole text with its buttons behind it",
    ),
    "text_in_parts": (
        Sort.CHANGED,
        "o texto passa de 4096 sinais e vai em {count} mensagens, os botões na última",
        "the text is over 4096 signs and goes in {count} messages, the buttons on the last",
    ),
    "text_cut": (
        Sort.CHANGED,
        "o texto passa do que cabe em uma mensagem e foi cortado; encurte-o",
        "the text is longer than one message takes and was cut; shorten it",
    ),
    "delay_fitted": (
        Sort.CHANGED,
        "a espera agora é de {minutes} minuto(s): de 1 minuto a 30 dias",
        "the wait is {minutes} minute(s) now: 1 minute to 30 days",
    ),
    "step_unusable": (
        Sort.LEFT,
        "esta etapa não tem nada que se envie, ou tem um tipo desconhecido ({kind}); o fluxo passa por ela",
        "this step has nothing that can be sent, or an unknown kind ({kind}); the flow passes it without a stop",
    ),
    "flow_unusable": (
        Sort.LEFT,
        "o fluxo está ligado, mas não tem nenhuma etapa que se possa ler; vale a mensagem de boas-vindas",
        "the flow is on, but has no step that can be read; the welcome message counts",
    ),
    "condition_unusable": (
        Sort.LEFT,
        "a condição “{kind}” não pode ser cumprida aqui, e ficou de fora",
        "the condition “{kind}” cannot be met here, and was left out",
    ),
    "target_missing": (
        Sort.LEFT,
        "leva à etapa “{target}”, que não existe; este caminho termina ali",
        "leads to the step “{target}”, which does not exist; this way ends there",
    ),
    "payment_without_price": (
        Sort.LEFT,
        "a etapa de pagamento não tem preço, nem há botão de compra que o dê; o fluxo termina ali",
        "the payment step has no price, nor is there a buy button to give it one; the flow ends there",
    ),
    "flow_waits_by_clock": (
        Sort.CHANGED,
        "o tempo decorrido agora dispara sozinho; antes esperava uma mensagem da pessoa",
        "the time that passed acts by itself now; before, it waited for a message of the person",
    ),
    "next_with_buttons": (
        Sort.CHANGED,
        "a etapa tem botões e um caminho direto; agora ela espera o toque em um botão",
        "the step has buttons and a direct way; now it waits for a tap on a button",
    ),
    "on_purpose_pix": (
        Sort.CHANGED,
        "o PIX traz um botão que copia o código, vence de verdade em 30 minutos e avisa quando vence",
        "the PIX has a button that copies its code, really expires after 30 minutes and says so",
    ),
    "on_purpose_safety": (
        Sort.CHANGED,
        (
            "preços nunca vêm do botão; só o comprador confere o próprio PIX; nada é entregue sem pagamento "
            "confirmado; quem já comprou não recebe mais downsells"
        ),
        (
            "prices never come from a button; only the buyer checks his PIX; nothing is delivered without a confirmed "
            "payment; who has bought gets no more downsells"
        ),
    ),
    "on_purpose_left_out": (
        Sort.CHANGED,
        (
            "não existem aqui: cloaker, contadores de prova social, dados de pagador inventados e a espera de dois "
            "minutos entre dois PIX"
        ),
        (
            "there is none of this here: a cloaker, counters of social proof, invented payers, and the wait of two "
            "minutes between two PIX codes"
        ),
    ),
}
