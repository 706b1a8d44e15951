"""The calls of a sale: what each kind of step says at every turn of it, and the simpler forms of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from grimbots.services.fallbacks import simplify
from grimbots.services.funnels.effects import Say
from grimbots.services.funnels.events import ChargeFailed, Event, Expired, Nudged, Paid, PaymentPending, Started, Wrote
from grimbots.tests.services.funnels.samples import make_charged, make_funnel, make_version
from grimbots.tests.services.funnels.walkers import Walker

CHAT = 4242
# What may happen to the charge of a sale, one after the other.
TURNS: tuple[tuple[Event, ...], ...] = (
    (PaymentPending(1, "charge"), Paid(1, "charge")),
    (Expired(1, "charge"), Paid(1, "charge")),
)


@dataclass(frozen=True)
class Call:
    """One call: `params` as they leave, `files` the fields uploaded beside them; a `step` of that kind makes it."""

    method: str
    params: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    step: str = "message"


def list_calls() -> list[Call]:
    """Give them all; a kind of step that no sale here comes across is missing: test_calls.py would see it."""
    ways = (_sell, _sell_for_stars, _ask, _redeem)
    said = [one for language in ("pt-BR", "en") for way in ways for one in way(language)]
    return [*said, *(simpler for call in said for simpler in _simplify(call))]


def _sell_for_stars(language: str) -> Iterator[Call]:
    """Walk the sample funnel with a charge in Stars in the place of the one by PIX."""
    funnel = make_funnel()
    in_stars = {"kind": "stars", "expires_in_minutes": 30, "cents_per_star": 8}
    steps = [
        {"id": one["id"], "next": one["next"], **in_stars} if one["kind"] == "charge" else one
        for one in funnel["steps"]
    ]
    yield from _sell(language, {**funnel, "steps": steps}, "https://t.me/$abc")


def _sell(language: str, funnel: dict[str, Any] | None = None, code: str = "00020126") -> Iterator[Call]:
    """Walk the sample funnel in every way a sale can go."""
    definition = funnel or make_funnel()
    version = make_version(definition | {"language": language})
    kinds = {step["id"]: step["kind"] for step in definition["steps"]}
    for turns in TURNS:
        walker = Walker(version)
        walker.tell(Started())
        for step, button in (("welcome", "0"), ("offer", "accept"), ("bump", "accept")):
            walker.tap(step, button)
        walker.tell(ChargeFailed(1, "charge"))
        walker.tell(make_charged(1, code=code, expires_at=walker.now + timedelta(minutes=30)))
        for event in turns:
            walker.tell(event)
        yield from (_call(said, kinds[said.step]) for said in walker.said)


def _ask(language: str) -> Iterator[Call]:
    """Ask for a number, and again after an answer that is none; ask which of two, with buttons."""
    which = [{"text": text, "value": text} for text in ("Azul", "Verde")]
    steps = [
        {"id": "age", "kind": "question", "text": "?", "variable": "age", "answer": "number", "next": "which"},
        {
            "id": "which",
            "kind": "question",
            "text": "?",
            "variable": "which",
            "answer": "choice",
            "options": which,
            "next": "end",
        },
        {"id": "end", "kind": "end"},
    ]
    walker = Walker(make_version({"language": language, "name": "ask", "steps": steps}))
    for event in (Started(), Wrote("velha"), Wrote("33")):
        walker.tell(event)
    yield from (_call(said, "question") for said in walker.said)


def _redeem(language: str) -> Iterator[Call]:
    """Ask for a coupon, and again; remind of the code in both forms; the coupon is used up."""
    funnel = make_funnel(
        bump={"next": "coupon"},
        charge={"reminders": [{"after_minutes": 1}, {"after_minutes": 2, "text": "{{code}}"}]},
    )
    funnel["steps"].append({"id": "coupon", "kind": "coupon", "text": "?", "next": "charge"})
    walker = Walker(make_version({**funnel, "language": language, "coupons": [{"code": "BACK", "percent": 9}]}))
    walker.tell(Started())
    for step, button in (("offer", "accept"), ("bump", "accept")):
        walker.tap(step, button)
    for event in (Wrote("never"), Wrote("back"), make_charged(1, expires_at=walker.now + timedelta(minutes=30))):
        walker.tell(event)
    for event in (Nudged("charge", "reminder", 0, 1), Nudged("charge", "reminder", 1, 1)):
        walker.tell(event)
    walker.tell(ChargeFailed(1, "charge", coupon=True))
    kinds = {"offer": "offer", "bump": "bump", "coupon": "coupon", "charge": "charge"}
    yield from (_call(said, kinds[said.step]) for said in walker.said if said.step in kinds)


def _call(said: Say, kind: str) -> Call:
    files = {name: b"" for name, value in said.body.items() if isinstance(value, dict) and {"asset", "qr"} & {*value}}
    params = {name: value for name, value in said.body.items() if name not in files}
    return Call(said.method, {"chat_id": CHAT, **params}, files, kind)


def _simplify(call: Call) -> Iterator[Call]:
    params: Any = call.params
    while (params := simplify(params)) is not None:
        yield Call(call.method, dict(params), call.files, call.step)
