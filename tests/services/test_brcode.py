"""BR Code against the codes printed in Banco Central's manual, and against itself."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services import brcode

STATIC = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR"
    "5913Fulano de Tal6008BRASILIA62070503***63041D3D"
)
DYNAMIC = (
    "00020101021226700014br.gov.bcb.pix2548pix.example.com/8b3da2f39a4140d1a91abd93113bd441"
    "5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***630464E4"
)
BAD_CRC = (
    "00020101021126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865"
    "4040.005802BR5913Fulano de Tal6008BRASILIA62070503***6304E2CA"
)
KEY = "123e4567-e12b-12d1-a456-426655440000"
URL = "pix.example.com/8b3da2f39a4140d1a91abd93113bd441"
VISIBLE = string.ascii_letters + string.digits + ".-/@+"


def test_build_reproduces_the_manual_static_code() -> None:
    assert brcode.build(key=KEY, name="Fulano de Tal", city="BRASILIA") == STATIC


def test_build_reproduces_the_manual_dynamic_code() -> None:
    assert brcode.build(url=URL, name="Fulano de Tal", city="BRASILIA", is_one_time=True) == DYNAMIC


@pytest.mark.parametrize(("code", "key", "url"), [(STATIC, KEY, ""), (DYNAMIC, "", URL)])
def test_parse_reads_the_manual_codes(code: str, key: str, url: str) -> None:
    read = brcode.parse(code)
    assert (read.key, read.url, read.name, read.city, read.txid) == (key, url, "Fulano de Tal", "BRASILIA", "***")
    assert read.is_intact and read.is_one_time == bool(url)


def test_parse_marks_a_wrong_crc_and_reads_on() -> None:
    read = brcode.parse(BAD_CRC)
    assert not read.is_intact
    assert (read.key, read.amount_cents) == (KEY, 0)


def test_parse_finds_the_pix_account_among_others_in_upper_case() -> None:
    code = "0002012608000411112726" + "0014BR.GOV.BCB.PIX0104a@b." + "5802BR6304"
    assert brcode.parse(code + brcode._crc(code)).key == "a@b."


@pytest.mark.parametrize("code", ["", "0002", "00020", "xx0201", "0099short", "0002015802BR63040000", STATIC[:-60]])
def test_parse_refuses_what_is_no_code(code: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        brcode.parse(code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": KEY, "url": URL},
        {"key": ""},
        {"key": "k" * 78},
        {"txid": "x" * 26},
        {"txid": "a b"},
        {"amount_cents": 0},
        {"amount_cents": 10**12},
        {"name": "日本"},
        {"text": "x" * 60},
    ],
)
def test_build_refuses_what_breaks_the_standard(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^\d\d: "):
        brcode.build(**{"key": KEY, "name": "Loja", "city": "Recife", **wrong})  # type: ignore[arg-type]


def test_build_folds_accents_and_cuts_name_and_city() -> None:
    read = brcode.parse(brcode.build(key=KEY, name="José da Conceição Araújo & Irmãos", city="São José do Rio Preto"))
    assert (read.name, read.city) == ("Jose da Conceicao Araujo", "Sao Jose do Rio")


@given(
    account=st.text(VISIBLE, min_size=1, max_size=77),
    is_static=st.booleans(),
    is_one_time=st.booleans(),
    cents=st.none() | st.integers(1, 999_999_999_999),
    txid=st.text(string.ascii_letters + string.digits, min_size=1, max_size=25) | st.just("***"),
    name=st.text(string.ascii_letters, min_size=1, max_size=25),
)
def test_parse_gives_back_what_build_was_given(
    account: str, is_static: bool, is_one_time: bool, cents: int | None, txid: str, name: str
) -> None:
    key, url = (account, "") if is_static else ("", account)
    code = brcode.build(
        key=key, url=url, name=name, city="Recife", amount_cents=cents, txid=txid, is_one_time=is_one_time
    )
    assert brcode.parse(code) == brcode.BrCode(key, url, "", cents, name, "Recife", txid, is_one_time, True)


@given(st.text(max_size=60))
def test_parse_raises_nothing_but_value_error(code: str) -> None:
    try:
        brcode.parse(code)
    except ValueError:
        return
    assert "br.gov.bcb.pix" in code.lower()
