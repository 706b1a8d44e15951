"""Calls of one seller's account at a bank of the API Pix: the certificate shown, logged in, pages turned."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urljoin

from grimbots.conf.foreign_json import read_object
from grimbots.services.clients.http import HttpClient, Response
from grimbots.services.clients.tokens import Token
from grimbots.services.gateways import answers
from grimbots.services.gateways.bank_files import Bank
from grimbots.services.gateways.base import Credentials, Refusal, Undecided, read_answer
from grimbots.services.gateways.certificates import find_fault
from grimbots.services.gateways.logins import call_logged_in, name_account, read_token

SCOPES = ("cob.write", "cob.read", "pix.write", "pix.read", "webhook.write", "webhook.read")  # what our calls need
PAGE = 100

# By the last part of RFC 7807's `type` (the standard's "Tratamento de erros"), Efí's `nome`, or OAuth's `error`.
PROBLEMS = MappingProxyType(
    {
        "AcessoNegado": "não deixa esta aplicação fazer isso: marque a permissão no painel do banco",
        "CobOperacaoInvalida": "não fez a cobrança: confira a chave Pix e o valor",
        "PixDevolucaoInvalida": "não fez a devolução: ela passa do que foi recebido, ou dos 90 dias, ou falta saldo",
        "WebhookOperacaoInvalida": "não aceitou o endereço dos avisos: confira PUBLIC_URL",
        "chave_invalida": "não conhece a chave Pix nesta conta: confira-a no painel do banco",
        "documento_bloqueado": "bloqueou o CPF ou CNPJ desta conta: fale com o banco",
        "valor_invalido": "não aceitou o valor",
        "status_cobranca_invalido": "diz que a cobrança já foi paga ou removida",
        "webhook_invalido": "não aceitou o endereço dos avisos: confira PUBLIC_URL",
        "invalid_client": "não aceitou o Client ID e o Client Secret, ou não são deste certificado: confira-os",
        "unauthorized_client": "não deixa esta aplicação usar a API Pix: ative-a no painel do banco",
        "invalid_scope": "não dá a esta aplicação todas as permissões da API Pix: marque-as no painel do banco",
    }
)


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
        for page in range(answers.MOST_PAGES):
            asked = {**window, "paginacao.paginaAtual": str(page), "paginacao.itensPorPagina": str(PAGE)}
            answer = self.read(await self.call("GET", f"{path}?{urlencode(asked)}"))
            if isinstance(answer, Refusal):
                return answer
            found += answers.read_objects(answer, name)
            pages = answers.find(answer, "parametros", "paginacao", "quantidadeDePaginas")
            if not isinstance(pages, int):
                raise Undecided("the bank does not say how many pages there are")
            if page + 1 >= pages or not answers.find(answer, name):
                return found
        raise Undecided(f"the bank's list of {path} has no end: ask for a shorter time")

    async def _log_in(self) -> Token | Refusal:
        """Ask for a token. The certificate is looked at first: a bank only hangs up on one that ran out."""
        if self.bank.has_certificate and (fault := find_fault(self.credentials["certificate"], datetime.now(UTC))):
            return Refusal(fault)
        body = {"grant_type": "client_credentials"}
        if self.bank.asks_scopes:
            body["scope"] = " ".join(SCOPES)
        client = {name: self.credentials[name] for name in ("client_id", "client_secret")}
        headers = {}
        if self.bank.login_by == "body":
            body |= client
        else:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(client.values()).encode()).decode()}"
        url = urljoin(f"{self.url}/", self.bank.login_url)
        response = await self._request("POST", url, headers, **{self.bank.login_body: body})
        answer = self.read(response)
        return answer if isinstance(answer, Refusal) else _check_scopes(answer) or read_token(answer)

    def read(self, response: Response | Refusal) -> dict[str, Any] | Refusal:
        """Return what the bank answered, or its no.

        Raises:
            Undecided: it decided nothing.
        """
        if isinstance(response, Refusal):
            return response
        if response.status in (401, 403):  # by whatever stands before the bank's API, and perhaps without JSON
            return self.refuse(response)
        answer = read_answer(response)
        return self.refuse(response) if response.status >= 400 else answer

    def refuse(self, response: Response) -> Refusal:
        """Put the bank's no into our words, by the name it gives its reason."""
        said = read_object(response.body) or {}
        names = [str(said.get(name)).rpartition("/")[2] for name in ("type", "nome", "error")]
        known = next((PROBLEMS[name] for name in names if name in PROBLEMS), None)
        return answers.refuse(self.bank.label, response.status, {} if known is None else {response.status: known})

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


def _check_scopes(answer: Mapping[str, Any]) -> Refusal | None:
    """Miss what the application may not do; a bank that does not tell (RFC 6749, 5.1) allows all that was asked for."""
    given = answer.get("scope")
    missing = [] if not isinstance(given, str) or not given else sorted(set(SCOPES) - set(given.split()))
    if not missing:
        return None
    return Refusal(f"a aplicação da API Pix não tem permissão para {', '.join(missing)}: marque no painel do banco")
