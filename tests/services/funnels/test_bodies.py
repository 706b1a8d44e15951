"""What is said as Bot API calls: captions, albums, and what is too long for one message."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.bodies import Shown, compose
from grimbots.services.funnels.definitions import read_version
from grimbots.services.funnels.effects import Say
from grimbots.services.funnels.events import Paid, Started
from grimbots.services.funnels.markup import read_plain
from grimbots.tests.services.funnels.samples import NOW, make_funnel, make_walk

ROWS = [{"text": "Sim", "callback_data": "x"}]
KEYBOARD = {"inline_keyboard": [[ROWS[0]]]}
PHOTO, VIDEO = Shown("photo", {"asset": "p"}), Shown("video", {"asset": "v"})
ASSETS = {"a.png": "sha-a", "b.mp4": "sha-b", "c.pdf": "sha-c", "welcome.png": "sha-of-welcome"}


def show(html: str, *media: Shown, rows: Any = ()) -> list[tuple[str, dict[str, Any]]]:
    return [(call.method, dict(call.body)) for call in compose(html, media, rows)]


def test_compose_a_text_with_buttons() -> None:
    assert show("olá", rows=ROWS) == [("sendMessage", {"text": "olá", "parse_mode": "HTML", "reply_markup": KEYBOARD})]


@pytest.mark.parametrize("kind", ["photo", "voice", "audio", "document", "animation"])
def test_compose_each_kind_with_its_caption(kind: str) -> None:
    shown = Shown(kind, {"asset": "s"})
    body = {kind: {"asset": "s"}, "caption": "olá", "parse_mode": "HTML", "reply_markup": KEYBOARD}
    assert show("olá", shown, rows=ROWS) == [(f"send{kind.title()}", body)]


def test_compose_a_round_film_with_its_text_behind_it() -> None:
    note = Shown("video_note", {"asset": "s"})
    assert show("", note, rows=ROWS) == [("sendVideoNote", {"video_note": {"asset": "s"}, "reply_markup": KEYBOARD})]
    assert show("olá", note, rows=ROWS) == [("sendVideoNote", {"video_note": {"asset": "s"}}), *show("olá", rows=ROWS)]


def test_compose_a_film_that_plays_while_it_loads() -> None:
    assert show("", VIDEO) == [("sendVideo", {"video": {"asset": "v"}, "supports_streaming": True})]


def test_compose_an_album_with_its_caption_on_the_first() -> None:
    ((method, body),) = show("olá", PHOTO, VIDEO)
    assert method == "sendMediaGroup"
    assert body["media"] == [
        {"type": "photo", "media": {"asset": "p"}, "caption": "olá", "parse_mode": "HTML"},
        {"type": "video", "media": {"asset": "v"}, "supports_streaming": True},
    ]


def test_compose_an_album_with_buttons_in_the_text_behind_it() -> None:
    (_, album), (method, text) = show("olá", PHOTO, VIDEO, rows=ROWS)
    assert "caption" not in album["media"][0]
    assert (method, text["text"], text["reply_markup"]) == ("sendMessage", "olá", KEYBOARD)


@pytest.mark.parametrize(("size", "methods"), [(1024, ["sendPhoto"]), (1025, ["sendPhoto", "sendMessage"])])
def test_compose_a_caption_too_long_as_a_text(size: int, methods: list[str]) -> None:
    said = show("<b>" + "x" * size + "</b>", PHOTO, rows=ROWS)
    assert [method for method, _ in said] == methods
    assert ["reply_markup" in body for _, body in said] == [False] * (len(said) - 1) + [True]


def test_compose_a_text_too_long_with_buttons_on_the_last() -> None:
    said = show("<i>" + "palavra " * 1100 + "</i>", rows=ROWS)
    assert [("reply_markup" in body, len(body["text"]) <= 4096 + 7) for _, body in said] == [(False, True)] * 2 + [
        (True, True)
    ]


def test_compose_leaves_out_a_part_that_nobody_would_see() -> None:
    said = show("x" * 4096 + "<b>" + " " * 5000 + "</b>")
    assert [read_plain(body["text"]) for _, body in said] == ["x" * 4096]


def say(changes: dict[str, Any], event: Any, **walk: Any) -> list[Say]:
    """Walk a changed funnel by one event and give what is said."""
    version, findings = read_version(make_funnel(**changes), version_id=7, assets=ASSETS)
    assert not findings
    _, effects = advance(version, make_walk(**walk), event, NOW)
    return [effect for effect in effects if isinstance(effect, Say)]


def test_document_carries_the_name_its_reader_sees() -> None:
    (said,) = say({"welcome": {"photo": "", "document": "c.pdf"}}, Started())
    assert (said.method, said.body["document"]) == ("sendDocument", {"asset": "sha-c", "name": "c.pdf"})


def test_album_with_buttons_is_two_effects_of_one_step() -> None:
    said = say({"welcome": {"photo": "", "album": [{"photo": "a.png"}, {"video": "b.mp4"}]}}, Started())
    assert [(one.step, one.method) for one in said] == [("welcome", "sendMediaGroup"), ("welcome", "sendMessage")]


def test_what_was_never_stored_is_left_out() -> None:
    (said,) = say({"welcome": {"photo": "", "album": [{"photo": "a.png"}, {"video": "unknown.mp4"}]}}, Started())
    assert said.method == "sendMessage"


def test_delivery_of_several_messages_is_the_last_one() -> None:
    album = [{"document": "c.pdf"}, {"document": "a.png"}]
    said = say({"delivery": {"album": album}}, Paid(5, "charge"), version_id=7, step="charge")
    handed_over = [one for one in said if one.step == "delivery"]
    assert [(one.method, one.delivery, one.payment_id) for one in handed_over] == [
        ("sendMediaGroup", False, 5),
        ("sendMessage", True, 5),
    ]
    assert all(one.body["protect_content"] for one in handed_over)


def test_name_of_any_length_blows_no_limit() -> None:
    names = {"first_name": "<&>" * 4000, "last_name": "", "username": "", "start_param": ""}
    said = say({}, Started(), variables=names)
    assert [one.method for one in said] == ["sendPhoto", *["sendMessage"] * (len(said) - 1)]
    assert len(said) > 2
