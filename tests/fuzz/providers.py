"""What payment providers answer and tell, to be bent: shapes of their documents (tests/fakes/providers)."""

from __future__ import annotations

from typing import Any

AT = "2026-03-02T12:00:00.000Z"
KEY = "a" * 32
MERCADO_PAGO: dict[str, Any] = {
    "id": 1234567890,
    "status": "approved",
    "live_mode": True,
    "currency_id": "BRL",
    "payment_method_id": "pix",
    "external_reference": KEY,
    "transaction_amount": 19.9,
    "transaction_amount_refunded": 5,
    "date_created": AT,
    "date_last_updated": AT,
    "date_approved": AT,
    "date_of_expiration": AT,
    "transaction_details": {"total_paid_amount": 19.9, "net_received_amount": 19.7},
    "point_of_interaction": {"transaction_data": {"qr_code": "00020126"}},
}
ASAAS: dict[str, Any] = {
    "id": "pay_080225913252",
    "status": "RECEIVED",
    "value": 19.9,
    "netValue": 18.91,
    "originalValue": None,
    "dueDate": "2026-03-02",
    "paymentDate": "2026-03-02",
    "clientPaymentDate": "2026-03-02",
    "confirmedDate": "2026-03-02",
    "externalReference": KEY,
    "refunds": [{"dateCreated": "2026-03-02 10:28:40", "status": "DONE", "value": 2.0, "description": "k"}],
    "chargeback": {"status": "REQUESTED", "reason": "FRAUD"},
}
WOOVI: dict[str, Any] = {
    "status": "COMPLETED",
    "value": 1990,
    "correlationID": KEY,
    "transactionID": "t1",
    "brCode": "00020126",
    "fee": 85,
    "createdAt": AT,
    "expiresDate": AT,
    "paymentMethods": {"pix": {"txId": "t1", "fee": 50}},
}
PIX: dict[str, Any] = {"value": 1990, "time": AT, "endToEndId": "E1", "type": "PAYMENT"}
RETURNED: dict[str, Any] = {
    "id": "r1",
    "rtrId": "D12345678202603021200abcdefghijk",
    "valor": "5.00",
    "natureza": "MED_FRAUDE",
    "horario": {"solicitacao": AT, "liquidacao": AT},
    "status": "DEVOLVIDO",
}
BANK_PIX: dict[str, Any] = {
    "endToEndId": "E12345678202603021200abcdefghijk",
    "txid": KEY,
    "valor": "19.90",
    "horario": AT,
    "devolucoes": [RETURNED],
}
COB: dict[str, Any] = {
    "calendario": {"criacao": AT, "expiracao": 600},
    "txid": KEY,
    "loc": {"id": 789},
    "status": "CONCLUIDA",
    "valor": {"original": "19.90"},
    "pixCopiaECola": "00020126",
    "pix": [BANK_PIX],
}
PAGES = {"parametros": {"paginacao": {"quantidadeDePaginas": 1}}}
PUSHINPAY: dict[str, Any] = {"id": "9F8EFC3A", "status": "paid", "value": 1990, "qr_code": "000201", "updated_at": AT}
SYNCPAY: dict[str, Any] = {"reference_id": KEY, "status": "refunded", "amount": 19.9, "transaction_date": AT}
ANSWERS: list[Any] = [
    COB,
    RETURNED,
    {**PAGES, "cobs": [COB, COB], "pix": [BANK_PIX]},
    {"type": "https://pix.bcb.gov.br/api/v2/error/AcessoNegado", "title": "x", "nome": "chave_invalida"},
    {"access_token": "x", "expires_in": 3600, "scope": "cob.write"},
    {**PUSHINPAY, "end_to_end_id": BANK_PIX["endToEndId"]},
    {"data": SYNCPAY, "identifier": KEY, "pix_code": "000201"},
    MERCADO_PAGO,
    {"results": [MERCADO_PAGO, MERCADO_PAGO], "paging": {"total": 2}},
    [{"id": 1, "amount": 5.0, "status": "approved", "date_created": AT}],
    {"id": 1, "amount": 5.0, "status": "in_process"},
    {"status": 400, "error": "bad_request", "message": "x", "cause": [{"code": 2001}]},
    ASAAS,
    {"object": "list", "hasMore": False, "data": [ASAAS, {"id": "cus_1"}]},
    {**ASAAS, "payload": "00020126"},
    {"errors": [{"code": "x", "description": "y"}]},
    {"charge": WOOVI},
    {
        "charge": WOOVI,
        "transactions": [PIX],
        "refunds": [{"correlationID": "k", "value": 5, "status": "CONFIRMED", "time": AT}],
        "dispute": {"status": "ACCEPTED", "value": 5, "endToEndId": "E1"},
        "pageInfo": {"hasNextPage": False},
    },
    {"charges": [WOOVI], "pageInfo": {"hasNextPage": False}},
]
EVENTS: list[Any] = [
    {"pix": [BANK_PIX, {**BANK_PIX, "devolucoes": RETURNED}]},
    PUSHINPAY,
    {"event": "transaction.updated", "transaction": SYNCPAY},
    {"type": "payment", "action": "payment.updated", "data": {"id": "1234567890"}},
    {"id": "evt_1", "event": "PAYMENT_RECEIVED", "payment": ASAAS},
    {"event": "OPENPIX:CHARGE_COMPLETED", "charge": WOOVI, "pix": PIX, "account": {"environment": "PRODUCTION"}},
    {"event": "woovi:DISPUTE_CREATED", "dispute": {"endToEndId": "E1", "value": 5}},
]
