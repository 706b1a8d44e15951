"""Every network keeps the contract, says events as its documentation has them, and one more is added by one file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import SettingsError, load
from grimbots.services import conversions
from grimbots.services.clients.http import Response
from grimbots.services.conversions import hashes, kwai, meta, tiktok, webhook
from grimbots.services.conversions.base import (
    Answer,
    Click,
    Conversion,
    Destination,
    Event,
    Item,
    Network,
    Person,
    Sale,
    Verdict,
)
from grimbots.services.conversions.scan import find_networks
from grimbots.tests.services.additions import add_file
from grimbots.tests.services.reporters import CREDENTIALS, FAKES

AT = datetime(2024, 7, 26, 14, 43, 37, tzinfo=UTC)
CLICK = Click(
    at=AT - timedelta(hours=1),
    url="https://bots.example.com/go/promo",
    address="61.145.134.105",
    user_agent="Mozilla/5.0",
    fbc="fb.1.1554763741205.AbCdEf",
    ttclid="E.C.P",
    gclid="Cj0KCQ",
    utms={
        "utm_source": "FB",
        "utm_campaign": "CAMPANHA_2|413591587909524",
        "utm_medium": "CONJUNTO_2|498046723566488",
        "utm_content": "ANUNCIO_2|504346051220592",
        "utm_term": "Instagram_Feed",
    },
    parameters={"click_id": "kwai-click"},
)
PERSON = Person("pseudonym", "Marcos Goncalves Rodrigues", "marcosgonrod@hotmail.com", "+5519936387209")
SALE = Sale(
    id="8e40b27e-0118-4699-8587-e892beedb403",
    amount_cents=10000,
    currency="BRL",
    items=(Item("53d5ce96-a548-4c7b-a0bc-da8bfa0f9294", "Óleo de Motor", 8000),),
    asked_at=datetime(2024, 7, 26, 14, 35, 13, tzinfo=UTC),
    paid_at=AT,
)
PURCHASE = Conversion(Event.PURCHASE, "purchase_1", AT, CLICK, PERSON, SALE)
PLACES = {name: Destination(given) for name, given in CREDENTIALS.items()}
PLACES["webhook"] = Destination({"url": "https://example.com/"}, signing_key=b"key")


@pytest.fixture(params=sorted(find_networks()))
def network(request: Any, http: Any) -> Network:
    return find_networks()[request.param](http, load({}))


def build(name: str, conversion: Conversion, **changed: Any) -> dict[str, Any]:
    made = find_networks()[name](None, load({}))  # type: ignore[arg-type]
    return dict(made.build(replace(PLACES[name], **changed), conversion))


def test_every_network_has_a_fake_to_be_tried_with() -> None:
    assert set(find_networks()) == set(FAKES)


def test_network_describes_itself(network: Network) -> None:
    assert re.fullmatch(r"[a-z]{2,20}", network.name)
    assert network.label
    assert network.fields and all(field.label and field.help for field in network.fields)
    assert network.events
    assert network.batch_size >= 1
    assert network.keeps >= timedelta(days=1)
    assert network.address.startswith("https://") or network.name == "webhook"


def test_every_event_of_a_network_can_be_said_with_all_and_with_the_least(network: Network) -> None:
    for event in network.events:
        sale = SALE if event not in (Event.PAGE_VIEW, Event.VIEW_CONTENT) else None
        least = Conversion(event, "id", AT, None, Person("p"), sale)
        for conversion in (Conversion(event, "id", AT, CLICK, PERSON, sale), least):
            told = network.build(PLACES[network.name], conversion)
            assert json.loads(json.dumps(told)) == told
            assert json.dumps(network.build(PLACES[network.name], conversion)) == json.dumps(told)


def test_what_is_kept_of_an_event_is_nobodys_data(network: Network) -> None:
    kept = json.dumps(network.summarize(network.build(PLACES[network.name], PURCHASE)))
    for value in (CLICK.address, CLICK.user_agent, CLICK.fbc, CLICK.ttclid, CLICK.gclid, "kwai-click"):
        assert str(value) not in kept
    for value in (PERSON.email, PERSON.phone, PERSON.name, PERSON.id):
        assert str(value) not in kept
    assert re.findall(r"[0-9a-f]{64}", kept) == []


@pytest.mark.gen_test
async def test_a_network_that_cannot_be_reached_is_an_answer(network: Network) -> None:
    network.address = "http://127.0.0.1:1"
    place = PLACES[network.name]
    if network.name == "webhook":
        place = Destination({"url": "http://127.0.0.1:1/"}, signing_key=b"key")
    answer = await network.send(place, [network.build(place, PURCHASE)], AT)
    assert answer.verdict is Verdict.THROTTLED  # surely not taken


@pytest.mark.parametrize(
    ("hashed", "expected"),
    [
        (hashes.hash_email("John_Smith@gmail.com"), "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        (hashes.hash_email("  JOHN_SMITH@GMAIL.COM \n"), hashes.digest("john_smith@gmail.com")),
        (hashes.hash_phone("1 (650) 555-1212"), "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        (hashes.hash_phone("+5511987654321"), hashes.digest("5511987654321")),
        (hashes.digest("정"), "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        (hashes.digest("valéry"), "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        (hashes.hash_phone_with_plus("+5511987654321"), hashes.digest("+5511987654321")),
        (hashes.hash_email_for_google("Ana.Maria@Gmail.com"), hashes.digest("anamaria@gmail.com")),
        (hashes.hash_email_for_google("ana.maria@uol.com.br"), hashes.digest("ana.maria@uol.com.br")),
        (hashes.hash_email(None), None),
        (hashes.hash_phone(""), None),
    ],
)
def test_contact_data_is_hashed_as_published(hashed: str | None, expected: str | None) -> None:
    """Those in full are Meta's own examples: "Customer Information Parameters", 2026-01-09."""
    assert hashed == expected


