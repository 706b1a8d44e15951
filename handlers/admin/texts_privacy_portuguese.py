"""What is kept of people, in Brazilian Portuguese: a part of texts_portuguese.py's table."""

from __future__ import annotations

PRIVACY = {
    "privacy_tab": "Privacidade",
    "privacy_title": "Dados pessoais",
    "privacy_intro": (
        "Quem pede os próprios dados tem resposta em 15 dias (LGPD). Todo bot já responde sozinho a /meusdados e a "
        "/excluir; aqui você responde a quem escreveu a você."
    ),
    "privacy_said.ordered": (
        "O apagamento foi pedido e acontece na vez da conversa, em geral em segundos. Recarregue: a lista abaixo diz "
        "quando terminou."
    ),
    "person_find": "Pessoa",
    "person_find_hint": (
        "@usuário ou número da conversa; também e-mail, CPF ou telefone que ela tenha informado. A busca fica "
        "registrada."
    ),
    "people_found": "Encontrados",
    "people_none": "Nenhum bot desta conta conhece isso. Confira se está inteiro, ou tente o número da conversa.",
    "people_cut": "Só {count} estão aqui; os comandos grimbots privacy mostram os outros.",
    "people_forbidden": "Só dono ou editor da conta procura, baixa e apaga dados de pessoas: peça a um deles.",
    "person_number": "Pessoa {number}",
    "person_name": "Nome",
    "person_user": "Usuário",
    "person_chat": "Número da conversa",
    "person_since": "Conhecida desde",
    "person_acts": "Responder ao pedido",
    "person_export": "Baixar os dados",
    "person_export_hint": (
        "O arquivo JSON tem tudo o que guardamos dela, como o que o bot manda a quem pede /meusdados. Fica registrado "
        "quem o baixou."
    ),
    "person_erase": "Apagar os dados…",
    "holdings_intro": "O que guardamos desta pessoa, tabela por tabela. Fica registrado que você olhou.",
    "holdings_title": "O que guardamos",
    "holdings_what": "O quê",
    "holdings_count": "Registros",
    "holdings_fate": "Se for apagada",
    "holding.leads": "Cadastro: nome, @, idioma, respostas, etiquetas",
    "holding.clicks": "Cliques em anúncios",
    "holding.messages": "Mensagens que recebeu",
    "holding.moves": "O que fez no funil",
    "holding.posts": "O que o seu servidor soube",
    "holding.timers": "Esperas e lembretes",
    "holding.accesses": "Lugares em grupos",
    "holding.provider_events": "Avisos de provedores",
    "holding.deliveries": "Entregas",
    "holding.payments": "Cobranças",
    "holding.payment_receipts": "Transferências recebidas",
    "holding.payment_returns": "Devoluções e contestações",
    "holding.ledger_entries": "Lançamentos no livro",
    "fate.leads": "esvaziado; fica um número sem nome",
    "fate.clicks": "endereço, navegador e identificadores somem; a campanha fica",
    "fate.messages": "o texto some; fica que houve",
    "fate.moves": "apagado",
    "fate.posts": "esvaziado aqui; no seu servidor, apague você",
    "fate.timers": "cancelados e esvaziados",
    "fate.accesses": "a pessoa é retirada dos grupos",
    "fate.provider_events": "esvaziados",
    "fate.deliveries": "ficam, sem o texto do erro; o que faltava entregar não sai mais",
    "fate.payments": "ficam: valor, data e números do provedor",
    "fate.payment_receipts": "ficam",
    "fate.payment_returns": "ficam, sem as palavras do provedor",
    "fate.ledger_entries": "ficam",
    "erase_title": "Apagar os dados da pessoa {number}?",
    "erase_intro": "Conversa {chat} com @{bot}. Não dá para desfazer, nem por um backup.",
    "erase_goes": "Some",
    "erase_goes_what": (
        "Nome, @, número da conversa, respostas, mensagens, caminho no funil, endereço e navegador, o que disseram os "
        "provedores."
    ),
    "erase_stays": "Fica",
    "erase_stays_what": (
        "O livro e os pagamentos, sem nome: valores, datas e números do provedor, que a lei fiscal pede. E uma marca "
        "cifrada, para que nada a traga de volta."
    ),
    "erase_loses": "A pessoa perde",
    "erase_loses_what": (
        "Os lugares em grupos e o que ainda não foi entregue. Pago depois disso, o valor entra no livro e deve ser "
        "devolvido."
    ),
    "erase_beyond": "Não alcançamos",
    "erase_beyond_what": (
        "A conversa no Telegram dela, o provedor de pagamento, as redes de anúncios e o seu próprio servidor."
    ),
    "erase_yes": "Sim, apagar para sempre",
    "erased_title": "Apagamentos recentes",
    "erased_none": "Ninguém foi apagado nesta conta.",
    "erased_by": "A pedido de",
    "eraser.lead": "a própria pessoa",
    "eraser.user": "usuário {number}, nesta página",
    "eraser.command": "comando",
    "terms_title": "Por quanto tempo guardamos",
    "terms_what": "O quê",
    "terms_period": "Prazo",
    "terms_emptied": "esvaziado após {days} dias",
    "terms_deleted": "apagado após {days} dias",
    "terms_rest": "Cadastro, cobranças, livro",
    "terms_kept": "até você apagar a pessoa; o livro e as cobranças ficam, sem nome",
    "term.emptied_clicks": "Quem clicou: endereço, navegador, identificadores",
    "term.emptied_posts": "O que o seu servidor soube",
    "term.emptied_events": "O que os provedores avisaram",
    "term.emptied_messages": "Textos das mensagens já entregues ou descartadas",
    "term.deleted_conversions": "Conversões de venda nenhuma",
    "term.deleted_clicks": "Cliques que não trouxeram ninguém",
    "term.deleted_timers": "Esperas que já terminaram",
    "term.deleted_refusals": "Recusas de provedores",
    "term.deleted_differences": "Diferenças de extrato já encerradas",
    "term.deleted_moves": "O que cada pessoa fez no funil",
}
