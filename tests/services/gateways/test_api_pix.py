"""The client of the API Pix: the standard's own samples, its words, its windows, its webhooks, and who is let in."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient, NeverSent
from grimbots.services.gateways import pix_records
from grimbots.services.gateways.base import Charge, Event, Payer, Receipt, Refusal, ReturnKind, Verdict
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.bank import get_authority, name_transfer
from grimbots.tests.fakes.providers.efi import Fake
from grimbots.tests.services.gateways.benches import ADDRESS, Bench, is_refused
from grimbots.tests.services.gateways.pix_schemas import read_slice

END_TO_END_ID = re.compile(r"E\d{8}(\d{12})[a-zA-Z0-9]{11}")  # E, ISPB, UTC to the minute, a word: Manual do SPI
AT = datetime(2020, 9, 9, 20, 15, 0, 358_000, UTC)


@pytest.fixture
def efi(io_loop: Any, clock: Clock) -> Any:
    """Give Efí, listening."""
    bank = Fake(clock)
    io_loop.run_sync(bank.start)
    yield bank
    io_loop.run_sync(bank.stop)


@pytest.fixture
def bench(efi: Fake, http: HttpClient, settings: Settings) -> Bench:
    """Give the gateway over it."""
    at_bank = replace(settings, gateway_urls={"efi": efi.url})
    return Bench(find_gateways()["efi"](http, at_bank), efi.credentials(), efi)


def count(efi: Fake, method: str, path: str) -> int:
    """Return how many calls of this kind came."""
    return len([call for call in efi.calls if call[0] == method and re.fullmatch(path, call[1])])


# bacen/pix-api 2.9.0, openapi.yaml, components.examples (tests/data/pix-api-slice.json).


def test_the_standards_paid_charge_is_read() -> None:
    seen = pix_records.read_snapshot(read_slice()["examples"]["cobResponse2"])
    assert (seen.charge.txid, seen.charge.amount_cents) == ("655dfdb1a4514b8fbb58254b958913fb", 100_00)
    assert seen.charge.expires_at == AT + timedelta(hours=1)
    assert seen.receipts == (Receipt("E1234567820200909122120200808008", 110_00, AT),)
    (back,) = seen.returns
    assert (back.id, back.amount_cents, back.kind) == ("D1234567820200909122120200808006", 10_00, ReturnKind.REFUND)
    assert not back.is_settled and back.end_to_end_id == seen.receipts[0].end_to_end_id


def test_the_standards_callback_is_read_with_its_object_for_a_list(bench: Bench) -> None:
    examples = read_slice()["examples"]
    body = json.dumps({"pix": [examples["pixWebhook1"], examples["pixWebhook2"]]}).encode()
    first, second = bench.gateway.parse(Event("/pix", "", {}, body))
    assert (first.txid, second.txid) == ("c3e0e7a4e7f1469a9f782d3d4999343c", "971122d8f37211eaadc10242ac120002")
    assert first.receipt == Receipt("E12345678202009091221kkkkkkkkkkk", 110_00, AT)
    assert first.returned is not None and first.returned.amount_cents == 10_00 and second.returned is None


@pytest.mark.parametrize("name", ["pixWebhook1", "pixWebhook2"])
def test_the_standards_transfers_have_ids_of_their_form(name: str) -> None:
    match = END_TO_END_ID.fullmatch(read_slice()["examples"][name]["endToEndId"])
    assert match is not None and match[1] == "202009091221"
    assert END_TO_END_ID.fullmatch(name_transfer("E1"))


def test_a_callback_with_several_returns_has_a_hint_for_each(bench: Bench) -> None:
    pix = dict(read_slice()["examples"]["pixWebhook2"])
    back = read_slice()["examples"]["devolucaoResponse1"]
    pix["devolucoes"] = [back, {**back, "rtrId": "D" * 32, "status": "DEVOLVIDO"}, {**back, "status": "NAO_REALIZADO"}]
    hints = bench.gateway.parse(Event("/pix", "", {}, json.dumps({"pix": [pix]}).encode()))
    told = [(hint.receipt is None, hint.returned) for hint in hints]
    assert [(is_alone, back and back.is_settled, back and back.is_void) for is_alone, back in told] == [
        (False, False, False),
        (True, True, False),
        (True, False, True),
    ]


@pytest.mark.parametrize("pix", [{}, {"txid": None}, {"txid": "a" * 32}, {"txid": "a" * 32, "valor": "1,00"}, 5, []])
def test_a_callback_that_names_no_charge_says_nothing(bench: Bench, pix: Any) -> None:
    assert bench.gateway.parse(Event("/pix", "", {}, json.dumps({"pix": [pix]}).encode())) == ()


@pytest.mark.parametrize(
    ("nature", "status", "kind", "is_settled"),
    [
        (None, "EM_PROCESSAMENTO", ReturnKind.REFUND, False),
        ("ORIGINAL", "DEVOLVIDO", ReturnKind.REFUND, True),
        ("RETIRADA", "DEVOLVIDO", ReturnKind.REFUND, True),
        ("MED_OPERACIONAL", "EM_PROCESSAMENTO", ReturnKind.DISPUTE, False),
        ("MED_OPERACIONAL", "DEVOLVIDO", ReturnKind.CHARGEBACK, True),
        ("MED_FRAUDE", "DEVOLVIDO", ReturnKind.CHARGEBACK, True),
        ("MED_PIX_AUTOMATICO", "DEVOLVIDO", ReturnKind.CHARGEBACK, True),
        ("MED_OF_2031", "DEVOLVIDO", ReturnKind.CHARGEBACK, True),
        ("OF_2031", "DEVOLVIDO", ReturnKind.REFUND, True),
        ("ORIGINAL", "OF_2031", ReturnKind.REFUND, False),
    ],
)
def test_each_nature_and_status_of_a_return(
    nature: str | None, status: str, kind: ReturnKind, is_settled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    back = {**read_slice()["examples"]["devolucaoResponse1"], "natureza": nature, "status": status}
    (read,) = pix_records.read_returns({**read_slice()["examples"]["pixWebhook2"], "devolucoes": [back]})
    assert (read.kind, read.is_settled) == (kind, is_settled)
    assert ("the standard had not" in caplog.text) == ("2031" in f"{nature}{status}")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "status", ["CONCLUIDA", "REMOVIDA_PELO_USUARIO_RECEBEDOR", "REMOVIDA_PELO_PSP", "REMOVIDO_PELO_PSP"]
)
async def test_no_status_of_the_record_is_money(bench: Bench, efi: Fake, status: str) -> None:
    made = await bench.create()
    efi.set_status(made.txid, status)
    assert (await bench.look(made)).receipts == ()


@pytest.mark.gen_test
async def test_a_charge_names_the_payer_only_with_his_number(bench: Bench, efi: Fake) -> None:
    payers = (
        Payer(name="Ana Souza"),
        Payer(tax_id="52998224725"),
        Payer("Ana Souza", "52998224725"),
        Payer("Loja", "12ABC34501DE35"),
    )
    for payer in payers:
        assert isinstance(await bench.gateway.create(bench.credentials, bench.ask(payer=payer)), Charge)
    asked = [said.asked for said in efi.talk if said.method == "PUT"]
    person, company = {"cpf": "52998224725", "nome": "Ana Souza"}, {"cnpj": "12ABC34501DE35", "nome": "Loja"}
    assert [each.get("devedor") for each in asked] == [None, None, person, company]
    assert all("modalidadeAlteracao" not in each["valor"] for each in asked)


@pytest.mark.gen_test
async def test_a_charge_without_its_code_has_it_at_its_location(bench: Bench, efi: Fake) -> None:
    efi.gives_codes = False
    assert (await bench.create()).code == "code of location 789"


@pytest.mark.gen_test
async def test_a_refund_that_the_bank_did_not_make_is_a_no_and_void(bench: Bench, efi: Fake) -> None:
    made = await bench.create()
    efi.pay(made.txid)
    efi.refunds_take_time = True
    taken = await bench.refund(made, 1000, "r1")
    efi.charges["shop", made.txid]["pix"][0]["devolucoes"][0]["status"] = "NAO_REALIZADO"
    assert is_refused(await bench.refund(made, 1000, "r1"))
    (back,) = (await bench.look(made)).returns
    assert (back.id, back.is_void, back.is_settled) == (taken.id, True, False)


@pytest.mark.gen_test
async def test_a_refunds_key_is_of_one_amount(bench: Bench, efi: Fake) -> None:
    made = await bench.create()
    efi.pay(made.txid)
    await bench.refund(made, 1000, "r1")
    refused = await bench.refund(made, 900, "r1")
    assert isinstance(refused, Refusal) and "já devolveu 1000 centavos" in refused.reason


@pytest.mark.gen_test
async def test_list_turns_every_page_and_gives_each_charge_once(bench: Bench, efi: Fake, clock: Clock) -> None:
    efi.page = 2
    since = clock()
    made = {(await bench.create()).txid for _ in range(5)}
    efi.pay(min(made))
    listed = await bench.gateway.list(bench.credentials, since=since, until=clock() + timedelta(seconds=1))
    assert isinstance(listed, tuple) and len(listed) == 5
    assert {snapshot.charge.txid for snapshot in listed} == made
    assert count(efi, "GET", "/v2/cob") == 3


@pytest.mark.gen_test
async def test_list_gives_what_was_made_before_and_paid_within(bench: Bench, efi: Fake, clock: Clock) -> None:
    old, unpaid = await bench.create(), await bench.create()
    clock.move(days=1)
    since = clock()
    efi.pay(old.txid)
    strange = {"endToEndId": "E" * 32, "valor": "5.00", "horario": since.isoformat()}
    others = [{**strange, "txid": txid} for txid in ("static1", "b" * 32)] + [
        strange
    ]  # a static code, a due date, none
    efi.charges["shop", "others"] = {"calendario": {"criacao": "2020"}, "pix": others}
    clock.move(minutes=1)
    listed = await bench.gateway.list(bench.credentials, since=since, until=clock())
    assert isinstance(listed, tuple) and [snapshot.charge.txid for snapshot in listed] == [old.txid] != [unpaid.txid]
    assert listed[0].receipts
    later = await bench.gateway.list(bench.credentials, since=clock(), until=clock() + timedelta(minutes=1))
    assert later == ()


@pytest.mark.gen_test
async def test_register_tells_the_bank_an_address_that_proves_itself(bench: Bench, efi: Fake) -> None:
    for _ in range(2):
        assert await bench.gateway.register(bench.credentials, ADDRESS) is None
    (url,) = efi.webhooks.values()
    address, query = url.split("?")
    assert address == ADDRESS and efi.webhook_headers["x-skip-mtls-checking"] == "true"
    assert re.fullmatch(r"hmac=[0-9a-f]{64}&ignorar=", query) and "Secret" not in query
    suffixes = (("", f"{query}/pix"), ("/pix", query), ("", query.removesuffix("&ignorar=") + "/pix"))
    for suffix, said in suffixes:
        event = Event(suffix, said, {}, b'{"pix": []}')
        assert bench.gateway.verify(bench.credentials, event, efi.clock()) is Verdict.REQUERY


@pytest.mark.parametrize("query", ["", "hmac=", "hmac=" + "0" * 64, "ignorar=/pix", "hmac=%ff%00", "x" * 9])
def test_an_event_without_our_word_is_not_the_banks(bench: Bench, query: str) -> None:
    assert bench.gateway.verify(bench.credentials, Event("/pix", query, {}, b""), bench.provider.clock()) is Verdict.NO


@pytest.mark.gen_test
async def test_register_of_a_key_that_is_another_accounts_is_refused(bench: Bench) -> None:
    others = {**bench.credentials, "pix_key": "outra@example.com"}
    assert is_refused(await bench.gateway.register(others, ADDRESS))


@pytest.mark.gen_test
async def test_a_hundred_charges_at_once_log_in_once(bench: Bench, efi: Fake) -> None:
    http = HttpClient(places={"gateway": 100}, connect_seconds=60.0)
    await http.open()
    gateway = type(bench.gateway)(http, replace(bench.gateway._settings, gateway_urls={"efi": efi.url}))
    gateway.timeout_seconds = 60.0
    made = await asyncio.gather(*(gateway.create(bench.credentials, bench.ask(uuid4().hex)) for _ in range(100)))
    await http.close()
    assert all(isinstance(each, Charge) for each in made) and len(efi.charges) == 100
    assert count(efi, "POST", "/oauth/token") == 1 and len(efi.logins) == 1


@pytest.mark.gen_test
async def test_tokens_that_ran_out_under_many_calls_are_renewed_once(bench: Bench, efi: Fake) -> None:
    made = await bench.create()
    efi.forget_tokens()
    await asyncio.gather(*(bench.look(made) for _ in range(12)))
    assert count(efi, "POST", "/oauth/token") == 2


@pytest.mark.gen_test
async def test_a_certificate_that_ran_out_is_told_before_anybody_is_asked(bench: Bench, efi: Fake) -> None:
    old = get_authority().issue("shop", ends_at=datetime.now(UTC) - timedelta(9)).decode()
    refused = await bench.gateway.create({**bench.credentials, "certificate": old}, bench.ask())
    assert isinstance(refused, Refusal) and "venceu em" in refused.reason and efi.calls == []


@pytest.mark.gen_test
async def test_another_customers_certificate_opens_nothing(bench: Bench, efi: Fake) -> None:
    theirs = {**bench.credentials, "certificate": efi.credentials("another shop")["certificate"]}
    refused = await bench.gateway.test(theirs)
    assert isinstance(refused, Refusal) and "Client ID" in refused.reason and "401" in refused.reason


@pytest.mark.gen_test
async def test_what_the_application_may_not_do_is_named(bench: Bench, efi: Fake) -> None:
    efi.scopes = "cob.write cob.read pix.read webhook.read"
    refused = await bench.gateway.test(bench.credentials)
    assert isinstance(refused, Refusal) and "pix.write, webhook.write" in refused.reason


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"nome": "chave_invalida", "mensagem": "A chave 52998224725 é inválida"}, "chave Pix"),
        ({"type": "https://pix.bcb.gov.br/api/v2/error/AcessoNegado", "title": "x"}, "permissão"),
        ({"nome": {"a": 1}, "type": 5}, "resposta 400"),
    ],
)
async def test_a_banks_no_is_put_into_our_words(bench: Bench, efi: Fake, body: Any, said: str) -> None:
    efi.fail_create(http=400, body=json.dumps(body).encode())
    refused = await bench.gateway.create(bench.credentials, bench.ask())
    assert isinstance(refused, Refusal) and said in refused.reason and "52998224725" not in refused.reason


@pytest.mark.gen_test
async def test_no_secret_is_shown_by_what_goes_wrong(bench: Bench, efi: Fake, caplog: pytest.LogCaptureFixture) -> None:
    told = [repr(bench.gateway._open(bench.credentials))]  # type: ignore[attr-defined]
    await bench.create()
    for fault in ({"http": 503}, {"http": 401, "times": 9}, {"drop": "after", "times": 9}):
        efi.fail("*", **fault)
        efi.forget_tokens()
        try:
            told.append(str(await bench.gateway.create(bench.credentials, bench.ask())))
        except Exception as error:  # noqa: BLE001
            told += [str(error), repr(error)]
        efi.faults.clear()
    await efi.stop()
    with pytest.raises(NeverSent) as caught:
        await bench.gateway.fetch(bench.credentials, txid="a" * 32, provider_id="a" * 32)
    shown = " ".join([*told, str(caught.value), caplog.text])
    secrets = [bench.credentials["client_secret"], bench.credentials["certificate"][-300:-200], *efi.tokens]
    assert [secret for secret in secrets if secret in shown] == []
    await efi.start()  # the fixture stops it
