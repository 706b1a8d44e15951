"""Values out of answers, and proofs of events: tables of what is taken for what, and that nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from grimbots.services.gateways.answers import (
    BRASILIA,
    as_reais,
    find_missing,
    find_reais,
    find_text,
    read_cents,
    read_instant,
    read_objects,
    refuse,
)
from grimbots.services.gateways.base import ChargeRequest, Payer, Refusal, Undecided
from grimbots.services.gateways.proofs import is_sha256, is_word


@pytest.mark.parametrize(
    ("said", "cents"),
    [
        *((19.9, 1990), (20.1, 2010), (0.29, 29), (1.1, 110), (100, 10000), ("37.00", 3700), ("0.5", 50)),
        *((19.999, None), ("1e999999", None), (float("nan"), None), (float("inf"), None), ("x", None), ("", None)),
        *((True, None), (None, None), ([1], None), (10**15, None)),
    ],
)
def test_reais_are_read_to_the_cent(said: Any, cents: int | None) -> None:
    assert find_reais({"value": said}, "value") == cents


@pytest.mark.parametrize("cents", [1, 29, 57, 110, 1990, 2010, 101_01, 4_611_686])
def test_cents_are_written_as_the_same_reais(cents: int) -> None:
    assert find_reais({"value": as_reais(cents)}, "value") == cents


@pytest.mark.parametrize("said", [0, -1, True, 19.9, "19", None, 10**13])
def test_cents_are_whole_and_positive(said: Any) -> None:
    with pytest.raises(Undecided, match=r"no charge\.value in cents"):
        read_cents({"charge": {"value": said}}, "charge", "value")


@pytest.mark.parametrize("said", ["", "a\x00b", "\ud800", "x" * 1001, 0, -5, 10**30, True, 1.5, None, ["a"]])
def test_text_is_what_can_be_stored(said: Any) -> None:
    assert find_text({"id": said}, "id") is None


def test_an_id_may_be_a_number() -> None:
    assert find_text({"data": {"id": 123}}, "data", "id") == "123"


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-03-02T12:00:00.000-03:00", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("2026-03-02T12:00:00Z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02 12:00:00", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, 3, tzinfo=UTC)),
    ],
)
def test_instants_without_a_zone_are_of_the_providers(said: str, at: datetime) -> None:
    assert read_instant({"at": said}, "at", zone=BRASILIA) == at


@pytest.mark.parametrize("said", ["", "yesterday", "2026-13-02", "0001-01-01", "9999-12-31T23:59:59Z", 5, None])
def test_what_is_no_instant_decides_nothing(said: Any) -> None:
    with pytest.raises(Undecided):
        read_instant({"at": said}, "at", zone=BRASILIA)


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(Undecided, match="no time zone"):
        read_instant({"at": "2026-03-02T12:00:00"}, "at")


def test_a_list_may_be_absent_but_no_other_thing() -> None:
    assert read_objects({"refunds": None}, "refunds") == read_objects({}, "refunds") == []
    for other in ({}, "x", [1]):
        with pytest.raises(Undecided):
            read_objects({"refunds": other}, "refunds")


@pytest.mark.parametrize(
    ("payer", "cents", "told"),
    [
        (Payer(), 500, "só cobra quem disse o e-mail e o CPF ou CNPJ"),
        (Payer(email="ana@example.com"), 500, "só cobra quem disse o CPF ou CNPJ"),
        (Payer(email="ana@example.com", tax_id="52998224725"), 499, "menos de R$ 5,00"),
    ],
)
def test_what_a_provider_would_refuse_is_refused_before_it_is_asked(payer: Payer, cents: int, told: str) -> None:
    request = ChargeRequest("a" * 32, cents, "Curso", 600, "https://x", payer)
    refusal = find_missing("Banco", request, frozenset({"email", "tax_id"}), 500)
    assert isinstance(refusal, Refusal) and told in refusal.reason


def test_what_a_provider_takes_is_not_refused() -> None:
    payer = Payer(email="ana@example.com", tax_id="52998224725")
    request = ChargeRequest("a" * 32, 500, "Curso", 600, "https://x", payer)
    assert find_missing("Banco", request, frozenset({"email", "tax_id"}), 500) is None


def test_a_refusal_has_our_words_and_a_short_number() -> None:
    assert refuse("Banco", 418).reason == "Banco recusou o pedido (resposta 418)"
    assert refuse("Banco", 401, {401: "diz não"}, 4292).reason == "Banco diz não (resposta 401, código 4292)"
    assert "52998224725" not in refuse("Banco", 400, {}, 52998224725).reason


@pytest.mark.parametrize("given", ["", "wor", "word ", "WORD", "w\udfffrd", "é"])
def test_a_word_is_that_very_word(given: str) -> None:
    assert is_word("word", "word") and not is_word(given, "word")


def test_nothing_is_no_secret() -> None:
    assert not is_word("", "") and not is_word("x", "")
    digest = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"  # HMAC-SHA256 of nothing with no key
    assert not is_sha256("", "", digest)
    assert not is_sha256("k", "\udfff", "\udfff")