def test_utmify_orders_are_those_of_its_document() -> None:
    """Section 3.1 of "Documentação da API para envio de vendas - Utmify": a PIX made, and paid.

    Ours differ in the platform's name, in the fee, which nobody has told here, and in the document, which we have not.
    """
    paid = build("utmify", PURCHASE)
    assert paid == {
        "orderId": "8e40b27e-0118-4699-8587-e892beedb403",
        "platform": "GrimBots",
        "paymentMethod": "pix",
        "status": "paid",
        "createdAt": "2024-07-26 14:35:13",
        "approvedDate": "2024-07-26 14:43:37",
        "refundedAt": None,
        "customer": {
            "name": "Marcos Goncalves Rodrigues",
            "email": "marcosgonrod@hotmail.com",
            "phone": "+5519936387209",
            "document": None,
            "ip": "61.145.134.105",
        },
        "products": [
            {
                "id": "53d5ce96-a548-4c7b-a0bc-da8bfa0f9294",
                "name": "Óleo de Motor",
                "planId": None,
                "planName": None,
                "quantity": 1,
                "priceInCents": 8000,
            }
        ],
        "trackingParameters": {
            "src": None,
            "sck": None,
            "utm_source": "FB",
            "utm_campaign": "CAMPANHA_2|413591587909524",
            "utm_medium": "CONJUNTO_2|498046723566488",
            "utm_content": "ANUNCIO_2|504346051220592",
            "utm_term": "Instagram_Feed",
        },
        "commission": {"totalPriceInCents": 10000, "gatewayFeeInCents": 0, "userCommissionInCents": 10000},
        "isTest": False,
    }
    made = build("utmify", replace(PURCHASE, event=Event.INITIATE_CHECKOUT))
    assert (made["status"], made["approvedDate"]) == ("waiting_payment", None)
    assert {name: value for name, value in made.items() if name not in ("status", "approvedDate")} == {
        name: value for name, value in paid.items() if name not in ("status", "approvedDate")
    }
    back = build("utmify", replace(PURCHASE, event=Event.REFUND, at=datetime(2024, 7, 19, 1, 44, 39, tzinfo=UTC)))
    assert (back["status"], back["refundedAt"]) == ("refunded", "2024-07-19 01:44:39")
    assert build("utmify", PURCHASE, test_event_code="T")["isTest"] is True


