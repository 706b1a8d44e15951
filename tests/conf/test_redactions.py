"""Redactions: what is secret or a person's is struck out, ordinary words stay, and no text takes long."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.conf.redactions import _RULES, _SUSPECT, HIDDEN, LONGEST_TEXT, scrub, scrub_value
from grimbots.tests.conf.leaks import LEAKS, PIX, TOKEN, Leak

BY_LETTERS = "password of the settings"  # has no shape; tests/conf/test_logs.py hides it by its letters
SHAPED = {name: leak for name, leak in LEAKS.items() if name != BY_LETTERS}


@pytest.mark.parametrize("leak", SHAPED.values(), ids=SHAPED)
def test_scrub_strikes_out(leak: Leak) -> None:
    assert leak.needle in leak.text
    assert leak.needle not in scrub(leak.text)


@pytest.mark.parametrize("leak", SHAPED.values(), ids=SHAPED)
def test_scrub_strikes_out_what_is_quoted_again(leak: Leak) -> None:
    """In a log a text is often the text of a text."""
    assert leak.needle not in scrub(repr(leak.text))
    assert leak.needle not in scrub(json.dumps({"said": json.dumps({"said": leak.text})}))


@pytest.mark.parametrize(
    "text",
    [
        "job u:12:1234567 of chat 55119999 done in 12:30:59",
        "message 12 of bot 3: ok (attempt 1)",
        "serving http://127.0.0.1:8080, jobs of tasks, webhook, gateway",
        "payment 1000017: late: look at its receipts (late, double)",
        "job e:payment:7 (events.apply) failed and will be tried again: ValueError",
        "update 912345678 of chat 7123456789 at 1763740000123",
        'File "/srv/grimbots/services/updates.py", line 120, in _apply',
        "no connection to Postgres became free in 5 s (10 of 10 in use, 0 being opened)",
        "the secret token is missing or wrong",
    ],
)
def test_scrub_leaves_ordinary_words(text: str) -> None:
    assert scrub(text) == text


def test_scrub_leaves_what_stands_around() -> None:
    assert scrub("POST /webhook/payment/sandbox/AbC_123-x/pix") == "POST /webhook/payment/sandbox/<key>/pix"
    assert scrub(f"bot {TOKEN} died") == "bot <token> died"
    assert scrub("postgresql://root:x@db/shop refused") == "postgresql://<login>@db/shop refused"


def test_scrub_cuts_before_a_piece_of_a_secret() -> None:
    """The word at the cut may be half a token, which no rule knows."""
    text = "x " * (LONGEST_TEXT // 2 - 5) + TOKEN
    assert scrub(text).endswith("x …")
    assert TOKEN[:8] not in scrub(text)
    assert "123e4567" not in scrub("x " * (LONGEST_TEXT // 2 - 50) + PIX)


def test_scrub_value_walks_and_goes_by_names() -> None:
    value = {"senha": [1, 2], "told": ({"cpf": 52998224725}, 52998224725, 7), TOKEN: None}
    assert scrub_value(value) == {"senha": HIDDEN, "told": [{"cpf": HIDDEN}, "<cpf>", 7], "<token>": None}


def test_scrub_value_of_a_ring_ends() -> None:
    ring: list[object] = []
    ring.append(ring)
    assert HIDDEN in str(scrub_value(ring))


PIECES = st.sampled_from(
    [
        *(
            "000201",
            "br.gov.bcb.pix",
            "6304",
            "a",
            "A1",
            "1",
            "@",
            ".",
            ":",
            "=",
            '"',
            "'",
            "\\",
            "/",
            "%",
            "+",
            "-",
            " ",
        ),
        *("\n", "password", "token_", "://", "postgres://", "webhook/telegram/", "Cookie: ", "Bearer ", "(11) ", "é"),
        *("-----BEGIN PRIVATE KEY-----", "login/link/"),
    ]
)


@given(st.lists(st.tuples(PIECES, st.integers(1, 400)), max_size=12))
def test_scrub_ends_whatever_it_is_given(pieces: list[tuple[str, int]]) -> None:
    scrubbed = scrub("".join(piece * count for piece, count in pieces)[:LONGEST_TEXT])
    assert len(scrubbed) <= 10 * LONGEST_TEXT


@given(st.lists(PIECES, max_size=30).map("".join))
def test_scrub_looks_closer_wherever_a_rule_would_find_something(text: str) -> None:
    """The first look, which spares most lines the others, overlooks nothing."""
    if _SUSPECT.search(text) is None:
        assert [pattern.pattern for pattern, _ in _RULES if pattern.search(text)] == []
