from __future__ import annotations

import json
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.check import check
from grimbots.services.funnels.definitions import list_rules
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.kinds import find_kinds
from grimbots.services.funnels.problems import MESSAGES
from grimbots.tests.services.funnels.samples import FILES, FUNNEL, PNG, make_funnel

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"


def find(definition: Any, files: dict[str, bytes] = FILES) -> list[tuple[str, str]]:
    """Check, and give the places of what was found."""
    return [(problem.step, problem.field) for problem in check(definition, files)]


def add_steps(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    funnel = make_funnel(**changes)
    funnel["steps"] += steps
    return funnel


def test_check_finds_nothing_in_a_whole_funnel() -> None:
    assert check(FUNNEL, FILES) == []


@pytest.mark.parametrize("name", ["demo", "consultoria", "completo"])
def test_check_finds_nothing_in_the_examples(name: str) -> None:
    assert check(*read_files(DEMO / f"{name}.json")) == []


BUTTON = {"text": "a", "next": "offer"}


def become(kind: str, **fields: Any) -> dict[str, Any]:
    """Make the funnel with another kind of step in place of `bye`, which leads on to `after`."""
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": kind, "next": "after", **fields}
    return funnel


def ask(**fields: Any) -> dict[str, Any]:
    return become("question", **{"text": "?", "variable": "v", **fields})


def decide(*cases: dict[str, Any]) -> dict[str, Any]:
    return become("condition", cases=list(cases))


CASE = {"tag": "x", "next": "after"}
CHOICE = {"answer": "choice", "options": [{"text": "a"}]}
OFFER = {"kind": "offer", "product": "x", "price_cents": 1, "text": "x", "accept": {"text": "x", "next": "charge"}}
SUBSCRIPTION = {"kind": "subscription", "group": -5, "days": 30, "renew": "offer"}
COUPON = {"code": "BACK", "percent": 10}
LATER = {"after_minutes": 5, "next": "bye"}
LATER_MINUTES, REMINDER_MINUTES = ("offer", "downsells[0].after_minutes"), ("charge", "reminders[0].after_minutes")
REMINDER_TEXT = ("charge", "reminders[0].text")
PICK_UNPRICED = {"id": "pick", "kind": "pick", "product": "x", "next": "charge"}
HOP = {"id": "hop", "kind": "jump", "to": "pick"}
PICK = {**PICK_UNPRICED, "price_cents": 1}


def discount(value: Any) -> dict[str, Any]:
    """Make the funnel with a bump that has no price but this discount."""
    funnel = make_funnel(bump={"discount": value})
    funnel["steps"][2].pop("price_cents")
    return funnel


def with_coupons(*coupons: Any) -> dict[str, Any]:
    return {**make_funnel(), "coupons": list(coupons)}


def upsell(of: str) -> dict[str, Any]:
    return {"after_minutes": 0, "next": "offer", "of": of}


CASES: list[tuple[str, Any, tuple[str, str]]] = [
    ("not_object", [], ("", "")),
    ("not_object", {**FUNNEL, "steps": ["x"]}, ("", "steps[0]")),
    ("not_list", {**FUNNEL, "steps": {}}, ("", "steps")),
    ("no_steps", {**FUNNEL, "steps": []}, ("", "steps")),
    ("missing", {"language": "en", "steps": FUNNEL["steps"]}, ("", "name")),
    ("missing", add_steps({"kind": "message"}), ("", "steps[7].id")),
    ("missing", make_funnel(offer={"product": ""}), ("offer", "product")),
    ("missing", make_funnel(offer={"accept": {"next": "bump"}}), ("offer", "accept.text")),
    ("missing", make_funnel(offer={"accept": {"text": "x"}}), ("offer", "accept.next")),
    ("unknown_field", {**FUNNEL, "colour": "red"}, ("", "colour")),
    ("unknown_field", make_funnel(bump={"prise_cents": 1}), ("bump", "prise_cents")),
    ("unknown_field", make_funnel(charge={"texts": {"hello": "x"}}), ("charge", "texts.hello")),
    ("unknown_kind", make_funnel(bye={"kind": "video"}), ("bye", "kind")),
    ("unknown_language", {**FUNNEL, "language": "fr"}, ("", "language")),
    ("bad_id", add_steps({"id": "a:b", "kind": "message", "text": "x"}), ("", "steps[7].id")),
    ("duplicate_id", add_steps({"id": "bye", "kind": "message", "text": "x"}), ("bye", "id")),
    ("not_text", make_funnel(bye={"text": 5}), ("bye", "text")),
    ("not_text", make_funnel(welcome={"buttons": [{**BUTTON, "text": None}]}), ("welcome", "buttons[0].text")),
    ("bad_text", make_funnel(bye={"text": "a\x00b"}), ("bye", "text")),
    ("bad_text", make_funnel(bye={"text": "a\ud83d"}), ("bye", "text")),
    ("not_whole", make_funnel(offer={"price_cents": "1990"}), ("offer", "price_cents")),
    ("not_whole", make_funnel(offer={"price_cents": True}), ("offer", "price_cents")),
    ("bad_group", make_funnel(delivery={"gives": {"kind": "invite", "group": 5}}), ("delivery", "gives.group")),
    ("bad_days", make_funnel(delivery={"gives": {**SUBSCRIPTION, "days": 0}}), ("delivery", "gives.days")),
    (
        "too_many_days",
        make_funnel(delivery={"gives": {**SUBSCRIPTION, "remind_days": [1] * 6}}),
        ("delivery", "gives.remind_days"),
    ),
    ("unknown_word", make_funnel(delivery={"gives": {**SUBSCRIPTION, "by": "mail"}}), ("delivery", "gives.by")),
    ("not_switch", make_funnel(delivery={"protect_content": "yes"}), ("delivery", "protect_content")),
    ("unknown_target", {**FUNNEL, "start": "nowhere"}, ("", "start")),
    ("unknown_target", make_funnel(bump={"next": "nowhere"}), ("bump", "next")),
    ("unknown_target", make_funnel(offer={"decline": {"text": "x", "next": "?"}}), ("offer", "decline.next")),
    ("unreachable", add_steps({"id": "island", "kind": "message", "text": "x"}), ("island", "")),
    ("endless", make_funnel(after={"next": "bye"}), ("after", "next")),
    ("endless", make_funnel(after={"next": "after"}), ("after", "next")),
    ("charge_without_delivery", make_funnel(charge={"next": "after"}), ("charge", "next")),
    (
        "charge_without_delivery",
        make_funnel(charge={"next": "bye"}, bye={"buttons": [{"text": "x", "next": "delivery"}], "next": ""}),
        ("charge", "next"),
    ),
    ("charge_without_offer", make_funnel(welcome={"buttons": [{"text": "x", "next": "charge"}]}), ("charge", "")),
    ("charge_without_offer", make_funnel(delivery={"next": "charge"}), ("charge", "")),
    ("charge_without_offer", make_funnel(offer={"decline": {"text": "x", "next": "bump"}}), ("bump", "")),
    ("free_delivery", make_funnel(welcome={"buttons": [BUTTON, {"text": "x", "next": "delivery"}]}), ("delivery", "")),
    ("free_delivery", {**FUNNEL, "start": "delivery"}, ("delivery", "")),
    ("text_too_long", make_funnel(bye={"text": "😀" * 2049}), ("bye", "text")),
    ("text_too_long", make_funnel(bye={"text": "Oi {{first_name}}" * 33}), ("bye", "text")),
    ("caption_too_long", make_funnel(welcome={"text": "😀" * 513}), ("welcome", "text")),
    ("caption_too_long", make_funnel(charge={"texts": {"qr": "x" * 1025}}), ("charge", "texts.qr")),
    ("text_empty", make_funnel(bye={"text": "{{last_name}}"}), ("bye", "text")),
    ("text_empty", make_funnel(bye={"text": "<b> </b>"}), ("bye", "text")),
    (
        "text_empty",
        make_funnel(welcome={"buttons": [{**BUTTON, "text": "{{last_name}}"}]}),
        ("welcome", "buttons[0].text"),
    ),
    ("text_empty", make_funnel(bump={"accept": " "}), ("bump", "accept")),
    ("tag_unknown", make_funnel(bye={"text": "<p>x</p>"}), ("bye", "text")),
    ("tag_unclosed", make_funnel(bye={"text": "<b>x"}), ("bye", "text")),
    ("tag_crossed", make_funnel(offer={"text": "x</b>"}), ("offer", "text")),
    ("stray_sign", make_funnel(charge={"texts": {"expired": "1 < 2"}}), ("charge", "texts.expired")),
    ("too_many_buttons", make_funnel(welcome={"buttons": [BUTTON] * 101}), ("welcome", "buttons")),
    ("missing", make_funnel(welcome={"buttons": [{"text": " ", "next": "offer"}]}), ("welcome", "buttons[0].text")),
    ("button_without_action", make_funnel(welcome={"buttons": [BUTTON, {"text": "x"}]}), ("welcome", "buttons[1]")),
    (
        "button_without_action",
        make_funnel(welcome={"buttons": [{**BUTTON, "url": "https://example.com"}]}),
        ("welcome", "buttons[0]"),
    ),
    ("address_unshown", make_funnel(bye={"video_note": "https://example.com/a.mp4"}), ("bye", "video_note")),
    ("bad_url", make_funnel(bye={"photo": "https://exemplo"}), ("bye", "photo")),
    ("bad_seconds", make_funnel(bye={"kind": "delay", "seconds": 601, "next": "after"}), ("bye", "seconds")),
    ("two_prices", make_funnel(bump={"discount": {"percent": 5, "of": "offer"}}), ("bump", "discount")),
    ("missing", discount({"percent": 5}), ("bump", "discount.of")),
    ("not_whole", discount({"percent": "5", "of": "offer"}), ("bump", "discount.percent")),
    ("not_text", discount({"percent": 5, "of": 5}), ("bump", "discount.of")),
    ("not_object", discount([1]), ("bump", "discount")),
    ("unknown_field", discount({"percent": 5, "of": "offer", "from": 1}), ("bump", "discount.from")),
    ("bad_percent", discount({"percent": 100, "of": "offer"}), ("bump", "discount.percent")),
    ("unknown_offer", discount({"percent": 5, "of": "bye"}), ("bump", "discount.of")),
    ("discount_of_discount", discount({"percent": 5, "of": "bump"}), ("bump", "discount.of")),
    ("too_many_coupons", with_coupons(*[{}] * 101), ("", "coupons")),
    ("not_list", {**FUNNEL, "coupons": {}}, ("", "coupons")),
    ("not_object", with_coupons("A"), ("", "coupons[0]")),
    ("unknown_field", with_coupons({**COUPON, "codigo": "x"}), ("", "coupons[0].codigo")),
    ("coupon_worth", with_coupons({**COUPON, "amount_cents": 5}), ("", "coupons[0]")),
    ("coupon_worth", with_coupons({"code": "BACK"}), ("", "coupons[0]")),
    ("coupon_twice", with_coupons(COUPON, {**COUPON, "code": "back"}), ("", "coupons[1].code")),
    ("bad_coupon", with_coupons({**COUPON, "code": "ÀS 10"}), ("", "coupons[0].code")),
    ("bad_day", with_coupons({**COUPON, "until": "31/12/2026"}), ("", "coupons[0].until")),
    ("bad_count", with_coupons({**COUPON, "uses": 0}), ("", "coupons[0].uses")),
    ("bad_percent", with_coupons({**COUPON, "percent": 0}), ("", "coupons[0].percent")),
    ("coupon_too_big", with_coupons({"code": "BACK", "amount_cents": 1941}), ("", "coupons[0].amount_cents")),
    ("coupon_too_big", with_coupons({"code": "BACK", "percent": 98}), ("", "coupons[0].percent")),
    ("discount_too_big", discount({"percent": 98, "of": "offer"}), ("bump", "discount.percent")),
    ("no_coupons", become("coupon", text="?"), ("bye", "")),
    ("not_list", make_funnel(offer={"downsells": {}}), ("offer", "downsells")),
    ("not_object", make_funnel(offer={"downsells": ["bye"]}), ("offer", "downsells[0]")),
    ("missing", make_funnel(offer={"downsells": [{"next": "bye"}]}), ("offer", "downsells[0].after_minutes")),
    ("missing", make_funnel(offer={"downsells": [{"after_minutes": 5}]}), ("offer", "downsells[0].next")),
    ("bad_minutes", make_funnel(offer={"downsells": [{**LATER, "after_minutes": 0}]}), LATER_MINUTES),
    ("unknown_field", make_funnel(welcome={"downsells": [{**LATER, "of": "offer"}]}), ("welcome", "downsells[0].of")),
    ("unknown_target", make_funnel(welcome={"downsells": [{**LATER, "next": "?"}]}), ("welcome", "downsells[0].next")),
    ("too_many_nudges", make_funnel(charge={"upsells": [LATER] * 21}), ("charge", "upsells")),
    ("reminder_too_late", make_funnel(charge={"reminders": [{"after_minutes": 30}]}), REMINDER_MINUTES),
    ("tag_unclosed", make_funnel(charge={"reminders": [{"after_minutes": 3, "text": "<b>"}]}), REMINDER_TEXT),
    ("upsell_of_itself", make_funnel(charge={"upsells": [upsell("offer")]}), ("charge", "upsells[0].next")),
    ("unknown_offer", make_funnel(charge={"upsells": [upsell("welcome")]}), ("charge", "upsells[0].of")),
    ("unknown_offer", decide({"last_bought": "bye", "next": "after"}), ("bye", "cases[0].last_bought")),
    ("charge_without_offer", make_funnel(charge={"upsells": [{**LATER, "next": "bump"}]}), ("bump", "")),
    ("free_delivery", make_funnel(offer={"downsells": [{**LATER, "next": "delivery"}]}), ("delivery", "")),
    ("offer_without_charge", add_steps({**PICK, "next": "after"}, bye={"next": "pick"}), ("pick", "next")),
    ("endless", add_steps(HOP, {**PICK, "next": "hop"}, bye={"next": "hop"}), ("hop", "next")),
    ("missing", add_steps(PICK_UNPRICED, bye={"next": "pick"}), ("pick", "price_cents")),
    ("callback_too_long", add_steps({"id": "ç" * 21, **OFFER}, bye={"next": "ç" * 21}), ("ç" * 21, "id")),
    ("next_with_buttons", make_funnel(welcome={"next": "bye"}), ("welcome", "next")),
    ("bad_url", make_funnel(delivery={"link": {"text": "x", "url": "javascript:alert(1)"}}), ("delivery", "link.url")),
    ("bad_url", make_funnel(delivery={"link": {"text": "x", "url": "https://localhost"}}), ("delivery", "link.url")),
    ("bad_url", make_funnel(delivery={"link": {"text": "x", "url": "https://a.b/ c"}}), ("delivery", "link.url")),
    ("unknown_zone", {**FUNNEL, "time_zone": "Mars"}, ("", "time_zone")),
    ("unknown_word", ask(answer="telepathy"), ("bye", "answer")),
    ("unknown_word", become("delay", weekdays=["mon", "someday"]), ("bye", "weekdays[1]")),
    ("bad_name", ask(variable="a b"), ("bye", "variable")),
    ("reserved_name", ask(variable="first_name"), ("bye", "variable")),
    ("bad_tag", become("tag", add=["ok", "<b>"]), ("bye", "add[1]")),
    ("too_many_tags", become("tag", add=["x"] * 21), ("bye", "add")),
    ("no_tags", become("tag"), ("bye", "add")),
    ("tag_both_ways", become("tag", add=["x"], remove=["x"]), ("bye", "remove")),
    ("bad_clock", become("delay", at="25:00"), ("bye", "at")),
    ("no_delay", become("delay"), ("bye", "minutes")),
    ("bad_address", become("webhook", url="http://example.com"), ("bye", "url")),
    ("bad_address", become("webhook", url="https://localhost"), ("bye", "url")),
    (
        "too_many_values",
        become("webhook", url="https://example.com", values={str(n): "x" for n in range(51)}),
        ("bye", "values"),
    ),
    ("bad_bound", ask(answer="number", least=10**10), ("bye", "least")),
    ("bad_count", ask(tries=11, failed="after"), ("bye", "tries")),
    ("option_twice", ask(answer="choice", options=[{"text": "a"}, {"text": "b", "value": "a"}]), ("bye", "options[1]")),
    ("choice_without_options", ask(answer="choice"), ("bye", "options")),
    ("options_without_choice", ask(options=[{"text": "a"}]), ("bye", "options")),
    ("bound_without_number", ask(most=1), ("bye", "most")),
    ("bounds_crossed", ask(answer="number", least=2, most=1), ("bye", "most")),
    ("tries_without_way", ask(tries=2), ("bye", "failed")),
    ("tries_without_way", ask(failed="after"), ("bye", "tries")),
    ("timeout_without_way", ask(timeout_minutes=2), ("bye", "timeout")),
    ("timeout_without_way", ask(timeout="after"), ("bye", "timeout_minutes")),
    ("zone_options", ask(variable="time_zone", **CHOICE), ("bye", "options")),
    ("case_subject", decide({**CASE, "variable": "v"}), ("bye", "cases[0]")),
    ("case_subject", decide({"next": "after"}), ("bye", "cases[0]")),
    ("missing", decide({"tag": "x"}), ("bye", "cases[0].next")),
    ("case_comparison", decide({**CASE, "is": "y"}), ("bye", "cases[0].is")),
    ("case_twice", decide(CASE, {**CASE, "next": "offer"}), ("bye", "cases[1]")),
    ("too_many_cases", decide(*[{**CASE, "tag": f"x{n}"} for n in range(51)]), ("bye", "cases")),
    ("bad_hours", decide({"hours": ["08:00"], "next": "after"}), ("bye", "cases[0].hours")),
    ("bad_clock", decide({"hours": ["08:00", "x"], "next": "after"}), ("bye", "cases[0].hours")),
    ("unknown_target", decide({**CASE, "next": "nowhere"}), ("bye", "cases[0].next")),
    ("unknown_offer", decide({"bought": "bye", "next": "after"}), ("bye", "cases[0].bought")),
    ("unknown_variable", make_funnel(bye={"text": "Oi {{nome}}"}), ("bye", "text")),
    ("unknown_variable", decide({"variable": "nome", "next": "after"}), ("bye", "cases[0].variable")),
    (
        "unasked_variable",
        add_steps(
            {"id": "ask", "kind": "question", "text": "?", "variable": "v", "next": "after"},
            after={"text": "{{v}}"},
            welcome={"buttons": [BUTTON, {"text": "x", "next": "ask"}]},
        ),
        ("after", "text"),
    ),
    ("endless", decide({**CASE, "next": "bye"}), ("bye", "next")),
    ("endless_drip", become("delay", minutes=1, next="bye"), ("bye", "next")),
    ("offer_without_charge", make_funnel(bump={"next": "after"}), ("offer", "accept.next")),
    ("free_delivery", become("delay", minutes=1, next="delivery"), ("delivery", "")),
    (
        "charge_without_delivery",
        add_steps(
            {"id": "sort", "kind": "condition", "cases": [{**CASE, "next": "delivery"}], "next": "after"},
            charge={"next": "sort"},
        ),
        ("charge", "next"),
    ),
    ("bad_price", make_funnel(offer={"price_cents": 0}), ("offer", "price_cents")),
    ("bad_price", make_funnel(bump={"price_cents": -1}), ("bump", "price_cents")),
    ("bad_rate", make_funnel(charge={"kind": "stars", "cents_per_star": 0}), ("charge", "cents_per_star")),
    ("bad_minutes", make_funnel(charge={"expires_in_minutes": 0}), ("charge", "expires_in_minutes")),
    ("code_missing", make_funnel(charge={"texts": {"code": "Pague!"}}), ("charge", "texts.code")),
    ("nothing_said", make_funnel(bye={"text": ""}), ("bye", "text")),
    ("file_missing", make_funnel(welcome={"photo": "other.png"}), ("welcome", "photo")),
    ("file_missing", make_funnel(bump={"voice": "other.ogg"}), ("bump", "voice")),
    ("file_missing", make_funnel(bye={"album": [{"photo": "welcome.png"}, {"video": "x"}]}), ("bye", "album[1]")),
    ("file_name", make_funnel(welcome={"photo": "../welcome.png"}), ("welcome", "photo")),
    ("file_name", make_funnel(bye={"document": "a\nb.pdf"}), ("bye", "document")),
    ("file_kind", make_funnel(bye={"video": "welcome.png"}), ("bye", "video")),
    ("file_kind", make_funnel(delivery={"audio": "welcome.png"}), ("delivery", "audio")),
    ("two_media", make_funnel(welcome={"document": "welcome.png"}), ("welcome", "document")),
    ("two_media", make_funnel(welcome={"album": [{"photo": "welcome.png"}] * 2}), ("welcome", "album")),
    ("album_size", make_funnel(bye={"album": [{"photo": "welcome.png"}]}), ("bye", "album")),
    ("album_size", make_funnel(bye={"album": [{"photo": "welcome.png"}] * 11}), ("bye", "album")),
    ("album_item", make_funnel(bye={"album": [{"photo": "welcome.png"}, {}]}), ("bye", "album[1]")),
    ("unknown_field", make_funnel(bye={"album": [{"voice": "x"}] * 2}), ("bye", "album[0].voice")),
    ("album_mixed", make_funnel(bye={"album": [{"photo": "welcome.png"}, {"document": "x"}]}), ("bye", "album")),
    (
        "album_without_text",
        make_funnel(welcome={"photo": "", "text": "", "album": [{"photo": "welcome.png"}] * 2}),
        ("welcome", "text"),
    ),
    ("caption_too_long", make_funnel(bye={"text": "x" * 1025, "document": "welcome.png"}), ("bye", "text")),
    (
        "caption_too_long",
        make_funnel(bye={"text": "x" * 1025, "album": [{"photo": "welcome.png"}] * 2}),
        ("bye", "text"),
    ),
]


@pytest.mark.parametrize(("code", "definition", "place"), CASES)
def test_check_names_the_place_and_the_rule(code: str, definition: Any, place: tuple[str, str]) -> None:
    found = {(problem.step, problem.field): problem.message for problem in check(definition, FILES)}
    assert place in found
    assert found[place].startswith(MESSAGES[code][0].partition("{")[0])


@pytest.mark.parametrize(
    "definition", [with_coupons({"code": "BACK", "amount_cents": 1940}), discount({"percent": 97, "of": "offer"})]
)
def test_check_takes_what_leaves_a_price_that_can_be_charged(definition: Any) -> None:
    assert check(definition, FILES) == []


def test_check_wants_a_delivery_to_hold_something() -> None:
    funnel = make_funnel(delivery={"text": ""})
    next(step for step in funnel["steps"] if step["id"] == "delivery").pop("link")
    assert find(funnel) == [("delivery", "text")]


def make_png(width: int, height: int) -> bytes:
    """Make the beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"GIF89a", "file_kind"),
        (b"", "file_empty"),
        (PNG + bytes(10_000_000), "file_too_big"),
        (make_png(6000, 4001), "photo_shape"),
        (make_png(2001, 100), "photo_shape"),
        (make_png(0, 5), "photo_shape"),
    ],
)
def test_check_refuses_pictures_telegram_refuses(content: bytes, code: str) -> None:
    (problem,) = check(FUNNEL, {"welcome.png": content})
    assert problem.field == "photo"
    assert problem.message.startswith(MESSAGES[code][0].partition("{")[0])


@pytest.mark.parametrize("content", [make_png(6000, 4000), make_png(2000, 100), PNG])
def test_check_takes_pictures_telegram_takes(content: bytes) -> None:
    assert check(FUNNEL, {"welcome.png": content}) == []


MP4, OPUS = b"\0\0\0\x18ftypisom", b"OggS" + bytes(24) + b"OpusHead"
MEDIA = [
    ("video", MP4, True),
    ("video", b"\0\0\0\x18ftypqt  ", False),
    ("video", b"\x1aE\xdf\xa3", False),
    ("animation", MP4, True),
    ("animation", b"GIF89a", True),
    ("animation", PNG, False),
    ("voice", OPUS, True),
    ("voice", b"OggS" + bytes(24) + b"\x01vorbis", False),
    ("voice", b"ID3\x04", True),
    ("audio", b"\xff\xfb\x90", True),
    ("audio", b"\0\0\0\x18ftypM4A ", True),
    ("audio", MP4, False),
    ("audio", OPUS, False),
    ("document", b"%PDF-1.7", True),
    ("document", b"anything", True),
]


@pytest.mark.parametrize(("kind", "content", "is_fine"), MEDIA)
def test_check_looks_at_the_content_not_at_the_name(kind: str, content: bytes, is_fine: bool) -> None:
    found = check(make_funnel(bye={kind: "file.mp4"}), {**FILES, "file.mp4": content})
    assert [(problem.step, problem.field) for problem in found] == ([] if is_fine else [("bye", kind)])


def test_check_measures_a_file_without_reading_it(tmp_path: Path) -> None:
    big = tmp_path / "course.zip"
    with big.open("wb") as file:
        file.truncate(50_000_001)
    (problem,) = check(make_funnel(bye={"document": "course.zip"}), {**FILES, "course.zip": big})
    assert "50 MB" in problem.message


def test_check_adds_up_the_files_of_an_album(tmp_path: Path) -> None:
    files: dict[str, bytes | Path] = {**FILES}
    for name in ("a", "b"):
        files[name] = tmp_path / name
        with (tmp_path / name).open("wb") as file:
            file.truncate(25_000_001)
    (problem,) = check(make_funnel(bye={"album": [{"document": "a"}, {"document": "b"}]}), files)
    assert (problem.field, "50 MB" in problem.message) == ("album", True)


def test_check_takes_albums_of_each_family() -> None:
    files = {**FILES, "v.mp4": MP4, "a.mp3": b"ID3"}
    for items in (
        [{"photo": "welcome.png"}, {"video": "v.mp4"}],
        [{"audio": "a.mp3"}] * 2,
        [{"document": "v.mp4"}] * 10,
    ):
        assert check(make_funnel(bye={"album": items}), files) == []


def test_check_takes_a_delivery_that_is_only_a_file() -> None:
    funnel = make_funnel(delivery={"text": "", "document": "welcome.png"})
    next(step for step in funnel["steps"] if step["id"] == "delivery").pop("link")
    assert check(funnel, FILES) == []


def test_check_covers_every_message_with_a_bad_funnel() -> None:
    elsewhere = {"nothing_delivered", "file_empty", "file_too_big", "photo_shape", "album_too_big"}
    elsewhere |= {"payer_unasked"}  # of an account's gateways: tests/services/test_payers.py
    assert {code for code, _, _ in CASES} | elsewhere == set(MESSAGES)


@pytest.mark.parametrize("size", [0, 1])
def test_check_holds_texts_to_the_last_unit(size: int) -> None:
    assert len(check(make_funnel(bye={"text": "😀" * 2048 + "x" * size}), FILES)) == size


@pytest.mark.parametrize(("length", "problems"), [(42, 0), (43, 1)])
def test_check_holds_callback_data_to_64_bytes(length: int, problems: int) -> None:
    step = "x" * length
    funnel = make_funnel(charge={"id": step}, bump={"next": step})
    assert len(check(funnel, FILES)) == problems


def test_check_speaks_english_when_asked() -> None:
    (problem,) = check(make_funnel(offer={"price_cents": 0}), FILES, "en")
    assert str(problem) == "offer.price_cents: the price is in cents, from 1 to 100000000 (1990 is R$ 19.90)"


def test_check_names_every_mistake_at_once() -> None:
    funnel = make_funnel(offer={"price_cents": 0, "text": ""}, bye={"text": "<b>"}, bump={"next": 5})
    assert find(funnel) == [("offer", "price_cents"), ("offer", "text"), ("bump", "next"), ("bye", "text")]


def test_messages_take_the_same_facts_in_both_languages() -> None:
    for portuguese, english in MESSAGES.values():
        assert list_facts(portuguese) == list_facts(english)


def list_facts(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


FIELDS = st.sampled_from(["id", "kind", "text", "buttons", "next", "price_cents", "texts", "link", "accept"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON, step=st.integers(0, 6), field=FIELDS)
def test_check_raises_nothing_whatever_stands_in_a_field(value: Any, step: int, field: str) -> None:
    funnel = make_funnel()
    funnel["steps"][step][field] = value
    check(funnel, FILES)


@given(JSON)
def test_check_raises_nothing_whatever_the_file_holds(definition: Any) -> None:
    assert check(definition, {}) != []


def test_read_files_takes_only_pictures_beside_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "funnel"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "welcome.png").write_bytes(PNG)
    (folder / "funnel.json").write_text(json.dumps(make_funnel(offer={"photo": "../secret.png"})))
    assert read_files(folder / "funnel.json")[1] == {"welcome.png": folder / "welcome.png"}


DOCS = Path(__file__).parents[3] / "docs" / "funnels.md"


def test_the_documented_example_has_no_mistake() -> None:
    example = DOCS.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    assert check(json.loads(example), FILES) == []


@pytest.mark.parametrize("kind", sorted(find_kinds()))
def test_every_field_of_a_kind_is_documented(kind: str) -> None:
    section = DOCS.read_text(encoding="utf-8").partition(f"\n## {kind}: ")[2].partition("\n## ")[0]
    assert [name for name, _ in list_rules(find_kinds()[kind]) if f"`{name}`" not in section] == []
