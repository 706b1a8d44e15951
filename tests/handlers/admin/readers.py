"""A reader of the pages: an HTTP client that keeps cookies and the token of the forms it was shown."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from grimbots.tests.services.people import PASSWORD

FORM_TOKEN = re.compile(r'name="form" value="([^"]*)"')


@dataclass(frozen=True)
class Seen:
    """One answer. `text` has its entities resolved, `html` not."""

    status: int
    headers: Any
    html: str
    cookies: dict[str, Any]

    @property
    def text(self) -> str:
        return html.unescape(self.html).replace("\N{NO-BREAK SPACE}", " ")

    @property
    def place(self) -> str:
        return str(self.headers.get("Location", ""))


class Reader:
    """Somebody at a browser. `form_token` is that of the last page that had a form."""

    def __init__(self, http_client: Any, base_url: str) -> None:
        self._client, self.base_url = http_client, base_url
        self.cookies: dict[str, str] = {}
        self.form_token = ""

    async def get(self, path: str, **headers: str) -> Seen:
        """Open a page; redirects are not followed."""
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Seen:
        """Send a form with the token it was shown with, unless `fields` brings another."""
        return await self._ask("POST", path, urlencode({"form": self.form_token, **(fields or {})}), headers)

    async def follow(self, seen: Seen) -> Seen:
        """Open where an answer points to."""
        assert seen.status == 303
        return await self.get(seen.place)

    async def log_in(self, email: str, password: str = PASSWORD) -> Seen:
        """Log in by the form."""
        await self.get("/login")
        return await self.post("/login", {"email": email, "password": password})

    async def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Seen:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._client.fetch(
            f"{self.base_url}{path}", method=method, body=body, headers=sent, follow_redirects=False, raise_error=False
        )
        seen = Seen(answer.code, answer.headers, answer.body.decode(), _read_cookies(answer))
        self._keep(seen)
        return seen

    def _keep(self, seen: Seen) -> None:
        for name, morsel in seen.cookies.items():
            self.cookies[name] = morsel.value
            if not morsel.value:
                del self.cookies[name]
        found = FORM_TOKEN.search(seen.html)
        self.form_token = html.unescape(found[1]) if found else self.form_token


def _read_cookies(answer: Any) -> dict[str, Any]:
    cookies: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        cookies.load(line)
    return dict(cookies)