def test_utmify_is_told_the_fee_that_the_provider_told() -> None:
    assert PURCHASE.sale is not None
    told = build("utmify", replace(PURCHASE, sale=replace(PURCHASE.sale, fee_cents=300)))
    assert told["commission"] == {
        "totalPriceInCents": 10000,
        "gatewayFeeInCents": 300,
        "userCommissionInCents": 9700,
    }


def test_utmify_is_told_of_who_told_nothing_what_the_seller_chose() -> None:
    customer = build("utmify", replace(PURCHASE, person=Person("p"), click=None))["customer"]
    assert customer == {"name": "Cliente", "email": "sem-email@loja.example", "phone": None, "document": None}


@pytest.mark.parametrize(
    ("click", "source"),
    [
        (CLICK, "website"),
        (replace(CLICK, user_agent=""), "chat"),
        (replace(CLICK, address=""), "chat"),
        (None, "chat"),
        (replace(CLICK, parameters={"ctwa_clid": "Aff-n8"}), "website"),  # no WhatsApp account is connected
    ],
)
def test_meta_is_told_where_it_happened_and_no_more(click: Click | None, source: str) -> None:
    told = build("meta", replace(PURCHASE, click=click))
    assert told["action_source"] == source
    assert ("event_source_url" in told) is (source == "website")


def test_meta_is_told_of_an_ad_that_opened_whatsapp() -> None:
    credentials = {**CREDENTIALS["meta"], "whatsapp_business_account_id": "77"}
    told = build(
        "meta", replace(PURCHASE, click=replace(CLICK, parameters={"ctwa_clid": "Aff-n8"})), credentials=credentials
    )
    assert (told["action_source"], told["messaging_channel"]) == ("business_messaging", "whatsapp")
    assert told["user_data"]["ctwa_clid"] == "Aff-n8"  # raw
    assert told["user_data"]["whatsapp_business_account_id"] == "77"


def test_meta_is_told_raw_what_must_not_be_hashed() -> None:
    user = build("meta", PURCHASE)["user_data"]
    assert (user["fbc"], user["client_ip_address"]) == (CLICK.fbc, CLICK.address)
    assert user["em"] == [hashes.digest("marcosgonrod@hotmail.com")]
    assert user["external_id"] == [hashes.digest("pseudonym")]
    assert "fbp" not in user


def answer(status: int, value: Any) -> Response:
    return Response(status, {}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ({"code": 1}, Verdict.LATER),
        ({"code": 2}, Verdict.LATER),
        ({"code": 341}, Verdict.LATER),
        ({"code": 100, "is_transient": True}, Verdict.LATER),
        ({"code": 999_999}, Verdict.LATER),
        ({}, Verdict.LATER),
        ({"code": 4}, Verdict.THROTTLED),
        ({"code": 17}, Verdict.THROTTLED),
        ({"code": 32}, Verdict.THROTTLED),
        ({"code": 613, "is_transient": True}, Verdict.THROTTLED),
        ({"code": 80004}, Verdict.THROTTLED),
        ({"code": 190, "error_subcode": 463}, Verdict.DEAD),
        ({"code": 102}, Verdict.DEAD),
        ({"code": 3}, Verdict.DEAD),
        ({"code": 10}, Verdict.DEAD),
        ({"code": 294}, Verdict.DEAD),
        ({"code": 100, "error_subcode": 33}, Verdict.DEAD),
        ({"code": 100}, Verdict.BAD),
        ({"code": 100, "error_subcode": 2804003}, Verdict.BAD),
        ({"code": 1487, "error_subcode": 2804050}, Verdict.BAD),
    ],
)
def test_metas_errors_mean_what_the_table_says(error: dict[str, Any], verdict: Verdict) -> None:
    assert meta._judge(answer(400, {"error": error}), 1).verdict is verdict


