"""Payment providers, in Brazilian Portuguese: a part of texts_portuguese.py's table."""

from __future__ import annotations

GATEWAYS = {
    "gateways_tab": "Provedores",
    "gateways_title": "Provedores de pagamento",
    "gateways_intro": (
        "Uma cobrança nova é pedida ao primeiro; o seguinte só é chamado onde o de antes com certeza não a criou. Quem "
        "saiu da fila ainda recebe os avisos das cobranças que fez."
    ),
    "gateways_none": "Nenhum provedor conectado: nada pode ser vendido por PIX.",
    "gateways_nobody": "Agora ninguém pode ser chamado: quem pedir um PIX lê que não dá, e é atendido assim que der.",
    "gateways_forbidden": "Só o dono da conta muda quem recebe por ela.",
    "gateways_test": "Testar as conexões",
    "gateways_test_hint": "Pergunta a cada provedor se aceita as credenciais. Nada é cobrado.",
    "gateway_next": "chamado na próxima cobrança",
    "gateway_place": "{place}º da fila",
    "gateway_retired": "fora da fila",
    "gateway_day_full": "limite do dia atingido",
    "gateway_since": "nº {number} · desde {at}",
    "gateway_unknown": "Esta instalação não oferece mais este provedor: nenhuma cobrança é pedida a ele.",
    "gateway_of_bot": "Recebe os Stars deste bot. Não há nada a conectar nem a ordenar.",
    "gateway_compare_error": "O extrato de {at} não foi conferido até o fim:",
    "gateway_taken": "O provedor aceita as credenciais.",
    "gateway_not_taken": "O provedor não aceitou as credenciais, ou não pôde ser perguntado:",
    "gateway_address": "Endereço dos avisos",
    "gateway_address_hint": "Se o provedor pede um webhook, escreva este endereço no painel dele:",
    "breaker.open": "deixado em paz",
    "breaker.half_open": "à prova",
    "breaker_open": (
        "Desde {since} não responde às cobranças. Ninguém o chama até {until}; depois, uma cobrança vai ver se voltou."
    ),
    "breaker_half_open": "Não respondia desde {since}. A próxima cobrança vai ver se voltou.",
    "limits": "Limites",
    "limits_hint": "O que passa de um limite vai para o próximo da fila. Vazio: sem limite.",
    "limits_yes": "Guardar os limites",
    "limit_none": "sem limite",
    "limit_used": "{used} de {most} hoje",
    "limit_charge": "Por cobrança",
    "limit_day": "Pedido por dia",
    "limit_day_charges": "Cobranças por dia",
    "limit_of.least_cents": "Cobrança de no mínimo, em reais",
    "limit_of.most_cents": "Cobrança de no máximo, em reais",
    "limit_of.most_day_cents": "Pedido num dia, em reais",
    "limit_of.most_day_charges": "Cobranças num dia",
    "gateway_act.front": "Pôr em primeiro",
    "gateway_act.retire": "Tirar da fila",
    "gateway_act.activate": "Pôr na fila",
    "gateway_act.register": "Registrar os avisos",
    "gateway_sure.front": "As cobranças novas passam a ser pedidas primeiro a ele. As que já existem não mudam.",
    "gateway_sure.retire": (
        "Nenhuma cobrança nova é pedida a ele; as que já fez ainda podem ser pagas e devolvidas. Sem mais ninguém na "
        "fila, nada se vende por PIX."
    ),
    "gateway_sure.activate": "Ele entra no fim da fila: é chamado onde os de antes com certeza não criaram a cobrança.",
    "gateway_sure.register": (
        "O provedor passa a avisar só este endereço: se outro sistema seu usa a mesma chave, deixa de ser avisado."
    ),
    "gateway_yes.front": "Sim, em primeiro",
    "gateway_yes.retire": "Sim, tirar",
    "gateway_yes.activate": "Sim, pôr na fila",
    "gateway_yes.register": "Sim, registrar",
    "gateway_said.front": "As cobranças novas vão primeiro a ele.",
    "gateway_said.retire": "Nenhuma cobrança nova vai a ele.",
    "gateway_said.activate": "Ele está no fim da fila.",
    "gateway_said.limits": "Os limites valem a partir de agora.",
    "gateway_said.register": "O provedor avisa este endereço a partir de agora.",
    "gateway_said.added": "O provedor aceitou as credenciais e está na fila.",
    "gateway_said.added_unasked": (
        "O provedor está na fila, mas não pôde ser perguntado se aceita as credenciais: teste as conexões em instantes."
    ),
    "gateway_said.front_conflict": "Nada mudou: a fila já era outra. Veja como está e tente de novo.",
    "gateway_said.retire_conflict": "Nada mudou: a fila já era outra. Veja como está e tente de novo.",
    "gateway_said.activate_conflict": "Nada mudou: a fila já era outra. Veja como está e tente de novo.",
    "gateway_said.limits_invalid": (
        "Nada mudou: um limite é um valor acima de zero, como 19,90, e o mínimo não passa do máximo."
    ),
    "gateway_said.register_invalid": "O provedor recusou o endereço: teste as conexões, ou fale com ele.",
    "gateway_said.register_unavailable": "O provedor não respondeu; talvez tenha registrado. Tente de novo logo.",
    "gateway_connect": "Conectar mais um",
    "gateway_connect_hint": "As credenciais são cifradas ao chegar e nunca mais são mostradas.",
    "gateway_add_title": "Conectar {gateway}",
    "gateway_add_refused": "Nada foi conectado:",
    "gateway_add_backup": "Só na reserva: chamado onde os de antes não criam a cobrança",
    "gateway_add_hint": (
        "Antes de guardar, perguntamos ao provedor se aceita as credenciais. Sem a reserva, ele fica no lugar do "
        "primeiro, que sai da fila."
    ),
    "gateway_add_yes": "Conectar",
}
