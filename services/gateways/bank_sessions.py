"""Calls of one seller's account at a bank of the API Pix: the certificate shown, logged in, pages turned."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urljoin

from grimbots.conf.redactions import scrub
from grimbots.services.clients.http import HttpClient, Response
from grimbots.services.clients.tokens import Token
from grimbots.services.gateways.bank_files import Bank
from grimbots.services.gateways.base import Credentials, Refusal, Undecided, read_answer, read_object
from grimbots.services.gateways.certificates import find_fault
from grimbots.services.gateways.logins import call_logged_in, name_account, read_token
from grimbots.services.gateways.pix_records import read_list, read_part

SCOPES = ("cob.write", "cob.read", "pix.write", "pix.read", "webhook.write", "webhook.read")  # what our calls need
PAGE, MOST_PAGES = 100, 1_000
LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class BankSession:
    """An account at a bank, as long as one call of the gateway lasts. `url`: where the standard's paths begin."""

    http: HttpClient
    bank: Bank
    url: str
    credentials: Credentials = field(repr=False)
    timeout_seconds: float

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Response | Refusal:
        """Call the bank; a Refusal when it does not let us in."""

        async def send(token: str) -> Response:
            authorized = {"Authorization": f"Bearer {token}", **(headers or {})}
            return await self._request(method, f"{self.url}/{path}", authorized, json=body)

        account = name_account(self.bank.name, self.credentials)
        return await call_logged_in(self.http, account, self._log_in, send)

    async def list_pages(self, path: str, name: str, window: Mapping[str, str]) -> list[dict[str, Any]] | Refusal:
        """Return all the records of a window, page by page."""
        found: list[dict[str, Any]] = []
        for page in range(MOST_PAGES):
            asked = {**window, "paginacao.paginaAtual": str(page), "paginacao.itensPorPagina": str(PAGE)}
            answer = read(await self.call("GET", f"{path}?{urlencode(asked)}"))
            if isinstance(answer, Refusal):
                return answer
            found += read_list(answer, name)
            pages = read_part(read_part(answer, "parametros"), "paginacao").get("quantidadeDePaginas")
            if page + 1 >= int(pages or 0):
                return found
        raise Undecided(f"the bank has more than {MOST_PAGES * PAGE} of these: ask for a shorter time")

    async def _log_in(self) -> Token | Refusal:
        """Ask for a token. The certificate is looked at first: a bank only hangs up on one that ran out."""
        if self.bank.has_certificate and (fault := find_fault(self.credentials["certificate"], datetime.now(UTC))):
            return Refusal(fault)
        body = {"grant_type": "client_credentials"}
        if self.bank.asks_scopes:
            body["scope"] = " ".join(SCOPES)
        client = {name: self.credentials[name] for name in ("client_id", "client_secret")}
        headers = {}
        if self.bank.token_credentials == "body":  # noqa: S105
            body |= client
        else:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(client.values()).encode()).decode()}"
        url = urljoin(f"{self.url}/", self.bank.token_url)
        response = await self._request("POST", url, headers, **{self.bank.token_body: body})
        answer = read(response)
        return answer if isinstance(answer, Refusal) else _check_scopes(answer) or read_token(answer)

    async def _request(self, method: str, url: str, headers: Mapping[str, str], **body: Any) -> Response:
        fixed = {
            name: value.replace("{client_id}", self.credentials["client_id"])
            for name, value in self.bank.headers.items()
        }
        return await self.http.request(
            method,
            url,
            party=f"gateway:{self.bank.name}",
            headers={**fixed, **headers},
            timeout_seconds=self.timeout_seconds,
            certificate=self.credentials["certificate"] if self.bank.has_certificate else "",
            **body,
        )


def read(response: Response | Refusal) -> dict[str, Any] | Refusal:
    """Return what the bank answered, or its no.

    Raises:
        Undecided: it decided nothing.
    """
    if isinstance(response, Refusal):
        return response
    if response.status in (401, 403):  # by whatever stands before the bank's API, and perhaps without JSON
        return refuse(response)
    answer = read_answer(response)
    return refuse(response) if response.status >= 400 else answer


def refuse(response: Response) -> Refusal:
    """Make a refusal of a bank's no: RFC 7807 as the standard has it, Efí's own form, or OAuth's; never what was sent."""
    said = read_object(response.body) or {}
    words = [said.get(name) for name in ("title", "detail", "nome", "mensagem", "error", "error_description")]
    violations = said.get("violacoes")
    if isinstance(violations, list):
        words += [found.get("razao") for found in violations if isinstance(found, dict)]
    text = "; ".join(word for word in words if isinstance(word, str))
    return Refusal(f"o banco respondeu {response.status}: {scrub(text)[:LONGEST_WORDS] or 'sem dizer por quê'}")


def _check_scopes(answer: Mapping[str, Any]) -> Refusal | None:
    """Miss what the application is not allowed; a bank that does not list it (RFC 6749, 5.1) gave all that was asked."""
    given = answer.get("scope")
    missing = [] if not isinstance(given, str) or not given else sorted(set(SCOPES) - set(given.split()))
    if not missing:
        return None
    return Refusal(f"a aplicação não tem permissão para {', '.join(missing)}: marque no painel do banco")
