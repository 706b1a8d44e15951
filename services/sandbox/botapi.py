"""The Bot API: /bot<token>/<method>, by GET or POST, as JSON, form or multipart."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Any

from grimbots.conf.foreign_json import read_json
from grimbots.services.sandbox import (
    admitting,
    answering,
    bots,
    calls,
    editing,
    faults,
    floods,
    managing,
    media,
    sending,
    stars,
)
from grimbots.services.sandbox.fault_shapes import NO_FAULT, Fault
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import METHODS, Call, Method, Told, Upload, make_upload, read_params
from grimbots.services.sandbox.requests import LocalHandler
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

METHOD_MODULES = (admitting, answering, editing, managing, media, sending, stars)  # importing them fills METHODS
TOKEN = re.compile(r"\d{5,20}:[A-Za-z0-9_-]{20,60}")
NOT_FOUND = Refusal(404, "Not Found")

Answer = dict[str, Any]


class BotApiHandler(LocalHandler):
    """One call of one method."""

    async def get(self, token: str, name: str) -> None:
        """Answer as POST does."""
        await self.post(token, name)

    async def post(self, token: str, name: str) -> None:
        """Run the method and answer; or do what a fault says."""
        try:
            bot, params = self._find_bot(token), self._read_params()
        except Refusal as refusal:
            self._finish_call(refusal.answer)
            return
        files = {field: make_upload(one[0]["body"], one[0]["filename"]) for field, one in self.request.files.items()}
        with self.sandbox.floods.unsent(bot["id"], str(params.get("chat_id", ""))) as is_full:
            fault = await self._wait_turn(bot, name, params, sum(map(len, files.values())), is_full=is_full)
            answer = await execute(self.sandbox, bot, name, params, files=files, via="http", fault=fault)
            await asyncio.sleep(fault.seconds_after)
        if answer is None:
            self.detach().close()
        else:
            self._finish_call(answer)

    async def _wait_turn(self, bot: Row, name: str, params: dict[str, Any], size_bytes: int, *, is_full: bool) -> Fault:
        """Wait until the call may run, for its upload's turn and for a fault; give the fault it is to meet."""
        turn_seconds = self.sandbox.floods.note_upload(bot["id"], size_bytes, self.sandbox.clock())
        if is_full or turn_seconds == math.inf:
            await asyncio.sleep(floods.HOLD_SECONDS)
            return Fault(http=429, retry_after=floods.LONG_SECONDS)
        fault = take_fault(self.sandbox, bot, name, params)
        await asyncio.sleep(turn_seconds + fault.seconds_before)
        return fault

    def _find_bot(self, token: str) -> Row:
        if not TOKEN.fullmatch(token):
            raise NOT_FOUND
        self.sandbox.floods.note_token(token, self.sandbox.clock())
        bot = bots.find_by_token(self.sandbox, token)
        if bot is None or bots.is_banned(self.sandbox, bot):
            raise Refusal(401, "Unauthorized")
        return bot

    def _read_params(self) -> dict[str, Any]:
        fields = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        if not self.request.headers.get("Content-Type", "").startswith("application/json") or not self.request.body:
            return fields
        try:
            read = read_json(self.request.body)
        except ValueError as error:
            raise Refusal(400, "Bad Request: can't parse request JSON object") from error
        if not isinstance(read, dict):
            raise Refusal(400, "Bad Request: expected JSON object")
        return fields | read

    def _finish_call(self, answer: Answer) -> None:
        retry_after = answer.get("parameters", {}).get("retry_after")
        if retry_after:
            self.set_header("Retry-After", str(retry_after))
        self.answer(answer, 200 if answer["ok"] else answer["error_code"])


async def execute(
    sandbox: Sandbox,
    bot: Row,
    name: str,
    params: Mapping[str, Any],
    *,
    files: Mapping[str, Upload] | None = None,
    via: str,
    fault: Fault = NO_FAULT,
) -> Answer | None:
    """Run one call, write it into the log, and give its answer once both are on disk; None: close without one."""
    known = METHODS.get(name.lower())
    answer: Answer | None = None
    queues: list[str] = []
    if fault.lets_run:
        answer = _run(sandbox, bot, known, params, files or {}, queues)
    if fault.http:
        answer = fault.refusal.answer
    if fault.drop:
        answer = None
    uploads = {field: {"upload_bytes": len(content)} for field, content in (files or {}).items()}
    shown = dict(params) | uploads | ({"secret_token": "***"} if "secret_token" in params else {})
    spelled = known.name if known else name
    calls.note(sandbox, bot, spelled, shown, answer, via=via, fault=fault.id or None)
    await sandbox.commit(*queues)
    if spelled == "setWebhook":
        sandbox.courier.hurry(f"bot:{bot['id']}")
    if spelled == "replaceManagedBotToken":
        sandbox.courier.hurry(f"bot:{bot['id']}")  # it is told of the new token, as of one BotFather made
    return answer


def take_fault(sandbox: Sandbox, bot: Row, name: str, params: Mapping[str, Any]) -> Fault:
    """Use up the fault that strikes this call."""
    return faults.take(sandbox, "calls", bot=bot["username"], method=name, chat_id=params.get("chat_id", ""))


async def obey(sandbox: Sandbox, bot: Row, name: str, params: dict[str, Any], files: dict[str, Upload]) -> None:
    """Run a method that came back in a webhook's answer."""
    fault = take_fault(sandbox, bot, name, params)
    await execute(sandbox, bot, name, params, files=files, via="webhook", fault=fault)


def _run(
    sandbox: Sandbox,
    bot: Row,
    known: Method | None,
    params: Mapping[str, Any],
    files: Mapping[str, Upload],
    queues: list[str],
) -> Answer:
    try:
        if known is None:
            raise Refusal(404, "Not Found: method not found")
        with sandbox.store.change():
            call = Call(sandbox, bot, read_params(known, params), files, queues)
            result = known.run(call)
            _note_messages(call, known, result)  # refused, it never happened
        if isinstance(result, Told):
            return {"ok": True, "result": result.result, "description": result.description}
        return {"ok": True, "result": result}
    except Refusal as refusal:
        return refusal.answer


def _note_messages(call: Call, known: Method, result: Any) -> None:
    """Count what a call put into its chat against the chat's pace."""
    if known.name.startswith(("send", "copy")) and result is not True:
        count = len(result) if isinstance(result, list) else 1
        call.sandbox.floods.note_messages(call.bot["id"], int(call.params["chat_id"]), count, call.sandbox.clock())
