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

from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Hint,
    Receipt,
    Refund,
    Refusal,
    Return,
    ReturnKind,
    Snapshot,
    Undecided,
)

log = logging.getLogger(__name__)

MONEY = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
OUR_TXID = re.compile(r"[a-zA-Z0-9]{26,35}")  # of a `cob`; a static code's has 25 characters at most
LONGEST_REQUEST, LONGEST_NAME = 140, 200

# `natureza` of a devolucao: absent it is ORIGINAL. MED_*: the payer's bank took it back for fraud or a fault.
RETURN_KINDS = MappingProxyType(
    {
        "ORIGINAL": ReturnKind.REFUND,
        "RETIRADA": ReturnKind.REFUND,
        "MED_OPERACIONAL": ReturnKind.CHARGEBACK,
        "MED_FRAUDE": ReturnKind.CHARGEBACK,
        "MED_PIX_AUTOMATICO": ReturnKind.CHARGEBACK,
    }
)
IS_SETTLED = MappingProxyType({"EM_PROCESSAMENTO": False, "DEVOLVIDO": True})
FAILED = "NAO_REALIZADO"  # the money stayed


def write_charge(request: ChargeRequest, pix_key: str) -> dict[str, Any]:
    """Return what a `cob` is asked for with. The payer's bank may not change the amount: `modalidadeAlteracao` is out."""
    body: dict[str, Any] = {
        "calendario": {"expiracao": request.expires_in_seconds},
        "valor": {"original": write_reais(request.amount_cents)},
        "chave": pix_key,
        "solicitacaoPagador": request.description[:LONGEST_REQUEST],
    }
    if request.payer.name and request.payer.tax_id:  # the standard wants both or none
        body["devedor"] = _write_payer(request.payer.name, request.payer.tax_id)
    return body


def _write_payer(name: str, tax_id: str) -> dict[str, str]:
    return {"cpf" if len(tax_id) == 11 else "cnpj": tax_id, "nome": name[:LONGEST_NAME]}


def write_reais(cents: int) -> str:
    """Write cents as the standard does: 3700 -> "37.00"."""
    return f"{cents // 100}.{cents % 100:02d}"


