"""The gateway that speaks what a description says: one class for every file of `described/`.

Such a provider tells one status and one amount of a charge, so a charge has one receipt, whose id is the provider's own
of the charge; a description has no refund and no list. What an event says beside its ids is never believed: a signature
or a token that is right only keeps strangers out, and the provider is asked.
"""

from __future__ import annotations

import base64
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Credentials,
    Event,
    Gateway,
    Hint,
    Receipt,
    Refund,
    Refusal,
    Return,
    ReturnKind,
    Snapshot,
    Undecided,
    Verdict,
    read_answer,
)
from grimbots.services.gateways.descriptions import Call, Description, Login, Status, read
from grimbots.services.gateways.logins import call_logged_in, name_account, read_token
from grimbots.services.gateways.replies import Paths, find_cents, find_instant, find_text, find_whole
from grimbots.services.gateways.templates import Values, fill, fill_address, fill_texts
from grimbots.services.gateways.values import list_values

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response
    from grimbots.services.clients.tokens import Token

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "described"
RETURNS = {
    Status.REFUNDED: ReturnKind.REFUND,
    Status.DISPUTED: ReturnKind.DISPUTE,
    Status.CHARGED_BACK: ReturnKind.CHARGEBACK,
}
REFUSALS = {
    401: "does not take the key, look at what was filled in",
    403: "does not take the key for this, look at the account's rights there",
    404: "knows no such charge",
}
UNWANTED = "does not want this charge, look at the account there"
EMPTY: Mapping[str, str] = MappingProxyType({})


class Described(Gateway):
    """A provider as its description has it."""

    description: ClassVar[Description]
    signs_events = False
    repeats_create = False
    can_find = False
    can_refund = False
    can_refund_parts = False
    can_list = False

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Make the call the description names, else ask for a charge that is not there: who is refused hears 401."""
        call = self.description.test or self.description.fetch
        response = await self._call(credentials, call, {"id": "test", "txid": "test"})
        if isinstance(response, Refusal):
            return response
        status = response.status
        if status == 429 or status >= 500:
            raise Undecided(f"the provider answered {status}")
        return self._refuse(status) if status in (401, 403) or (self.description.test and status >= 400) else None

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a charge. Made again, a code that nobody was shown is left behind at most, and nobody can pay that."""
        said = self.description
        if missing := sorted(name for name in self.needs if not getattr(request.payer, name)):
            return Refusal(f"{self.label} needs the buyer's {', '.join(missing)}")
        if not said.least_cents <= request.amount_cents <= said.most_cents:
            return Refusal(f"{self.label} charges from {said.least_cents} to {said.most_cents} cents")
        headers = {said.idempotency_header: request.idempotency_key} if said.idempotency_header else {}
        heard = await self._ask(credentials, said.create, list_values(request, said.unit), headers)
        if isinstance(heard, Refusal):
            return heard
        answer, _ = heard
        if self._read_status(answer, said.created.status) is Status.OVER:
            return Refusal(f"{self.label} {UNWANTED}")
        return self._read_charge(answer, request)

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by the provider's id. A code that is not told again is empty, an expiry is now."""
        said = self.description
        heard = await self._ask(credentials, said.fetch, {"id": provider_id, "txid": txid})
        if isinstance(heard, Refusal):
            return heard
        answer, moment = heard
        told = find_text(answer, said.fetched.id)
        if told is not None and not {_fold(told)} & {_fold(provider_id), _fold(txid)}:
            raise Undecided("the provider answered with another charge")
        return self._read_snapshot(answer, txid, provider_id, moment)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Say that nobody can tell: no provider here is known to look a charge up by our key."""
        raise Undecided(f"{self.label} cannot be asked by our own key")

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Say where a refund is made."""
        return Refusal(f"{self.label} gives money back in its own panel only")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Say that there is no list."""
        return Refusal(f"{self.label} has no list of charges")

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Check the signature or the token. A token only shows who does not know it: whoever does is asked about."""
        said = self.description.webhook.verification
        if said.kind == "requery":
            return Verdict.REQUERY
        given = event.headers.get(said.header, "").encode(errors="replace")
        secret = credentials[said.secret].encode()
        expected = secret if said.kind == "token" else _sign(secret, event.body, said.digest, said.encoding)
        if not secret or not hmac.compare_digest(said.prefix.encode() + expected, given):
            return Verdict.NO
        return Verdict.YES if self.signs_events else Verdict.REQUERY

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read the charge's ids; what it says beside them is asked for. That a charge waits to be paid is no news."""
        said = self.description.webhook
        body = _read_form(event.body) if said.is_form else read_object(event.body)
        provider_id, txid = find_text(body, said.id), find_text(body, said.txid)
        if not (provider_id or txid) or self._read_status(body, said.status) is Status.WAITING:
            return ()
        return (Hint(txid, provider_id, None),)

    async def _ask(
        self, credentials: Credentials, call: Call, values: Values, headers: Mapping[str, str] = EMPTY
    ) -> tuple[dict[str, Any], datetime] | Refusal:
        """Return what a call was answered with, and when."""
        response = await self._call(credentials, call, values, headers)
        if isinstance(response, Refusal):
            return response
        answer = read_answer(response)
        return self._refuse(response.status) if response.status >= 400 else (answer, _read_moment(response))

    async def _call(
        self, credentials: Credentials, call: Call, values: Values, headers: Mapping[str, str] = EMPTY
    ) -> Response | Refusal:
        """Make a call with what authenticates it; a Refusal where the provider gives no token."""
        said = self.description.authentication
        known = {**values, **{f"credentials.{name}": value for name, value in credentials.items()}}

        async def send(token: str) -> Response:
            proof = fill_texts(said.headers, {**known, "token": token})
            if user := fill(said.basic, known):
                proof["Authorization"] = f"Basic {base64.b64encode(str(user).encode()).decode()}"
            return await self._send(call, {**known, "token": token}, {**proof, **headers}, said.query)

        if said.login is None:
            return await send("")
        log_in = partial(self._log_in, said.login, known)
        return await call_logged_in(self._http, name_account(self.name, credentials), log_in, send)

    async def _log_in(self, login: Login, values: Values) -> Token | Refusal:
        response = await self._send(login.call, values, {}, {})
        answer = read_answer(response)
        if response.status >= 400:
            return self._refuse(response.status)
        life = find_whole(answer, login.expires_in_seconds)
        return read_token({"access_token": find_text(answer, login.token), "expires_in": life})

    async def _send(self, call: Call, values: Values, headers: Mapping[str, str], query: Mapping[str, str]) -> Response:
        content = {"form": fill_texts(call.body, values)} if call.is_form else {"json": fill(call.body, values)}
        return await self._http.request(
            call.method,
            self.url + fill_address(call.path, {**query, **call.query}, values),
            party=f"gateway:{self.name}",
            headers={**fill_texts(call.headers, values), **headers},
            **content,
            timeout_seconds=self.timeout_seconds,
        )

    def _read_status(self, value: Any, paths: Paths) -> Status | None:
        return self.description.statuses.get((find_text(value, paths) or "").casefold())

    def _read_charge(self, answer: dict[str, Any], request: ChargeRequest) -> Charge:
        where = self.description.created
        provider_id, code = find_text(answer, where.id), find_text(answer, where.code)
        if provider_id is None or code is None:
            raise Undecided("the provider's answer has no id or no code")
        asked_until = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        return Charge(
            txid=find_text(answer, where.txid) or provider_id,
            provider_id=provider_id,
            code=code,
            amount_cents=find_cents(answer, where.amount, self.description.unit) or request.amount_cents,
            expires_at=min(find_instant(answer, where.expires_at) or asked_until, asked_until),
        )

    def _read_snapshot(self, answer: dict[str, Any], txid: str, provider_id: str, moment: datetime) -> Snapshot:
        said, where = self.description, self.description.fetched
        word = find_text(answer, where.status)
        amount_cents = find_cents(answer, where.amount, said.unit)
        if word is None or amount_cents is None:
            raise Undecided("the provider's answer has no status or no amount")
        status = said.statuses.get(word.casefold())
        if status is None:
            log.warning("gateway %s: a charge has the unknown status %.40r: it counts as unpaid", self.name, word)
        expires_at = find_instant(answer, where.expires_at) or moment
        charge = Charge(txid, provider_id, find_text(answer, where.code) or "", amount_cents, expires_at)
        if status is not Status.PAID and status not in RETURNS:
            return Snapshot(charge, ())
        receipt = Receipt(provider_id, amount_cents, find_instant(answer, where.paid_at) or moment)
        return Snapshot(charge, (receipt,), self._read_returns(answer, status, receipt, moment))

    def _read_returns(
        self, answer: dict[str, Any], status: Status, receipt: Receipt, moment: datetime
    ) -> tuple[Return, ...]:
        kind = RETURNS.get(status)
        if kind is None:
            return ()
        where = self.description.fetched.returned_amount
        amount_cents = find_cents(answer, where, self.description.unit) or receipt.amount_cents
        return_id = f"{receipt.end_to_end_id}:{kind.value}"
        return (
            Return(
                return_id, receipt.end_to_end_id, amount_cents, moment, kind, is_settled=kind is not ReturnKind.DISPUTE
            ),
        )

    def _refuse(self, status: int) -> Refusal:
        return Refusal(f"{self.label} answered {status}: it {REFUSALS.get(status, UNWANTED)}")


