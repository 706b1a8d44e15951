"""The client of every bank that speaks the Central Bank's API Pix: which one, and what is peculiar to it, a file says.

Source: bacen/pix-api 2.9.0 (openapi.yaml), whose rules these calls keep:
    PUT /cob/{txid}      our key is the txid. Known already: 400 in the standard, 409 at Efí; then it is read
    GET /cob/{txid}      the authority on whether it is paid
    GET /cob, GET /pix   a window of charges made, of transfers received; in pages
    PUT /pix/{e2eid}/devolucao/{id}   our key is the id. A known one is a 400 again, so it is read; done when DEVOLVIDO
    PUT /webhook/{chave} one address per Pix key, to which the bank adds /pix; several transfers may come in one event

An event proves itself by the bank's client certificate, which ends at the proxy before us, or at best by a word in its
address: a hint in either case, and the charge is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from grimbots.conf.foreign_json import read_object
from grimbots.services.clients.http import Response
from grimbots.services.gateways import pix_records
from grimbots.services.gateways.answers import read_objects, read_text
from grimbots.services.gateways.bank_sessions import BankSession
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Credentials,
    Event,
    Field,
    Gateway,
    Hint,
    Refund,
    Refusal,
    Snapshot,
    Undecided,
    Verdict,
)
from grimbots.services.gateways.certificates import HOW, read_certificate
from grimbots.services.gateways.proofs import is_word

if TYPE_CHECKING:
    from grimbots.services.gateways.bank_files import Bank

PERHAPS_KNOWN = (400, 409)

FIELDS = (
    Field("client_id", "Client ID", "Da aplicação da API Pix, no painel do banco.", is_secret=False),
    Field("client_secret", "Client Secret", "Da mesma aplicação."),
    Field("pix_key", "Chave Pix", "A chave da conta que recebe, como está no banco.", is_secret=False),
)
CERTIFICATE = Field("certificate", "Certificado", f"O que o banco dá para a API Pix: {HOW}, sem senha.")


class ApiPix(Gateway):
    """A bank of the standard; `make_gateway` makes a class of each file."""

    signs_events = False
    wants_register = True

    @property
    @abstractmethod
    def bank(self) -> Bank:
        """What the bank's file says."""

    @classmethod
    def prepare(cls, credentials: Credentials, now: datetime) -> Credentials:
        """Take the certificate in whatever form it came."""
        if "certificate" not in credentials:
            return credentials
        return {**credentials, "certificate": read_certificate(credentials["certificate"], now)}

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Log in, see that each call we make is allowed, and ask for the key's callbacks, which need not be there."""
        session = self._open(credentials)
        return _settle(session, await session.call("GET", _webhook_path(credentials)), 200, 404)

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Put the charge under our own key as its txid; where that is taken, an earlier attempt of ours made it."""
        session = self._open(credentials)
        body = pix_records.write_charge(request, credentials["pix_key"])
        cob = session.read(await _put_once(session, f"cob/{quote(request.idempotency_key)}", body))
        charge = cob if isinstance(cob, Refusal) else await self._complete(session, cob)
        if isinstance(charge, Charge) and not charge.code:
            raise Undecided("the bank's charge has no code")
        return charge

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by its txid."""
        session = self._open(credentials)
        cob = session.read(await session.call("GET", f"cob/{quote(txid)}"))
        return cob if isinstance(cob, Refusal) else pix_records.read_snapshot(cob)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Return the charge by our key, which is its txid."""
        cob = await _find(self._open(credentials), idempotency_key)
        return pix_records.read_snapshot(cob) if isinstance(cob, dict) else cob

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Put a devolucao under our own key; where that is taken, an earlier attempt of ours asked for it."""
        session = self._open(credentials)
        path = f"pix/{quote(end_to_end_id, safe='')}/devolucao/{quote(idempotency_key, safe='')}"
        back = session.read(await _put_once(session, path, {"valor": pix_records.write_reais(amount_cents)}))
        if isinstance(back, Refusal):
            return back
        refund = pix_records.read_refund(back)
        if refund is None:
            return Refusal(f"{self.label} não fez a devolução: veja o motivo no extrato da conta e tente de novo")
        if refund.amount_cents != amount_cents:
            return Refusal(f"{self.label} já devolveu {refund.amount_cents} centavos com esta chave")
        return refund

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Return the charges of a window; those made before it and paid in it are looked up one by one."""
        session = self._open(credentials)
        window = {"inicio": pix_records.write_instant(since), "fim": pix_records.write_instant(until)}
        cobs = await session.list_pages("cob", "cobs", window)
        if isinstance(cobs, Refusal):
            return cobs
        pix = await session.list_pages("pix", "pix", window)
        if isinstance(pix, Refusal):
            return pix
        found = {read_text(cob, "txid"): cob for cob in cobs if pix_records.was_made(cob, since, until)}
        for txid in pix_records.list_paid(pix, since, until):
            cob = found[txid] if txid in found else await _find(session, txid)
            if isinstance(cob, Refusal):
                return cob
            found |= {} if cob is None else {txid: cob}  # None: a charge with a due date, so none of ours
        return tuple(map(pix_records.read_snapshot, found.values()))

    async def register(self, credentials: Credentials, notification_url: str) -> Refusal | None:
        """Tell the bank where to post the key's events. It knows one address per key: the one before is forgotten."""
        query = self.bank.webhook_query.replace("{secret}", make_word(credentials))
        body = {"webhookUrl": f"{notification_url}?{query}" if query else notification_url}
        session = self._open(credentials)
        answer = await session.call("PUT", _webhook_path(credentials), body, self.bank.webhook_headers)
        return _settle(session, answer, 200, 201, 204)

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Look for our word in the address: without it the event is not the bank's, and with it only perhaps."""
        if "{secret}" not in self.bank.webhook_query:
            return Verdict.REQUERY
        word = make_word(credentials)
        said = [value.partition("/")[0] for _, value in parse_qsl(event.query, errors="replace")]
        return Verdict.REQUERY if any(is_word(value, word) for value in said) else Verdict.NO

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read the transfers of a callback, and what of them goes back."""
        try:
            told = read_objects(read_object(event.body), "pix")
            return tuple(hint for pix in told for hint in pix_records.read_hints(pix))
        except Undecided:
            return ()

    def _open(self, credentials: Credentials) -> BankSession:
        return BankSession(self._http, self.bank, self.url, credentials, self.timeout_seconds)

    async def _complete(self, session: BankSession, cob: dict[str, Any]) -> Charge | Refusal:
        """Read the charge, and its code where the bank has it: the standard lets a charge come without."""
        charge = pix_records.read_charge(cob)
        if charge.code or not self.bank.code_path:
            return charge
        path = self.bank.code_path.replace("{id}", quote(read_text(cob, "loc", "id")))
        told = session.read(await session.call("GET", path))
        return told if isinstance(told, Refusal) else pix_records.read_charge(cob, read_text(told, "qrcode"))


def make_gateway(file: Bank) -> type[ApiPix]:
    """Make the gateway of a bank's file."""

    class BankGateway(ApiPix):
        name = file.name
        label = file.label
        url = file.url
        fields = (*FIELDS, CERTIFICATE) if file.has_certificate else FIELDS

        @property
        def bank(self) -> Bank:
            return file

    return BankGateway


