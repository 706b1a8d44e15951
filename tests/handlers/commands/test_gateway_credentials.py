"""`grimbots gateway`: credentials are tried before they are kept, and again whenever somebody asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from grimbots.tests.fakes.providers.asaas import Fake
from grimbots.tests.fakes.threads import run_elsewhere
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.ports import pick_port


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Give a provider that answers from a thread of its own, for a command has a loop of its own."""
    fake = Fake(lambda: datetime.now(UTC))
    with run_elsewhere(fake):
        monkeypatch.setenv("GRIMBOTS_GATEWAY_URLS", json.dumps({"asaas": fake.url}))
        yield fake


@pytest.fixture
def shop(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Make an account."""
    assert command("account", "add", "loja") == 0
    capsys.readouterr()


@pytest.mark.usefixtures("shop")
def test_add_asks_for_each_field_and_keeps_what_the_provider_takes(
    command: Command, provider: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("gateway", "add", "asaas", "--account", "loja", given="$aact_prod_x\ntoken of ours\n") == 0
    told = capsys.readouterr()
    assert "/webhook/payment/asaas/" in told.out and "aact" not in told.out + told.err
    assert command("gateway", "test", "--account", "loja", "--json") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["gateway"], row["answer"]) == ("asaas", "takes the credentials")


@pytest.mark.usefixtures("shop")
def test_add_keeps_nothing_the_provider_refuses(
    command: Command, provider: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.fail("GET", http=401)
    assert command("gateway", "add", "asaas", "--account", "loja", given="$aact_prod_x\ntoken of ours\n") == 1
    assert "não aceitou as credenciais" in capsys.readouterr().err
    assert command("gateway", "test", "--account", "loja") == 1
    assert "no provider is connected" in capsys.readouterr().out


@pytest.mark.usefixtures("shop")
def test_test_tells_who_takes_the_credentials_no_more(
    command: Command, provider: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    command("gateway", "add", "asaas", "--account", "loja", given="$aact_prod_x\ntoken of ours\n")
    provider.fail("GET", http=403)
    assert command("gateway", "test", "--account", "loja") == 1
    assert "confira as permissões" in capsys.readouterr().out


@pytest.mark.usefixtures("shop")
def test_add_says_so_where_the_provider_cannot_be_asked(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIMBOTS_GATEWAY_URLS", json.dumps({"asaas": f"http://127.0.0.1:{pick_port()}"}))
    assert command("gateway", "add", "asaas", "--account", "loja", given="$aact_prod_x\ntoken of ours\n") == 0
    assert "could not be asked" in capsys.readouterr().err
