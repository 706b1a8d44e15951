"""BR Code, the text behind "PIX copia e cola" and its QR picture: EMV QRCPS-MPM fields as Banco Central fills them.

A field is a two-digit id, a two-digit length and a value of 1 to 99 characters; the last, 63, is a CRC of all before.
Source: Banco Central, "Manual de Padrões para Iniciação do Pix" (its codes are the test vectors) and API Pix 2.9.0.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import crc_hqx
from dataclasses import dataclass

GUI = "br.gov.bcb.pix"
MERCHANT_ACCOUNTS = range(26, 52)
NO_TXID = "***"
FIELD_HEAD = re.compile(r"([0-9]{2})([0-9]{2})")
NAME_LIMIT, CITY_LIMIT, ACCOUNT_LIMIT, AMOUNT_LIMIT = 25, 15, 77, 13


@dataclass(frozen=True, slots=True)
class BrCode:
    """What a code says. A static one has a `key`, a dynamic one a `url` (no scheme) where the payer's bank reads on.

    `is_intact`: the CRC fits. Providers have shipped wrong ones that banks accept (bacen/pix-api issue 189).
    """

    key: str
    url: str
    text: str
    amount_cents: int | None
    name: str
    city: str
    txid: str
    is_one_time: bool
    is_intact: bool


def build(
    *,
    key: str = "",
    url: str = "",
    name: str,
    city: str,
    amount_cents: int | None = None,
    txid: str = NO_TXID,
    text: str = "",
    is_one_time: bool = False,
) -> str:
    """Build the code of a PIX `key` (static) or of a payload's `url` (dynamic).

    Raises:
        ValueError: a part breaks the standard; the message names its field id.
    """
    if not re.fullmatch(r"[A-Za-z0-9]{1,25}|\*{3}", txid):
        raise ValueError("62: txid must be 1 to 25 letters and digits, or ***")
    body = (
        _field("00", "01")
        + (_field("01", "12") if is_one_time else "")
        + _field("26", _account(key, url, text))
        + _field("52", "0000")
        + _field("53", "986")
        + (_field("54", _amount(amount_cents)) if amount_cents is not None else "")
        + _field("58", "BR")
        + _field("59", _fold(name, NAME_LIMIT))
        + _field("60", _fold(city, CITY_LIMIT))
        + _field("62", _field("05", txid))
        + "6304"
    )
    return body + _crc(body)


def parse(code: str) -> BrCode:
    """Read a code of any provider: several merchant accounts, a GUI in capitals and unknown fields are accepted.

    Raises:
        ValueError: its framing is broken, it has no PIX account, or its amount is no money.
    """
    fields = _split(code)
    account = _find_account(fields)
    amount = fields.get("54", "")
    if amount and not re.fullmatch(r"\d{1,10}(\.\d{1,2})?", amount):
        raise ValueError("54: not an amount")
    return BrCode(
        key=account.get("01", ""),
        url=account.get("25", ""),
        text=account.get("02", ""),
        amount_cents=_cents(amount) if amount else None,
        name=fields.get("59", ""),
        city=fields.get("60", ""),
        txid=_split(fields["62"]).get("05", "") if "62" in fields else "",
        is_one_time=fields.get("01") == "12",
        is_intact=code[-4:].upper() == _crc(code[:-4]),
    )


def _field(id_: str, value: str) -> str:
    if not 1 <= len(value) <= 99 or not value.isascii() or not value.isprintable():
        raise ValueError(f"{id_}: must be 1 to 99 printable ASCII characters")
    return f"{id_}{len(value):02d}{value}"


def _account(key: str, url: str, text: str) -> str:
    if bool(key) == bool(url):
        raise ValueError("26: give either a key or a url")
    if len(key or url) > ACCOUNT_LIMIT:
        raise ValueError(f"26: key and url have at most {ACCOUNT_LIMIT} characters")
    where = _field("01", key) if key else _field("25", url)
    return _field("00", GUI) + where + (_field("02", text) if text else "")


def _split(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    position = 0
    while position < len(text):
        head = FIELD_HEAD.match(text, position)
        if head is None:
            raise ValueError(f"broken framing at character {position}")
        position = head.end() + int(head[2])
        if position > len(text):
            raise ValueError(f"{head[1]}: shorter than its length says")
        fields[head[1]] = text[head.end() : position]
    return fields


def _find_account(fields: dict[str, str]) -> dict[str, str]:
    for id_ in MERCHANT_ACCOUNTS:
        if GUI in fields.get(str(id_), "").lower():
            account = _split(fields[str(id_)])
            if account.get("00", "").lower() == GUI:
                return account
    raise ValueError("26: no PIX account in this code")


def _amount(cents: int) -> str:
    amount = f"{cents // 100}.{cents % 100:02d}"
    if cents <= 0 or len(amount) > AMOUNT_LIMIT:
        raise ValueError("54: the amount must be from 0.01 to 9999999999.99")
    return amount


def _cents(amount: str) -> int:
    whole, _, fraction = amount.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def _fold(text: str, limit: int) -> str:
    """Drop accents and what ASCII cannot print, then cut: lengths count what is written."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return "".join(letter for letter in plain if letter.isprintable()).strip()[:limit].strip()


def _crc(text: str) -> str:
    """CRC-16/CCITT-FALSE, upper-case hex."""
    return f"{crc_hqx(text.encode('utf-8'), 0xFFFF):04X}"
