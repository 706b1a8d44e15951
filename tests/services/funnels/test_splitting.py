"""The splitter: every part within its limit and well-formed, nothing lost, nothing cut in two; judged by the sandbox's
own reader of Telegram's HTML, which shares no line with it.
"""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.markup import read_plain
from grimbots.services.funnels.splitting import is_blank, measure, split
from grimbots.services.funnels.texts import count_units
from grimbots.services.sandbox.markup import parse_html

SIGNS = st.text(alphabet="ab \n&<>\"'é😀👨\u200d👩", max_size=30).map(escape)
WRAPS = st.sampled_from(
    [
        "<b>{}</b>",
        "<i>{}</i>",
        '<a href="https://example.com/?a=1&amp;b=2">{}</a>',
        "<blockquote expandable>{}</blockquote>",
        '<pre><code class="language-python">{}</code></pre>',
        "{}",
    ]
)
HTML = st.recursive(
    SIGNS,
    lambda inner: st.lists(st.builds(str.format, WRAPS, inner), max_size=4).map("".join),
    max_leaves=20,
)
LIMITS = st.integers(4, 60)


@given(HTML, LIMITS)
def test_parts_keep_the_limit_and_are_well_formed(html: str, limit: int) -> None:
    for part in split(html, limit):
        assert count_units(read_plain(part)) <= limit
        parse_html(part)  # refuses what Telegram refuses


@given(HTML, LIMITS)
def test_parts_together_are_the_whole_text(html: str, limit: int) -> None:
    parts = split(html, limit)
    assert "".join(map(read_plain, parts)) == read_plain(html)
    "".join(parts).encode()  # no half of a pair: it could not be


@given(HTML, LIMITS)
def test_every_character_keeps_its_formatting(html: str, limit: int) -> None:
    whole = "".join(f"{sign}{sorted(kinds)}" for sign, kinds in read_styles(html))
    assert (
        "".join(f"{sign}{sorted(kinds)}" for part in split(html, limit) for sign, kinds in read_styles(part)) == whole
    )


def read_styles(html: str) -> list[tuple[str, set[str]]]:
    """Give each sign with the kinds of entity it stands in; white space is left out, as Telegram trims it."""
    text, entities = parse_html(html)
    units = text.encode("utf-16-le")
    styled, at = [], 0
    for sign in text:
        inside = {one["type"] for one in entities if one["offset"] <= at < one["offset"] + one["length"]}
        at += count_units(sign)
        if not sign.isspace():
            styled.append((sign, inside))
    assert at * 2 == len(units)
    return styled


@given(HTML)
def test_measure_counts_what_a_reader_sees(html: str) -> None:
    assert measure(html) == count_units(read_plain(html))


@given(st.text(max_size=60), LIMITS)
def test_split_raises_nothing_whatever_stands_there(text: str, limit: int) -> None:
    assert split(text, limit)


@pytest.mark.parametrize("size", [4095, 4096, 4097])
def test_split_to_the_last_unit(size: int) -> None:
    assert len(split("<b>" + "x" * size + "</b>", 4096)) == (2 if size > 4096 else 1)


def test_split_ends_at_a_line_then_at_a_space() -> None:
    assert split("aaaa bbbb\ncc dd", 12) == ["aaaa bbbb\n", "cc dd"]
    assert split("aaaa bbbb cc dd", 12) == ["aaaa bbbb ", "cc dd"]
    assert split("a bbbbbbbbbbbbbb", 12) == ["a bbbbbbbbbb", "bbbb"]


def test_split_closes_and_opens_what_is_open() -> None:
    assert split("<b>aaaa <i>bbbb</i></b>", 6) == ["<b>aaaa </b>", "<b><i>bbbb</i></b>"]


def test_split_cuts_no_pair_and_no_entity() -> None:
    assert split("a" + "😀" * 4, 4) == ["a😀", "😀😀", "😀"]
    assert split("a&amp;&#128512;&lt;", 3) == ["a&amp;", "&#128512;&lt;"]


@pytest.mark.parametrize(("html", "blank"), [("", True), (" \n", True), ("<b> </b>", True), ("<b>x</b>", False)])
def test_is_blank(html: str, blank: bool) -> None:
    assert is_blank(html) is blank
