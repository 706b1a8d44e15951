"""Every parser of what comes from outside, with inputs for it.

Each takes whatever it is given, or refuses it in its own words; whatever else it raises is a fault. `SAMPLES` are what
the parties outside say when all is well: inputs are made of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any, cast

from tornado.httputil import HTTPHeaders, parse_cookie

from grimbots.conf.foreign_json import read_object
from grimbots.conf.redactions import LONGEST_TEXT, scrub, scrub_value
from grimbots.conf.settings import load
from grimbots.handlers.addresses import find_client
from grimbots.handlers.admin.texts import LANGUAGES, choose_language
from grimbots.handlers.commands.seeds import DEMO
from grimbots.services import answers, brcode, intake, media, updates, visits
from grimbots.services.clients.http import MAX_RESPONSE_BYTES, Ambiguous, HttpClient, Response
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.clients.tokens import Token
from grimbots.services.errors import Invalid
from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.check import check
from grimbots.services.funnels.definitions import read_version
from grimbots.services.funnels.events import Started, Tapped, Wrote
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.walks import Walk
from grimbots.services.gateways.base import ChargeRequest, Event, Gateway, Payer, Refusal, Undecided
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.fuzz import providers
from grimbots.tests.fuzz.mutations import NASTY_TEXTS, mutate_bytes, mutate_json, mutate_text, pick_nasty, write_json

MOST_ANSWERS = 20  # of one party: full pages without an end are read by the thousand, and count as one input
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
READ, REFUSED = "read", "refused"
PERSON = {"id": 55, "is_bot": False, "first_name": "Ana", "last_name": "Sá", "username": "ana", "language_code": "pt"}
CHAT = {"id": 55, "type": "private"}
MESSAGE = {"message_id": 5, "from": PERSON, "chat": CHAT, "date": 1772452800, "text": "/start AbC_1-2"}
UPDATES: list[Any] = [
    {"update_id": 7, "message": MESSAGE},
    {"update_id": 8, "callback_query": {"id": "1", "from": PERSON, "message": MESSAGE, "data": "v1:offer:accept:abc"}},
    {"update_id": 9, "my_chat_member": {"chat": CHAT, "from": PERSON, "new_chat_member": {"status": "kicked"}}},
    {"update_id": 10, "pre_checkout_query": {"id": "1", "from": PERSON, "currency": "XTR", "total_amount": 5}},
    {"update_id": 11, "edited_message": MESSAGE},
]
RECEIPT = {"end_to_end_id": "E1", "amount_cents": 1990, "at": NOW.isoformat()}
PAYER = Payer("Ana Souza", "52998224725", "ana@example.com", "+5511987654321")
EVENT = {"event": "pix.received", "txid": "a" * 32, **RECEIPT}
CHARGE = {
    "txid": "a" * 32,
    "id": "chg_1",
    "code": "00020126",
    "amount_cents": 1990,
    "expires_at": NOW.isoformat(),
    "paid": [RECEIPT],
}
ANSWERS: list[Any] = [
    CHARGE,
    {"charges": [CHARGE, CHARGE]},
    {"error": {"message": "no such key"}},
    {"id": "r1", "amount_cents": 5, "status": "done"},
    *providers.ANSWERS,
]
SENT = {
    **MESSAGE,
    "photo": [{"file_id": "a", "width": 1, "height": 1}, {"file_id": "b", "width": 9, "height": 9}],
    "document": {"file_id": "c"},
}
BOT_API: list[Any] = [
    {"ok": True, "result": SENT},
    {"ok": True, "result": [SENT, SENT]},
    {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 5",
        "parameters": {"retry_after": 5},
    },
    {"ok": False, "error_code": 400, "description": "Bad Request", "parameters": {"migrate_to_chat_id": -1001}},
    {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"},
]
CODES = [
    brcode.build(key="a@b.co", name="Loja", city="Natal", amount_cents=1990, txid="T1"),
    brcode.build(url="pix.example.com/qr/v2/1", name="Loja", city="Natal", is_one_time=True),
]
QUERY = {
    "utm_source": "fb",
    "utm_medium": "cpc",
    "utm_campaign": "x",
    "utm_content": "y",
    "utm_term": "z",
    "fbclid": "IwAR0",
    "ttclid": "t",
    "gclid": "g",
    "other": "1",
}
COOKIES = "_fbp=fb.1.1772452800000.123456; _fbc=fb.1.1772452800000.IwAR0; grimbots=abc; __Host-grimbots=d"
HEADERS = {"User-Agent": "Mozilla/5.0 (iPhone)", "Purpose": "prefetch", "Referer": "https://l.facebook.com/"}
ADDRESSES = ["127.0.0.1", "10.1.2.3", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%lo"]
PROXIES = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]


@dataclass(frozen=True)
class Parser:
    """`make` draws an input, `run` gives it to the parser and tells whether it was READ or REFUSED."""

    make: Callable[[Random], Any]
    run: Callable[[Any], str]


def run_now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nobody."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


class Letting:
    """Stands where access tokens are kept: the answer is read as one is, and whatever it says there is one."""

    async def get(self, key: str, fetch: Callable[[], Coroutine[Any, Any, Any]]) -> Token:
        """Give a token."""
        with suppress(Undecided):
            await fetch()
        return Token("x", 60.0)

    def drop(self, key: str, token: Token) -> None:
        """Have another one."""


class Answering:
    """Stands where the HTTP client does: whatever is asked, the input is the answer, if not too long for it."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._response = Response(status, headers, body)
        self._left = MOST_ANSWERS
        self.tokens = Letting()

    async def request(self, *_: Any, max_response_bytes: int = MAX_RESPONSE_BYTES, **__: Any) -> Response:
        """Answer."""
        self._left -= 1
        if len(self._response.body) > max_response_bytes or self._left < 0:
            raise Ambiguous("the answer is too long, or the party hangs")
        return self._response


