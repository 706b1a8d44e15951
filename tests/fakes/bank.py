"""A bank that speaks the Central Bank's API Pix, over TLS and only with customers whose certificates it knows.

It keeps what was said (`talk`) for the standard's own schemas to judge: tests/services/gateways/test_pix_schema.py.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import uuid4

from grimbots.services import brcode
from grimbots.services.gateways.api_pix import make_word
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.certificates import Authority, make_demanding_tls
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields

SCOPES = "cob.write cob.read pix.write pix.read webhook.write webhook.read"


@dataclass
class Said:
    """One call and its answer: the standard's path, what was sent, the status and what came back."""

    method: str
    path: str
    asked: Any
    status: int
    answer: Any


@cache
def get_authority() -> Authority:
    """Return who vouches for the bank and its customers; made once, for keys take time."""
    return Authority("Banco")


@cache
def issue_certificate(seller: str) -> str:
    """Return the certificate of a customer, and its key."""
    return get_authority().issue(seller).decode()


class FakeBank(FakeGateway):
    """Charges by seller and txid."""

    create_call = ("PUT", r"/cob/\w+$")
    logs_in = True
    root: ClassVar[str] = "/api"
    known_status: ClassVar[int] = 400
    """What a txid that is taken is answered with."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.tokens: dict[str, str] = {}
        self.logins: list[dict[str, Any]] = []
        self.webhooks: dict[str, str] = {}
        self.webhook_headers: dict[str, str] = {}
        self.scopes = SCOPES
        self.talk: list[Said] = []
        self.page = 0
        """How many a page holds, whatever is asked for; 0: as many."""
        self.gives_codes = True
        """False: a charge comes without its code, as the standard allows."""

    async def start(self, tls: Any = None) -> None:
        """Listen; from now on this process trusts the bank's authority."""
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "authority.pem").write_bytes(get_authority().pem)
        self._trusted, os.environ["SSL_CERT_FILE"] = os.environ.get("SSL_CERT_FILE"), f"{folder}/authority.pem"
        await super().start(make_demanding_tls(folder, get_authority()))
        self.url += self.root

    async def stop(self) -> None:
        """Stop listening, and let the process trust whom it did."""
        await super().stop()
        self._folder.cleanup()
        os.environ.pop("SSL_CERT_FILE", None)
        if self._trusted is not None:
            os.environ["SSL_CERT_FILE"] = self._trusted

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {
            "client_id": f"Client_Id_{seller}",
            "client_secret": f"Client_Secret_{seller}",
            "pix_key": f"{seller}@example.com",
            "certificate": issue_certificate(seller),
        }

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        return Event("/pix", "", {"user-agent": "PSP"}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        cob = self._find(txid)
        pix = {
            "endToEndId": name_transfer(end_to_end_id),
            "txid": txid,
            "valor": cob["valor"]["original"] if amount_cents is None else _write_reais(amount_cents),
            "chave": cob["chave"],
            "horario": _write(self.clock()),
            "infoPagador": "<b>0123456789</b>",
        }
        cob.setdefault("pix", []).append(pix)
        cob["status"] = "CONCLUIDA"
        return self._tell(pix)

    def expire(self, txid: str) -> bytes:
        """Do nothing: the standard has no word for it, and tells nobody."""
        return b""

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        pix = self._find_transfer(name_transfer(end_to_end_id))
        self.return_money(pix, "painel1", amount_cents, "DEVOLVIDO", "ORIGINAL")
        return self._tell(pix)

    def settle_refunds(self) -> bytes:
        told = b""
        for pix in self._list_pix():
            for back in pix.get("devolucoes", []):
                back["status"], back["horario"]["liquidacao"] = "DEVOLVIDO", _write(self.clock())
                told = self._tell(pix)
        return told

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        """Take the money back under MED. The standard tells of it once it has left."""
        pix = self._find_transfer(name_transfer(end_to_end_id))
        is_lost = kind is ReturnKind.CHARGEBACK
        cents = int(pix["valor"].replace(".", ""))
        self.return_money(pix, "med1", cents, "DEVOLVIDO" if is_lost else "EM_PROCESSAMENTO", "MED_FRAUDE")
        return self._tell(pix) if is_lost else b""

    def set_status(self, txid: str, word: str) -> bytes:
        self._find(txid)["status"] = word
        return b""

    def forget_tokens(self) -> None:
        self.tokens.clear()

    def return_money(self, pix: dict[str, Any], id_: str, cents: int, status: str, nature: str) -> dict[str, Any]:
        """Note money that goes back of a transfer, once per id."""
        others = [back for back in pix.get("devolucoes", []) if back["id"] != id_]
        now = _write(self.clock())
        back = {
            "id": id_,
            "rtrId": f"D{pix['endToEndId'][1:21]}{len(others):011d}",
            "valor": _write_reais(cents),
            "natureza": nature,
            "horario": {"solicitacao": now, **({"liquidacao": now} if status == "DEVOLVIDO" else {})},
            "status": status,
        }
        pix["devolucoes"] = [*others, back]
        return back

    def refuse(self, status: int, name: str, title: str) -> dict[str, Any]:
        """Return an error as the standard writes it."""
        return {"type": f"https://pix.bcb.gov.br/api/v2/error/{name}", "title": title, "status": status}

    def make(self, seller: str, txid: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Make a charge."""
        location = f"pix.example.com/qr/v2/{txid}"
        now = _write(self.clock())
        code = brcode.build(url=location, name="Loja", city="Recife", is_one_time=True)
        cob = {
            "calendario": {"criacao": now, "expiracao": asked["calendario"].get("expiracao", 86400)},
            "txid": txid,
            "revisao": 0,
            "loc": {"id": 789, "txid": txid, "location": location, "tipoCob": "cob", "criacao": now},
            "location": location,
            "status": "ATIVA",
            **{name: asked[name] for name in ("devedor", "solicitacaoPagador") if name in asked},
            "valor": asked["valor"],
            "chave": asked["chave"],
            **({"pixCopiaECola": code} if self.gives_codes else {}),
        }
        self.charges[seller, txid] = cob
        return cob

    def _find(self, txid: str) -> dict[str, Any]:
        return next(cob for (_, known), cob in self.charges.items() if known == txid)

    def _find_transfer(self, end_to_end_id: str) -> dict[str, Any]:
        return next(pix for pix in self._list_pix() if pix["endToEndId"] == end_to_end_id)

    def _list_pix(self) -> Iterator[dict[str, Any]]:
        return (pix for cob in self.charges.values() for pix in cob.get("pix", []))

    def _tell(self, pix: dict[str, Any]) -> bytes:
        said = {"pix": [pix]}
        return json.dumps(add_fields(said) if self.adds_fields else said).encode()


def name_transfer(short: str) -> str:
    """Return the EndToEndId of a transfer that a test calls E1, E2 ...: E, the bank's ISPB, its minute, and a word."""
    return f"E12345678202603021200{short:k>11}" if len(short) < 12 else short


def _write(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_reais(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


class BankHandler(FakeHandler):
    """An address that wants a token, of the customer whose certificate is shown."""

    provider: FakeBank

    def authenticate(self) -> None:
        token = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seller = self.provider.tokens.get(token, "")
        if not self.seller or self.seller != read_customer(self):
            self.reply(401, {"error": "invalid_token"})

    def reply(self, status: int, value: Any) -> None:
        asked = json.loads(self.request.body) if self.request.body[:1] == b"{" else None
        path = self.request.path.removeprefix(self.provider.root)
        self.provider.talk.append(Said(self.request.method or "", path, asked, status, value))
        super().reply(status, value)

    def refuse(self, status: int, name: str, title: str) -> None:
        """Answer with an error in the bank's own form."""
        self.reply(status, self.provider.refuse(status, name, title))


def read_customer(handler: FakeHandler) -> str:
    """Return whose certificate was shown."""
    shown: Any = handler.request.get_ssl_certificate()
    return dict(pair[0] for pair in shown["subject"])["commonName"]


class TokenHandler(FakeHandler):
    """The way in: client id and secret of the customer whose certificate is shown."""

    provider: FakeBank

    def authenticate(self) -> None:
        """Whoever comes may try."""

    def post(self) -> None:
        """Give a token of an hour."""
        basic = self.request.headers.get("Authorization", "")
        form = {name: values[-1].decode() for name, values in self.request.body_arguments.items()}
        asked = form or json.loads(self.request.body)
        pair = [asked.get("client_id"), asked.get("client_secret")]
        if basic:
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":", 1)
        self.provider.logins.append({"basic": bool(basic), "form": bool(form), **asked})
        seller = read_customer(self)
        known = self.provider.credentials(seller)
        if pair != [known["client_id"], known["client_secret"]] or asked.get("grant_type") != "client_credentials":
            self.reply(401, {"error": "invalid_client", "error_description": f"{pair}"})
            return
        token = uuid4().hex
        self.provider.tokens[token] = seller
        given = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": self.provider.scopes}
        self.reply(200, given)


class _Charge(BankHandler):
    async def put(self, txid: str) -> None:
        if (self.seller, txid) in self.provider.charges:
            self.refuse(self.provider.known_status, "CobOperacaoInvalida", "Cobrança inválida.")
            return
        cob = self.provider.make(self.seller, txid, json.loads(self.request.body))
        if self.provider.before_answer is not None:
            await self.provider.before_answer(txid)
        self.reply(201, cob)

    def get(self, txid: str) -> None:
        cob = self.provider.charges.get((self.seller, txid))
        self.reply(200, cob) if cob else self.refuse(404, "CobNaoEncontrado", "Not found")


class _Records(BankHandler):
    def send(self, name: str, records: list[dict[str, Any]]) -> None:
        """Answer with one page of these."""
        asked, page = [int(self.get_query_argument(f"paginacao.{each}")) for each in ("itensPorPagina", "paginaAtual")]
        size = self.provider.page or asked
        paging = {
            "paginaAtual": page,
            "itensPorPagina": size,
            "quantidadeDePaginas": max(1, -(-len(records) // size)),
            "quantidadeTotalDeItens": len(records),
        }
        window = {each: self.get_query_argument(each) for each in ("inicio", "fim")}
        self.reply(200, {"parametros": {**window, "paginacao": paging}, name: records[page * size : (page + 1) * size]})

    def is_within(self, at: str) -> bool:
        """Tell whether it is of the window: the standard's holds its end."""
        return self.get_query_argument("inicio") <= at <= self.get_query_argument("fim")

    def list_own(self) -> list[dict[str, Any]]:
        """Return the seller's charges."""
        return [cob for (seller, _), cob in self.provider.charges.items() if seller == self.seller]


class _Charges(_Records):
    def get(self) -> None:
        self.send("cobs", [cob for cob in self.list_own() if self.is_within(cob["calendario"]["criacao"])])


class _Transfers(_Records):
    def get(self) -> None:
        found = [pix for cob in self.list_own() for pix in cob.get("pix", [])]
        self.send("pix", [pix for pix in found if self.is_within(pix["horario"])])


class _Return(BankHandler):
    def put(self, end_to_end_id: str, id_: str) -> None:
        cents = int(json.loads(self.request.body)["valor"].replace(".", ""))
        pix = next((pix for pix in self.list_own() if pix["endToEndId"] == end_to_end_id), None)
        known = pix.get("devolucoes", []) if pix else []
        left = (int(pix["valor"].replace(".", "")) if pix else 0) - sum(int(k["valor"].replace(".", "")) for k in known)
        if pix is None or cents > left or id_ in [back["id"] for back in known]:
            self.refuse(400, "PixDevolucaoInvalida", "Devolução inválida.")
            return
        status = "EM_PROCESSAMENTO" if self.provider.refunds_take_time else "DEVOLVIDO"
        self.reply(201, self.provider.return_money(pix, id_, cents, status, "ORIGINAL"))

    def get(self, end_to_end_id: str, id_: str) -> None:
        found = [pix for pix in self.list_own() if pix["endToEndId"] == end_to_end_id]
        known = [back for pix in found for back in pix.get("devolucoes", []) if back["id"] == id_]
        self.reply(200, known[0]) if known else self.refuse(404, "PixDevolucaoNaoEncontrada", "Not found")

    def list_own(self) -> list[dict[str, Any]]:
        """Return the seller's transfers."""
        mine = [cob for (seller, _), cob in self.provider.charges.items() if seller == self.seller]
        return [pix for cob in mine for pix in cob.get("pix", [])]


class _Webhook(BankHandler):
    def put(self, key: str) -> None:
        if key != self.provider.credentials(self.seller)["pix_key"]:
            self.refuse(400, "WebhookOperacaoInvalida", "Chave inválida.")
            return
        self.provider.webhooks[key] = json.loads(self.request.body)["webhookUrl"]
        self.provider.webhook_headers = {name.lower(): value for name, value in self.request.headers.get_all()}
        self.reply(200, {})

    def get(self, key: str) -> None:
        url = self.provider.webhooks.get(key)
        if url is None:
            self.refuse(404, "WebhookNaoEncontrado", "Not found")
        else:
            self.reply(200, {"webhookUrl": url, "cnpj": "12345678000195", "criacao": _write(self.provider.clock())})


class _Code(BankHandler):
    def get(self, id_: str) -> None:
        self.reply(200, {"qrcode": f"code of location {id_}", "imagemQrcode": "data:image/png;base64,"})


def list_routes(root: str, token_path: str) -> list[tuple[str, type[FakeHandler]]]:
    """Return the standard's addresses below a bank's own root."""
    return [
        (token_path, TokenHandler),
        (rf"{root}/cob", _Charges),
        (rf"{root}/cob/(\w+)", _Charge),
        (rf"{root}/pix", _Transfers),
        (rf"{root}/pix/(\w+)/devolucao/(\w+)", _Return),
        (rf"{root}/webhook/(.+)", _Webhook),
        (rf"{root}/loc/(\d+)/qrcode", _Code),
    ]


FakeBank.routes = list_routes(FakeBank.root, "/oauth/token")


def write_query(credentials: dict[str, str]) -> str:
    """Return what follows the ? in an event's address at a bank that was given our word."""
    return urlencode({"hmac": make_word(credentials)}) + "&ignorar=/pix"
