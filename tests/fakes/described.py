"""The provider a description describes: reads the same file, takes what its templates ask, answers in its paths."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import pytest
from tornado.httputil import format_timestamp

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, Gateway, ReturnKind
from grimbots.services.gateways.described_gateways import Described
from grimbots.services.gateways.descriptions import Call, Description, Reply, Status
from grimbots.services.gateways.replies import Paths
from grimbots.services.gateways.templates import PLACE, list_names
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields


def make_fake(gateway: type[Gateway]) -> type[FakeGateway]:
    """Return the provider of a described gateway."""
    assert issubclass(gateway, Described)
    said = gateway.description
    create_call = (said.create.method, f"^{_make_pattern(said.create.path)}$")
    logs_in = said.authentication.login is not None
    attributes = {"description": said, "create_call": create_call, "logs_in": logs_in}
    return type(f"Fake{gateway.__name__}", (DescribedProvider,), attributes)


class DescribedProvider(FakeGateway):
    """A provider as its description has it."""

    description: ClassVar[Description]
    takes_many = False

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.tokens: dict[str, dict[str, str]] = {}
        self.keys: dict[str, str] = {}
        """The charge made with each idempotency key."""

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {field.name: f"{field.name} of {seller}" for field in self.description.fields}

    def forget_tokens(self) -> None:
        self.tokens.clear()

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        proof = self.description.webhook.verification
        if proof.kind == "requery":
            return Event("", "", {}, body)
        secret = credentials[proof.secret]
        if proof.kind == "token":
            return Event("", "", {proof.header: proof.prefix + secret}, body)
        signature = hmac.new(secret.encode(), body, proof.digest)
        shown = signature.hexdigest() if proof.encoding == "hex" else base64.b64encode(signature.digest()).decode()
        return Event("", "", {proof.header: proof.prefix + shown}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        charge = self._find(txid)
        charge["paid_cents"] = charge["cents"] if amount_cents is None else amount_cents
        charge["paid_at"] = self.clock().isoformat()
        return self._tell(charge, Status.PAID)

    def expire(self, txid: str) -> bytes:
        return self._tell(self._find(txid), Status.OVER)

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        charge = self._find(txid)
        charge["returned_cents"] = amount_cents
        return self._tell(charge, Status.REFUNDED)

    def settle_refunds(self) -> bytes:
        return b""

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        status = Status.DISPUTED if kind is ReturnKind.DISPUTE else Status.CHARGED_BACK
        if status not in self.description.statuses.values():
            pytest.skip(f"its description has no word for {status}")
        return self._tell(self._find(txid), status)

    def set_status(self, txid: str, word: str) -> bytes:
        charge = self._find(txid)
        charge["status"] = word
        return self._write_event(charge)

    def make(self, seller: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Make a charge of what the templates of the call named."""
        key = str(asked.get("key", ""))
        known = self.keys.get(key) if self.description.idempotency_header else None
        if known is not None:
            return self._find(known)
        charge_id = str(uuid4())
        cents = asked.get("amount", asked.get("amount_text"))
        charge = {
            "seller": seller,
            "id": charge_id,
            "txid": uuid4().hex if self.description.created.txid else charge_id,
            "key": key,
            "cents": round(float(cents) * (100 if self.description.unit == "reais" else 1)),
            "code": brcode.build(url=f"pix.example.com/{charge_id}", name="Loja", city="Recife", is_one_time=True),
            "status": self.get_word(Status.WAITING),
            "asked": asked,
        }
        self.charges[charge_id] = charge
        if key:
            self.keys[key] = charge["txid"]
        return charge

    def show(self, charge: Mapping[str, Any], where: Reply) -> dict[str, Any]:
        """Write a charge where a reply has it."""
        shown: dict[str, Any] = {}
        for name in ("id", "txid", "code", "status", "paid_at"):
            _put(shown, getattr(where, name), charge.get(name))
        _put(shown, where.amount[-1:], self._count(charge["cents"]))
        _put(shown, where.amount, self._count(charge.get("paid_cents")))
        _put(shown, where.returned_amount, self._count(charge.get("returned_cents")))
        return shown

    def get_word(self, status: Status) -> str:
        """Return a word of the provider's for a status."""
        return next(word for word, meant in self.description.statuses.items() if meant is status)

    def _count(self, cents: int | None) -> float | int | None:
        return cents / 100 if cents is not None and self.description.unit == "reais" else cents

    def _find(self, txid: str) -> dict[str, Any]:
        return next(charge for charge in self.charges.values() if charge["txid"] == txid)

    def _tell(self, charge: dict[str, Any], status: Status) -> bytes:
        charge["status"] = self.get_word(status)
        return self._write_event(charge)

    def _write_event(self, charge: Mapping[str, Any]) -> bytes:
        where, body = self.description.webhook, dict[str, Any]()
        _put(body, where.id, charge["id"])
        _put(body, where.txid, charge["key"] or charge["txid"])
        _put(body, where.status, charge["status"])
        if where.is_form:
            return urlencode(body).encode()
        return json.dumps(add_fields(body) if self.adds_fields else body).encode()