# Updates --------------------------------------------------------------------------------------------------------------


def make_update(rng: Random) -> bytes:
    return write_json(rng, mutate_json(rng, rng.choice(UPDATES)))


def run_update(body: bytes) -> str:
    """As services/intake.py does: parsed, routed, made a job that Redis can hold, answered."""
    update = read_object(body)
    routed = None if update is None else updates.route(update)
    if update is None or routed is None:
        return REFUSED
    job = updates.handle.job(
        id=f"u:1:{routed.update_id}",
        source="b1",
        account="1",
        group=routed.group,
        bot_id=1,
        update=update,
        received_at=NOW.timestamp(),
    )
    json.dumps(job.payload)
    json.dumps(intake._reply(update))
    assert 0 <= routed.update_id < 2**63
    assert routed.chat_id is None or 0 < routed.chat_id < 2**53
    return READ


# Provider events, and what providers answer ---------------------------------------------------------------------------


def make_event(rng: Random) -> tuple[str, bytes, dict[str, str]]:
    signature = mutate_text(rng, f"t=1772452800,v1={'ab' * 32}")
    names = ["x-sandbox-signature", "authorization", "x-signature", "content-type"]
    return (
        str(pick_nasty(rng)),
        write_json(rng, mutate_json(rng, rng.choice([EVENT, *providers.EVENTS]))),
        {rng.choice(names): signature},
    )


def run_event(given: tuple[str, bytes, dict[str, str]]) -> str:
    query, body, headers = given
    found: tuple[Any, ...] = ()
    for gateway in find_gateways().values():
        event = Event("", query, headers, body)
        opened = gateway(cast(HttpClient, None), load({}))
        opened.verify({field.name: "x" for field in gateway.fields}, event, NOW)
        found = opened.parse(event) or found
    return READ if found else REFUSED


