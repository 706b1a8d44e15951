"""Each fixture of old settings, message by message as facts/grimbots.md (1.3, 2b to 2f) describes the original."""

from __future__ import annotations

from grimbots.tests.services.funnels.moving.transcripts import Transcript, move_fixture, read_fixture, read_moved

VERIFY = "✅ Verificar Pagamento"


WELCOME = "Oi! Aqui você aprende a <b>fazer bolos</b> 🎂"
SUMS = "[✅ SIM! Quero por R$ 24,97 | ❌ NÃO, continuar com R$ 19,97]"
BUMP = "Leve também as <i>coberturas</i>?"
PENDING = (
    "⏳ <b>Ainda não vimos o seu pagamento.</b>\n\n📱 <b>PIX Copia e Cola:</b>\n<code>PIX1</code>\n\n"
    "Confira se o PIX saiu da sua conta, espere até 5 minutos e toque no botão de novo."
)
CONFIRMED = (
    "✅ <b>PAGAMENTO CONFIRMADO!</b>\n\n🎯 <b>Produto:</b> Curso de Bolos + Coberturas\n"
    "💰 <b>Valor pago:</b> R$ 24,97\n\n🔗 <b>Seu acesso:</b>\nhttps://t.me/+bolos"
)
MENU = "[🎂 Curso por R$ 19,97 | 📖 Só o livro | Meu canal → https://t.me/bolosdalia]"


def write_pix(product: str, price: str, code: str) -> list[str]:
    """Give the lines of a PIX message (2c.5): the old layout, its button, and one more that copies."""
    text = (
        f"🎯 <b>Produto:</b> {product}\n💰 <b>Valor:</b> {price}\n\n📱 <b>PIX Copia e Cola:</b>\n<code>{code}</code>"
        "\n\n<i>👆 Toque no código acima para copiar</i>\n\n⏰ <b>Válido por:</b> 30 minutos\n\n"
        "💡 <b>Após pagar, clique no botão abaixo para verificar e receber seu acesso!</b>"
    )
    return [f"{text} [Copiar código PIX ⧉ | {VERIFY}]"]


def open_chat(name: str) -> Transcript:
    """Give the chat of somebody who has pressed /start."""
    chat = Transcript(read_moved(name))
    chat.start()
    return chat


def test_oldest_shape_is_sold_as_it_was() -> None:
    """Lists as JSON in texts, one `order_bump` a button, labels as they were typed, texts of the system's own."""
    chat = open_chat("novembro")
    chat.tap("🎂 Curso por R$ 19,97")
    chat.tap("✅ SIM! Quero por R$ 24,97")
    chat.tap(VERIFY)
    chat.pay()
    assert chat.lines == [
        "> /start",
        f"(video https://t.me/bolosdalia/12) {WELCOME} {MENU}",
        "(audio https://t.me/bolosdalia/13)",
        "> [🎂 Curso por R$ 19,97]",
        f"(photo https://t.me/bolosdalia/14) {BUMP} {SUMS}",
        "> [✅ SIM! Quero por R$ 24,97]",
        *write_pix("Curso de Bolos + Coberturas", "R$ 24,97", "PIX1"),
        f"> [{VERIFY}]",
        f"{PENDING} [{VERIFY}]",
        "> paga",
        CONFIRMED,
    ]


def test_oldest_shape_with_downsells_switched_off_stays_silent() -> None:
    chat = open_chat("novembro")
    chat.tap("📖 Só o livro")
    assert chat.lines[-1:] == write_pix("Produto", "R$ 9,90", "PIX1")
    said = len(chat.lines)
    chat.wait(minutes=29)
    assert len(chat.lines) == said


