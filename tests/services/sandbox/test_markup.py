"""Telegram's HTML: what it says, and what is refused with the byte it breaks at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.sandbox.markup import find_entities, parse_html, utf16_length
from grimbots.services.sandbox.refusals import Refusal


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("oi", "oi", []),
        ("<b>oi</b>", "oi", [{"type": "bold", "offset": 0, "length": 2}]),
        ("\N{GRINNING FACE}<i>é</i>", "\N{GRINNING FACE}é", [{"type": "italic", "offset": 2, "length": 1}]),
        (
            "<b>a<i>b</i></b>",
            "ab",
            [{"type": "bold", "offset": 0, "length": 2}, {"type": "italic", "offset": 1, "length": 1}],
        ),
        ("&lt;b&gt; &amp;&quot;&#39;&#x41;", "<b> &\"'A", []),
        ("R&D &copy; a & b", "R&D &copy; a & b", []),
        (
            '<a href="https://a.b/?x=1&amp;y">x</a>',
            "x",
            [{"type": "text_link", "offset": 0, "length": 1, "url": "https://a.b/?x=1&y"}],
        ),
        ("<a href='nowhere'>x</a>", "x", []),
        ('<span class="tg-spoiler">x</span>', "x", [{"type": "spoiler", "offset": 0, "length": 1}]),
        ("<blockquote expandable>x</blockquote>", "x", [{"type": "expandable_blockquote", "offset": 0, "length": 1}]),
        (
            '<pre><code class="language-py">x</code></pre>',
            "x",
            [{"type": "pre", "offset": 0, "length": 1, "language": "py"}],
        ),
        ("  <b> x </b>  ", "x", [{"type": "bold", "offset": 0, "length": 1}]),
        ("<B>x</b>", "x", [{"type": "bold", "offset": 0, "length": 1}]),
        ("<b></b>x", "x", []),
    ],
)
def test_parse_reads(source: str, text: str, entities: list[dict[str, Any]]) -> None:
    assert parse_html(source) == (text, entities)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("<x>", 'Unsupported start tag "x" at byte offset 0'),
        ("é<script>", 'Unsupported start tag "script" at byte offset 2'),
        ("a < b > c", 'Unsupported start tag "" at byte offset 2'),
        ("<b>unclosed", 'Can\'t find end tag corresponding to start tag "b"'),
        ("</b>", "Unexpected end tag at byte offset 0"),
        ("<b><i>test</b></i>", 'Unmatched end tag at byte offset 10, expected "</i>", found "</b>"'),
        ("1 <b", "Unclosed start tag at byte offset 2"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_parse_refuses(source: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_html(source)
    assert caught.value.description == f"Bad Request: can't parse entities: {message}"


@given(st.text())
def test_parse_reads_any_escaped_text_as_it_is(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse_html(escaped) == (text.strip(), [])


@given(st.text(alphabet="<>/&;bi =\"'x\N{GRINNING FACE}"))
def test_parse_gives_entities_inside_the_text_or_refuses(source: str) -> None:
    try:
        text, entities = parse_html(source)
    except Refusal:
        return
    assert all(0 <= item["offset"] < item["offset"] + item["length"] <= utf16_length(text) for item in entities)


def test_find_entities_sees_commands_and_addresses() -> None:
    assert find_entities("/start x https://a.b/c.") == [
        {"type": "bot_command", "offset": 0, "length": 6},
        {"type": "url", "offset": 9, "length": 13},
    ]


def test_find_entities_leaves_code_alone() -> None:
    code = {"type": "code", "offset": 0, "length": 11}
    assert find_entities("https://a.b", [code]) == [code]
