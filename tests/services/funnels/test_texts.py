from __future__ import annotations

import pytest

from grimbots.services.funnels.texts import count_units, format_duration, format_money, render_html, render_plain


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("Oi, {{first_name}}!", "Oi, Ana!"),
        ("Oi, {{ first_name | amigo }}!", "Oi, Ana!"),
        ("Oi, {{last_name|amigo}}!", "Oi, amigo!"),
        ("Oi, {{nobody|amigo}}!", "Oi, amigo!"),
        ("Oi{{nobody}}!", "Oi!"),
        ("{{blank|amigo}}", "amigo"),
        ("{{evil}}", "&lt;b&gt; &amp; {{first_name}}"),
        ("{{nobody|a <b}}", "a &lt;b"),
        ("{{}} {{a b}} {first_name}", "{{}} {{a b}} {first_name}"),
    ],
)
def test_render_html_fills_in_variables(template: str, rendered: str) -> None:
    variables = {"first_name": "Ana", "last_name": "", "blank": "  ", "evil": "<b> & {{first_name}}"}
    assert render_html(template, variables) == rendered


def test_render_plain_does_not_escape() -> None:
    assert render_plain("{{name}}", {"name": "a < b & c"}) == "a < b & c"


@pytest.mark.parametrize(
    ("cents", "portuguese", "english"),
    [
        (1990, "R$ 19,90", "R$ 19.90"),
        (5, "R$ 0,05", "R$ 0.05"),
        (123456789, "R$ 1.234.567,89", "R$ 1,234,567.89"),
    ],
)
def test_format_money_follows_the_language(cents: int, portuguese: str, english: str) -> None:
    assert (format_money(cents, "pt-BR"), format_money(cents, "en")) == (portuguese, english)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1800, "30 minutos"),
        (1795, "30 minutos"),
        (10, "1 minuto"),
        (-5, "1 minuto"),
        (3600, "1 hora"),
        (5400, "90 minutos"),
        (172800, "2 dias"),
    ],
)
def test_format_duration_uses_the_largest_whole_unit(seconds: float, words: str) -> None:
    assert format_duration(seconds, "pt-BR") == words


def test_count_units_counts_an_emoji_twice() -> None:
    assert count_units("aé😀") == 4