def test_bumps_downsells_and_upsells_come_in_their_time() -> None:
    """Bumps in sequence, then fixed, percentage and unpriced downsells of the unpaid PIX, upsells by product."""
    chat = open_chat("sequencia")
    chat.tap("Plano mensal")
    chat.tap("Quero!")
    chat.tap("❌ NÃO, continuar com R$ 39,90")
    chat.tap(VERIFY)
    chat.wait(minutes=40)
    chat.tap("🔥 Plano mensal (50% OFF)")
    chat.pay()
    chat.wait(hours=2)
    assert chat.lines == [
        "> /start",
        "Bem-vinda! O que você quer aprender? [Plano mensal]",
        "> [Plano mensal]",
        "Mais o grupo de dúvidas? [Quero! | Agora não]",
        "> [Quero!]",
        "E as planilhas? [✅ SIM! Quero por R$ 47,40 | ❌ NÃO, continuar com R$ 39,90]",
        "> [❌ NÃO, continuar com R$ 39,90]",
        *write_pix("Plano Mensal + Dúvidas", "R$ 39,90", "PIX1"),
        f"> [{VERIFY}]",
        f"Ainda não caiu o PIX de R$ 39,90. Código: <code>PIX1</code> [{VERIFY}]",
        "… 10 min",
        "(photo https://example.com/oferta.jpg) Ainda dá tempo: leve por menos [🛒 Comprar por R$ 14,97]",
        "(audio https://example.com/voz.mp3)",
        "… 20 min",
        "Última chance [🔥 Plano mensal (50% OFF)]",
        "… 25 min",
        "Sem preço [🛒 Comprar por R$ 9,97]",
        "> [🔥 Plano mensal (50% OFF)]",
        *write_pix("Plano Mensal", "R$ 14,95", "PIX2"),
        "> paga",
        "🎉 Plano Mensal é seu por R$ 14,95! Entre: https://example.com/area",
        "… 41 min",
        "Obrigada! Que tal a mentoria? [Quero a mentoria]",
        "… 101 min",
        "E o plano anual? [🛒 Comprar por R$ 197,00]",
    ]


def test_downsell_with_its_bump_is_charged_once_and_brings_no_downsells_of_its_own() -> None:
    chat = open_chat("sequencia")
    chat.tap("Plano mensal")
    chat.tap("Agora não")
    chat.tap("❌ NÃO, continuar com R$ 29,90")
    chat.wait(minutes=12)
    chat.tap("🛒 Comprar por R$ 14,97")
    chat.tap("✅ SIM! Quero por R$ 19,97")
    assert chat.lines[-4:] == [
        "> [🛒 Comprar por R$ 14,97]",
        "Com as planilhas? [✅ SIM! Quero por R$ 19,97 | ❌ NÃO, continuar com R$ 14,97]",
        "> [✅ SIM! Quero por R$ 19,97]",
        *write_pix("Plano Mensal + Planilhas", "R$ 19,97", "PIX2"),
    ]
    chat.wait(minutes=25)  # the later ones are still those of the first PIX
    assert [line for line in chat.lines if line.startswith("…")] == ["… 10 min", "… 20 min", "… 25 min"]


def test_nothing_is_offered_cheaper_to_who_has_paid() -> None:
    chat = open_chat("sequencia")
    chat.tap("Plano mensal")
    chat.tap("Agora não")
    chat.tap("❌ NÃO, continuar com R$ 29,90")
    chat.pay()
    chat.wait(minutes=30)
    assert not any("Ainda dá tempo" in line or "Última chance" in line for line in chat.lines)


def test_newer_shape_puts_prices_on_buttons_and_lets_into_the_group() -> None:
    """The panel's answer of 2026: `price_position`, `subscription`; media of a private channel gives the text alone."""
    chat = open_chat("assinatura")
    chat.tap("VIP 1 mês - R$ 19,90")
    chat.wait(minutes=20)
    chat.pay()
    assert chat.lines == [
        "> /start",
        "Escolha o seu acesso: [VIP 1 mês - R$ 19,90 | R$ 5,00 - Amostra | Suporte → https://t.me/suporte_vip]",
        "> [VIP 1 mês - R$ 19,90]",
        *write_pix("VIP", "R$ 19,90", "PIX1"),
        "… 15 min",
        "30% para decidir hoje [VIP 1 mês por R$ 13,93 (30% OFF) | Amostra por R$ 3,50 (30% OFF)]",
        "> paga",
        "Bem-vindo ao VIP! [🔓 Entrar no grupo → {invite} | ✅ Acessar → https://example.com/vip]",
    ]


