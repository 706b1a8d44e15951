"""What people type, read into the one form that is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.answers import LONGEST, READERS

CASES = [
    ("text", "  Belo\nHorizonte ", "Belo\nHorizonte"),
    ("text", "   ", None),
    ("text", "x" * 201, None),
    ("text", "😀" * 100, "😀" * 100),
    ("number", "42", "42"),
    ("number", "R$ 1.990,50", "1990.5"),
    ("number", "1.990", "1990"),
    ("number", "-3,20", "-3.2"),
    ("number", "1.99", None),
    ("number", "1,2,3", None),
    ("number", "100", "100"),
    ("number", "0", "0"),
    ("number", "doze", None),
    ("number", "१२", None),
    ("email", " Ana@Example.COM ", "ana@example.com"),
    ("email", "ana@example", None),
    ("email", "ana example@example.com", None),
    ("email", "ana@exa..mple.com", None),
    ("phone", "(11) 98765-4321", "+5511987654321"),
    ("phone", "011 98765 4321", "+5511987654321"),
    ("phone", "55 11 98765-4321", "+5511987654321"),
    ("phone", "+55 11 3456-7890", "+551134567890"),
    ("phone", "+351 912 345 678", "+351912345678"),
    ("phone", "98765-4321", None),
    ("phone", "+55 11 12345-6789", None),
    ("cpf", "529.982.247-25", "529.982.247-25"),
    ("cpf", "52998224725", "529.982.247-25"),
    ("cpf", "529.982.247-24", None),
    ("cpf", "111.111.111-11", None),
    ("cpf", "100.000.001-08", "100.000.001-08"),
    ("cpf", "5299822472", None),
]


@pytest.mark.parametrize(("kind", "typed", "kept"), CASES)
def test_an_answer_is_read_into_one_form(kind: str, typed: str, kept: str | None) -> None:
    assert READERS[kind](typed, "pt-BR") == kept


def test_numbers_are_read_as_the_language_writes_them() -> None:
    assert READERS["number"]("1,500.5", "en") == "1500.5"
    assert READERS["number"]("1.500,5", "en") is None


@given(st.sampled_from(sorted(READERS)), st.text(max_size=300), st.sampled_from(["pt-BR", "en"]))
def test_whatever_is_typed_is_read_or_refused(kind: str, typed: str, language: str) -> None:
    kept = READERS[kind](typed, language)
    assert kept is None or 0 < len(kept) <= len(LONGEST[kind])


@given(st.sampled_from(["number", "email", "phone", "cpf"]), st.text(alphabet="0123456789.,-+()@ abc", max_size=20))
def test_what_is_kept_is_read_as_itself(kind: str, typed: str) -> None:
    kept = READERS[kind](typed, "en")
    assert kept is None or READERS[kind](kept, "en") == kept
