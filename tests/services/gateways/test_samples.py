"""What providers have published, read as we read it: signatures, and events word for word. Each names its source."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.asaas import Asaas
from grimbots.services.gateways.base import Event, Gateway, Hint, Receipt, Verdict
from grimbots.services.gateways.mercado_pago import MercadoPago
from grimbots.services.gateways.woovi import Woovi

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 3, 2, tzinfo=UTC)

# mercadopago/sdk-python 2365940, tests/test_webhook_signature_validator.py: its secret, ids and time. The digests are
# openssl's (`openssl dgst -sha256 -hmac your_secret_key_here`) over the manifest its validator.py documents.
SECRET = "your_secret_key_here"
REQUEST_ID = "2066ca19-c6f1-498a-be75-1923005edd06"
ORDER, TS = "ORD01JQ4S4KY8HWQ6NA5PXB65B3D3", "1742505638683"
SIGNED = {
    "lower": "633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c",
    "as it is": "fb15ae6472eb449173c556793205d77787d58f384d183bb5bc3b724c27bd103c",
    "without an id": "8a7b0cc777a8217c3bab41a50c95dc92debbc6f8448f1c967dfe10ac1cb8b894",
}

# woovibr/woovi-developers bb0dddf, docs/webhook/seguranca/webhook-signature-validation.mdx: the payload of its examples
# in PHP and JavaScript (samples/woovi_signed.json, byte for byte) and the signature they check it with.
WOOVI_SIGNATURE = (
    "lL2nnXgmLFGgxJ8+jCDguqouU4ucrIxYJcU5SPrJFaNcJajTJHYVldqc/z4YFIjAjtPEALe699WosgPY08W7CLpidvtm06Qwa4YMB0l/DcTS93O91"
    "NdSH/adjugEKiOb76Zj/0jB8mqOmWCFYbweOBa17bssuEkd5Lw7Q5L314Y="
)
WORD = {"app_id": "x", "webhook_authorization": "a word of ours"}


def verify(kind: type[Gateway], credentials: dict[str, str], event: Event, settings: Any) -> Verdict:
    """Return a gateway's verdict."""
    return kind(HttpClient(), settings).verify(credentials, event, NOW)


def parse(kind: type[Gateway], body: bytes, settings: Any, query: str = "") -> tuple[Hint, ...]:
    """Return what an event speaks of."""
    return kind(HttpClient(), settings).parse(Event("", query, {}, body))


def read_sample(name: str) -> dict[str, Any]:
    """Return a published event."""
    said: dict[str, Any] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    return said


def make_event(query: str, signature: str, body: bytes = b"{}", request_id: str = REQUEST_ID) -> Event:
    """Return a notification of Mercado Pago's."""
    return Event("", query, {"x-signature": signature, "x-request-id": request_id}, body)


@pytest.mark.parametrize(
    ("query", "signature", "verdict"),
    [
        (f"data.id={ORDER.lower()}", f"ts={TS},v1={SIGNED['lower']}", Verdict.YES),
        (f"data.id={ORDER}", f"ts={TS},v1={SIGNED['lower']}", Verdict.YES),
        (f"data.id={ORDER}", f"ts={TS},v1={SIGNED['as it is']}", Verdict.YES),
        (f"data.id={ORDER}", f" v1={SIGNED['as it is']} , ts={TS} , v2=00", Verdict.YES),
        ("", f"ts={TS},v1={SIGNED['without an id']}", Verdict.YES),
        (f"data.id={ORDER}", f"ts={TS},v1={SIGNED['without an id']}", Verdict.NO),
        (f"data.id={ORDER}", f"ts=1742505638684,v1={SIGNED['lower']}", Verdict.NO),
        (f"data.id={ORDER}1", f"ts={TS},v1={SIGNED['lower']}", Verdict.NO),
        (f"data.id={ORDER}", f"ts={TS},v2={SIGNED['lower']}", Verdict.NO),
        (f"data.id={ORDER}", f"v1={SIGNED['lower']}", Verdict.NO),
        (f"data.id={ORDER}", "this-is-garbage", Verdict.NO),
        (f"data.id={ORDER}", "", Verdict.REQUERY),
    ],
)
def test_mercado_pago_signs_a_manifest(query: str, signature: str, verdict: Verdict, settings: Any) -> None:
    credentials = {"access_token": "x", "webhook_secret": SECRET}
    assert verify(MercadoPago, credentials, make_event(query, signature), settings) is verdict


def test_mercado_pago_signs_one_id_so_a_body_with_another_is_forged(settings: Any) -> None:
    credentials = {"access_token": "x", "webhook_secret": SECRET}
    signature, body = f"ts={TS},v1={SIGNED['lower']}", b'{"type": "payment", "data": {"id": "7"}}'
    event = make_event(f"data.id={ORDER}", signature, body)
    assert verify(MercadoPago, credentials, event, settings) is Verdict.NO
    assert parse(MercadoPago, body, settings, f"data.id={ORDER}") == ()


