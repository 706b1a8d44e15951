"""Descriptions: what a file may say, that a wrong one is refused with every place, and what each of ours has to be."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from grimbots.conf.settings import Settings
from grimbots.server import build_app
from grimbots.services.gateways import described_gateways
from grimbots.services.gateways.described_gateways import FOLDER, find_described
from grimbots.services.gateways.descriptions import DescriptionError, read
from grimbots.services.gateways.scan import find_gateways

RIGHT = """
label = "Loja Pay"
tested = true
url = "https://api.lojapay.com.br/v2"
unit = "reais"

[[fields]]
name = "client_id"
label = "Client id"
help = "No painel."

[[fields]]
name = "client_secret"
label = "Client secret"
help = "No painel."

[authentication]
bearer = "{token}"

[authentication.login]
path = "/oauth/token"
encoding = "form"
body = { client_id = "{credentials.client_id}", client_secret = "{credentials.client_secret}" }
token = "access_token"
expires_in_seconds = "expires_in"

[create]
path = "/charges"
idempotency_header = "X-Idempotency-Key"
body = { value = "{amount_text}", text = "{description:20}", url = "{notification_url}", name = "{payer.name}" }
reply = { id = "charge.id", code = "charge.pix.copia_e_cola", expires_at = "charge.expires_at" }

[fetch]
path = "/charges/{id}"
[fetch.reply]
id = "charge.id"
code = "charge.pix.copia_e_cola"
status = "charge.status"
amount = ["charge.paid", "charge.value"]
paid_at = "charge.paid_at"

[statuses]
waiting = ["open"]
paid = ["Paid"]
over = ["closed"]
refunded = ["refunded"]
disputed = ["med"]
charged_back = ["lost"]

[webhook]
body = "form"
id = "charge_id"
status = "status"
verification = { kind = "hmac", header = "X-Signature", secret = "client_secret", encoding = "base64", prefix = "v1=" }
"""
"""Everything that none of our files says: a token that runs out, forms, a signature, an idempotency header."""


def write(folder: Path, text: str, name: str = "lojapay") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def blame(folder: Path, text: str) -> list[str]:
    """Return the lines a wrong file is refused with."""
    with pytest.raises(DescriptionError) as refused:
        read(write(folder, text))
    return str(refused.value).splitlines()


def test_read_takes_a_right_file(tmp_path: Path) -> None:
    said = read(write(tmp_path, RIGHT))
    assert (said.name, said.label, said.unit, said.idempotency_header) == (
        "lojapay",
        "Loja Pay",
        "reais",
        "X-Idempotency-Key",
    )
    assert said.statuses["paid"] == "paid" and said.fetched.amount == (("charge", "paid"), ("charge", "value"))


WRONG = {
    "an unknown key": ("[create]\n", '[create]\nurl = "/x"\n', "create.url: is unknown"),
    "an unknown table": ("[fetch]\n", "[refund]\n[fetch]\n", "refund: is unknown"),
    "an unknown key in a list": ('name = "client_id"', 'name = "client_id"\nkind = "x"', "fields[0].kind: is unknown"),
    "a key that is missing": ('code = "charge.pix.copia_e_cola", ', "", "create.reply.code: is missing"),
    "plain HTTP": ("https://api", "http://api", "url: must be https://"),
    "an address with a query": ("/v2", "/v2?x=1", "url: must be https://"),
    "an unknown unit": ('"reais"', '"euros"', "unit: must be one of cents, reais"),
    "a status that means two things": ('over = ["closed"', 'over = ["PAID"', "statuses.over: 'PAID' stands in paid"),
    "nothing that means paid": ('paid = ["Paid"]', "", "statuses.paid: is missing"),
    "a name nothing is put in for": ("{description:20}", "{secret}", "create.body: {secret} is nothing"),
    "another's credentials": ("{credentials.client_id}", "{credentials.key}", "login.body: {credentials.key} is"),
    "a template that is code": ("/charges/{id}", "/charges/{id.__class__}?", "fetch.path: must begin with /"),
    "a path that is none": ('status = "charge.status"', "status = 7", "fetch.reply.status: must say where"),
    "a secret that is no field": ('secret = "client_secret"', 'secret = "x"', "verification.secret: must be one of"),
    "an event that names nothing": ('id = "charge_id"', "", "webhook.id: is missing"),
    "no fields": (RIGHT[RIGHT.index("[[fields]]") : RIGHT.index("[auth")], "fields = []\n", "fields: must be a list"),
    "no TOML": ("[fetch]", "[fetch", "(at line"),
}


@pytest.mark.parametrize("what", WRONG)
def test_read_refuses_a_wrong_file_with_its_place(tmp_path: Path, what: str) -> None:
    old, new, words = WRONG[what]
    assert old in RIGHT
    lines = blame(tmp_path, RIGHT.replace(old, new, 1))
    assert any(words in line for line in lines), lines
    assert all(line.startswith("lojapay.toml: ") for line in lines)


def test_read_names_every_mistake_at_once(tmp_path: Path) -> None:
    lines = blame(tmp_path, RIGHT.replace('unit = "reais"', 'needs = ["shoe size"]').replace("/oauth/token", "oauth"))
    assert [line.split(": ")[1] for line in lines] == ["authentication.login.path", "unit", "needs"]


@pytest.mark.gen_test
async def test_a_wrong_file_stops_the_start(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, RIGHT.replace("[fetch]", "[fatch]"))
    monkeypatch.setattr(described_gateways, "FOLDER", tmp_path)
    find_gateways.cache_clear()
    try:
        with pytest.raises(DescriptionError, match="fatch: is unknown"):
            async with build_app(replace(settings, database_url="postgres://x", redis_url="redis://x")):
                raise AssertionError("it has started")
    finally:
        find_gateways.cache_clear()


def test_each_of_ours_is_marked_untested_and_asked_about() -> None:
    """What facts say of them comes from the original's code alone: nothing an event says may be believed."""
    kinds = find_described()
    assert len(kinds) == 9
    for kind in kinds:
        assert "não testado" in kind.label and not kind.signs_events
    headers = [path.read_text().splitlines()[0] for path in FOLDER.glob("*.toml")]
    assert all("nothing of it was tried against the live provider" in line for line in headers)


def test_each_of_ours_invents_nothing() -> None:
    """No name, document, address or e-mail stands in a template: the payer is the real buyer or left out."""
    for path in FOLDER.glob("*.toml"):
        templates = path.read_text().partition("[create]")[2].partition("[create.reply]")[0]
        for key in ("name", "email", "phone", "phone_number", "document", "cpf", "number"):
            values = re.findall(rf'\b{key} = "([^"]*)"', templates)
            assert all(value.startswith(("{payer.", "{description")) for value in values), (path.name, key, values)
