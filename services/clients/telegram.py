"""Telegram's Bot API: one POST per call over a kept-alive connection, its answer put into one of our kinds."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from grimbots.conf import metrics
from grimbots.conf.foreign_json import read_object
from grimbots.services.clients.http import Ambiguous, File, HttpClient, NeverSent, Response
from grimbots.services.clients.pacing import Floods, Turns, UploadPace
from grimbots.services.clients.telegram_errors import Kind, find_meaning

log = logging.getLogger(__name__)

CALL_SECONDS = 20.0
UPLOAD_SECONDS, UPLOAD_BYTES_PER_SECOND = 60.0, 1_000_000  # and a second more for each megabyte
WAIT_UNTOLD_SECONDS = 5.0  # a 429 that does not say how long
LONGEST_WAIT_SECONDS = 86_400.0  # what says more says nonsense
REMEMBERED_REFUSALS = 200
QUOTED = re.compile(r'"[^"]*"')
for _kind in set(Kind) - {Kind.OK}:
    metrics.telegram_errors.labels(_kind.value)  # a series that begins with its first error shows no rate of it

__all__ = ["Answer", "File", "Kind", "TelegramClient"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call. `result` is the Bot API's, `http` its error code, 0 where no answer came.

    `is_bot_wide`: this flood is not of one chat; the bot's other chats should wait as well.
    """

    kind: Kind
    result: Any = None
    http: int = 0
    description: str = ""
    retry_after_seconds: float = 0.0
    migrate_to_chat_id: int | None = None
    is_bot_wide: bool = False


class TelegramClient:
    """Calls the Bot API at `base_url`. Its memory (floods, uploads under way) is of this process only."""

    def __init__(self, http: HttpClient, base_url: str) -> None:
        self._http = http
        self._base_url = base_url
        self._floods = Floods()
        self._refusals: set[str] = set()
        self.uploads = Turns()
        self.pace = UploadPace()

    async def call(
        self, token: str, method: str, params: Mapping[str, Any], files: Mapping[str, File] | None = None
    ) -> Answer:
        """Call `method` once. Never raises for the network: NEVER_SENT and AMBIGUOUS are kinds like the others."""
        started = time.monotonic()
        try:
            answer = await self._ask(token, method, params, files)
        finally:
            metrics.telegram_call_seconds.labels(method).observe(time.monotonic() - started)
        if answer.kind is not Kind.OK:
            metrics.telegram_errors.labels(answer.kind.value).inc()
        return answer

    async def _ask(
        self, token: str, method: str, params: Mapping[str, Any], files: Mapping[str, File] | None
    ) -> Answer:
        try:
            response = await self._post(f"{self._base_url}/bot{token}/{method}", params, files)
        except NeverSent as failure:
            return Answer(Kind.NEVER_SENT, description=str(failure))
        except Ambiguous as failure:
            return Answer(Kind.AMBIGUOUS, description=str(failure))
        return self._read(response, token, params.get("chat_id"))

    async def _post(self, url: str, params: Mapping[str, Any], files: Mapping[str, File] | None) -> Response:
        if not files:
            return await self._http.request("POST", url, party="telegram", json=params, timeout_seconds=CALL_SECONDS)
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        seconds = UPLOAD_SECONDS + sum(file.size_bytes for file in files.values()) / UPLOAD_BYTES_PER_SECOND
        return await self._http.request("POST", url, party="telegram", form=form, files=files, timeout_seconds=seconds)

    def _read(self, response: Response, token: str, chat_id: Any) -> Answer:
        body = read_object(response.body) or {}  # none: a proxy's page
        if body.get("ok") is True:
            return Answer(Kind.OK, result=body.get("result"), http=response.status)
        answer = self._classify(response, body)
        if answer.kind is Kind.FLOOD and self._floods.note(token.partition(":")[0], chat_id):
            return replace(answer, is_bot_wide=True)
        return answer

    def _classify(self, response: Response, body: Mapping[str, Any]) -> Answer:
        http = _read_whole(body, "error_code") or response.status
        told, parameters = body.get("description"), body.get("parameters")
        description = told if isinstance(told, str) else f"HTTP {response.status} without a Bot API answer"
        parameters = parameters if isinstance(parameters, dict) else {}
        is_telegrams = "ok" in body or http == 429  # anything else is a proxy's page: nobody knows what it did
        kind = find_meaning(http, description) if is_telegrams else Kind.AMBIGUOUS
        if kind is None:
            self._note_unknown(http, description)
        return Answer(
            kind or Kind.REFUSED,
            http=http,
            description=description,
            retry_after_seconds=_read_wait(parameters, response.headers) if kind is Kind.FLOOD else 0.0,
            migrate_to_chat_id=_read_whole(parameters, "migrate_to_chat_id"),
        )

    def _note_unknown(self, http: int, description: str) -> None:
        """Log a refusal the table does not know, once per text. What it quotes may be a lead's words."""
        text = QUOTED.sub('"..."', description)[:120]
        if text not in self._refusals and len(self._refusals) < REMEMBERED_REFUSALS:
            self._refusals.add(text)
            log.warning("telegram refuses with a text telegram_errors.py does not know: %d %s", http, text)


def _read_wait(parameters: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    told = str(parameters.get("retry_after") or headers.get("Retry-After", ""))
    return min(float(told), LONGEST_WAIT_SECONDS) if told.isdecimal() and len(told) < 10 else WAIT_UNTOLD_SECONDS


def _read_whole(holder: Mapping[str, Any], name: str) -> int | None:
    """Read a number that Postgres can hold; None for anything else: a proxy may say whatever it likes."""
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None