def make_answer(rng: Random) -> tuple[int, bytes]:
    return rng.choice((200, 200, 201, 204, 302, 400, 404, 429, 500)), write_json(
        rng, mutate_json(rng, rng.choice(ANSWERS))
    )


def run_answer(given: tuple[int, bytes]) -> str:
    """Every call of every gateway says what it understood, or that it is undecided."""
    outcome = REFUSED
    for kind in find_gateways().values():
        gateway = kind(cast(HttpClient, Answering(*given, {})), load({}))
        credentials = {field.name: "x" for field in kind.fields}
        for call in _list_calls(gateway, credentials):
            try:
                outcome = outcome if isinstance(run_now(call), Refusal) else READ
            except (Ambiguous, Undecided):
                continue
    return outcome


def _list_calls(gateway: Gateway, credentials: dict[str, str]) -> list[Coroutine[Any, Any, Any]]:
    refund = {"txid": "a", "end_to_end_id": "E1", "amount_cents": 1, "idempotency_key": "k"}
    return [
        gateway.create(credentials, ChargeRequest("a" * 32, 1990, "Curso", 600, "https://x", PAYER)),
        gateway.fetch(credentials, txid="a", provider_id="b"),
        gateway.find(credentials, "a" * 32),
        gateway.refund(credentials, **refund),  # type: ignore[arg-type]
        gateway.list(credentials, since=NOW - timedelta(days=1), until=NOW),
    ]


def make_bot_api(rng: Random) -> tuple[int, bytes, dict[str, str]]:
    headers = {"Retry-After": str(pick_nasty(rng))} if rng.random() < 0.3 else {}
    return rng.choice((200, 200, 400, 403, 429, 502)), write_json(rng, mutate_json(rng, rng.choice(BOT_API))), headers


def run_bot_api(given: tuple[int, bytes, dict[str, str]]) -> str:
    """Telegram's answer, as far as it is looked into: how long to wait, which message, which files."""
    telegram = TelegramClient(cast(HttpClient, Answering(*given)), "https://x")
    answer = run_now(telegram.call("1:a", "sendMessage", {"chat_id": 5}))
    round(answer.retry_after_seconds * 1000)
    moved = answer.migrate_to_chat_id
    assert moved is None or (isinstance(moved, int) and abs(moved) < 2**63)
    assert isinstance(answer.description, str)
    message_id = answers._read_message_id(answer.result)
    assert message_id is None or (isinstance(message_id, int) and 0 < message_id < 2**63)
    answers._count_messages(answer.result)
    found = [media.read_file_id(message, "photo") for message in (answer.result, *_as_list(answer.result))]
    assert all(file_id is None or isinstance(file_id, str) for file_id in found)
    return READ if answer.result else REFUSED


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# PIX codes, funnels ---------------------------------------------------------------------------------------------------


def run_code(text: str) -> str:
    try:
        code = brcode.parse(text)
    except ValueError:
        return REFUSED
    assert code.amount_cents is None or 0 <= code.amount_cents < 10**12
    return READ


@cache
def _read_demo() -> tuple[Any, dict[str, Path]]:
    return read_files(DEMO)


@cache
def _open_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="grimbots-fuzz-"))


def make_funnel(rng: Random) -> bytes:
    return write_json(rng, mutate_json(rng, _read_demo()[0]))


def run_funnel(body: bytes) -> str:
    """As `grimbots funnel check` does; a funnel in which something can be read is walked too."""
    path = _open_folder() / "funnel.json"
    path.write_bytes(body)
    try:
        definition, _ = read_files(path)
    except Invalid:
        return REFUSED
    assert all(str(problem) for problem in check(definition, _read_demo()[1]))
    version, _ = read_version(definition, version_id=1, assets={"welcome.png": "a"})
    walk = Walk(variables={"first_name": "Ana"})
    for event in (Started("x"), *(Tapped(step, "0", "n") for step in list(version.steps)[:9]), Wrote("oi")):
        walk, _ = advance(version, walk, event, NOW)
    return READ


