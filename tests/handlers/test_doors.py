"""The short way in: what goes it, what does not, and that nobody outside can tell the difference."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.handlers.doors import Site
from grimbots.queue.inspector import Inspector
from grimbots.queue.operators import Operator
from grimbots.tests.queue.desks import wait_until

LIMIT_BYTES = 128 * 1024


class Caller:
    """One connection, as Telegram keeps it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, secret: str) -> None:
        self.reader, self.writer = reader, writer
        self.usual = 0  # how often the usual way was taken, which nobody outside can see
        self._path, self._secret = path, secret

    def write(self, body: bytes, *lines: str, version: str = "1.1", secret: str | None = None) -> bytes:
        """Write a request; `lines` replace the line that tells its length."""
        proof = self._secret if secret is None else secret
        head = [f"POST {self._path} HTTP/{version}", "Host: x", f"X-Telegram-Bot-Api-Secret-Token: {proof}"]
        return "\r\n".join([*head, *(lines or [f"Content-Length: {len(body)}"]), "", ""]).encode() + body

    async def read(self) -> tuple[int, dict[str, str], bytes]:
        """Read an answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:-2])
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))

    async def send(self, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request piece by piece, each on its way before the next, and read its answer."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)
        return await self.read()


@pytest.fixture
def caller(
    io_loop: Any, http_port: int, http_server: Any, app: Any, accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Give a connection to a bot's webhook, the bot known to the process."""
    path, secret = f"/webhook/telegram/{accounts[0].key}", app.vault.webhook_secret(accounts[0].key, 1)

    async def connect() -> Caller:
        await app.bots.by_key(app, accounts[0].key)
        return Caller(*await asyncio.open_connection("127.0.0.1", http_port), path, secret)

    made = io_loop.run_sync(connect)
    start_usual = Site.start_usual

    def count(*arguments: Any) -> Any:
        made.usual += 1
        return start_usual(*arguments)

    monkeypatch.setattr(Site, "start_usual", count)
    yield made
    made.writer.close()


def _update(update_id: int, text: str = "/start", **more: Any) -> bytes:
    chat = {"id": 5, "type": "private"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": {"id": 5}, "text": text}
    return json.dumps({"update_id": update_id, "message": message, **more}).encode()


async def _count_pending(app: Any) -> int:
    return {queue.queue: queue for queue in await Inspector(app.queue).queues()}["tasks"].pending


@pytest.mark.gen_test
async def test_updates_of_one_connection_are_stored_before_they_are_answered(caller: Caller, app: Any) -> None:
    for number in (1, 2, 3):
        answer = await caller.send(caller.write(_update(number)))
        assert (answer[0], answer[2], caller.usual) == (200, b"", 0)
        assert await _count_pending(app) == number


@pytest.mark.gen_test
async def test_both_ways_give_each_answer_an_id_of_its_own(caller: Caller) -> None:
    answers = [await caller.send(caller.write(body)) for body in (_update(1), _update(2), b"")]
    assert caller.usual == 1
    assert {len(headers["X-Request-Id"]) for _, headers, _ in answers} == {16}
    assert len({headers["X-Request-Id"] for _, headers, _ in answers}) == 3
    shared = set.intersection(*(set(headers) for _, headers, _ in answers))
    assert [set(headers) - shared for _, headers, _ in answers] == [set(), set(), {"Content-Type"}]


@pytest.mark.gen_test
async def test_updates_sent_without_waiting_are_answered_in_their_order(caller: Caller, app: Any) -> None:
    tap = {"update_id": 2, "callback_query": {"id": "77", "from": {"id": 5}, "data": "x"}}
    first = await caller.send(caller.write(_update(1)) + caller.write(json.dumps(tap).encode()))
    second = await caller.read()
    assert (first[0], first[2], second[0]) == (200, b"", 200)
    assert json.loads(second[2]) == {"method": "answerCallbackQuery", "callback_query_id": "77"}
    assert caller.usual == 0


@pytest.mark.gen_test
async def test_update_comes_in_pieces(caller: Caller, app: Any) -> None:
    request = caller.write(_update(1, "x" * (LIMIT_BYTES - len(_update(1, "")))))
    answer = await caller.send(request[:30], request[30:400], request[400:70_000], request[70_000:])
    assert (answer[0], caller.usual, await _count_pending(app)) == (200, 0, 1)


@pytest.mark.gen_test
async def test_junk_takes_the_short_way_to_the_dead(caller: Caller, app: Any) -> None:
    answer = await caller.send(caller.write(b"junk"))
    assert (answer[0], caller.usual) == (200, 0)
    assert [job.reason for job in await Inspector(app.queue).dead()] == ["junk"]


@pytest.mark.parametrize(
    ("body", "how", "status"),
    [
        (_update(1), {"secret": "wrong"}, 401),
        (_update(1), {"version": "1.0"}, 200),
        (b"x" * (LIMIT_BYTES + 1), {}, 413),
        (b"", {}, 200),
    ],
    ids=["secret", "version", "size", "empty"],
)
@pytest.mark.gen_test
async def test_what_is_not_in_order_goes_the_usual_way(caller: Caller, body: bytes, how: Any, status: int) -> None:
    answer = await caller.send(caller.write(body, **how))
    assert (answer[0], caller.usual) == (status, 1)


@pytest.mark.gen_test
async def test_chunked_update_goes_the_usual_way(caller: Caller, app: Any) -> None:
    update = _update(1)
    request = caller.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(update), update), "Transfer-Encoding: chunked")
    answer = await caller.send(request)
    assert (answer[0], caller.usual, await _count_pending(app)) == (200, 1, 1)


