"""Values out of a provider's answer, by the way to them: `read_text(answer, "charge", "brCode")`.

What is not there, or is not what it should be, raises Undecided: an answer that cannot be read decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from grimbots.services.gateways.base import ChargeRequest, Refusal, Undecided

MOST_PAGES = 500  # of one list: a provider whose list has no end is ill
MOST_CENTS = 10**12
LONGEST_TEXT = 1000  # a code has 512 characters at most
YEARS = range(2000, 2200)
BRASILIA = ZoneInfo("America/Sao_Paulo")
MISSING_TEXTS = {"name": "o nome", "tax_id": "o CPF ou CNPJ", "email": "o e-mail", "phone": "o telefone"}
STATUS_TEXTS = {
    400: "recusou o pedido: confira se a conta está habilitada para receber PIX",
    401: "não aceitou as credenciais: confira-as e conecte a conta outra vez",
    403: "não deixa estas credenciais fazerem isso: confira as permissões da chave no painel",
    404: "não conhece esta cobrança nesta conta",
    422: "recusou o valor pedido",
}


def find(answer: Any, *way: str) -> Any:
    """Return the value at the end of a way through objects, or None."""
    for name in way:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def find_text(answer: Any, *way: str) -> str | None:
    """Return a text that is not empty and can be stored, or an id that is written as a number; or None."""
    value = find(answer, *way)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 < value < MOST_CENTS**2 else None
    return value if isinstance(value, str) and is_storable(value) else None


def is_storable(text: str) -> bool:
    """Tell whether a text is none that Postgres or a page would choke on."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def read_text(answer: Any, *way: str) -> str:
    """Return a text or an id."""
    value = find_text(answer, *way)
    if value is None:
        raise Undecided(f"the provider's answer has no {'.'.join(way)}")
    return value


def read_objects(answer: Any, *way: str) -> list[dict[str, Any]]:
    """Return a list of objects; [] where nothing or null stands."""
    values = find(answer, *way)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Undecided(f"the provider's {'.'.join(way)} is no list of objects")
    return values


def read_cents(answer: Any, *way: str) -> int:
    """Return a positive amount that is told in cents."""
    value = find(answer, *way)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MOST_CENTS:
        raise Undecided(f"the provider's answer has no {'.'.join(way)} in cents")
    return value


def read_reais(answer: Any, *way: str) -> int:
    """Return a positive amount that is told in reais, as cents."""
    cents = find_reais(answer, *way)
    if cents is None or cents <= 0:
        raise Undecided(f"the provider's answer has no {'.'.join(way)} in reais")
    return cents


def find_reais(answer: Any, *way: str) -> int | None:
    """Return an amount that is told in reais, as cents; None where there is none, or a fraction of a cent."""
    value = find(answer, *way)
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        cents = Decimal(str(value)) * 100
        is_whole = abs(cents) < MOST_CENTS and cents == int(cents)
    except (ArithmeticError, ValueError):
        return None
    return int(cents) if is_whole else None


def as_reais(cents: int) -> float:
    """Return cents as the JSON number of reais; the nearest float is written with its two decimals."""
    return cents / 100


def read_instant(answer: Any, *way: str, zone: ZoneInfo | None = None) -> datetime:
    """Return an instant; `zone` is that of a provider who writes none, and where a day alone begins."""
    text = read_text(answer, *way)
    try:
        instant = datetime.fromisoformat(text) if len(text) > len("2026-01-01") else _begin(text)
    except ValueError as error:
        raise Undecided(f"the provider's {'.'.join(way)} is no instant") from error
    if instant.year not in YEARS or (instant.tzinfo is None and zone is None):
        raise Undecided(f"the provider's {'.'.join(way)} has no time zone, or is of another age")
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)


def _begin(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time())


def refuse(label: str, status: int, reasons: Mapping[int, str] = STATUS_TEXTS, code: object = None) -> Refusal:
    """Put a provider's "no" into our words: its own may name the buyer. A `code` is shown if it is a short number."""
    reason = {**STATUS_TEXTS, **reasons}.get(status, "recusou o pedido")
    is_short = isinstance(code, int) and not isinstance(code, bool) and 0 < code < 1_000_000
    return Refusal(f"{label} {reason} (resposta {status}{f', código {code}' if is_short else ''})")


def find_missing(label: str, request: ChargeRequest, needs: frozenset[str], least_cents: int) -> Refusal | None:
    """Return why a provider would not make this charge, as far as that is known without asking it."""
    missing = [MISSING_TEXTS[need] for need in sorted(needs) if not getattr(request.payer, need)]
    if missing:
        return Refusal(f"{label} só cobra quem disse {' e '.join(missing)}: faça o funil perguntar antes da cobrança")
    if request.amount_cents < least_cents:
        least = f"{least_cents // 100},{least_cents % 100:02d}"
        return Refusal(f"{label} não faz cobranças de menos de R$ {least}")
    return None
