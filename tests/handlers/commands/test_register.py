"""`grimbots gateway add` with a certificate, and `register`: a bank is connected, then told where to post events."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from grimbots.tests.fakes.bank import get_authority
from grimbots.tests.fakes.providers.efi import Fake
from grimbots.tests.fakes.threads import run_elsewhere
from grimbots.tests.handlers.commands.conftest import Command


@pytest.fixture
def efi(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Give Efí."""
    fake = Fake(lambda: datetime.now(UTC))
    with run_elsewhere(fake):
        monkeypatch.setenv("GRIMBOTS_GATEWAY_URLS", json.dumps({"efi": fake.url}))
        yield fake


def type_in(credentials: dict[str, str]) -> str:
    """Return what a person types or pipes: a line for each field, the certificate as `base64 -w0` writes it."""
    packed = base64.b64encode(credentials["certificate"].encode()).decode()
    return "".join(f"{line}\n" for line in {**credentials, "certificate": packed}.values())


def test_register_tells_the_bank_the_address(command: Command, efi: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    given = efi.credentials()
    assert command("gateway", "add", "efi", "--account", "loja", given=type_in(given)) == 0
    told = capsys.readouterr()
    found = re.search(r"grimbots (gateway register \d+ --account loja)", told.out)
    assert found is not None and efi.webhooks == {}
    assert command(*found[1].split()) == 0
    assert "/webhook/payment/efi/" in efi.webhooks[given["pix_key"]]
    shown = told.out + told.err + "".join(capsys.readouterr())
    assert given["client_secret"] not in shown and "CERTIFICATE" not in shown


def test_register_reaches_no_other_account(command: Command, efi: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    command("account", "add", "loja")
    command("account", "add", "outra")
    command("gateway", "add", "efi", "--account", "loja", given=type_in(efi.credentials()))
    found = re.search(r"gateway register (\d+)", capsys.readouterr().out)
    assert found is not None
    assert command("gateway", "register", found[1], "--account", "outra") == 1
    assert "this account has no gateway account" in capsys.readouterr().err and efi.webhooks == {}


def test_add_says_what_is_wrong_with_a_certificate(
    command: Command, efi: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    command("account", "add", "loja")
    old = get_authority().issue("shop", ends_at=datetime.now(UTC) - timedelta(9)).decode()
    given = type_in({**efi.credentials(), "certificate": old})
    assert command("gateway", "add", "efi", "--account", "loja", given=given) == 1
    assert "o certificado venceu em" in capsys.readouterr().err and efi.calls == []
