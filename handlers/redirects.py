"""GET /go/<slug>: an ad's click on its way to a bot. A person in a browser calls, so a refusal is a sentence."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from grimbots.handlers.base import STATUS_OF_CODE, BaseHandler
from grimbots.services import clicks, visits
from grimbots.services.clicks import Way
from grimbots.services.errors import ServiceError
from grimbots.services.landings import Landing

SENTENCES = {
    "not_found": "Este link não existe. / This link does not exist.\n",
    "unavailable": "Este link está fora do ar. Tente de novo em instantes. / This link is down. Try again soon.\n",
}
TEMPLATES = Path(__file__).parent / "templates"
BUTTONS = {"pt-BR": "Continuar no Telegram", "en": "Go on in Telegram"}
NONCE_BYTES = 12
META = "https://www.facebook.com"


class RedirectHandler(BaseHandler):
    """Answers: 302 to the bot, or 200 the link's own page before it; 404 unknown, 503 nowhere to go.

    Never limited, and no store is waited for.
    """

    async def get(self, slug: str) -> None:
        """Keep the click and send the visitor on."""
        visit = visits.read(
            query=self.request.query_arguments,
            cookies={name: morsel.value for name, morsel in self.cookies.items()},
            headers=self.request.headers,
            address=self.client_address,
            now=self.app.clock(),
        )
        self._send_on(await clicks.follow(self.app, slug.lower(), visit, self.request.host))

    async def head(self, slug: str) -> None:
        """Answer as GET does. No person visits with HEAD, so no click is kept."""
        self._send_on(await clicks.follow(self.app, slug.lower(), None, self.request.host))

    def set_default_headers(self) -> None:
        """Let nobody keep the answer: each visit has a token of its own."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
        self.set_header("Pragma", "no-cache")
        self.set_header("Expires", "0")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in a sentence what a person can do about it."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, ServiceError) or error.code not in SENTENCES:
            super().write_error(status_code, **kwargs)
            return
        self.set_status(STATUS_OF_CODE[error.code])
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(SENTENCES[error.code])

    def get_template_path(self) -> str:
        """The page lies beside this file."""
        return str(TEMPLATES)

    def _send_on(self, way: Way) -> None:
        if way.landing is None:
            self.set_status(302)
            self.set_header("Location", way.address)
            self.finish()
            return
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        self.set_header("Content-Security-Policy", _write_policy(way.landing, nonce))
        language = "en" if self.request.headers.get("Accept-Language", "").lower().startswith("en") else "pt-BR"
        self.render(
            "landing.html",
            address=way.address,
            button=BUTTONS[language],
            landing=way.landing,
            language=language,
            nonce=nonce,
            token=way.token,
        )


def _write_policy(landing: Landing, nonce: str) -> str:
    """Allow the page its own style and, where the seller has set a pixel, that and no other script."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    if landing.pixel_id:
        connect = "https://connect.facebook.net"
        policy += f"; script-src 'nonce-{nonce}' {connect}; img-src {META}; connect-src {META} {connect}"
    return policy
