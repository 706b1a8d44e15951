"""The Bot API methods with which a bot lets people into its groups and takes them out, and looks who is there."""

from __future__ import annotations

from typing import Any

from grimbots.services.sandbox import bots, groups, invites
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, method
from grimbots.services.sandbox.store import Row

NAME_LIMIT, MEMBER_LIMIT = 32, 99_999
INVITES = "not enough rights to manage chat invite link"
REQUESTS = "not enough rights to manage chat join requests"
BANS = "not enough rights to restrict/unrestrict chat member"


@method(
    "createChatInviteLink",
    "chat_id name expire_date:integer member_limit:integer creates_join_request:boolean",
)
def create_chat_invite_link(call: Call) -> dict[str, Any]:
    """Make one more invite link."""
    group = find_group(call, "can_invite_users", INVITES)
    params = call.params
    limit, by_request = params.get("member_limit"), params.get("creates_join_request", False)
    if len(params.get("name", "")) > NAME_LIMIT:
        raise Refusal(400, "Bad Request: invite link name is too long")
    if limit is not None and (by_request or not 1 <= limit <= MEMBER_LIMIT):
        raise Refusal(400, "Bad Request: member limit can't be specified for links requiring administrator approval")
    columns = {"name": params.get("name", ""), "expires_at": params.get("expire_date"), "member_limit": limit}
    row = invites.add(call.sandbox, group, call.bot, {**columns, "by_request": int(by_request)})
    return invites.as_link(call.sandbox, row)


@method("revokeChatInviteLink", "chat_id invite_link")
def revoke_chat_invite_link(call: Call) -> dict[str, Any]:
    """Make a link worth nothing."""
    group = find_group(call, "can_invite_users", INVITES)
    row = invites.find(call.sandbox, call.params.get("invite_link", ""))
    if row is None or (row["group_id"], row["bot_id"]) != (group["id"], call.bot["id"]):
        raise Refusal(400, "Bad Request: INVITE_HASH_EXPIRED")
    return invites.as_link(call.sandbox, invites.revoke(call.sandbox, row["link"]))


@method("approveChatJoinRequest", "chat_id user_id:integer")
def approve_chat_join_request(call: Call) -> bool:
    """Let in who has asked."""
    group = find_group(call, "can_invite_users", REQUESTS)
    user_id = _read_user(call)
    link = _take_request(call, group, user_id)
    _change(call, group, user_id, "member", link=invites.as_link(call.sandbox, link), by_request=True)
    return True


@method("declineChatJoinRequest", "chat_id user_id:integer")
def decline_chat_join_request(call: Call) -> bool:
    """Turn away who has asked."""
    group = find_group(call, "can_invite_users", REQUESTS)
    _take_request(call, group, _read_user(call))
    return True


@method("banChatMember", "chat_id user_id:integer until_date:integer revoke_messages:boolean")
def ban_chat_member(call: Call) -> bool:
    """Put somebody out, who then cannot come back."""
    group = find_group(call, "can_restrict_members", BANS)
    user_id = _read_user(call)
    status = groups.as_member(call.sandbox, group, user_id)["status"]
    if status == "creator":
        raise Refusal(400, "Bad Request: can't remove chat owner")
    if status == "administrator":
        raise Refusal(400, "Bad Request: user is an administrator of the chat")
    _change(call, group, user_id, "kicked")
    return True


@method("unbanChatMember", "chat_id user_id:integer only_if_banned:boolean")
def unban_chat_member(call: Call) -> bool:
    """Let somebody come back; without `only_if_banned` who is in is put out by this."""
    group = find_group(call, "can_restrict_members", BANS)
    user_id = _read_user(call)
    is_banned = groups.as_member(call.sandbox, group, user_id)["status"] == "kicked"
    if is_banned or not call.params.get("only_if_banned", False):
        _change(call, group, user_id, "left")
    return True


@method("getChatMember", "chat_id user_id:integer")
def get_chat_member(call: Call) -> dict[str, Any]:
    """Say what somebody is in a group."""
    group = find_group(call)
    return groups.as_member(call.sandbox, group, _read_user(call))


@method("getChat", "chat_id")
def get_chat(call: Call) -> dict[str, Any]:
    """Describe a group."""
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    facts = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
    return groups.as_chat(find_group(call)) | facts


def find_group(call: Call, right: str = "", refusal: str = "") -> Row:
    """Give the group a call is for.

    Raises:
        Refusal: there is none, it has a new id, or the bot is not in it or has not the right.
    """
    given = call.params.get("chat_id", "").strip()
    group = groups.find(call.sandbox, int(given)) if given.removeprefix("-").isdigit() and len(given) < 19 else None
    if group is None:
        raise Refusal(400, "Bad Request: chat not found")
    if group["moved_to"]:
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        raise Refusal(400, text, migrate_to_chat_id=group["moved_to"])
    member = groups.as_member(call.sandbox, group, call.bot["id"])
    if member["status"] == "kicked":
        raise Refusal(403, f"Forbidden: bot was kicked from the {group['type']} chat")
    if member["status"] == "left":
        raise Refusal(403, f"Forbidden: bot is not a member of the {group['type']} chat")
    if right and not member.get(right):
        raise Refusal(400, f"Bad Request: {refusal}")
    return group


def _read_user(call: Call) -> int:
    user_id = call.params.get("user_id")
    if not isinstance(user_id, int) or user_id <= 0:
        raise Refusal(400, "Bad Request: invalid user_id specified")
    return user_id


def _take_request(call: Call, group: Row, user_id: int) -> Row:
    if groups.as_member(call.sandbox, group, user_id)["status"] in groups.INSIDE:
        raise Refusal(400, "Bad Request: USER_ALREADY_PARTICIPANT")
    link = invites.take_request(call.sandbox, group, user_id)
    if link is None:
        raise Refusal(400, "Bad Request: HIDE_REQUESTER_MISSING")
    return link


def _change(call: Call, group: Row, user_id: int, status: str, **how: Any) -> None:
    by = bots.as_user(call.bot)
    call.queues.extend(groups.set_member(call.sandbox, group, user_id, status, by=by, **how))
