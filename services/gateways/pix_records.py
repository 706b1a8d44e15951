"""The records of the Central Bank's API Pix, read and written: charges (`cob`), transfers (`pix`), `devolucoes`.

Source: bacen/pix-api 2.9.0, openapi.yaml. Its rules for clients: new fields, another order and new members of an
enumeration are to be expected. The status of a `cob` is its record's, and there is no word for expired: whether one is
paid is what its `pix` say, and its end is `criacao` and `expiracao` added.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from grimbots.services.gateways.answers import find, find_text, read_instant, read_objects, read_reais, read_text
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Hint,
    Receipt,
    Refund,
    Return,
    ReturnKind,
    Snapshot,
    Undecided,
)

log = logging.getLogger(__name__)

OUR_TXID = re.compile(r"[a-zA-Z0-9]{26,35}")  # of a `cob`; a static code's has 25 characters at most
LONGEST_REQUEST, LONGEST_NAME = 140, 200

# `natureza` of a devolucao: absent it is ORIGINAL. The last three: the payer's bank takes it back (MED).
OURS = ("ORIGINAL", "RETIRADA")
MED = ("MED_OPERACIONAL", "MED_FRAUDE", "MED_PIX_AUTOMATICO")
IS_SETTLED = MappingProxyType({"EM_PROCESSAMENTO": False, "DEVOLVIDO": True})
FAILED = "NAO_REALIZADO"  # the money stayed


def write_charge(request: ChargeRequest, pix_key: str) -> dict[str, Any]:
    """Return what a `cob` is asked for with. `modalidadeAlteracao` is left out: no payer may change the amount."""
    body: dict[str, Any] = {
        "calendario": {"expiracao": request.expires_in_seconds},
        "valor": {"original": write_reais(request.amount_cents)},
        "chave": pix_key,
        "solicitacaoPagador": request.description[:LONGEST_REQUEST],
    }
    if request.payer.name and request.payer.tax_id:  # the standard wants both or none
        kind = "cpf" if len(request.payer.tax_id) == 11 else "cnpj"
        body["devedor"] = {kind: request.payer.tax_id, "nome": request.payer.name[:LONGEST_NAME]}
    return body


def write_reais(cents: int) -> str:
    """Write cents as the standard does: 3700 -> "37.00"."""
    return f"{cents // 100}.{cents % 100:02d}"


def write_instant(at: datetime) -> str:
    """Write an instant as the standard does: RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_charge(cob: dict[str, Any], code: str = "") -> Charge:
    """Read a `cob`; `code` where it was given elsewhere.

    Raises:
        Undecided: it lacks what every charge has.
    """
    seconds = read_text(cob, "calendario", "expiracao")  # a number, and a text in the standard's own example
    if not re.fullmatch(r"[0-9]{1,9}", seconds):
        raise Undecided("the bank's calendario.expiracao is no number of seconds")
    return Charge(
        txid=read_text(cob, "txid"),
        provider_id=read_text(cob, "txid"),
        code=code or find_text(cob, "pixCopiaECola") or "",
        amount_cents=read_reais(cob, "valor", "original"),
        expires_at=read_instant(cob, "calendario", "criacao") + timedelta(seconds=int(seconds)),
    )


def read_snapshot(cob: dict[str, Any]) -> Snapshot:
    """Read a whole `cob`: the charge, its transfers, and what of them goes back.

    Raises:
        Undecided: it cannot be read.
    """
    pix = read_objects(cob, "pix")
    returns = tuple(back for each in pix for back in read_returns(each))
    return Snapshot(read_charge(cob), tuple(map(read_receipt, pix)), returns)


def read_receipt(pix: dict[str, Any]) -> Receipt:
    """Read a transfer.

    Raises:
        Undecided: it cannot be read.
    """
    return Receipt(read_text(pix, "endToEndId"), read_reais(pix, "valor"), read_instant(pix, "horario"))


def read_returns(pix: dict[str, Any]) -> tuple[Return, ...]:
    """Read what goes back of a transfer. The standard's own example of a callback has one object in place of a list.

    Raises:
        Undecided: it cannot be read.
    """
    given = find(pix, "devolucoes")
    found = [given] if isinstance(given, dict) else read_objects(pix, "devolucoes")
    return tuple(_read_return(pix, back) for back in found)


def _read_return(pix: dict[str, Any], back: dict[str, Any]) -> Return:
    settled_at, is_done = find(back, "horario", "liquidacao"), is_settled(back)
    return Return(
        id=read_text(back, "rtrId"),
        end_to_end_id=read_text(pix, "endToEndId"),
        amount_cents=read_reais(back, "valor"),
        at=read_instant(back, "horario", "liquidacao" if settled_at else "solicitacao"),
        kind=_read_kind(find_text(back, "natureza") or OURS[0], is_done),
        is_settled=is_done,
        is_void=find(back, "status") == FAILED,
    )


def _read_kind(nature: str, is_done: bool) -> ReturnKind:
    """Tell why money goes back: under MED it is in dispute until it has left, and the payer's bank's from then on."""
    if nature not in (*OURS, *MED):
        log.warning("a devolucao has a natureza that the standard had not: %s", nature[:40])
    if not nature.startswith("MED"):
        return ReturnKind.REFUND
    return ReturnKind.CHARGEBACK if is_done else ReturnKind.DISPUTE


def is_settled(back: dict[str, Any]) -> bool:
    """Tell whether the money of a devolucao has left; by a status that is new to us it has not."""
    status = find_text(back, "status") or ""
    if status not in (*IS_SETTLED, FAILED):
        log.warning("a devolucao has a status that the standard had not: %s", status[:40])
    return IS_SETTLED.get(status, False)


def read_refund(back: dict[str, Any]) -> Refund | None:
    """Read the devolucao that was asked for; None: the bank did not make it. Its id is what the Return's will be.

    Raises:
        Undecided: it cannot be read.
    """
    if find(back, "status") == FAILED:
        return None
    return Refund(read_text(back, "rtrId"), read_reais(back, "valor"), is_settled(back))


def read_hints(pix: dict[str, Any]) -> tuple[Hint, ...]:
    """Read what a callback says of one transfer: that it came in, and each return of it.

    Raises:
        Undecided: it cannot be read.
    """
    txid = find(pix, "txid")
    if not isinstance(txid, str) or not txid:
        return ()  # of no charge
    first, *others = read_returns(pix) or (None,)
    return (Hint(txid, None, read_receipt(pix), first), *(Hint(txid, None, None, back) for back in others))


def was_made(cob: dict[str, Any], since: datetime, until: datetime) -> bool:
    """Tell whether a charge was made from `since` until before `until`; the standard's own windows hold their end."""
    return since <= read_instant(cob, "calendario", "criacao") < until


def list_paid(pix: list[dict[str, Any]], since: datetime, until: datetime) -> list[str]:
    """Return the txids of the charges that these transfers paid within a window."""
    txids = [find_text(each, "txid") or "" for each in pix if since <= read_instant(each, "horario") < until]
    return [txid for txid in dict.fromkeys(txids) if OUR_TXID.fullmatch(txid)]
