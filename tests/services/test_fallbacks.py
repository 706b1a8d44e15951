"""Simpler forms of a refused message."""

from __future__ import annotations

from grimbots.services.fallbacks import simplify, strip_tags


def test_simplify_gives_up_the_reply_first() -> None:
    body = {"text": "<b>a</b>", "parse_mode": "HTML", "reply_parameters": {"message_id": 1}}
    assert simplify(body) == {"text": "<b>a</b>", "parse_mode": "HTML"}


def test_simplify_gives_up_the_formatting_of_texts_and_captions() -> None:
    assert simplify({"caption": "<i>a</i>", "photo": "x", "parse_mode": "HTML"}) == {"caption": "a", "photo": "x"}


def test_simplify_leaves_the_given_body_alone() -> None:
    body = {"text": "<b>a</b>", "parse_mode": "HTML"}
    simplify(body)
    assert body == {"text": "<b>a</b>", "parse_mode": "HTML"}


def test_simplify_of_a_plain_body_is_none() -> None:
    assert simplify({"text": "<b>a</b>"}) is None


def test_strip_tags_keeps_addresses_and_signs() -> None:
    text = 'Seu acesso: <a href="https://t.me/+abc?a=1&amp;b=2">entrar <b>aqui</b></a>, 2 < 3 &amp; <code>x</code>'
    assert strip_tags(text) == "Seu acesso: entrar aqui https://t.me/+abc?a=1&b=2, 2 < 3 & x"
