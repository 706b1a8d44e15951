"""Refusal: the Bot API's "no"."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer that is not ok: HTTP status, Telegram's own text and, for some, parameters."""

    def __init__(self, http: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.http = http
        self.description = description
        self.parameters = parameters

    @property
    def answer(self) -> dict[str, Any]:
        """The Bot API's JSON for it."""
        body = {"ok": False, "error_code": self.http, "description": self.description}
        return body | ({"parameters": self.parameters} if self.parameters else {})