def make_tap(rng: Random) -> Tapped:
    steps = [str(step["id"]) for step in _read_demo()[0]["steps"]]
    button = rng.choice(("0", "1", "-1", "accept", "decline", "paid", "yes", str(pick_nasty(rng))))
    return Tapped(mutate_text(rng, rng.choice(steps)), button, "n", rng.choice((None, 0, 7, 2**63)))


def run_tap(tap: Tapped) -> str:
    """callback_data that names a step and a button of a real funnel, or nearly."""
    version = _read_demo_version()
    walk, _ = advance(version, Walk(variables={"first_name": "Ana"}), Started("x"), NOW)
    _, effects = advance(version, walk, tap, NOW)
    return READ if effects else REFUSED


@cache
def _read_demo_version() -> Any:
    version, findings = read_version(_read_demo()[0], version_id=1, assets={"welcome.png": "a"})
    assert not findings
    return version


# Browsers -------------------------------------------------------------------------------------------------------------


def make_visit(rng: Random) -> tuple[dict[str, list[bytes]], str, dict[str, str], str]:
    names = [mutate_text(rng, name) for name in rng.sample(list(QUERY), rng.randrange(len(QUERY)))]
    query = {name: [mutate_bytes(rng, QUERY.get(name, "x").encode())] * rng.choice((1, 2)) for name in names}
    headers = {name: mutate_text(rng, value) for name, value in HEADERS.items()}
    return query, mutate_text(rng, COOKIES), headers, mutate_text(rng, rng.choice(ADDRESSES))


def run_visit(given: tuple[dict[str, list[bytes]], str, dict[str, str], str]) -> str:
    query, cookies, headers, address = given
    asked = {"query": query, "cookies": parse_cookie(cookies), "headers": HTTPHeaders(headers), "address": address}
    visit = visits.read(**asked, now=NOW)
    assert len(visit.user_agent) <= 500
    assert len(json.dumps(visit.parameters)) < 1 << 20
    return READ if visit.utm_source else REFUSED


def make_forward(rng: Random) -> tuple[str, str, str, str]:
    addresses = [mutate_text(rng, rng.choice(ADDRESSES)) for _ in range(rng.randrange(5))]
    texts = ",".join(addresses), mutate_text(rng, "pt-BR,pt;q=0.9,en;q=0.8"), mutate_text(rng, "pt-BR")
    return rng.choice(ADDRESSES), *texts


def run_forward(given: tuple[str, str, str, str]) -> str:
    peer, forwarded, accepted, chosen = given
    assert choose_language(chosen, accepted) in LANGUAGES
    return READ if find_client(peer, forwarded, PROXIES) != peer else REFUSED


def make_line(rng: Random) -> str:
    samples = ['{"password": "x y"}', *CODES, "postgres://u:p@h/d", COOKIES, "+55 (11) 99999-8888", *NASTY_TEXTS]
    return " ".join(mutate_text(rng, rng.choice(samples)) for _ in range(rng.randrange(1, 6)))


def run_line(text: str) -> str:
    scrubbed = scrub(text)
    assert len(scrubbed) <= 10 * LONGEST_TEXT
    scrub_value({text: [text, {"a": text}]})
    return READ if scrubbed == text else REFUSED


PARSERS = {
    "updates": Parser(make_update, run_update),
    "events": Parser(make_event, run_event),
    "provider answers": Parser(make_answer, run_answer),
    "bot api answers": Parser(make_bot_api, run_bot_api),
    "pix codes": Parser(lambda rng: mutate_text(rng, rng.choice(CODES)), run_code),
    "funnel files": Parser(make_funnel, run_funnel),
    "callback data": Parser(make_tap, run_tap),
    "visits": Parser(make_visit, run_visit),
    "forwarding": Parser(make_forward, run_forward),
    "log lines": Parser(make_line, run_line),
}
