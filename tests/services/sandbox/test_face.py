"""The JSON face: chats, taps, calls, faults; and who may ask at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from grimbots.conf.settings import SettingsError, load
from grimbots.services.sandbox.server import build
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook, ask

KEYS = {
    "inline_keyboard": [
        [{"text": "Quero", "callback_data": "a"}],
        [{"text": "Site", "url": "https://a.b"}, {"text": "Copiar", "copy_text": {"text": "0002"}}],
    ]
}


@pytest.mark.gen_test
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "0.0.0.0", "", "["])
async def test_request_with_a_foreign_host_is_refused(sandbox: Driver, host: str) -> None:
    for path in ("/sandbox", "/sandbox/api/bots", f"/bot{sandbox.token}/getMe", "/pix/v1/charges/x", "/nothing"):
        reply = await ask(f"{sandbox.server.url}{path}", Host=host)
        assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden")


@pytest.mark.gen_test
@pytest.mark.parametrize("host", ["localhost", "localhost:8081", "127.0.0.1", "127.9.9.9:1", "[::1]:8081"])
async def test_request_with_a_loopback_host_is_taken(sandbox: Driver, host: str) -> None:
    assert (await ask(f"{sandbox.server.url}/sandbox/api/bots", Host=host)).status == 200


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://localhost:8080", 200)]
)
async def test_request_from_a_foreign_page_is_refused(sandbox: Driver, origin: str, status: int) -> None:
    url = f"{sandbox.server.url}/sandbox/api/bots/loja_bot/chats/{CHAT}/messages"
    assert (await ask(url, "POST", {"text": "oi"}, Origin=origin)).status == status


@pytest.mark.parametrize("environ", [{}, {"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": "http://0.0.0.0:8081"}])
def test_build_refuses_anywhere_but_here(environ: dict[str, str], tmp_path: Any) -> None:
    with pytest.raises(SettingsError):
        build(load({"GRIMBOTS_DATA": str(tmp_path)} | environ))
    assert not list(tmp_path.iterdir())


@pytest.mark.gen_test
async def test_bot_is_made_once(sandbox: Driver) -> None:
    assert await sandbox.make_bot("Loja_Bot") == sandbox.token
    other = await sandbox.make_bot("outra_bot")
    assert other != sandbox.token
    listed = await sandbox.face("bots")
    assert [bot["username"] for bot in listed.json] == ["loja_bot", "outra_bot"]
    assert sandbox.token.encode() not in listed.body


@pytest.mark.gen_test
@pytest.mark.parametrize("username", ["bot", "1loja_bot", "loja", "loja bot", "x" * 40 + "bot"])
async def test_bot_with_a_bad_username_is_refused(sandbox: Driver, username: str) -> None:
    reply = await sandbox.face("bots", "POST", {"username": username, "name": "x"})
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid")


@pytest.mark.gen_test
async def test_messages_come_after_the_id_asked_for(sandbox: Driver) -> None:
    await sandbox.say("1")
    sent = await sandbox.send("2")
    assert (await sandbox.chat("messages?after=1")).json == [sent]
    assert len((await sandbox.chat("messages")).json) == 2
    assert (await sandbox.chat("messages", chat=9)).json == []


@pytest.mark.gen_test
async def test_chats_of_two_bots_are_apart(sandbox: Driver) -> None:
    await sandbox.say("segredo")
    other = Driver(sandbox.server, await sandbox.make_bot("outra_bot"), "outra_bot")
    assert (await other.chat("messages")).json == []
    assert (await other.call("sendMessage", chat_id=CHAT, text="x")).json[
        "description"
    ] == "Bad Request: chat not found"


@pytest.mark.gen_test
@pytest.mark.parametrize("text", ["", "   ", "x" * 4097, 7, None])
async def test_message_with_a_bad_text_is_refused(sandbox: Driver, text: Any) -> None:
    reply = await sandbox.chat("messages", {"text": text})
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid")


@pytest.mark.gen_test
async def test_person_keeps_the_name_of_the_first_message(sandbox: Driver) -> None:
    await sandbox.chat("messages", {"text": "oi", "first_name": "Ana", "language_code": "en"})
    message = await sandbox.say("de novo")
    assert message["from"] == {"id": CHAT, "is_bot": False, "first_name": "Ana", "language_code": "en"}


@pytest.mark.gen_test
async def test_tap_finds_the_newest_button_of_that_text(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.send("1", reply_markup=KEYS)
    newest = await sandbox.send("2", reply_markup=KEYS)
    reply = await sandbox.chat("taps", {"button": "Quero"})
    assert (reply.json["kind"], reply.json["message_id"]) == ("callback", newest["message_id"])


@pytest.mark.gen_test
async def test_tap_on_a_given_message_is_that_messages(sandbox: Driver) -> None:
    await sandbox.say()
    oldest = await sandbox.send("1", reply_markup=KEYS)
    await sandbox.send("2", reply_markup=KEYS)
    reply = await sandbox.chat("taps", {"button": "Quero", "message_id": oldest["message_id"]})
    assert reply.json["message_id"] == oldest["message_id"]


@pytest.mark.gen_test
async def test_tap_on_links_and_copies_stays_in_the_client(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.send(reply_markup=KEYS)
    assert (await sandbox.chat("taps", {"button": "Site"})).json == {"kind": "url", "url": "https://a.b"}
    assert (await sandbox.chat("taps", {"button": "Copiar"})).json == {"kind": "copy_text", "text": "0002"}


@pytest.mark.gen_test
async def test_tap_on_nothing_names_the_buttons(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.send(reply_markup=KEYS)
    reply = await sandbox.chat("taps", {"button": "Comprar"})
    assert reply.status == 404
    assert "'Quero', 'Site', 'Copiar'" in reply.json["error"]["message"]


@pytest.mark.gen_test
async def test_blocked_person_cannot_write_or_tap(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.send(reply_markup=KEYS)
    await sandbox.chat("block", {})
    assert (await sandbox.chat("messages", {"text": "oi"})).status == 409
    assert (await sandbox.chat("taps", {"button": "Quero"})).status == 409


@pytest.mark.gen_test
async def test_changes_tell_of_edits_and_deletions(sandbox: Driver) -> None:
    await sandbox.say()
    kept, gone = await sandbox.send("fica"), await sandbox.send("sai")
    before = (await sandbox.chat("changes?since=0")).json
    assert [message["text"] for message in before["messages"]] == ["/start", "fica", "sai"]
    await sandbox.call("editMessageText", chat_id=CHAT, message_id=kept["message_id"], text="mudou")
    await sandbox.call("deleteMessage", chat_id=CHAT, message_id=gone["message_id"])
    after = (await sandbox.chat(f"changes?since={before['change']}")).json
    assert [message["text"] for message in after["messages"]] == ["mudou"]
    assert after["deleted"] == [gone["message_id"]]
    again = (await sandbox.chat(f"changes?since={after['change']}")).json
    assert (again["messages"], again["deleted"]) == ([], [])


@pytest.mark.gen_test
async def test_calls_are_listed_in_order_without_secrets(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.send("um")
    await sandbox.call("setWebhook", url="https://a.b/c", secret_token="hush-hush")
    await sandbox.call("sendpigeon", to=1)
    reply = await sandbox.face("calls?after=0")
    calls = reply.json
    assert [call["method"] for call in calls] == ["sendMessage", "setWebhook", "sendpigeon"]
    assert [call["seq"] for call in calls] == sorted(call["seq"] for call in calls)
    assert calls[0]["params"] == {"chat_id": CHAT, "text": "um"}
    assert calls[0]["answer"]["result"]["text"] == "um"
    assert calls[0]["at"] == "2026-03-02T12:00:00.000Z"
    assert sandbox.token.encode() not in reply.body
    assert b"hush-hush" not in reply.body
    assert len((await sandbox.face(f"calls?after={calls[0]['seq']}")).json) == 2


@pytest.mark.gen_test
async def test_messages_of_all_chats_are_listed_in_order(sandbox: Driver) -> None:
    first = await sandbox.say("um", chat=CHAT)
    await sandbox.say("dois", chat=CHAT + 1)
    await sandbox.send("tres")
    everything = (await sandbox.face(f"bots/{sandbox.username}/messages")).json
    assert [(message["chat"]["id"], message["text"]) for message in everything] == [
        (CHAT, "um"),
        (CHAT + 1, "dois"),
        (CHAT, "tres"),
    ]
    later = (await sandbox.face(f"bots/{sandbox.username}/messages?after={first['message_id']}")).json
    assert later == everything[1:]


@pytest.mark.gen_test
async def test_posts_tell_what_became_of_updates_and_events(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.call("setWebhook", url=webhook.url)
    await sandbox.say()
    await sandbox.put_charge("a1B2" * 8, webhook.url)
    await sandbox.face(f"pix/{'a1B2' * 8}/pay", "POST", {"delay_seconds": 60, "signature": "wrong"})

    async def list_outcomes() -> list[tuple[str, str | None]]:
        return [(post["kind"], post["outcome"]) for post in (await sandbox.face("posts")).json]

    while await list_outcomes() != [("update", "carried"), ("event_signed_wrong", None)]:
        await asyncio.sleep(0.01)
    update, event = (await sandbox.face("posts")).json
    assert json.loads(update["body"])["message"]["text"] == "/start"
    assert (update["attempts"], update["done_at"], event["attempts"], event["done_at"]) == (
        1,
        "2026-03-02T12:00:00.000Z",
        0,
        None,
    )
    assert event["leaves_at"] == "2026-03-02T12:01:00.000Z"
    assert (await sandbox.face(f"posts?after={update['seq']}")).json == [event]


@pytest.mark.gen_test
async def test_fault_answers_as_told_so_many_times(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.face(
        "faults", "POST", {"method": "sendMessage", "http": 429, "retry_after": 3, "times": 2, "chat_id": CHAT}
    )
    for _ in range(2):
        reply = await sandbox.call("sendMessage", chat_id=CHAT, text="x")
        assert reply.status == 429
        assert reply.headers["Retry-After"] == "3"
        assert reply.json == {
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests: retry after 3",
            "parameters": {"retry_after": 3},
        }
    assert [message["text"] for message in (await sandbox.chat("messages")).json] == ["/start"]
    await sandbox.send()
    assert (await sandbox.face("faults")).json == []


@pytest.mark.gen_test
async def test_fault_holds_for_its_chat_and_method_only(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.say(chat=77)
    await sandbox.face("faults", "POST", {"method": "sendMessage", "http": 500, "chat_id": 77})
    await sandbox.send()
    assert (await sandbox.call("sendChatAction", chat_id=77, action="typing")).status == 200
    assert (await sandbox.call("sendmessage", chat_id="77", text="x")).status == 500


@pytest.mark.gen_test
async def test_fault_may_take_effect_and_fail_all_the_same(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.face("faults", "POST", {"http": 502, "execute": True})
    assert (await sandbox.call("sendMessage", chat_id=CHAT, text="chegou")).status == 502
    assert (await sandbox.chat("messages")).json[-1]["text"] == "chegou"


@pytest.mark.gen_test
@pytest.mark.parametrize(("execute", "count"), [(False, 1), (True, 2)])
async def test_fault_drops_the_connection(sandbox: Driver, execute: bool, count: int) -> None:
    await sandbox.say()
    await sandbox.face("faults", "POST", {"drop": True, "execute": execute})
    with pytest.raises(HTTPStreamClosedError):
        await sandbox.call("sendMessage", chat_id=CHAT, text="x")
    assert len((await sandbox.chat("messages")).json) == count
    assert (await sandbox.face("calls")).json[-1]["answer"] is None


@pytest.mark.gen_test
async def test_fault_delays_and_lets_pass(sandbox: Driver, io_loop: Any) -> None:
    await sandbox.say()
    await sandbox.face("faults", "POST", {"delay_seconds": 0.2})
    began = io_loop.time()
    await sandbox.send()
    assert io_loop.time() - began > 0.15


@pytest.mark.gen_test
async def test_faults_are_taken_back(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.face("faults", "POST", {"http": 500, "times": 100})
    await sandbox.face("faults", "DELETE")
    await sandbox.send()


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "wish", [{}, {"http": 200}, {"http": "429"}, {"http": 500, "time": 3}, {"drop": 1}, {"method": "x"}]
)
async def test_fault_that_makes_no_sense_is_refused(sandbox: Driver, wish: dict[str, Any]) -> None:
    assert (await sandbox.face("faults", "POST", wish)).status == 400


@pytest.mark.gen_test
async def test_unknown_path_is_404(sandbox: Driver) -> None:
    assert (await sandbox.face("nothing")).status == 404
