"""Requests as nobody should make them: raw bytes for every route, from those in order to those that are no HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from grimbots.tests.fuzz.mutations import NASTY_TEXTS, mutate_bytes, mutate_json, mutate_text, pick_nasty
from grimbots.tests.fuzz.parsers import COOKIES, EVENT, QUERY, UPDATES, make_event, make_update

METHODS = ["GET"] * 18 + ["POST"] * 18 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get", ""]
FIELDS = ["form", "email", "password", "language", "back", "token", "id", "kind", "name", "before", "said", "days"]
HEADERS = {
    "Host": ["127.0.0.1", "localhost:80", "evil.example.com", "[::1]", "[", ""],
    "Origin": ["null", "https://evil.example.com", "http://127.0.0.1"],
    "Sec-Fetch-Site": ["same-origin", "cross-site", "none"],
    "Accept-Language": ["pt-BR", "en", "*", ";q=,"],
    "X-Forwarded-For": ["203.0.113.9, 10.0.0.1", ",,,", "a" * 3000],
    "User-Agent": ["Mozilla/5.0", "", "facebookexternalhit/1.1"],
    "Content-Type": [
        *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"),
        *("multipart/form-data", "multipart/form-data; boundary=", "text/plain; charset=\xff", "x"),
    ],
    "Content-Encoding": ["gzip", "identity", "br"],
    "If-None-Match": ['"x"', "*", "W/"],
    "Range": ["bytes=0-1", "bytes=-9", "x"],
    "Expect": ["100-continue", "x"],
    "Upgrade": ["websocket", "h2c"],
    "Authorization": ["Basic eA==", "Bearer x"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "x"],
}
KNOWN = ("GET", "HEAD", "POST")
READ_SECONDS = 30
LONGEST_HEAD_BYTES, LONGEST_BODY_BYTES = 65_536, 1 << 20  # what is longer is hung up on, and stops at nginx anyway


@dataclass(frozen=True)
class Known:
    """What a caller who is let in knows: paths that lead somewhere, and what proves who calls."""

    paths: list[str]
    cookie: str
    form: str
    telegram_secret: str


@dataclass(frozen=True)
class Ask:
    """A request as it goes over the wire. `is_whole`: its head says truly where it ends, so it must be answered."""

    content: bytes
    is_whole: bool


def make_ask(rng: Random, known: Known) -> Ask:
    """Write one request."""
    path = rng.choice(known.paths)
    target = path if rng.random() < 0.7 else quote(mutate_text(rng, path), safe="/?&=%", errors="replace")
    if rng.random() < 0.4:
        target += "?" + _write_query(rng)
    method = rng.choice(METHODS)
    headers, body = _make_headers(rng, known), _make_body(rng, known, path) if method not in ("GET", "HEAD") else b""
    if body or method == "POST":
        headers["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    sent = mutate_bytes(rng, head) if rng.random() < 0.1 else head
    return Ask(sent + body, sent == head and _is_whole(lines, head, body))


def _is_whole(lines: list[str], head: bytes, body: bytes) -> bool:
    """Tell whether a request is HTTP, of a method that routes know and a size that is read to its end.

    Any other is answered too, and hung up on with the rest of it unread: then the kernel may throw the answer away.
    """
    words = lines[0].split()
    is_http = all(line.isprintable() and line.isascii() for line in lines) and len(words) == 3 and words[0] in KNOWN
    is_read = len(head) < LONGEST_HEAD_BYTES and len(body) < LONGEST_BODY_BYTES
    return is_http and is_read and not any(line.startswith("Transfer-Encoding") for line in lines)


def _write_query(rng: Random) -> str:
    pairs = [(rng.choice([*QUERY, *FIELDS]), str(pick_nasty(rng))[:2000]) for _ in range(rng.randrange(1, 5))]
    text = urlencode(pairs, errors="replace")
    return text if rng.random() < 0.7 else mutate_text(rng, text).encode("ascii", "ignore").decode().replace(" ", "")


def _make_headers(rng: Random, known: Known) -> dict[str, str]:
    headers = {"Host": "127.0.0.1", "Connection": "close"}
    for name in rng.sample(list(HEADERS), rng.randrange(4)):
        headers[name] = rng.choice(HEADERS[name])
    if rng.random() < 0.8:
        headers["Cookie"] = known.cookie if rng.random() < 0.8 else mutate_text(rng, f"{known.cookie}; {COOKIES}")
    if rng.random() < 0.8:
        headers["X-Telegram-Bot-Api-Secret-Token"] = known.telegram_secret
    return headers


def _make_body(rng: Random, known: Known, path: str) -> bytes:
    if rng.random() < 0.02:
        return b"x" * rng.choice((130 * 1024, 1_100_000))
    if "/telegram/" in path:
        return make_update(rng)
    if "/payment/" in path:
        return make_event(rng)[1]
    return _make_form(rng, known, path)


def _make_form(rng: Random, known: Known, path: str) -> bytes:
    """Write a form; a right one would log the caller out, so that page gets none."""
    fields = {name: str(pick_nasty(rng)) for name in rng.sample(FIELDS, rng.randrange(1, 6))}
    fields["form"] = known.form if rng.random() < 0.9 and "logout" not in path else "x"
    fields |= {"kind": rng.choice(("queue", "source", "account", "x")), "name": rng.choice(("tasks", "b1", "\x00"))}
    match rng.randrange(8):
        case 0:
            return json.dumps(mutate_json(rng, rng.choice([EVENT, *UPDATES]))).encode(errors="surrogatepass")
        case 1:
            part = b'--b\r\nContent-Disposition: form-data; name="form"; filename="\x00"\r\n\r\nx\r\n--b--\r\n'
            return mutate_bytes(rng, part)
        case 2:
            return mutate_bytes(rng, urlencode(fields, errors="replace").encode())
        case 3:
            return str(rng.choice(NASTY_TEXTS)).encode(errors="replace")
        case _:
            return urlencode(fields, errors="replace").encode()


class Caller:
    """One connection to the server at a time; `ask` gives the answer's status, 0 where it hung up without one."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, request: Ask) -> int:
        """Send a request on a connection of its own and read to the end.

        Where the server may wait for more, it is told that there is none: then it hangs up, answered or not.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(READ_SECONDS):
                writer.write(request.content)
                if not request.is_whole:
                    writer.write_eof()
                answer = await reader.read(-1)
        except (ConnectionError, BrokenPipeError):
            answer = b""
        finally:
            writer.close()
        return _read_status(answer)


def _read_status(answer: bytes) -> int:
    """Read the status; an interim one (100 Continue) is none."""
    while answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    words: list[Any] = answer[:32].split(b" ")
    return int(words[1]) if len(words) > 1 and words[0] == b"HTTP/1.1" and words[1].isdigit() else 0
