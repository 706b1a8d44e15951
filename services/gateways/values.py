"""What a description's templates can name of a charge that is asked for: the amount in its unit, and the buyer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.gateways.base import ChargeRequest, Payer
    from grimbots.services.gateways.templates import Values

DAY_SECONDS = 86_400


def list_values(request: ChargeRequest, unit: str) -> Values:
    """Return what a template of `create` can name. A number of reais has two decimals, which a float tells exactly."""
    cents = request.amount_cents
    return {
        "amount": cents / 100 if unit == "reais" else cents,
        "amount_text": f"{cents // 100}.{cents % 100:02}" if unit == "reais" else str(cents),
        "description": request.description,
        "expires_in_days": math.ceil(request.expires_in_seconds / DAY_SECONDS),
        "expires_in_seconds": request.expires_in_seconds,
        "key": request.idempotency_key,
        "notification_url": request.notification_url,
        **{f"payer.{name}": value for name, value in _list_payer(request.payer).items()},
    }


def _list_payer(payer: Payer) -> dict[str, str | None]:
    tax_id = payer.tax_id or ""
    kind = {11: "cpf", 14: "cnpj"}.get(len(tax_id), "")
    return {
        "name": payer.name,
        "email": payer.email,
        "phone": payer.phone,
        "phone_digits": (payer.phone or "").removeprefix("+"),
        "tax_id": tax_id,
        "tax_id_formatted": _format_tax_id(tax_id),
        "tax_id_kind": kind,
        "tax_id_kind_upper": kind.upper(),
    }


def _format_tax_id(digits: str) -> str:
    if len(digits) == 11:
        return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"
    if len(digits) == 14:
        return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}"
    return digits
