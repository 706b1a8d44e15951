"""All that a bank is told and answers, judged by the Central Bank's own description of its API Pix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Payer, Refusal, ReturnKind
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.data import slice_pix_api
from grimbots.tests.fakes.bank import FakeBank
from grimbots.tests.services.gateways.benches import ADDRESS, Bench
from grimbots.tests.services.gateways.pix_schemas import SLICE, find_faults, judge, read_slice

WHOLE = Path(__file__).parents[4] / "shared" / "data" / "pix-api-openapi.yaml"
PERSON = Payer(name="Ana Souza", tax_id="52998224725")
COMPANY = Payer(name="Empresa de Serviços SA " * 20, tax_id="12ABC34501DE35")  # alphanumeric, as of 2026


@pytest.fixture
def bench(io_loop: Any, http: HttpClient, settings: Settings, clock: Clock) -> Iterator[Bench]:
    """Give the standard's client over a bank that keeps to the standard in its errors too."""
    bank = FakeBank(clock)
    io_loop.run_sync(bank.start)
    at_bank = replace(settings, gateway_urls={"efi": bank.url})
    yield Bench(find_gateways()["efi"](http, at_bank), bank.credentials(), bank)
    io_loop.run_sync(bank.stop)


@pytest.mark.gen_test
async def test_every_request_and_answer_keeps_to_the_standard(bench: Bench, clock: Clock) -> None:
    gateway, bank = bench.gateway, bench.provider
    assert isinstance(bank, FakeBank)
    assert await gateway.test(bench.credentials) is None
    assert await gateway.register(bench.credentials, ADDRESS) is None
    made = await bench.create("a" * 32)
    await bench.create("a" * 32)
    for payer in (PERSON, COMPANY):
        request = bench.ask(payer=payer, description="Curso de violão — " * 30)
        assert not isinstance(await gateway.create(bench.credentials, request), Refusal)
    body = bank.pay(made.txid)
    for cents in (500, 490, 5000):
        await bench.refund(made, cents, f"r{cents}")
    await bench.refund(made, 500, "r500")
    bank.dispute(made.txid, ReturnKind.DISPUTE)
    clock.move(minutes=1)
    await gateway.find(bench.credentials, "b" * 32)
    assert await gateway.test(bench.credentials) is None
    listed = await gateway.list(bench.credentials, since=made.expires_at.replace(hour=0), until=clock())
    assert isinstance(listed, tuple) and len(listed) == 3
    assert {said.status for said in bank.talk} == {200, 201, 400, 404}
    assert list(judge(bank.talk)) == []
    assert find_faults(read_slice()["calls"][slice_pix_api.CALLBACK]["request"], json.loads(body)) == []


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        ("PUT /cob/{txid}", {"calendario": {"expiracao": 600}, "valor": {"original": 19.9}, "chave": "k"}),
        ("PUT /cob/{txid}", {"calendario": {"expiracao": 600}, "valor": {"original": "19.900"}, "chave": "k"}),
        ("PUT /cob/{txid}", {"valor": {"original": "19.90"}, "chave": "k"}),
        ("PUT /pix/{e2eid}/devolucao/{id}", {"valor": "7,89"}),
        ("PUT /webhook/{chave}", {"url": "https://example.com"}),
    ],
)
def test_the_schemas_refuse_what_is_wrong(call: str, asked: dict[str, Any]) -> None:
    assert find_faults(read_slice()["calls"][call]["request"], asked)


def test_the_descriptions_own_examples_keep_to_the_slice() -> None:
    examples, callback = read_slice()["examples"], read_slice()["calls"][slice_pix_api.CALLBACK]["request"]
    assert find_faults({"$ref": "#/$defs/CobSolicitada"}, examples["cobBody2"]) == []
    assert find_faults({"$ref": "#/$defs/CobGerada"}, examples["cobResponse1"]) == []
    assert find_faults({"$ref": "#/$defs/CobCompleta"}, examples["cobResponse2"]) == []
    assert find_faults({"$ref": "#/$defs/Devolucao"}, examples["devolucaoResponse1"]) == []
    assert find_faults(callback, {"pix": [examples["pixWebhook2"]]}) == []
    assert len(find_faults(callback, {"pix": [examples["pixWebhook1"]]})) == 1  # its devolucoes are no list


def test_the_slice_is_cut_out_of_the_whole_description() -> None:
    if not WHOLE.exists():
        pytest.skip("the whole description (shared/data/pix-api-openapi.yaml) is not here")
    whole = yaml.safe_load(WHOLE.read_text(encoding="utf-8"))
    assert slice_pix_api.write(slice_pix_api.cut(whole)) == SLICE.read_text(encoding="utf-8")
