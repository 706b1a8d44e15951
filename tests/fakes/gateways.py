"""What the fakes of payment providers share: a server on a real port that misbehaves when told to, and their verbs.

A fake lies in tests/fakes/providers/<gateway's name>.py and is called `Fake`; the contract suite finds it there.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.ports import pick_port


@dataclass
class Fault:
    """What befalls the next `times` calls: answered `http` with `body`, cut `before` or `after`, or never answered.

    `is_done`: what was asked is done all the same.
    """

    method: str
    times: int
    http: int = 0
    drop: str = ""
    is_done: bool = False
    is_slow: bool = False
    path: str = ""
    body: bytes = b'{"error": {"message": "as asked for"}}'

    def meets(self, method: str, path: str) -> bool:
        """Tell whether it befalls this call."""
        return self.times > 0 and self.method in (method, "*") and re.search(self.path, path) is not None


class FakeServer:
    """An API on a real port. `calls` are (method, path) of every request, `charges` what it keeps, one each."""

    routes: ClassVar[list[tuple[str, type[FakeHandler]]]]
    create_call: ClassVar[tuple[str, str]]
    """Method and path (a pattern) of the call that makes a charge, for `fail_create`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.url = ""
        self.charges: dict[Any, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.adds_fields = False
        """From now on answers and events have a field more, at every level, that no document knows."""
        self.before_answer: Callable[[str], Awaitable[object]] | None = None
        """Awaited with the txid when a charge was made and its answer has not left."""
        self._released = asyncio.Event()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port."""
        port = pick_port()
        sockets = bind_sockets(port, "127.0.0.1")
        routes = [(path, handler, {"provider": self}) for path, handler in self.routes]
        self._server = HTTPServer(Application(routes, log_function=_quiet), ssl_options=tls)  # type: ignore[arg-type]
        self._server.add_sockets(sockets)
        where = "http://127.0.0.1" if tls is None else "https://localhost"  # a certificate names a host
        self.url = f"{where}:{port}"

    async def stop(self) -> None:
        """Stop listening, let go of what was never to be answered, and close every connection."""
        self._released.set()
        self._server.stop()
        await self._server.close_all_connections()

    def fail(self, method: str, *, times: int = 1, **how: Any) -> None:
        """Make the next calls of an HTTP method ("*": any) go wrong; `how` is the rest of a Fault."""
        self.faults.append(Fault(method, times, **how))

    def fail_create(self, *, times: int = 1, **how: Any) -> None:
        """Make the call that makes a charge go wrong. The HTTP client repeats a PUT that is cut once by itself."""
        method, path = self.create_call
        self.fail(method, times=times * 2 if how.get("drop") and method == "PUT" else times, path=path, **how)


class FakeGateway(FakeServer, ABC):
    """A provider, and what happens there.

    Each verb on a charge takes its txid as `Charge.txid` has it, and returns the body of the event that tells of it:
    b"" where the provider tells nothing.
    """

    takes_many: ClassVar[bool] = True
    """Whether a charge can be paid twice there."""
    takes_any_amount: ClassVar[bool] = True
    """Whether a payer's bank may send another amount than was asked."""
    tells_returns: ClassVar[frozenset[ReturnKind]] = frozenset(ReturnKind)
    """Of which money that goes back a charge tells when it is looked up."""
    tells_time: ClassVar[bool] = True
    """Whether it tells when money moved; False: only on which day."""
    refunds_at_once: ClassVar[bool] = False
    """Whether money that goes back is gone at once, always."""
    logs_in: ClassVar[bool] = False
    """Whether its API wants a token that runs out: then `forget_tokens` has one to forget."""

    refunds_take_time = False
    """From now on a refund that is asked for is taken on, and done by `settle_refunds`."""

    def patches(self) -> dict[str, object]:
        """Return attributes of the gateway's class that stand in for the provider's own, as the address does."""
        return {}

    @abstractmethod
    def credentials(self, seller: str = "shop") -> dict[str, str]:
        """Return the fields a seller fills in; every seller has charges of his own."""

    @abstractmethod
    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        """Return an event as it reaches us: signed now, as the provider signs for this seller."""

    @abstractmethod
    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        """Take the money in: the price, unless it is another amount. Who pays is somebody the seller does not know."""

    @abstractmethod
    def expire(self, txid: str) -> bytes:
        """Let the charge run out."""

    @abstractmethod
    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        """Give money back, by the seller's hand in the provider's panel."""

    @abstractmethod
    def settle_refunds(self) -> bytes:
        """Let the money leave of every refund that was taken on; returns the event of the last."""

    @abstractmethod
    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        """Let the payer contest it: DISPUTE opens it, CHARGEBACK decides it for him."""

    @abstractmethod
    def set_status(self, txid: str, word: str) -> bytes:
        """Put a word where the charge's status stands."""

    def pay_for_test(self, txid: str) -> bytes | None:
        """Pay with play money; None: the provider's test system is another one, which this one knows nothing of."""
        return None

    def forget_tokens(self) -> None:
        """Let every token that was given out run out at once."""
        raise NotImplementedError


class FakeHandler(RequestHandler):
    """One address of a provider: notes the call and lets happen to it what was asked for."""

    def initialize(self, provider: Any) -> None:
        self.provider = provider
        self.drop = ""
        self.status = 0

    async def prepare(self) -> None:
        method, path = self.request.method or "", self.request.path
        self.provider.calls.append((method, path))
        fault = next((fault for fault in self.provider.faults if fault.meets(method, path)), None)
        if fault is None:
            self.authenticate()
            return
        fault.times -= 1
        self.drop = fault.drop
        if fault.is_slow:
            await self.provider._released.wait()
        if fault.is_done:
            self.status = fault.http
        if (fault.http or fault.drop == "before" or fault.is_slow) and not fault.is_done:
            self._send(fault.http or 200, fault.body)
        else:
            self.authenticate()

    def authenticate(self) -> None:
        """Find whose call it is, or answer that it is nobody's."""
        raise NotImplementedError

    def reply(self, status: int, value: Any) -> None:
        """Answer with JSON."""
        self._send(status, json.dumps(add_fields(value) if self.provider.adds_fields else value).encode())

    def _send(self, status: int, body: bytes) -> None:
        if self.drop:
            self.request.connection.stream.close()  # type: ignore[union-attr]
        self.set_status(self.status or status)
        self.finish(body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        raise AssertionError("the fake provider is broken") from kwargs.get("exc_info", (None, None))[1]


def add_fields(value: Any) -> Any:
    """Return a JSON value with a field more in each of its objects."""
    if isinstance(value, dict):
        return {**{name: add_fields(inner) for name, inner in value.items()}, "newInV9": {"a": [1, None]}}
    return [add_fields(inner) for inner in value] if isinstance(value, list) else value


def _quiet(handler: RequestHandler) -> None:
    """Say nothing: a fault that was asked for is no news."""
