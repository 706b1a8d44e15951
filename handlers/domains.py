"""GET /.well-known/grimbots/<challenge>: the answer that shows that a domain leads to this installation."""

from __future__ import annotations

from grimbots.handlers.base import BaseHandler
from grimbots.services import domains


class DomainHandler(BaseHandler):
    """Anybody may ask: what is answered is worth nothing but to whoever sent the challenge (services/domains.py)."""

    def get(self, challenge: str) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(domains.answer(self.app, self.request.host, challenge))