@pytest.mark.gen_test
async def test_refusal_of_the_queue_is_told_and_the_connection_lives(caller: Caller, app: Any, accounts: Any) -> None:
    operator, source = Operator(app.queue), f"b{accounts[0].bot_id}"
    await operator.drain("source", source)
    status, headers, _ = await caller.send(caller.write(_update(1)))
    assert (status, headers["Retry-After"]) == (503, "1")
    await operator.resume("source", source)
    assert (await caller.send(caller.write(_update(1))))[0] == 200
    assert await _count_pending(app) == 1


@pytest.mark.gen_test
async def test_bug_is_told_once_and_the_connection_lives(caller: Caller, clock: Any, expect_errors: list[str]) -> None:
    noon, clock.now = clock.now, None
    status, _, body = await caller.send(caller.write(_update(1)))
    assert (status, json.loads(body)["error"]["message"]) == (500, "Internal error")
    assert [line.splitlines()[0] for line in expect_errors] == ["POST of TelegramHandler failed"]
    clock.now = noon
    assert (await caller.send(caller.write(_update(1))))[0] == 200


@pytest.mark.gen_test
async def test_draining_process_ends_the_connection(caller: Caller, web: Any) -> None:
    web.settings["draining"].set()
    status, headers, _ = await caller.send(caller.write(_update(1)))
    assert (status, headers["Connection"]) == (200, "close")


@pytest.mark.gen_test
async def test_request_is_open_until_its_caller_is_answered_or_gone(caller: Caller, web: Any) -> None:
    open_requests = web.settings["open_requests"]
    caller.writer.write(caller.write(_update(1))[:-1])
    await wait_until(lambda: len(open_requests) == 1)
    caller.writer.write(b"}")
    await caller.read()
    assert len(open_requests) == 0
    caller.writer.write(caller.write(_update(2))[:-1])
    await wait_until(lambda: len(open_requests) == 1)
    caller.writer.close()
    await wait_until(lambda: len(open_requests) == 0)


@pytest.mark.gen_test
async def test_caller_who_waits_for_no_answer_is_stored_all_the_same(caller: Caller, web: Any, app: Any) -> None:
    caller.writer.write(caller.write(_update(1)))
    caller.writer.close()

    async def is_stored() -> bool:
        return await _count_pending(app) == 1

    await wait_until(is_stored)
    await wait_until(lambda: len(web.settings["open_requests"]) == 0)


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e2", "\u00b2"], ids=["long", "minus", "float", "square"])
@pytest.mark.gen_test
async def test_length_that_is_none_is_answered_400(caller: Caller, length: str) -> None:
    caller.writer.write(caller.write(b"", f"Content-Length: {length}"))
    assert (await caller.reader.readline()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.gen_test
async def test_answer_is_counted_as_the_handlers(caller: Caller) -> None:
    def read() -> float:
        labels = {"handler": "TelegramHandler", "status": "2xx"}
        return metrics.REGISTRY.get_sample_value("grimbots_http_requests_total", labels) or 0.0

    before = read()
    await caller.send(caller.write(_update(1)))
    assert read() == before + 1
