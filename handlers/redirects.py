"""GET /go/<slug>: an ad's click on its way to a bot. A person in a browser calls, so a refusal is a sentence."""

from __future__ import annotations

from typing import Any

from grimbots.handlers.base import STATUS_OF_CODE, BaseHandler
from grimbots.services import clicks, visits
from grimbots.services.errors import ServiceError

SENTENCES = {
    "not_found": "Este link não existe. / This link does not exist.\n",
    "unavailable": "Este link está fora do ar. Tente de novo em instantes. / This link is down. Try again soon.\n",
}


class RedirectHandler(BaseHandler):
    """Answers: 302 to the bot, 404 unknown, 503 nowhere to go. Never limited, and no store is waited for."""

    async def get(self, slug: str) -> None:
        """Keep the click and send the visitor on."""
        visit = visits.read(
            query=self.request.query_arguments,
            cookies={name: morsel.value for name, morsel in self.cookies.items()},
            headers=self.request.headers,
            address=self.client_address,
            now=self.app.clock(),
        )
        self._send_to(await clicks.follow(self.app, slug.lower(), visit))

    async def head(self, slug: str) -> None:
        """Answer as GET does. No person visits with HEAD, so no click is kept."""
        self._send_to(await clicks.follow(self.app, slug.lower(), None))

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

    def _send_to(self, address: str) -> None:
        self.set_status(302)
        self.set_header("Location", address)
        self.finish()
