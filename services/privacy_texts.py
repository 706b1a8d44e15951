"""What a bot says of a person's data: every bot of every account the same, but for what its seller writes himself."""

from __future__ import annotations

from collections.abc import Mapping

PORTUGUESE, ENGLISH = "pt-BR", "en"

TEXTS: Mapping[str, Mapping[str, str]] = {
    PORTUGUESE: {
        "privacy": (
            "Este bot guarda o nome e o @ que o Telegram informa, o que você respondeu aqui, o que recebeu, o que"
            " comprou e por qual anúncio veio. Serve para atender, cobrar e entregar o que você pede; o pagamento é"
            " feito por um provedor de PIX, que recebe o que ele exige para cobrar. Quem vende aqui responde por esses"
            " dados."
        ),
        "rights": (
            "/meusdados mostra tudo o que está guardado sobre você.\n/excluir apaga os seus dados deste bot.\n"
            "/paysupport ajuda com um pagamento."
        ),
        "data": "O que este bot guarda sobre você, até este momento.",
        "file": "meus-dados.json",
        "erase": (
            "Isto apaga os seus dados deste bot: nome, respostas, conversa e acessos. Você sai dos grupos que comprou"
            " aqui, e o que foi comprado não é entregue de novo. Valores e datas de pagamentos ficam, sem o seu nome,"
            " porque a lei exige. Não há como desfazer.\n\nPara não apagar, não faça nada."
        ),
        "confirm": "Apagar os meus dados",
        "erased": "Pronto: os seus dados foram apagados deste bot. /start começa de novo, como na primeira vez.",
        "late": "Este botão não vale mais. Envie /excluir de novo se ainda quiser apagar os seus dados.",
        "support": "Precisa de ajuda com um pagamento? Fale com quem vende aqui e informe o número do pagamento.",
        "payments": "Seus últimos pagamentos:",
        "payment": "nº {id} · {at} · {amount} · {description} · {state}",
        "no_payments": "Você ainda não tem pagamentos aqui.",
        "state.paid": "pago",
        "state.pending": "aguardando pagamento",
        "state.expired": "vencido",
        "state.cancelled": "cancelado",
        "state.partially_refunded": "devolvido em parte",
        "state.refund_pending": "em devolução",
        "state.refunded": "devolvido",
        "state.disputed": "contestado",
        "state.charged_back": "estornado",
        "state.new": "em preparação",
        "state.creating": "em preparação",
    },
    ENGLISH: {
        "privacy": (
            "This bot keeps the name and the @ that Telegram tells, what you answered here, what you were sent, what"
            " you bought and which advertisement brought you. It is used to serve you, to charge and to deliver what"
            " you ask for; a PIX provider takes the payment and is told what it demands for that. Whoever sells here"
            " answers for these data."
        ),
        "rights": (
            "/mydata shows all that is kept about you.\n/delete erases your data from this bot.\n"
            "/paysupport helps with a payment."
        ),
        "data": "What this bot keeps about you, up to this moment.",
        "file": "my-data.json",
        "erase": (
            "This erases your data from this bot: name, answers, chat and accesses. You leave the groups you bought"
            " here, and what was bought is not delivered again. Amounts and dates of payments stay, without your name,"
            " because the law asks for them. It cannot be undone.\n\nTo keep them, do nothing."
        ),
        "confirm": "Erase my data",
        "erased": "Done: your data were erased from this bot. /start begins anew, as if for the first time.",
        "late": "This button is not valid any more. Send /delete again if you still want to erase your data.",
        "support": "Need help with a payment? Talk to whoever sells here and give the payment's number.",
        "payments": "Your latest payments:",
        "payment": "no. {id} · {at} · {amount} · {description} · {state}",
        "no_payments": "You have no payments here yet.",
        "state.paid": "paid",
        "state.pending": "waiting for payment",
        "state.expired": "expired",
        "state.cancelled": "cancelled",
        "state.partially_refunded": "given back in part",
        "state.refund_pending": "being given back",
        "state.refunded": "given back",
        "state.disputed": "disputed",
        "state.charged_back": "charged back",
        "state.new": "being made",
        "state.creating": "being made",
    },
}


def choose(language_code: str) -> Mapping[str, str]:
    """Give the texts for a person: Portuguese, unless Telegram says he reads something else."""
    return TEXTS[PORTUGUESE if language_code.lower()[:2] in ("", "pt") else ENGLISH]
