"""Efí: the standard's bank in its own ways. Source: efipay/sdk-python-apis-efi 1.0.7; see banks/efi.toml."""

from __future__ import annotations

from typing import Any

from grimbots.services.gateways.base import Event
from grimbots.tests.fakes.bank import FakeBank, list_routes, write_query

NAMES = {"CobOperacaoInvalida": "txid_duplicado", "CobNaoEncontrado": "cobranca_nao_encontrada"}


class Fake(FakeBank):
    """Errors of its own form, 409 for a known txid, and callbacks whose address ends in ours and /pix."""

    root = "/v2"
    routes = list_routes("/v2", "/oauth/token")
    known_status = 409

    def refuse(self, status: int, name: str, title: str) -> dict[str, Any]:
        return {"nome": NAMES.get(name, "erro_aplicacao"), "mensagem": title}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        return Event("", write_query(credentials), {"user-agent": "API Pix Efi"}, body)
