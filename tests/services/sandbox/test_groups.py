"""Groups and channels of the sandbox: links, requests, bans and who hears of them, as the Bot API documents them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grimbots.tests.fakes.bot_api import find_mistakes
from grimbots.tests.services.sandbox.drivers import Driver, Webhook
from grimbots.tests.services.sandbox.objects import list_losses

ANA, BIA = 77, 78
KINDS = ["message", "my_chat_member", "chat_member", "chat_join_request"]


async def open_group(sandbox: Driver, webhook: Webhook, kind: str = "supergroup", **status: Any) -> int:
    """Make a group whose administrator the bot is, all updates going to `webhook`; give its id."""
    await sandbox.call("setWebhook", url=webhook.url, allowed_updates=KINDS)
    group = (await sandbox.face("groups", "POST", {"title": "VIP", "type": kind})).json
    await sandbox.face(f"groups/{group['id']}/bots", "POST", {"bot": sandbox.username, **status})
    return int(group["id"])


async def make_link(sandbox: Driver, group: int, **params: Any) -> str:
    """Make an invite link and give its address."""
    reply = await sandbox.call("createChatInviteLink", chat_id=group, name="pedido 1", **params)
    assert reply.status == 200, reply.body
    assert find_mistakes(reply.json["result"], "ChatInviteLink") == []
    return str(reply.json["result"]["invite_link"])


async def join(sandbox: Driver, group: int, user_id: int, link: str) -> str:
    """Open a link as a person; give what came of it."""
    reply = await sandbox.face(f"groups/{group}/joins", "POST", {"user_id": user_id, "link": link})
    return str(reply.json["outcome"] if reply.status == 200 else reply.status)


async def read_status(sandbox: Driver, group: int, user_id: int) -> str:
    """Give what somebody is in the group."""
    member = (await sandbox.call("getChatMember", chat_id=group, user_id=user_id)).json["result"]
    assert find_mistakes(member, "ChatMember") == []
    return str(member["status"])


async def refuse(sandbox: Driver, method: str, **params: Any) -> str:
    """Call a method that is refused, and give the refusal's words."""
    reply = await sandbox.call(method, **params)
    assert reply.status >= 400
    return str(reply.json["description"])


@pytest.mark.gen_test
async def test_a_request_is_approved_or_declined_once(sandbox: Driver, webhook: Webhook) -> None:
    group = await open_group(sandbox, webhook)
    link = await make_link(sandbox, group, creates_join_request=True)
    assert [await join(sandbox, group, person, link) for person in (ANA, BIA)] == ["requested"] * 2
    assert (await sandbox.call("approveChatJoinRequest", chat_id=group, user_id=ANA)).json["result"] is True
    assert (await sandbox.call("declineChatJoinRequest", chat_id=group, user_id=BIA)).json["result"] is True
    assert [await read_status(sandbox, group, person) for person in (ANA, BIA)] == ["member", "left"]
    wanted = {"chat_id": group, "user_id": ANA}
    assert await refuse(sandbox, "approveChatJoinRequest", **wanted) == "Bad Request: USER_ALREADY_PARTICIPANT"
    wanted["user_id"] = BIA
    assert await refuse(sandbox, "approveChatJoinRequest", **wanted) == "Bad Request: HIDE_REQUESTER_MISSING"
    told = {next(reversed(one)): one for one in (await webhook.wait(4) and webhook.updates)}
    assert told["chat_member"]["chat_member"]["via_join_request"] is True
    assert told["chat_join_request"]["chat_join_request"]["invite_link"]["invite_link"] == link


@pytest.mark.gen_test
async def test_a_one_use_link_lets_one_person_in_for_its_time(
    sandbox: Driver, webhook: Webhook, sandbox_clock: Any
) -> None:
    group = await open_group(sandbox, webhook)
    once = await make_link(sandbox, group, member_limit=1)
    assert [await join(sandbox, group, person, once) for person in (ANA, BIA)] == ["joined", "409"]
    late = await make_link(sandbox, group, member_limit=1, expire_date=int(sandbox_clock.now) + 60)
    sandbox_clock.now += 60
    assert await join(sandbox, group, BIA, late) == "409"
    gone = await make_link(sandbox, group)
    assert (await sandbox.call("revokeChatInviteLink", chat_id=group, invite_link=gone)).json["result"]["is_revoked"]
    assert await join(sandbox, group, BIA, gone) == "409"


