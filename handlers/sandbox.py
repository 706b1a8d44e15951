"""The sandbox at the main address: /sandbox and all below it, passed on to `grimbots sandbox`, a process of its own."""

from __future__ import annotations

from grimbots.handlers.base import BaseHandler
from grimbots.services.clients.http import Ambiguous, NeverSent, Response
from grimbots.services.errors import Forbidden
from grimbots.services.sandbox.requests import is_local_name

ANSWER_SECONDS = 30
LONGEST_ANSWER_BYTES = 64 << 20
PASSED_IN = ("Accept-Language", "Content-Type", "Origin")
PASSED_OUT = ("Cache-Control", "Content-Security-Policy", "Content-Type", "Referrer-Policy")


class SandboxHandler(BaseHandler):
    """Any method of any path below /sandbox."""

    def prepare(self) -> None:
        """Refuse a name that is not this machine's: a page of elsewhere may have rebound its own to it."""
        if not is_local_name(self.request.headers.get("Host", "")):
            raise Forbidden(
                "The sandbox answers on loopback names only: open it as http://127.0.0.1 or http://localhost."
            )

    async def get(self) -> None:
        """Pass the request on, and the answer back."""
        try:
            response = await self._pass_on()
        except (NeverSent, Ambiguous):
            message = "The sandbox does not answer. Start it with `grimbots sandbox`, or everything with `make run`."
            self.answer({"error": {"code": "sandbox_away", "message": message}}, 502)
            return
        self.set_status(response.status)
        for name in PASSED_OUT:
            if name in response.headers:
                self.set_header(name, response.headers[name])
        self.finish(response.body)

    post = put = delete = get

    async def _pass_on(self) -> Response:
        request = self.request
        return await self.app.http.request(
            request.method or "GET",
            f"{self.app.settings.sandbox_url}{request.uri}",
            party="sandbox",
            headers={name: request.headers[name] for name in PASSED_IN if name in request.headers},
            body=request.body,
            timeout_seconds=ANSWER_SECONDS,
            max_response_bytes=LONGEST_ANSWER_BYTES,
        )
