"""Templates: values are put in and nothing else happens; what a value is missing for is left out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.gateways.replies import find_cents, find_instant, find_text
from grimbots.services.gateways.templates import fill, fill_address, list_names

VALUES = {"amount": 1990, "reais": 19.9, "key": "k1", "payer.name": None, "text": "Curso de Bolo", "payer.email": ""}
CASES: list[tuple[Any, Any]] = [
    ("{amount}", 1990),
    ("{reais}", 19.9),
    ("Pedido {key}", "Pedido k1"),
    ("{text:5}", "Curso"),
    ("{payer.name}", None),
    ("Cliente {payer.name}", None),
    ('{"payment_id":"{key}"}', '{"payment_id":"k1"}'),
    ("{__class__} {0} {key!r}", "{__class__} {0} {key!r}"),
    ({"a": "{amount}", "b": {"name": "{payer.name}", "email": "{payer.email}"}}, {"a": 1990}),
    ([{"title": "{text}", "x": 1, "y": False}], [{"title": "Curso de Bolo", "x": 1, "y": False}]),
    (["{payer.name}"], None),
]


@pytest.mark.parametrize(("template", "filled"), CASES)
def test_fill_puts_values_in_and_leaves_out_what_has_none(template: Any, filled: Any) -> None:
    assert fill(template, VALUES) == filled


def test_list_names_finds_each_at_every_depth() -> None:
    assert sorted(list_names({"a": ["{x}", {"b": "{y.z:3} {x}"}], "c": 1})) == ["x", "x", "y.z"]


@given(value=st.text(), other=st.text())
def test_no_value_is_filled_in_twice_or_leaves_its_place(value: str, other: str) -> None:
    values = {"id": value, "secret": other}
    assert fill("{id}!", values) == (f"{value}!" if value else None)
    address = urlsplit(fill_address("/charges/{id}", {"key": "{secret}"}, values))
    assert not value or (address.path.startswith("/charges/") and address.path.count("/") == 2)
    assert not address.fragment and len(parse_qsl(address.query, keep_blank_values=True)) == bool(other)


AMOUNTS = [
    (19.9, "reais", 1990),
    ("19.90", "reais", 1990),
    (20.1, "reais", 2010),
    (1, "reais", 100),
    (1.5e1, "reais", 1500),
    (1990, "cents", 1990),
    ("1990", "cents", 1990),
    (1990.0, "cents", 1990),
    (19.905, "reais", None),
    (19.9, "cents", None),
    ("19,90", "reais", None),
    (0, "cents", None),
    (-5, "cents", None),
    (True, "cents", None),
    (None, "cents", None),
    (float("nan"), "cents", None),
    (float("inf"), "reais", None),
    ("1e999999999", "reais", None),
    ([1990], "cents", None),
]


@pytest.mark.parametrize(("told", "unit", "cents"), AMOUNTS)
def test_find_cents_reads_whole_cents_or_nothing(told: Any, unit: str, cents: int | None) -> None:
    assert find_cents({"amount": told}, (("amount",),), unit) == cents


@pytest.mark.parametrize(
    ("told", "text"),
    [("a", "a"), (7, "7"), (" a ", "a"), ("", None), (True, None), (1.5, None), ("a\x00b", None), ("\ud800", None)],
)
def test_find_text_reads_what_can_be_an_id(told: Any, text: str | None) -> None:
    assert find_text({"data": [{"id": told}]}, (("none",), ("data", "0", "id"))) == text


@pytest.mark.parametrize(
    ("told", "instant"),
    [
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00+00:00"),
        ("2026-11-21 09:00:00", "2026-11-21T12:00:00+00:00"),
        ("2026-11-21T12:00:00.5+02:00", "2026-11-21T10:00:00.500000+00:00"),
        ("0001-01-01T00:00:00+14:00", None),
        ("tomorrow", None),
        (1763726400, None),
    ],
)
def test_find_instant_reads_iso_8601(told: Any, instant: str | None) -> None:
    found = find_instant({"at": told}, (("at",),))
    assert (found.isoformat() if found else None) == instant