class _Address(FakeHandler):
    """Every address: which call it is, the templates tell."""

    provider: DescribedProvider

    async def prepare(self) -> None:
        self.set_header("Date", format_timestamp(self.provider.clock()))
        await super().prepare()

    def authenticate(self) -> None:
        said = self.provider.description
        calls = {"log_in": said.authentication.login and said.authentication.login.call}
        calls |= {"create": said.create, "fetch": said.fetch, "test": said.test}
        for verb, call in calls.items():
            found = self._read(call) if call else None
            if call and found is not None:
                self._answer(verb, call, found)
                return
        self.reply(404, {"message": "no such address"})

    def _answer(self, verb: str, call: Call, found: dict[str, Any]) -> None:
        credentials = {name: value for name, value in found.items() if name.startswith("credentials.")}
        if "token" in found:
            credentials |= self.provider.tokens.get(found["token"], {"credentials.none": ""})
        named = [call.path, dict(call.query), dict(call.headers), call.body]
        proof = self.provider.description.authentication
        if verb != "log_in":
            named += [proof.basic, dict(proof.headers), dict(proof.query)]
        wanted = {name for name in list_names(named) if name.startswith("credentials.")}
        if not all(credentials.get(name) for name in {*wanted, *credentials}):
            self.reply(401, {"message": "unauthorized"})
            return
        seller = next(iter(credentials.values())).rpartition(" of ")[2]
        self.turn = verb, seller, {**found, **credentials}

    async def get(self) -> None:
        """Do what was asked for."""
        verb, seller, found = self.turn
        await getattr(self, verb)(seller, found)

    post = put = get

    async def log_in(self, seller: str, found: Mapping[str, Any]) -> None:
        login = self.provider.description.authentication.login
        assert login is not None
        token, shown = uuid4().hex, dict[str, Any]()
        self.provider.tokens[token] = {name: found[name] for name in found if name.startswith("credentials.")}
        _put(shown, login.token, token)
        _put(shown, login.expires_in_seconds, 3600)
        self.reply(200, shown)

    async def create(self, seller: str, found: Mapping[str, Any]) -> None:
        header = self.provider.description.idempotency_header
        asked = {**found, **({"key": self.request.headers[header]} if header else {})}
        charge = self.provider.make(seller, asked)
        if self.provider.before_answer is not None:
            await self.provider.before_answer(charge["txid"])
        self.reply(201, self.provider.show(charge, self.provider.description.created))

    async def fetch(self, seller: str, found: Mapping[str, Any]) -> None:
        charge = self.provider.charges.get(str(found.get("id", "")))
        if charge is None or charge["seller"] != seller:
            self.reply(404, {"message": "not found"})
        else:
            self.reply(200, self.provider.show(charge, self.provider.description.fetched))

    async def test(self, seller: str, found: Mapping[str, Any]) -> None:
        self.reply(200, {})

    def _read(self, call: Call) -> dict[str, Any] | None:
        """Return what stands for each name of a call's templates; None where this is not that call."""
        path = re.fullmatch(_make_pattern(call.path), self.request.path)
        if path is None or call.method != self.request.method:
            return None
        proof = self.provider.description.authentication
        found: dict[str, Any] = {}
        _unfill(call.path, self.request.path, found)
        query = {name: values[-1].decode() for name, values in self.request.query_arguments.items()}
        _unfill({**proof.query, **call.query}, query, found)
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        named = {**proof.headers, **call.headers}
        _unfill({name.lower(): template for name, template in named.items()}, headers, found)
        if proof.basic and headers.get("authorization", "").startswith("Basic "):
            _unfill(proof.basic, base64.b64decode(headers["authorization"][6:]).decode(), found)
        _unfill(call.body, self._read_body(call), found)
        return found

    def _read_body(self, call: Call) -> Any:
        if call.body is None:
            return None
        return dict(parse_qsl(self.request.body.decode())) if call.is_form else json.loads(self.request.body)


DescribedProvider.routes = [(r"/.*", _Address)]


def _unfill(template: Any, given: Any, found: dict[str, Any]) -> None:
    """Find what was put into a template."""
    if isinstance(template, str) and (whole := PLACE.fullmatch(template)):
        found[whole[1]] = given
    elif isinstance(template, str) and (filled := re.fullmatch(_make_pattern(template, ".*"), str(given))):
        found.update(zip((place[1] for place in PLACE.finditer(template)), filled.groups(), strict=True))
    elif isinstance(template, dict) and isinstance(given, dict):
        for name in template.keys() & given.keys():
            _unfill(template[name], given[name], found)
    elif isinstance(template, list) and isinstance(given, list):
        for part, value in zip(template, given, strict=False):
            _unfill(part, value, found)


def _make_pattern(template: str, inner: str = "[^/]+") -> str:
    """Return the pattern of what a template makes, a group for each name."""
    ends = [0, *(place.end() for place in PLACE.finditer(template))]
    starts = [*(place.start() for place in PLACE.finditer(template)), len(template)]
    return f"({inner})".join(re.escape(template[end:start]) for end, start in zip(ends, starts, strict=True))


def _put(holder: dict[str, Any], paths: Paths, value: Any) -> None:
    """Put a value where the first path leads, unless there is none of either."""
    if not paths or value is None:
        return
    inner: Any = holder
    *way, last = paths[0]
    for name, following in zip(way, paths[0][1:], strict=True):
        fresh: Any = [{}] if following.isdigit() else {}
        inner = inner[int(name)] if isinstance(inner, list) else inner.setdefault(name, fresh)
    inner[last] = value
