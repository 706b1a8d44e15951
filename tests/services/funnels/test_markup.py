from __future__ import annotations

import pytest

from grimbots.services.funnels.markup import BadMarkup, read_plain


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<b>a <i>b</i></b> &lt;c&gt; &amp; d", "a b <c> & d"),
        ('<a href="https://example.com/?a=1&amp;b=2">x</a>', "x"),
        ('<span class="tg-spoiler">x</span><tg-spoiler>y</tg-spoiler>', "xy"),
        ('<pre><code class="language-python">x</code></pre>', "x"),
        ("<blockquote expandable>x</blockquote>", "x"),
        ('<tg-emoji emoji-id="53">👍</tg-emoji>', "👍"),
        ("<B>a</B> 2 > 1 & so", "a 2 > 1 & so"),
    ],
)
def test_read_plain_gives_what_a_reader_sees(html: str, plain: str) -> None:
    assert read_plain(html) == plain


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<div>x</div>", "tag_unknown"),
        ("<br>", "tag_unknown"),
        ("<a>x</a>", "tag_unknown"),
        ('<b class="x">x</b>', "tag_unknown"),
        ('<span class="red">x</span>', "tag_unknown"),
        ("<>x", "tag_unknown"),
        ("<b>x", "tag_unclosed"),
        ("x</b>", "tag_crossed"),
        ("<b><i>x</b></i>", "tag_crossed"),
        ("1 < 2", "stray_sign"),
    ],
)
def test_read_plain_refuses_what_telegram_refuses(html: str, code: str) -> None:
    with pytest.raises(BadMarkup) as refused:
        read_plain(html)
    assert refused.value.code == code