def test_meta_has_taken_what_it_counts() -> None:
    assert meta._judge(answer(200, {"events_received": 3, "fbtrace_id": "A"}), 3) == Answer(
        Verdict.SENT, "fbtrace_id A"
    )
    assert meta._judge(answer(200, {"events_received": 2}), 3).verdict is Verdict.BAD
    assert meta._judge(Response(502, {}, b"<html>"), 3).verdict is Verdict.LATER


@pytest.mark.parametrize(
    ("module", "reply", "verdict"),
    [
        (tiktok, answer(200, {"code": 0}), Verdict.SENT),
        (tiktok, answer(200, {"code": 40100}), Verdict.THROTTLED),
        (tiktok, answer(200, {"code": 20001}), Verdict.BAD),
        (tiktok, answer(200, {"code": 51000}), Verdict.LATER),
        (tiktok, answer(200, {}), Verdict.LATER),
        (kwai, answer(200, {"result": 1}), Verdict.SENT),
        (kwai, answer(200, {"result": -3}), Verdict.BAD),
        (kwai, answer(200, []), Verdict.LATER),
        (webhook, answer(204, {}), Verdict.SENT),
        (webhook, answer(404, {}), Verdict.LATER),
        (webhook, answer(410, {}), Verdict.DEAD),
        (webhook, answer(429, {}), Verdict.THROTTLED),
    ],
)
def test_an_answer_means_what_the_table_says(module: Any, reply: Response, verdict: Verdict) -> None:
    assert module._judge(reply).verdict is verdict


ONE_MORE = """
from datetime import timedelta
from grimbots.services.conversions.base import Answer, Event, Field, Network, Verdict


class Pigeon(Network):
    name = "pigeon"
    label = "Pombo"
    fields = (Field("loft", "Pombal", "Onde ele mora."),)
    events = frozenset({Event.PURCHASE})
    url = "https://pigeon.example.com"
    keeps = timedelta(days=1)

    def build(self, destination, conversion):
        return {"id": conversion.id}

    async def send(self, destination, told, now):
        return Answer(Verdict.SENT, destination.credentials["loft"])
"""


@pytest.fixture
def one_more(tmp_path: Path) -> Iterator[None]:
    with add_file(tmp_path, conversions, "pigeon", ONE_MORE, find_networks):
        yield


@pytest.mark.gen_test
async def test_one_file_adds_a_network(one_more: None, reporter: Any, query: Any) -> None:
    await reporter.connect("pigeon", credentials={"loft": "top"})
    await reporter.pay()
    await reporter.send()
    assert query("SELECT event, status, answer, sent ->> 'id' LIKE 'purchase_%%' FROM conversions") == [
        ("Purchase", "sent", "top", True)
    ]


@pytest.mark.parametrize(
    "setting",
    [
        {"GRIMBOTS_CONVERSION_URLS": '{"meta": "http://example.com"}'},
        {"GRIMBOTS_CONVERSION_URLS": "meta"},
        {"GRIMBOTS_CONVERSION_URLS": "[1]"},
        {"META_API_VERSION": "25"},
    ],
)
def test_settings_are_checked(setting: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        load(setting)


def test_addresses_and_metas_version_are_settings(http: Any) -> None:
    urls = '{"meta": "http://127.0.0.1:1/x/"}'
    settings = load({"GRIMBOTS_CONVERSION_URLS": urls, "META_API_VERSION": "v26.0"})
    assert find_networks()["meta"](http, settings).address == "http://127.0.0.1:1/x"
    assert settings.meta_api_version == "v26.0"