def find_described() -> list[type[Gateway]]:
    """Return a gateway for every file of the folder.

    Raises:
        DescriptionError: a file is wrong.
    """
    return [make_gateway(read(path)) for path in sorted(FOLDER.glob("*.toml"))]


def make_gateway(said: Description) -> type[Gateway]:
    """Return the gateway a description makes."""
    proof = said.webhook.verification
    attributes = {
        "__module__": __name__,
        "__doc__": f"{said.label}, as described/{said.name}.toml has it.",
        "description": said,
        "name": said.name,
        "label": said.label if said.is_tested else f"{said.label} (ainda não testado com o provedor real)",
        "fields": said.fields,
        "needs": said.needs,
        "url": said.url,
        "least_cents": said.least_cents,
        "timeout_seconds": float(said.timeout_seconds),
        "answer_within_seconds": float(said.webhook.answer_within_seconds),
        "kept_headers": (proof.header,) if proof.kind == "hmac" else (),
        "secret_headers": (proof.header,) if proof.kind == "token" else (),
        "signs_events": said.is_tested and proof.kind == "hmac",
        "repeats_create": bool(said.idempotency_header),
    }
    return type(said.name.title().replace("_", ""), (Described,), attributes)


def _sign(secret: bytes, body: bytes, digest: str, encoding: str) -> bytes:
    signature = hmac.new(secret, body, digest)
    return base64.b64encode(signature.digest()) if encoding == "base64" else signature.hexdigest().encode()


def _read_form(body: bytes) -> dict[str, str] | None:
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=100))
    except ValueError:
        return None


def _read_moment(response: Response) -> datetime:
    """Return when an answer was given, by the provider's own clock where it says so."""
    try:
        told = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)
    return told.astimezone(UTC)


def _fold(word: str) -> str:
    """Take away what providers write now so and now so: capitals and dashes."""
    return word.casefold().replace("-", "")