def test_long_welcome_goes_behind_its_media_with_the_buttons() -> None:
    chat = open_chat("longo")
    whole = read_fixture("longo")["welcome_message"]
    assert chat.lines[1:] == ["(photo https://example.com/capa.jpg)", f"{whole} [Quero]"]


def test_unreadable_lists_signs_and_a_missing_link_do_not_stop_a_sale() -> None:
    chat = open_chat("longo")
    chat.tap("Quero")
    chat.tap(VERIFY)
    chat.pay()
    assert chat.lines[4:] == [
        *write_pix("Guia { {raro}} &lt;1&gt;", "R$ 12,00", "PIX1"),
        f"> [{VERIFY}]",
        f"Espere {{&#123;pouco}}}}: Guia {{ {{raro}}}} &lt;1&gt; [{VERIFY}]",
        "> paga",
        "Pago! Preço &lt; dez &amp; pronto",
    ]


def test_flow_walks_its_steps_asks_and_charges() -> None:
    """The visual flow (2f): the welcome is suppressed; waits, questions, buttons, payment, access."""
    chat = open_chat("fluxo")
    chat.wait(seconds=5)
    chat.write("x")
    chat.write("ana@example.com")
    chat.tap("Dúvidas")
    chat.write("?")
    chat.write("o preço")
    chat.tap(VERIFY)
    chat.pay()
    assert chat.lines == [
        "> /start",
        "(video https://example.com/a.mp4) Olá! Vamos começar?",
        "… 0 min",
        "Qual é o seu e-mail?",
        "> “x”",
        "Esse e-mail não parece certo 🤔",
        "> “ana@example.com”",
        "O que prefere? [Comprar | Dúvidas | Site → https://example.com/]",
        "> [Dúvidas]",
        "Escreva: preço ou prazo?",
        "> “?”",
        "⚠️ Não entendi a resposta. Pode tentar de novo?",
        "Escreva: preço ou prazo?",
        "> “o preço”",
        *write_pix("Curso com desconto", "R$ 39,90", "PIX1"),
        f"> [{VERIFY}]",
        f"Ainda não vi o PIX, espere um pouco. [{VERIFY}]",
        "> paga",
        "Pagamento recebido 💚",
        "Acesso liberado! [✅ Acessar → https://example.com/curso]",
    ]


def test_flow_goes_on_by_the_clock_and_after_too_many_wrong_answers() -> None:
    waiting, wrong = open_chat("fluxo"), open_chat("fluxo")
    waiting.wait(minutes=31)
    assert waiting.lines[-2:] == ["… 30 min", "Fico por aqui. Até mais!"]
    wrong.wait(seconds=5)
    for _ in range(3):
        wrong.write("não digo")
    assert wrong.lines[-1] == "Fico por aqui. Até mais!"


def test_exported_canvas_is_walked() -> None:
    """A bare list of nodes with lists of connections, as the flow editor downloads it."""
    chat = open_chat("exportado")
    chat.pay()
    assert chat.lines == [
        "> /start",
        "Primeira",
        "(audio https://example.com/b.mp3)",
        *write_pix("Áudio completo", "R$ 7,00", "PIX1"),
        "> paga",
        "Aqui está [✅ Acessar → https://example.com/d]",
    ]


def test_remarks_name_what_was_left_and_where() -> None:
    left = {name: [(one.place, one.code) for one in move_fixture(name).remarks if one.sort == "left"] for name in NAMES}
    assert left == {
        "novembro": [("main_buttons[2]", "button_without_price"), ("redirect_buttons[1]", "link_unusable")],
        "sequencia": [("upsells[2]", "no_trigger"), ("downsells[3]", "offer_without_text")],
        "assinatura": [("main_buttons[1]", "subscription_unusable"), ("welcome_message", "media_private")],
        "longo": [("redirect_buttons", "unreadable"), ("access_link", "access_missing")],
        "fluxo": [("flow_steps.step_9", "target_missing")],
        "exportado": [],
    }


NAMES = ("novembro", "sequencia", "assinatura", "longo", "fluxo", "exportado")
