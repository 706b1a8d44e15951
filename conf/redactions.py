"""Redactions: what must never stand in a log or a report (product promise I8), struck out wherever it turns up.

By its shape, whatever sentence it stands in; by the name in front of it; and, for the secrets of the settings, by the
very letters. When in doubt it is struck out: an id lost costs a look-up, a token shown costs a bot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

LONGEST_TEXT = 8192  # of one text that is looked through: a log is no place for more
LEAST_KNOWN = 6  # letters of a secret that is struck out by its letters: shorter ones stand in ordinary words
DEEPEST = 12  # levels of a value that is walked; what lies deeper is dropped
HIDDEN = "<hidden>"

_NAMES = (
    r"pass(?:word|wd|phrase|code)|pwd|senha|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|master[_-]?key"
    r"|credentials?|authorization|cookies?|signature|dsn|cpf|cnpj|e-?mail|phone|telefone|celular"
)
# A name, what stands between, and the value: quoted (as in JSON and Python, perhaps in a string of theirs), or bare.
_NAMED = re.compile(
    rf"(?i)((?:{_NAMES})[\w-]{{0,40}})"
    r"(\\*[\"']\s*[:=,]\s*|\s?[:=]\s?|%3D)"
    r"(b?(\\*[\"'])(?:(?!\4).){0,4000}\4|\\*[\"'][^\r\n]+|[^\s\"',;&<>(){}\[\]\\]+)"
)
# These two hold spaces: struck out to the end of the line, or of the quotation.
_HEADERS = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\\*[\"']\s*[:,]\s*\\*[\"']|\s*:\s*)[^\r\n\"'\\]+"
)
_WORD = r"[A-Za-z0-9_-]"

# In the order in which they are struck out.
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{0,8000}?(?:-----END [A-Z ]{0,30}-----|\Z)", re.DOTALL),
        "<key>",
    ),
    # PIX copy and paste (BR Code): with its checksum, or cut off anywhere.
    (
        re.compile(
            r"000201[^\r\n\"]{0,60}?br\.gov\.bcb\.pix(?:[^\r\n\"]{0,600}?6304[0-9A-Fa-f]{4}|[^\r\n\"]{0,600})",
            re.IGNORECASE,
        ),
        "<pix code>",
    ),
    # Of Telegram's Bot API, where it may follow "bot" in a path, its colon percent-encoded.
    (re.compile(rf"(?<!\d)\d{{5,16}}(?::|%3A){_WORD}{{20,64}}", re.IGNORECASE), "<token>"),
    # A password, or Sentry's key, in front of a host. The schemes of stores first: theirs may hold a slash.
    (
        re.compile(r"(?i)\b(postgres(?:ql)?|rediss?(?:\+[a-z]+)?|amqps?|mysql|mongodb)(://)[^\s\"'<>]*@"),
        r"\1\2<login>@",
    ),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/\"'<>]+@"), r"\1<login>@"),
    (
        re.compile(r"(?i)(webhook(?:/|%2F)(?:telegram|payment(?:/|%2F)[^/\s%]{1,64})(?:/|%2F))[^/\s\"'?%<>]+"),
        r"\1<key>",
    ),
    (re.compile(rf"(?i)(login(?:/|%2F)link(?:/|%2F)){_WORD}+"), r"\1<key>"),
    (_HEADERS, r"\1\2<secret>"),
    (re.compile(r"(?i)\b(bearer|basic)(\s|%20)[A-Za-z0-9._~+/=-]{6,}"), r"\1\2<secret>"),
    (_NAMED, r"\1\2<secret>"),
    (re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<e-mail>"),
    # Whatever was drawn by lot: capitals, small letters and digits in one word.
    (re.compile(rf"(?<!{_WORD})(?={_WORD}*[a-z])(?={_WORD}*[A-Z])(?={_WORD}*[0-9]){_WORD}{{24,}}"), "<secret>"),
    (re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)"), "<cpf>"),
    (re.compile(r"(?<![\w.])[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}(?!\d)"), "<cnpj>"),
    # Telephones as they are written: +55 (11) 99999-8888, (11) 9999-8888, 11 99999-8888, +14155550123.
    (re.compile(r"(?:\+|%2B)\d[\d ().-]{7,20}\d(?!\d)"), "<phone>"),
    (re.compile(r"(?<![\w.])(?:\(\d{2}\) ?|\d{2} )9?\d{4}[- ]\d{4}(?!\d)"), "<phone>"),
    # Digits alone: a CPF is told by its check digits, a mobile telephone by area code and 9, with or without 55.
    (re.compile(r"(?<![\d.])(?:\d{11}|55\d{10,11})(?!\d)"), lambda found: _name_digits(found[0])),
)
# No rule finds anything in a text without one of these; ours mostly are.
_SUSPECT = re.compile(rf"[@:=%+/]|\d{{4}}|\d-\d|{_WORD}{{24}}|(?i:private|basic|bearer|[\"']\s*,)")

_NAME_ALONE = re.compile(rf"(?i)[\w-]*(?:{_NAMES})[\w-]*")
_known: list[str] = []


def hide(secrets: Iterable[str]) -> None:
    """Strike out these very letters from now on; of an address its password, as it stands and decoded."""
    for secret in secrets:
        try:
            password = urlsplit(secret).password or ""
        except ValueError:
            password = ""
        for text in {secret, password, unquote(password)}:
            if len(text) >= LEAST_KNOWN and text not in _known:
                _known.append(text)
    _known.sort(key=len, reverse=True)


def scrub(text: str) -> str:
    """Return a text with all that is secret or a person's struck out, and what is too long cut at a word's end."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT].rpartition(' ')[0]} …"  # the last word may be a piece of a secret
    for secret in _known:
        text = text.replace(secret, "<secret>")
    if not _SUSPECT.search(text):
        return text
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def scrub_end(text: str) -> str:
    """Scrub a traceback: of one that is too long the last lines, which say what happened."""
    if len(text) > LONGEST_TEXT:
        text = f"…\n{text[-LONGEST_TEXT + 2 :].partition(chr(10))[2]}"
    return scrub(text)


def scrub_value(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value as JSON can hold it, scrubbed to its depths; nothing stays of what has a secret's `name`."""
    if value is None or isinstance(value, bool | float):
        return value
    if name and _NAME_ALONE.fullmatch(name):
        return HIDDEN
    if isinstance(value, int):
        return value if abs(value) < 10**10 else _scrub_number(value)
    if isinstance(value, Mapping | list | tuple) and depth >= DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {scrub(str(key)): scrub_value(held, str(key), depth + 1) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_value(held, "", depth + 1) for held in value]
    return scrub(str(value))


def _scrub_number(value: int) -> int | str:
    text = scrub(str(value)) if abs(value) < 10**30 else HIDDEN
    return value if text == str(value) else text


def _name_digits(digits: str) -> str:
    local = digits[2:] if len(digits) > 11 else digits
    is_mobile = len(local) == 11 and local[0] != "0" and local[1] != "0" and local[2] == "9"
    if len(digits) == 11 and _is_cpf(digits):
        return "<cpf>"
    return "<phone>" if is_mobile or (len(digits) == 12 and local[1] != "0" and local[2] in "2345") else digits


def _is_cpf(digits: str) -> bool:
    """Tell by the two check digits (Receita Federal: weights 10 to 2, then 11 to 2, modulo 11)."""
    for length in (9, 10):
        total = sum(int(digit) * weight for digit, weight in zip(digits, range(length + 1, 1, -1), strict=False))
        if total * 10 % 11 % 10 != int(digits[length]):
            return False
    return True
