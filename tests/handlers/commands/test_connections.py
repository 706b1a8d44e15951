"""`grimbots gateway add` and `test`: what a person reads of a provider's yes and of its silence."""

from __future__ import annotations

import json
import re

import pytest

from grimbots.tests.deploy.fronts import run_backend
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.ports import pick_port

TOKEN = "a-token-of-the-seller"


def add(command: Command, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Connect an account and return the command that `add` says to try."""
    command("account", "add", "loja")
    capsys.readouterr()
    assert command("gateway", "add", "pushinpay", "--account", "loja", given=f"{TOKEN}\n") == 0
    found = re.search(r"try it: grimbots (gateway test \d+ --account loja --register)", capsys.readouterr().out)
    assert found is not None
    return found[1].split()


def test_gateway_test_says_that_the_provider_takes_it(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_backend() as backend:
        monkeypatch.setenv("GRIMBOTS_GATEWAY_URLS", json.dumps({"pushinpay": f"http://127.0.0.1:{backend.port}"}))
        assert command(*add(command, capsys)) == 0
        ((_, path, headers, _),) = backend.seen
    assert path.startswith("/transactions/") and headers["Authorization"] == f"Bearer {TOKEN}"
    said = capsys.readouterr()
    assert "takes these credentials and knows where to post events" in said.out and TOKEN not in said.out + said.err


def test_gateway_test_says_that_nobody_answers(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIMBOTS_GATEWAY_URLS", json.dumps({"pushinpay": f"http://127.0.0.1:{pick_port()}"}))
    assert command(*add(command, capsys)) == 1
    said = capsys.readouterr()
    assert said.err.startswith("grimbots: gateway:pushinpay: ") and TOKEN not in said.out + said.err


def test_gateway_test_reaches_no_other_accounts(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    tried = add(command, capsys)
    command("account", "add", "outra")
    assert command(*(word if word != "loja" else "outra" for word in tried)) == 1
    assert "this account has no gateway account" in capsys.readouterr().err