def test_mercado_pago_speaks_of_a_payment_in_its_body_or_in_its_query(settings: Any) -> None:
    """mercadopago/openapi f224df3, schemas/webhooks.yaml; the second is the IPN that comes beside it."""
    body = b'{"id": 12345678, "type": "payment", "action": "payment.updated", "data": {"id": "1234567890"}}'
    hint = (Hint(None, "1234567890", None),)
    assert parse(MercadoPago, body, settings, "data.id=1234567890&type=payment") == hint
    assert parse(MercadoPago, b"", settings, "topic=payment&id=1234567890") == hint
    assert parse(MercadoPago, b'{"type": "merchant_order", "data": {"id": "5"}}', settings) == ()


def test_woovi_signs_the_raw_body_by_its_published_key(settings: Any) -> None:
    body = (SAMPLES / "woovi_signed.json").read_bytes()
    event = Event("", "", {"x-webhook-signature": WOOVI_SIGNATURE, "authorization": "a word of ours"}, body)
    assert verify(Woovi, WORD, event, settings) is Verdict.YES
    changed = Event("", "", event.headers, body.replace(b'"value": 1000', b'"value": 1001'))
    assert verify(Woovi, WORD, changed, settings) is Verdict.REQUERY


def test_woovis_signature_alone_does_not_say_whose_event_it_is(settings: Any) -> None:
    body = (SAMPLES / "woovi_signed.json").read_bytes()
    event = Event("", "", {"x-webhook-signature": WOOVI_SIGNATURE, "authorization": "another's word"}, body)
    assert verify(Woovi, WORD, event, settings) is Verdict.REQUERY
    assert verify(Woovi, WORD, Event("", "", {}, body), settings) is Verdict.NO


@pytest.mark.parametrize(
    ("name", "key", "transfer", "cents", "at"),
    [
        (
            "woovi_paid.json",
            "3f2a2690-8224-4aae-a1ba-ed26d4d61f81",
            "Efa8df7c628cf43d2af424696ea0c6444",
            1,
            datetime(2025, 9, 24, 15, 7, 50, 891000, UTC),
        ),
        (
            "woovi_paid_by_another.json",
            "9134e286-6f71-427a-bf00-100000000005",
            "endToEndId#0",
            100,
            datetime(2022, 9, 5, 11, 5, 11, tzinfo=UTC),
        ),
    ],
)
def test_woovi_tells_the_transfer_unless_it_is_a_test_accounts(
    name: str, key: str, transfer: str, cents: int, at: datetime, settings: Any
) -> None:
    """woovibr/woovi-developers bb0dddf, docs/webhook/examples: charge-payload, charge-completed-not-same-payer."""
    said = read_sample(name)
    (tested,) = parse(Woovi, json.dumps(said).encode(), settings)
    assert (tested.txid, tested.receipt) == (key, None)
    said["account"]["environment"] = "PRODUCTION"
    (hint,) = parse(Woovi, json.dumps(said).encode(), settings)
    assert hint.receipt == Receipt(transfer, cents, at, said["charge"].get("fee"))


@pytest.mark.parametrize(
    ("name", "transfer"),
    [
        ("woovi_disputed.json", "E3524a995bbd54034b6d07c1c36014557"),
        ("woovi_refunded.json", "E31680151202508141543GVL7OCT44VU"),
    ],
)
def test_woovi_names_the_transfer_that_goes_back(name: str, transfer: str, settings: Any) -> None:
    """woovibr/woovi-developers bb0dddf, docs/webhook/examples: dispute-payload, refund-sent-confirmed."""
    (hint,) = parse(Woovi, (SAMPLES / name).read_bytes(), settings)
    assert hint == Hint(None, None, None, end_to_end_id=transfer)


def test_woovis_first_event_speaks_of_nothing(settings: Any) -> None:
    """docs/webhook/seguranca/webhook-hmac.mdx: what is posted when a webhook is registered."""
    body = b'{"data_criacao":"2021-08-10T20:32:14.429Z","evento":"teste_webhook","event":"OPENPIX:CHARGE_COMPLETED"}'
    assert parse(Woovi, body, settings) == ()


def test_asaas_names_the_payment_and_is_asked_about_it(settings: Any) -> None:
    """docs.asaas.com, receba-eventos-do-asaas-no-seu-endpoint-de-webhook: its event, less what is no PIX's."""
    body = (SAMPLES / "asaas_received.json").read_bytes()
    credentials = {"api_key": "x", "webhook_token": "a word of ours"}
    assert parse(Asaas, body, settings) == (Hint("056984", "pay_080225913252", None),)
    right, wrong = ({"asaas-access-token": word} for word in ("a word of ours", "another word"))
    assert verify(Asaas, credentials, Event("", "", right, body), settings) is Verdict.REQUERY
    assert verify(Asaas, credentials, Event("", "", wrong, body), settings) is Verdict.NO


@pytest.mark.parametrize("event", ["PAYMENT_CREATED", "PAYMENT_UPDATED", "PAYMENT_OVERDUE", "PAYMENT_DELETED", "NEW"])
def test_asaas_is_not_asked_about_what_moves_no_money(event: str, settings: Any) -> None:
    """docs.asaas.com, duvidas-frequentes-limites-da-api: 25,000 requests in 12 hours, and none more for polling."""
    said = {**read_sample("asaas_received.json"), "event": event}
    assert parse(Asaas, json.dumps(said).encode(), settings) == ()
