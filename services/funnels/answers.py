"""Answers: what a lead types to a question, read into the value that is kept. Pure and total.

A value is kept as a text in one form: a number with a point, a phone with its country, an e-mail in small letters, a
CPF as people write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from grimbots.services.funnels.texts import count_units

MAX_UNITS = 200  # of a text; what is longer is no answer to a question
EMAIL = re.compile(r"[^\s@,;<>()]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}")
NUMBERS: Mapping[str, re.Pattern[str]] = {
    "pt-BR": re.compile(r"[+-]?(\d{1,12}|\d{1,3}(\.\d{3}){1,3})(,\d{1,6})?", re.ASCII),
    "en": re.compile(r"[+-]?(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.\d{1,6})?", re.ASCII),
}
POINTS: Mapping[str, dict[int, str | None]] = {
    "pt-BR": {ord("."): None, ord(","): "."},
    "en": {ord(","): None},
}
CPF_SIGNS = re.compile(r"[\s./-]")
PHONE_SIGNS = re.compile(r"[\s().-]")
BRAZIL = "+55"
BRAZILIAN = re.compile(
    r"[1-9]\d(9\d{8}|[2-5]\d{7})", re.ASCII
)  # area code; a mobile's nine digits or a fixed line's eight
FOREIGN = re.compile(r"\+(?!55)[1-9]\d{7,14}", re.ASCII)  # E.164


def read_text(typed: str, language: str) -> str | None:
    """Take any words, on one line or several, up to MAX_UNITS."""
    text = typed.strip()
    return text if text and count_units(text) <= MAX_UNITS else None


def read_number(typed: str, language: str) -> str | None:
    """Take a number as people of the language write it; 1.500,50 is kept as 1500.5."""
    text = typed.strip().removeprefix("R$").strip()
    if not NUMBERS[language].fullmatch(text):
        return None
    number = Decimal(text.translate(POINTS[language]))
    return format(number.normalize() + 0, "f")


def read_email(typed: str, language: str) -> str | None:
    """Take an address that can exist."""
    text = typed.strip().lower()
    return text if EMAIL.fullmatch(text) and len(text) <= 254 and ".." not in text else None


def read_phone(typed: str, language: str) -> str | None:
    """Take a Brazilian number with its area code, or one of another country with its plus sign."""
    text = PHONE_SIGNS.sub("", typed)
    if FOREIGN.fullmatch(text):
        return text
    local = text.removeprefix(BRAZIL)
    local = local[2:] if local.startswith("55") and len(local) in (12, 13) else local
    local = local.removeprefix("0")
    return BRAZIL + local if BRAZILIAN.fullmatch(local) else None


def read_cpf(typed: str, language: str) -> str | None:
    """Take a CPF whose two check digits are right (Receita Federal); eleven times the same digit is none."""
    digits = CPF_SIGNS.sub("", typed)
    if not re.fullmatch(r"[0-9]{11}", digits) or len(set(digits)) == 1:
        return None
    if digits[9:] != _write_check_digits(digits[:9]):
        return None
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"


def _write_check_digits(nine: str) -> str:
    digits = nine
    for _ in range(2):
        total = sum(int(digit) * weight for digit, weight in zip(reversed(digits), range(2, 12), strict=False))
        digits += str(total * 10 % 11 % 10)
    return digits[9:]


READERS: Mapping[str, Callable[[str, str], str | None]] = {
    "text": read_text,
    "number": read_number,
    "email": read_email,
    "phone": read_phone,
    "cpf": read_cpf,
}
LONGEST: Mapping[str, str] = {
    "text": "x" * MAX_UNITS,
    "number": "-" + "9" * 12 + ".999999",
    "email": "x" * 254,
    "phone": "+" + "9" * 15,
    "cpf": "000.000.000-00",
}
SAMPLES: Mapping[str, str] = {
    "text": "Belo Horizonte",
    "email": "ana@example.com",
    "phone": "+55 11 98765-4321",
    "cpf": "529.982.247-25",
}