def write_instant(at: datetime) -> str:
    """Write an instant as the standard does: RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_charge(cob: dict[str, Any], code: str | None = None) -> Charge:
    """Read a `cob`; `code` where it was given elsewhere.

    Raises:
        Undecided: it lacks what every charge has.
    """
    calendar = read_part(cob, "calendario")
    seconds = calendar.get("expiracao")
    if not isinstance(seconds, int | str) or not str(seconds).isdecimal():  # the spec's own example is a string
        raise Undecided("the bank's charge has no expiracao")
    return Charge(
        txid=read_text(cob, "txid"),
        provider_id=read_text(cob, "txid"),
        code=str(cob.get("pixCopiaECola") or "") if code is None else code,
        amount_cents=read_cents(read_part(cob, "valor"), "original"),
        expires_at=read_instant(calendar, "criacao") + timedelta(seconds=int(seconds)),
    )


def read_snapshot(cob: dict[str, Any]) -> Snapshot:
    """Read a whole `cob`: the charge, its transfers, and what of them goes back.

    Raises:
        Undecided: it cannot be read.
    """
    pix = read_list(cob, "pix")
    returns = tuple(back for each in pix for back in read_returns(each))
    return Snapshot(read_charge(cob), tuple(map(read_receipt, pix)), returns)


def read_receipt(pix: dict[str, Any]) -> Receipt:
    """Read a transfer.

    Raises:
        Undecided: it cannot be read.
    """
    return Receipt(read_text(pix, "endToEndId"), read_cents(pix, "valor"), read_instant(pix, "horario"))


def read_returns(pix: dict[str, Any]) -> tuple[Return, ...]:
    """Read what goes back of a transfer. The spec's own example of a callback has one object in place of a list.

    Raises:
        Undecided: it cannot be read.
    """
    given = pix.get("devolucoes")
    found = read_list({"devolucoes": [given] if isinstance(given, dict) else given}, "devolucoes")
    return tuple(_read_return(pix, back) for back in found if back.get("status") != FAILED)


def _read_return(pix: dict[str, Any], back: dict[str, Any]) -> Return:
    times = read_part(back, "horario")
    return Return(
        id=read_text(back, "rtrId"),
        end_to_end_id=read_text(pix, "endToEndId"),
        amount_cents=read_cents(back, "valor"),
        at=read_instant(times, "liquidacao" if times.get("liquidacao") else "solicitacao"),
        kind=_read_kind(str(back.get("natureza") or "ORIGINAL")),
        is_settled=_is_settled(back),
    )


def _read_kind(nature: str) -> ReturnKind:
    if nature not in RETURN_KINDS:
        log.warning("a devolucao has a natureza that the standard had not: %s", nature)
    return RETURN_KINDS.get(nature, ReturnKind.CHARGEBACK if nature.startswith("MED") else ReturnKind.REFUND)


def _is_settled(back: dict[str, Any]) -> bool:
    status = str(back.get("status"))
    if status not in IS_SETTLED:
        log.warning("a devolucao has a status that the standard had not: %s", status)
    return IS_SETTLED.get(status, False)


def read_hints(pix: dict[str, Any]) -> tuple[Hint, ...]:
    """Read what a callback says of one transfer: that it came in, and each return of it.

    Raises:
        Undecided: it cannot be read.
    """
    txid = pix.get("txid")
    if not isinstance(txid, str):
        return ()  # of no charge
    received = Hint(txid, None, read_receipt(pix))
    return (received, *(Hint(txid, None, None, returned=back) for back in read_returns(pix)))


def was_made(cob: dict[str, Any], since: datetime, until: datetime) -> bool:
    """Tell whether a charge was made from `since` until before `until`; the standard's own windows hold their end."""
    return since <= read_instant(read_part(cob, "calendario"), "criacao") < until


def list_paid(pix: list[dict[str, Any]], since: datetime, until: datetime) -> list[str]:
    """Return the txids of the charges that these transfers paid within a window."""
    txids = [str(each.get("txid")) for each in pix if since <= read_instant(each, "horario") < until]
    return [txid for txid in dict.fromkeys(txids) if OUR_TXID.fullmatch(txid)]


def read_refund(back: dict[str, Any]) -> Refund | Refusal:
    """Read the devolucao that was asked for; its id is the same as the Return's will be.

    Raises:
        Undecided: it cannot be read.
    """
    if back.get("status") == FAILED:
        return Refusal("o banco não fez a devolução: veja o motivo no extrato da conta e tente de novo")
    return Refund(read_text(back, "rtrId"), read_cents(back, "valor"), _is_settled(back))


def read_text(record: dict[str, Any], name: str) -> str:
    """Return a field that must be a text, and not empty."""
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise Undecided(f"the bank's answer has no {name}")
    return value


def read_cents(record: dict[str, Any], name: str) -> int:
    """Return a field that must be money, "37.00", in cents."""
    value = read_text(record, name)
    if not MONEY.fullmatch(value):
        raise Undecided(f"the bank's answer has no money in {name}")
    return int(value.replace(".", ""))


def read_instant(record: dict[str, Any], name: str) -> datetime:
    """Return a field that must be an RFC 3339 instant."""
    try:
        at = datetime.fromisoformat(read_text(record, name))
    except ValueError as error:
        raise Undecided(f"the bank's answer has no instant in {name}") from error
    if at.tzinfo is None:
        raise Undecided(f"the bank's {name} has no time zone")
    return at


def read_part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a field that must be an object."""
    value = record.get(name)
    if not isinstance(value, dict):
        raise Undecided(f"the bank's answer has no {name}")
    return value


def read_list(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a field that must be a list of objects, or is not there."""
    values = record.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Undecided(f"the bank's answer has no list of {name}")
    return values
