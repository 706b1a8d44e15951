"""Banks as files: one more is added by settings alone, and a wrong file says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import Settings, SettingsError
from grimbots.server import build_app
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Refund, Snapshot, Verdict
from grimbots.services.gateways.scan import offered_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.bank import FakeBank, list_routes
from grimbots.tests.services.gateways.benches import ADDRESS, Bench

BANK = """
name = "banco_novo"
label = "Banco Novo (PIX)"
url = "{url}"
login_url = "{origin}/auth/token"
login_by = "body"

[headers]
x-application = "app {client_id}"
"""


class NewBank(FakeBank):
    """Logs in elsewhere, by a form that names what for."""

    root = "/pix/v2"
    routes = list_routes("/pix/v2", "/auth/token")


@pytest.fixture
def bank(io_loop: Any, clock: Clock) -> Iterator[NewBank]:
    """Give a listening bank that no code of ours knows."""
    bank = NewBank(clock)
    io_loop.run_sync(bank.start)
    yield bank
    io_loop.run_sync(bank.stop)


@pytest.fixture
def bench(bank: NewBank, http: HttpClient, settings: Settings, tmp_path: Path) -> Bench:
    """Give the gateway of a file in a folder of the operator's."""
    origin = bank.url.removesuffix(bank.root)
    said = BANK.replace("{url}", bank.url).replace("{origin}", origin)
    (tmp_path / "banco_novo.toml").write_text(said)
    kind = offered_gateways(replace(settings, banks_dir=str(tmp_path)))["banco_novo"]
    return Bench(kind(http, settings), bank.credentials(), bank)


def test_a_bank_is_offered_where_its_file_lies(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "banco_novo.toml").write_text(BANK.format(url="https://a.example", origin="", client_id="{client_id}"))
    assert "banco_novo" not in offered_gateways(settings)
    offered = offered_gateways(replace(settings, banks_dir=str(tmp_path)))
    assert offered["banco_novo"].label == "Banco Novo (PIX)" and {"efi", "pushinpay"} < set(offered)


def test_a_file_of_the_operators_replaces_ours(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "efi.toml").write_text('name = "efi"\nlabel = "Efí"\nurl = "https://e.example"\nlogin_url = "/t"\n')
    assert offered_gateways(replace(settings, banks_dir=str(tmp_path)))["efi"].url == "https://e.example"


@pytest.mark.gen_test
async def test_a_charge_is_made_paid_seen_and_given_back_by_data_alone(bench: Bench, bank: NewBank) -> None:
    assert await bench.gateway.test(bench.credentials) is None
    made = await bench.create("a" * 32)
    assert await bench.create("a" * 32) == made
    event = bench.receive(bank.pay(made.txid))
    (hint,) = bench.gateway.parse(event)
    seen = await bench.look(made)
    assert isinstance(seen, Snapshot) and seen.receipts == (hint.receipt,)
    assert bench.gateway.verify(bench.credentials, event, bank.clock()) is Verdict.REQUERY
    refund = await bench.refund(made, 1990)
    assert isinstance(refund, Refund) and (await bench.look(made)).returns[0].id == refund.id


@pytest.mark.gen_test
async def test_what_is_peculiar_to_it_is_what_its_file_says(bench: Bench, bank: NewBank) -> None:
    assert await bench.gateway.register(bench.credentials, ADDRESS) is None
    (login,) = bank.logins
    assert (login["basic"], login["form"], login["client_id"]) == (False, True, bench.credentials["client_id"])
    assert set(login["scope"].split()) == set(bank.scopes.split())
    assert bank.webhook_headers["x-application"] == f"app {bench.credentials['client_id']}"
    assert bank.webhooks == {bench.credentials["pix_key"]: ADDRESS}


def change(name: str, line: str) -> Callable[[str], str]:
    """Return what puts a line in the place of a field's."""
    return lambda said: "\n".join(line if each.startswith(f"{name} ") else each for each in said.splitlines())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (change("url", ""), "url is missing"),
        (change("url", 'url = "http://bank.example"'), "url must be an https:// address without a / at its end"),
        (change("url", 'url = "https://bank.example/"'), "url must be an https:// address without a / at its end"),
        (change("url", "url = 5"), "url must be an https:// address"),
        (change("login_url", 'login_url = "http://bank.example/t"'), "login_url must be an https:// address, or begin"),
        (change("login_by", 'login_by = "magic"'), "login_by must be basic or body"),
        (change("label", 'label = "x"\nfee = 3'), "fee is no field of a bank: they are name, label, url"),
        (change("label", 'label = "x"\nhas_certificate = "yes"'), "has_certificate must be true or false"),
        (change("x-application", "x-application = 1"), "headers must be a table of texts"),
        (change("name", 'name = "other"'), "name must be banco_novo, as the file is called"),
        (change("name", 'name = "Banco Novo"'), "name must be of small letters"),
        (lambda said: said + "= = =", "this is no TOML file"),
    ],
)
def test_a_wrong_file_is_named_with_what_would_be_right(
    settings: Settings, tmp_path: Path, wrong: Callable[[str], str], said: str
) -> None:
    whole = BANK.replace("{url}", "https://bank.example/pix").replace("{origin}", "https://bank.example")
    (tmp_path / "banco_novo.toml").write_text(wrong(whole))
    with pytest.raises(SettingsError) as caught:
        offered_gateways(replace(settings, banks_dir=str(tmp_path)))
    assert said in str(caught.value) and str(tmp_path / "banco_novo.toml") in str(caught.value)


def test_a_folder_that_is_none_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"GRIMBOTS_BANKS names .*nowhere, which is no folder"):
        offered_gateways(replace(settings, banks_dir=str(tmp_path / "nowhere")))


@pytest.mark.gen_test
async def test_the_server_does_not_start_over_a_wrong_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("")
    at_start = replace(settings, banks_dir=str(tmp_path), database_url="postgresql:///x", redis_url="redis://x")
    with pytest.raises(SettingsError, match="name is missing"):
        async with build_app(at_start):
            pass