@pytest.mark.gen_test
async def test_who_is_banned_comes_back_once_unbanned(sandbox: Driver, webhook: Webhook) -> None:
    group = await open_group(sandbox, webhook)
    link = await make_link(sandbox, group)
    await join(sandbox, group, ANA, link)
    wanted = {"chat_id": group, "user_id": ANA}
    await sandbox.call("unbanChatMember", **wanted, only_if_banned=True)
    assert await read_status(sandbox, group, ANA) == "member"
    await sandbox.call("banChatMember", **wanted)
    assert (await read_status(sandbox, group, ANA), await join(sandbox, group, ANA, link)) == ("kicked", "409")
    await sandbox.call("unbanChatMember", **wanted, only_if_banned=True)
    assert (await read_status(sandbox, group, ANA), await join(sandbox, group, ANA, link)) == ("left", "joined")


@pytest.mark.gen_test
async def test_a_bot_without_rights_is_refused_and_hears_nothing(sandbox: Driver, webhook: Webhook) -> None:
    group = await open_group(sandbox, webhook, rights=[])
    assert "not enough rights" in await refuse(sandbox, "createChatInviteLink", chat_id=group)
    assert "not enough rights" in await refuse(sandbox, "banChatMember", chat_id=group, user_id=ANA)
    for status, said in (("kicked", "bot was kicked"), ("left", "bot is not a member")):
        await sandbox.face(f"groups/{group}/bots", "POST", {"bot": sandbox.username, "status": status})
        assert said in await refuse(sandbox, "getChatMember", chat_id=group, user_id=ANA)
    assert await refuse(sandbox, "getChat", chat_id=-5) == "Bad Request: chat not found"
    assert [next(reversed(one)) for one in (await webhook.wait(3) and webhook.updates)] == ["my_chat_member"] * 3


@pytest.mark.gen_test
async def test_a_group_that_migrates_says_its_new_id(sandbox: Driver, webhook: Webhook) -> None:
    group = await open_group(sandbox, webhook, "group")
    made = (await sandbox.face(f"groups/{group}/migrate", "POST", {})).json["id"]
    reply = await sandbox.call("createChatInviteLink", chat_id=group)
    assert (reply.status, reply.json["parameters"]) == (400, {"migrate_to_chat_id": made})
    await make_link(sandbox, made)
    messages = [one["message"] for one in (await webhook.wait(3) and webhook.updates) if "message" in one]
    assert {
        (one["chat"]["id"], one.get("migrate_to_chat_id", one.get("migrate_from_chat_id"))) for one in messages
    } == {
        (group, made),
        (made, group),
    }


@pytest.mark.gen_test
async def test_updates_of_groups_are_as_documented_and_read_by_others(sandbox: Driver, webhook: Webhook) -> None:
    aiogram = pytest.importorskip("aiogram", reason="aiogram is not installed; `make test` brings it")
    group = await open_group(sandbox, webhook, "group")
    by_request = await make_link(sandbox, group, creates_join_request=True)
    await join(sandbox, group, ANA, by_request)
    await sandbox.call("approveChatJoinRequest", chat_id=group, user_id=ANA)
    await join(sandbox, group, BIA, await make_link(sandbox, group, member_limit=1))
    await sandbox.call("banChatMember", chat_id=group, user_id=BIA)
    await sandbox.face(f"groups/{group}/leaves", "POST", {"user_id": ANA})
    await sandbox.face(f"groups/{group}/migrate", "POST", {})
    await webhook.wait(8)
    for update in webhook.updates:
        assert find_mistakes(update, "Update") == []
        read = aiogram.types.Update.model_validate(update)
        assert list_losses(update, json.loads(read.model_dump_json(by_alias=True, exclude_unset=True))) == []
