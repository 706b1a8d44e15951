"""Ad networks and a seller's server on a real port: each takes only what its documentation lets it take.

What is not as documented is a `mistake`, which a test ends on. A network keeps what it took (`taken`), a repeat apart
(`repeats`), and misbehaves when told to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from grimbots.tests.ports import pick_port

HASH = re.compile(r"[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
WEEK_SECONDS = 7 * 24 * 3600

Told = dict[str, Any]
Reply = tuple[int, Any]


@dataclass
class Fault:
    """What befalls the next `times` calls: this answer, or the connection cut `before` or `after` events are taken."""

    times: int
    reply: Reply | None = None
    drop: str = ""


@dataclass
class Receiver:
    """One network. `is_bad` picks events that it does not take; `calls` counts requests."""

    clock: Callable[[], Any]
    url: str = ""
    calls: int = 0
    taken: list[Told] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    is_bad: Callable[[Told], bool] = lambda told: False
    id_name = "event_id"

    async def start(self) -> None:
        """Listen."""
        port = pick_port()
        self._server = HTTPServer(Application([(r".*", _Handler, {"receiver": self})], log_function=_quiet))
        self._server.listen(port, "127.0.0.1")
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        self._server.stop()
        await self._server.close_all_connections()

    def fail(self, times: int = 1, reply: Reply | None = None, drop: str = "") -> None:
        """Make the next calls go wrong."""
        self.faults.append(Fault(times, reply, drop))

    @property
    def ids(self) -> list[str]:
        """The ids of what was taken, without repeats."""
        return [str(told[self.id_name]) for told in self.taken]

    def answer(self, request: HTTPServerRequest) -> Reply:
        """Take a request."""
        raise NotImplementedError

    def keep(self, told: list[Told]) -> None:
        """Take events; one known by its id is a repeat."""
        for one in told:
            is_known = self.key(one) in {self.key(known) for known in self.taken}
            self.repeats.append(str(one[self.id_name])) if is_known else self.taken.append(one)

    def key(self, told: Told) -> Any:
        """Give what a repeat is known by."""
        return told[self.id_name]

    def want(self, is_right: object, mistake: str) -> None:
        """Note what is not as documented."""
        if not is_right:
            self.mistakes.append(mistake)

    def want_keys(self, value: Told, required: set[str], optional: set[str], where: str) -> None:
        """Note what is missing and what nobody documents."""
        self.want(required <= value.keys() <= required | optional, f"{where} has {sorted(value)}")


class _Handler(RequestHandler):
    def initialize(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def post(self) -> None:
        receiver = self.receiver
        receiver.calls += 1
        fault = next((fault for fault in receiver.faults if fault.times), Fault(0))
        fault.times -= 1
        if fault.reply is not None:
            self.reply(*fault.reply)
            return
        if fault.drop != "before":
            status, value = receiver.answer(self.request)
        if fault.drop:
            self.request.connection.stream.close()  # type: ignore[union-attr]
            self._finished = True
            return
        self.reply(status, value)

    def reply(self, status: int, value: Any) -> None:
        self.set_status(status)
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        raise AssertionError("the fake network is broken") from kwargs["exc_info"][1]


def _quiet(handler: RequestHandler) -> None:
    """Say nothing."""


class Meta(Receiver):
    """developers.facebook.com, "Server Event Parameters" and "Customer Information Parameters"."""

    token = "meta token"
    path = "/v25.0/1234567890/events"

    def answer(self, request: HTTPServerRequest) -> Reply:
        body = json.loads(request.body)
        self.want(request.path == self.path, f"path {request.path}")
        self.want_keys(body, {"data", "access_token"}, {"test_event_code"}, "the body")
        if body["access_token"] != self.token:
            return 400, {"error": {"code": 190, "error_subcode": 463, "message": "expired", "fbtrace_id": "T"}}
        self.want(0 < len(body["data"]) <= 1000, f"{len(body['data'])} events")
        for event in body["data"]:
            self.check(event)
        if any(self.is_bad(event) or self.is_old(event) for event in body["data"]):
            error = {"code": 100, "error_subcode": 2804003, "message": "Invalid parameter", "fbtrace_id": "T"}
            return 400, {"error": error}
        self.keep(body["data"])
        return 200, {"events_received": len(body["data"]), "messages": [], "fbtrace_id": "T1"}

    def key(self, told: Told) -> Any:
        return told["event_name"], told["event_id"]

    def is_old(self, event: Told) -> bool:
        return bool(self.clock().timestamp() - event["event_time"] > WEEK_SECONDS)

    def check(self, event: Told) -> None:
        always = {"event_name", "event_time", "event_id", "user_data", "action_source"}
        self.want_keys(event, always, {"event_source_url", "custom_data", "messaging_channel"}, "an event")
        self.want(isinstance(event["event_time"], int), "event_time is no whole number")
        self.want(event["action_source"] in ("website", "chat", "business_messaging"), event["action_source"])
        user = event["user_data"]
        if event["action_source"] == "website":
            self.want("event_source_url" in event and user.get("client_user_agent"), "a website without its context")
        if event["action_source"] == "business_messaging":
            self.want(user.get("ctwa_clid") and event["messaging_channel"] == "whatsapp", "WhatsApp without a click")
        for name in ("em", "ph", "external_id"):
            self.want(all(HASH.fullmatch(value) for value in user.get(name, [])), f"{name} is not hashed")
        raw = {"client_ip_address", "client_user_agent", "fbp", "fbc", "ctwa_clid", "whatsapp_business_account_id"}
        self.want_keys(user, set(), raw | {"em", "ph", "external_id"}, "user_data")
        self.want(user, "nobody is told of")
        if event["event_name"] == "Purchase":
            custom = event["custom_data"]
            self.want(custom["value"] > 0 and custom["currency"] == "BRL", "a purchase without its value")


class Utmify(Receiver):
    """ "Documentação da API para envio de vendas - Utmify": an upsert by orderId."""

    id_name = "orderId"
    token = "utmify token"

    def answer(self, request: HTTPServerRequest) -> Reply:
        order = json.loads(request.body)
        self.want(request.path == "/api-credentials/orders", f"path {request.path}")
        if request.headers.get("x-api-token") != self.token:
            return 404, {"OK": False, "message": "API_CREDENTIAL_NOT_FOUND"}
        self.check(order)
        if self.is_bad(order):
            return 400, {"OK": False, "message": "customer.email: formato inválido"}
        self.keep([order])
        return 200, {"OK": True, "result": "SUCCESS"}

    def key(self, told: Told) -> Any:
        return told["orderId"], told["status"]

    def check(self, order: Told) -> None:
        named = "orderId platform paymentMethod status createdAt approvedDate refundedAt customer products"
        self.want_keys(order, {*named.split(), "trackingParameters", "commission", "isTest"}, set(), "an order")
        self.want(order["status"] in ("waiting_payment", "paid", "refunded", "chargedback"), order["status"])
        is_paid, is_back = order["status"] != "waiting_payment", order["status"] in ("refunded", "chargedback")
        self.want(INSTANT.fullmatch(order["createdAt"]), "createdAt")
        self.want(bool(order["approvedDate"]) is is_paid, f"approvedDate of {order['status']}")
        self.want(bool(order["refundedAt"]) is is_back, f"refundedAt of {order['status']}")
        customer = order["customer"]
        self.want_keys(customer, {"name", "email", "phone", "document"}, {"country", "ip"}, "the customer")
        self.want(customer["name"] and "@" in customer["email"], "a customer without name or e-mail")
        for product in order["products"]:
            self.want_keys(
                product, {"id", "name", "planId", "planName", "quantity", "priceInCents"}, set(), "a product"
            )
        keys = {"src", "sck", "utm_source", "utm_campaign", "utm_medium", "utm_content", "utm_term"}
        self.want_keys(order["trackingParameters"], keys, set(), "trackingParameters")
        money = {"totalPriceInCents", "gatewayFeeInCents", "userCommissionInCents"}
        self.want_keys(order["commission"], money, {"currency"}, "commission")


class TikTok(Receiver):
    """What connectors document of POST /open_api/v1.3/event/track/."""

    token = "tiktok token"

    def answer(self, request: HTTPServerRequest) -> Reply:
        body = json.loads(request.body)
        self.want(request.path == "/open_api/v1.3/event/track/", f"path {request.path}")
        if request.headers.get("Access-Token") != self.token:
            return 200, {"code": 40105, "message": "Access token is incorrect", "request_id": "R"}
        self.want_keys(body, {"event_source", "event_source_id", "data"}, {"test_event_code"}, "the body")
        self.want(0 < len(body["data"]) <= 50, f"{len(body['data'])} events")
        for event in body["data"]:
            self.want_keys(event, {"event", "event_time", "event_id", "user", "page"}, {"properties"}, "an event")
            hashed = [event["user"].get(name) for name in ("email", "phone", "external_id")]
            self.want(all(HASH.fullmatch(value) for value in hashed if value), "user is not hashed")
        if any(self.is_bad(event) for event in body["data"]):
            return 200, {"code": 40002, "message": "Invalid value", "request_id": "R"}
        self.keep(body["data"])
        return 200, {"code": 0, "message": "OK", "request_id": "R"}


class Google(Receiver):
    """developers.google.com/data-manager: the OAuth token first, then events:ingest."""

    id_name = "transactionId"
    token = "refresh token"

    def answer(self, request: HTTPServerRequest) -> Reply:
        body = json.loads(request.body)
        if request.path == "/token":
            is_known = body["refresh_token"] == self.token and body["grant_type"] == "refresh_token"
            return (200, {"access_token": "A", "expires_in": 3599}) if is_known else (400, {"error": "invalid_grant"})
        self.want(request.path == "/v1/events:ingest", f"path {request.path}")
        self.want(request.headers["Authorization"] == "Bearer A", "another token")
        self.want_keys(body, {"destinations", "encoding", "events", "validateOnly"}, set(), "the body")
        self.want(0 < len(body["events"]) <= 2000, f"{len(body['events'])} events")
        for event in body["events"]:
            always = {"transactionId", "eventTimestamp", "eventSource", "conversionValue", "currency"}
            self.want_keys(event, always, {"adIdentifiers", "userData"}, "an event")
            self.want(RFC3339.fullmatch(event["eventTimestamp"]), "eventTimestamp")
            self.want("adIdentifiers" in event or "userData" in event, "nobody is told of")
        if any(self.is_bad(event) for event in body["events"]):
            return 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "bad"}}
        self.keep(body["events"])
        return 200, {"requestId": "request-1"}


class Kwai(Receiver):
    """What public integrations send to /log/common/api. It knows no repeats."""

    id_name = "clickid"
    token = "kwai token"

    def answer(self, request: HTTPServerRequest) -> Reply:
        body = json.loads(request.body)
        self.want(request.path == "/log/common/api", f"path {request.path}")
        named = "access_token pixelId clickid event_name is_attributed mmpcode pixelSdkVersion testFlag trackFlag"
        self.want_keys(body, {*named.split(), "properties"}, set(), "the body")
        self.want(body["is_attributed"] == 1 and body["clickid"], "no click")
        self.want(isinstance(json.loads(body["properties"]), dict), "properties is no JSON in a text")
        if body["access_token"] != self.token:
            return 401, {"result": -1}
        if self.is_bad(body):
            return 200, {"result": -2}
        self.taken.append(body)
        return 200, {"result": 1}


class Webhook(Receiver):
    """A seller's server that checks the signature as Standard Webhooks says; `key` is the account's."""

    id_name = "id"
    key_bytes = b""

    def answer(self, request: HTTPServerRequest) -> Reply:
        names = ("webhook-id", "webhook-timestamp")
        signed = b".".join([*(request.headers[name].encode() for name in names), request.body])
        mark = base64.b64encode(hmac.new(self.key_bytes, signed, hashlib.sha256).digest()).decode()
        self.want(request.headers["webhook-signature"] == f"v1,{mark}", "the signature is wrong")
        age_seconds = self.clock().timestamp() - int(request.headers["webhook-timestamp"])
        self.want(abs(age_seconds) < 300, "the timestamp is of another time")
        body = json.loads(request.body)
        self.want(body["id"] == request.headers["webhook-id"], "another id")
        if self.is_bad(body):
            return 422, {}
        self.keep([body])
        return 200, {}