async def _put_once(session: BankSession, path: str, body: Mapping[str, Any]) -> Response | Refusal:
    """Put a record under a key of ours. Refused, it may be there already by an earlier attempt: then it is read."""
    response = await session.call("PUT", path, body)
    if not isinstance(response, Response) or response.status not in PERHAPS_KNOWN:
        return response
    known = await session.call("GET", path)
    return known if isinstance(known, Response) and known.status == 200 else response


async def _find(session: BankSession, txid: str) -> dict[str, Any] | Refusal | None:
    response = await session.call("GET", f"cob/{quote(txid)}")
    cob = session.read(response)
    return None if isinstance(response, Response) and response.status == 404 else cob


def _settle(session: BankSession, response: Response | Refusal, *good: int) -> Refusal | None:
    """Return None for a status that is good, whatever the body; raises Undecided as `BankSession.read` does."""
    if isinstance(response, Response) and response.status in good:
        return None
    answer = session.read(response)
    return answer if isinstance(answer, Refusal) else session.refuse(response)  # type: ignore[arg-type]


def _webhook_path(credentials: Credentials) -> str:
    return f"webhook/{quote(credentials['pix_key'], safe='')}"


def make_word(credentials: Credentials) -> str:
    """Make the word that only the bank and we know: it tells nothing of the secret it is made of."""
    said = f"webhook:{credentials['pix_key']}".encode()
    return hmac.new(credentials["client_secret"].encode(), said, hashlib.sha256).hexdigest()
