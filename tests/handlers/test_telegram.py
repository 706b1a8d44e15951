"""The front door's table of answers, each seen on a real socket, with what is stored behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from grimbots.queue.inspector import Inspector
from grimbots.queue.operators import Operator

LIMIT_BYTES = 128 * 1024
SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "updates.jsonl"


@pytest.fixture
def post(http_client: Any, base_url: str, app: Any, accounts: Any) -> Any:
    async def send(body: bytes | str, *, key: str | None = None, secret: str | None = None) -> HTTPResponse:
        right = app.vault.webhook_secret(accounts[0].key, 1)
        headers = {"Content-Type": "application/json"}
        if secret != "":
            headers["X-Telegram-Bot-Api-Secret-Token"] = right if secret is None else secret
        url = f"{base_url}/webhook/telegram/{key or accounts[0].key}"
        return await http_client.fetch(
            url, method="POST", body=body, headers=headers, raise_error=False, request_timeout=30
        )

    return send


@pytest.fixture
def depth(app: Any) -> Any:
    async def read() -> tuple[int, int]:
        tasks = {queue.queue: queue for queue in await Inspector(app.queue).queues()}["tasks"]
        return tasks.pending, tasks.dead

    return read


def _message(update_id: int, chat_id: int = 5, text: str = "/start") -> str:
    sender = {"id": chat_id, "is_bot": False, "first_name": "Ana"}
    message = {"message_id": 1, "date": 1, "chat": {"id": chat_id, "type": "private"}, "from": sender, "text": text}
    return json.dumps({"update_id": update_id, "message": message})


@pytest.mark.gen_test
async def test_update_is_stored_before_it_is_answered(post: Any, depth: Any) -> None:
    answer = await post(_message(10))
    assert (answer.code, answer.body) == (200, b"")
    assert await depth() == (1, 0)


@pytest.mark.gen_test
async def test_update_seen_before_is_answered_alike_and_stored_once(post: Any, depth: Any) -> None:
    answers = [(await post(_message(10))).code for _ in range(3)]
    assert answers == [200, 200, 200]
    assert await depth() == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"update_id": 1, "message": {"te',
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"message": {}}',
        b'{"update_id": "7", "message": {}}',
        b'{"update_id": true, "message": {}}',
        b'{"update_id": 1, "message": ' + b"[" * 200 + b"]" * 200 + b"}",
        b"[" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
    ids=[
        "empty",
        "text",
        "truncated",
        "array",
        "number",
        "string",
        "bytes",
        "no id",
        "id text",
        "id bool",
        "200 deep",
        "100000 deep",
        "deep objects",
    ],
)
@pytest.mark.gen_test
async def test_junk_is_answered_200_and_kept_as_a_dead_letter(post: Any, depth: Any, body: bytes) -> None:
    assert (await post(body)).code == 200
    assert await depth() == (0, 1)


@pytest.mark.gen_test
async def test_junk_repeated_is_kept_once(post: Any, depth: Any) -> None:
    for _ in range(3):
        await post(b"junk")
    assert await depth() == (0, 1)


@pytest.mark.parametrize(
    ("size_bytes", "status"), [(LIMIT_BYTES + 1, 413), (10 * 1024 * 1024, 413), (LIMIT_BYTES, 200)]
)
@pytest.mark.gen_test
async def test_body_over_the_limit_is_refused(post: Any, size_bytes: int, status: int) -> None:
    update = _message(1, text="").replace('"text": ""', '"text": "%s"')
    body = update % ("x" * (size_bytes - len(update) + 2))
    assert len(body) == size_bytes
    assert (await post(body)).code == status


@pytest.mark.parametrize("secret", ["", "wrong"])
@pytest.mark.gen_test
async def test_wrong_or_missing_secret_is_refused_whatever_the_body(post: Any, depth: Any, secret: str) -> None:
    assert (await post(_message(1), secret=secret)).code == 401
    assert (await post(b"x" * 10 * 1024 * 1024, secret=secret)).code == 401
    assert await depth() == (0, 0)


@pytest.mark.gen_test
async def test_unknown_key_is_not_found(post: Any) -> None:
    answer = await post(_message(1), key="nobody")
    assert answer.code == 404
    assert json.loads(answer.body)["error"]["code"] == "not_found"


@pytest.mark.gen_test
async def test_postgres_away_and_bot_unknown_is_answered_503(post: Any, app: Any) -> None:
    await app.db.close()
    answer = await post(_message(1))
    assert (answer.code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.gen_test
async def test_postgres_away_and_bot_cached_is_accepted(post: Any, app: Any, depth: Any) -> None:
    await post(_message(1))
    await app.db.close()
    assert (await post(_message(2))).code == 200
    assert await depth() == (2, 0)


@pytest.mark.gen_test
async def test_tap_is_answered_in_the_reply(post: Any) -> None:
    tap = {
        "id": "77",
        "from": {"id": 5},
        "data": "v1:a:b:c",
        "message": {"message_id": 1, "chat": {"id": 5, "type": "private"}},
    }
    answer = await post(json.dumps({"update_id": 1, "callback_query": tap}))
    assert json.loads(answer.body) == {"method": "answerCallbackQuery", "callback_query_id": "77"}


@pytest.mark.gen_test
async def test_checkout_is_refused_in_the_reply(post: Any) -> None:
    answer = await post(
        json.dumps({"update_id": 1, "pre_checkout_query": {"id": "9", "from": {"id": 5}, "currency": "XTR"}})
    )
    reply = json.loads(answer.body)
    assert (reply["method"], reply["pre_checkout_query_id"], reply["ok"]) == ("answerPreCheckoutQuery", "9", False)


@pytest.mark.gen_test
async def test_full_chat_is_accepted_and_dead(post: Any, app: Any, depth: Any) -> None:
    cap = app.settings.queue_group_cap
    for update_id in range(cap + 1):
        assert (await post(_message(update_id))).code == 200
    assert await depth() == (cap, 1)
    assert [job.reason for job in await Inspector(app.queue).dead()] == ["chat_full"]


@pytest.mark.gen_test
async def test_update_of_a_drained_bot_is_to_be_sent_again(post: Any, app: Any, depth: Any, accounts: Any) -> None:
    operator = Operator(app.queue)
    await operator.drain("source", f"b{accounts[0].bot_id}")
    answer = await post(_message(1))
    assert (answer.code, answer.headers["Retry-After"], await depth()) == (503, "1", (0, 0))
    await operator.resume("source", f"b{accounts[0].bot_id}")
    assert (await post(_message(1))).code == 200
    assert await depth() == (1, 0)


@pytest.mark.gen_test
async def test_other_methods_are_not_allowed(http_client: Any, base_url: str, accounts: Any) -> None:
    answer = await http_client.fetch(f"{base_url}/webhook/telegram/{accounts[0].key}", raise_error=False)
    assert answer.code == 405


@pytest.mark.gen_test
async def test_every_public_sample_is_answered_200(post: Any) -> None:
    if not SAMPLES.exists():
        pytest.skip("the sample updates (shared/data/updates.jsonl) are not here")
    lines = SAMPLES.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        update = json.loads(line)["update"]
        answer = await post(json.dumps({**update, "update_id": 1000 + number}))
        assert answer.code == 200, line
    assert len(lines) > 100
