"""The words: both tables say the same things with the same values; all are used, and none that is used is missing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from grimbots.handlers.admin import base
from grimbots.handlers.admin.formats import show_instant, show_money, show_span
from grimbots.handlers.admin.texts import Texts, choose_language
from grimbots.handlers.admin.texts_english import ENGLISH
from grimbots.handlers.admin.texts_portuguese import PORTUGUESE

FOLDER = Path(base.__file__).parent
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted([*FOLDER.glob("*.py"), *FOLDER.glob("templates/*.html")])
    if not path.name.startswith("texts_")
)
# Texts whose second word the program chooses: say("said." + said), name("state", ...).
KINDS = set(re.findall(r"""(?:say\(["'](\w+)\.["'] \+|name\(["'](\w+)["'],)""", SOURCES))
FAMILIES = {kind for pair in KINDS for kind in pair if kind}


def test_both_languages_say_the_same_things() -> None:
    assert list(PORTUGUESE) == list(ENGLISH)
    for name, text in PORTUGUESE.items():
        assert list_values(text) == list_values(ENGLISH[name]), name


def list_values(text: str) -> set[str]:
    """List the names of a text's values."""
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def test_every_text_that_is_used_is_there() -> None:
    used = set(re.findall(r"""say\(\s*["']([\w.]+)["'](?! \+)""", SOURCES))
    assert used
    assert used - set(PORTUGUESE) == set()


def test_every_text_is_used() -> None:
    used = set(re.findall(r"""["']([\w.]+)["']""", SOURCES))
    alone = {name for name in PORTUGUESE if name not in used and name.partition(".")[0] not in FAMILIES}
    assert alone == set()


def test_name_of_a_word_nobody_named_is_the_word() -> None:
    assert Texts("pt-BR").name("state", "novel {x}") == "novel {x}"


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "pt-BR"),
        ("en", "pt-BR", "en"),
        ("xx", "en", "en"),
        ("", "fr,en-US;q=0.8", "en"),
        ("", "*", "pt-BR"),
        ("", ";;,,-", "pt-BR"),
    ],
)
def test_choose_language(chosen: str, accepted: str, language: str) -> None:
    assert choose_language(chosen, accepted) == language


@pytest.mark.parametrize(
    ("cents", "language", "text"),
    [
        (123_456, "pt-BR", "R$ 1.234,56"),
        (0, "pt-BR", "R$ 0,00"),
        (-1_990, "pt-BR", "-R$ 19,90"),
        (100_000_000_05, "en", "R$ 100,000,000.05"),
    ],
)
def test_show_money(cents: int, language: str, text: str) -> None:
    assert show_money(cents, language) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_show_instant_in_the_accounts_zone() -> None:
    at = datetime(2026, 3, 3, 2, 30, tzinfo=UTC)
    assert show_instant(at, ZoneInfo("America/Sao_Paulo"), "pt-BR") == "02/03/2026 23:30"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (7300, "2 h"), (900_000, "10 d")]
)
def test_show_span(seconds: float, text: str) -> None:
    assert show_span(seconds) == text.replace(" ", "\N{NO-BREAK SPACE}")
