"""Groups and channels of the sandbox: who is in them, as what, and the updates that tell their administrators."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.sandbox import bots, messages, updates
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

TYPES = ("group", "supergroup", "channel")
FIRST_SUPERGROUP_ID = -1_001_000_000_000  # supergroups and channels begin with -100
OWNER = {"id": 1_000_001, "is_bot": False, "first_name": "Dono"}
INSIDE = ("creator", "administrator", "member")
RIGHTS = ("can_invite_users", "can_restrict_members")
# What ChatMemberAdministrator has to say besides (Bot API 10.3); nothing here hangs on it.
OTHER_RIGHTS = dict.fromkeys(
    (
        *("can_be_edited", "is_anonymous", "can_delete_messages", "can_manage_video_chats", "can_promote_members"),
        *("can_change_info", "can_post_stories", "can_edit_stories", "can_delete_stories"),
        "can_send_welcome_messages",
    ),
    False,
)


def create(sandbox: Sandbox, title: str, kind: str) -> Row:
    """Make a group, supergroup or channel.

    Raises:
        Invalid: another kind, or no title.
    """
    if kind not in TYPES or not title.strip():
        raise Invalid(f"A group needs a title, and its type is one of {', '.join(TYPES)}.")
    number = 1 + sandbox.store.value("SELECT count(*) FROM groups")
    group_id = -number if kind == "group" else FIRST_SUPERGROUP_ID - number
    sandbox.store.run(
        "INSERT INTO groups (id, type, title) VALUES (:id, :type, :title)", id=group_id, type=kind, title=title
    )
    return get(sandbox, group_id)


def find(sandbox: Sandbox, group_id: int) -> Row | None:
    """Give a group."""
    return sandbox.store.find("SELECT * FROM groups WHERE id = :id", id=group_id)


def get(sandbox: Sandbox, group_id: int) -> Row:
    """Give a group.

    Raises:
        NotFound
    """
    group = find(sandbox, group_id)
    if group is None:
        raise NotFound(f"The sandbox has no group {group_id}; make it with POST /sandbox/api/groups.")
    return group


def list_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Give every group with who is or was in it, its links and the requests that wait."""
    return [
        {
            **as_chat(group),
            "moved_to": group["moved_to"],
            "members": {str(row["user_id"]): row["status"] for row in _rows(sandbox, "group_members", group)},
            "links": [row["link"] for row in _rows(sandbox, "invite_links", group)],
            "requests": [row["user_id"] for row in _rows(sandbox, "join_requests", group)],
        }
        for group in sandbox.store.list("SELECT * FROM groups ORDER BY id DESC")
    ]


def as_chat(group: Row) -> dict[str, Any]:
    """Give a group as a Bot API Chat."""
    return {"id": group["id"], "type": group["type"], "title": group["title"]}


def as_member(sandbox: Sandbox, group: Row, user_id: int) -> dict[str, Any]:
    """Give somebody's place in a group as a Bot API ChatMember."""
    row = sandbox.store.find(
        "SELECT * FROM group_members WHERE group_id = :group_id AND user_id = :user_id",
        group_id=group["id"],
        user_id=user_id,
    )
    status = row["status"] if row else "left"
    member: dict[str, Any] = {"status": status, "user": as_user(sandbox, user_id)}
    if status == "administrator" and row:
        held = json.loads(row["rights"])
        member |= OTHER_RIGHTS | {"can_manage_chat": True} | {right: right in held for right in RIGHTS}
    return member | ({"until_date": 0} if status == "kicked" else {})


def as_user(sandbox: Sandbox, user_id: int) -> dict[str, Any]:
    """Give a bot, or a person by the name it has in any bot's chat, as a Bot API User."""
    if bot := bots.find_by_id(sandbox, user_id):
        return bots.as_user(bot)
    chat = sandbox.store.find("SELECT * FROM chats WHERE id = :id LIMIT 1", id=user_id)
    return {"id": user_id, "is_bot": False, "first_name": chat["first_name"] if chat else f"Cliente {user_id}"}


def set_member(
    sandbox: Sandbox,
    group: Row,
    user_id: int,
    status: str,
    *,
    rights: Iterable[str] = (),
    by: Mapping[str, Any] | None = None,
    link: Mapping[str, Any] | None = None,
    by_request: bool = False,
) -> list[str]:
    """Change what somebody is in a group; give the queues of the updates that tell of it, none where nothing changed.

    A bot hears of itself, the bots that are administrators of everybody else.
    """
    before = as_member(sandbox, group, user_id)
    _put_member(sandbox, group, user_id, status, list(rights))
    after = as_member(sandbox, group, user_id)
    if before == after:
        return []
    change = {
        "chat": as_chat(group),
        "from": dict(by or OWNER),
        "date": int(sandbox.clock()),
        "old_chat_member": before,
        "new_chat_member": after,
        **({"invite_link": dict(link)} if link else {}),
        **({"via_join_request": True} if by_request else {}),
    }
    if bot := bots.find_by_id(sandbox, user_id):
        return [updates.push(sandbox, bot, "my_chat_member", group["id"], change)]
    return tell(sandbox, group, "chat_member", user_id, change)


def _put_member(sandbox: Sandbox, group: Row, user_id: int, status: str, rights: list[str]) -> None:
    sandbox.store.run(
        """
        INSERT INTO group_members (group_id, user_id, status, rights) VALUES (:group_id, :user_id, :status, :rights)
        ON CONFLICT (group_id, user_id) DO UPDATE SET status = excluded.status, rights = excluded.rights
        """,
        group_id=group["id"],
        user_id=user_id,
        status=status,
        rights=json.dumps(rights),
    )


def tell(sandbox: Sandbox, group: Row, kind: str, user_id: int, change: dict[str, Any], right: str = "") -> list[str]:
    """Store an update for every bot that is an administrator, and has a right if one is named; give the queues."""
    rows = sandbox.store.list(
        """
        SELECT bots.*, group_members.rights
        FROM group_members
        JOIN bots ON bots.id = group_members.user_id
        WHERE group_id = :group_id AND status = 'administrator'
        """,
        group_id=group["id"],
    )
    hearing = [row for row in rows if not right or right in json.loads(row["rights"])]
    return [updates.push(sandbox, bot, kind, user_id, change) for bot in hearing]


def leave(sandbox: Sandbox, group: Row, user_id: int) -> list[str]:
    """Let a person go by itself; give the queues.

    Raises:
        Conflict: it is not there.
    """
    if as_member(sandbox, group, user_id)["status"] not in INSIDE:
        raise Conflict("This person is not in the group.")
    return set_member(sandbox, group, user_id, "left", by=as_user(sandbox, user_id))


def migrate(sandbox: Sandbox, group: Row) -> tuple[Row, list[str]]:
    """Turn a group into a supergroup, which has another id; give it and the queues of the two service messages.

    Raises:
        Conflict: it is no group, or was turned into one before.
    """
    if group["type"] != "group" or group["moved_to"]:
        raise Conflict("Only a group can be turned into a supergroup, and once.")
    made = create(sandbox, group["title"], "supergroup")
    for table in ("group_members", "join_requests", "invite_links"):
        sandbox.store.run(
            f"UPDATE {table} SET group_id = :made WHERE group_id = :group_id",  # noqa: S608
            made=made["id"],
            group_id=group["id"],
        )
    sandbox.store.run("UPDATE groups SET moved_to = :made WHERE id = :id", made=made["id"], id=group["id"])
    queues = []
    for row in _rows(sandbox, "group_members", made):
        bot = bots.find_by_id(sandbox, row["user_id"])
        if bot is not None and row["status"] in INSIDE:
            for chat, word in (
                (group, {"migrate_to_chat_id": made["id"]}),
                (made, {"migrate_from_chat_id": group["id"]}),
            ):
                message = messages.add(sandbox, bot, as_chat(chat), OWNER, dict(word))
                queues.append(updates.push(sandbox, bot, "message", chat["id"], message))
    return made, queues


def make_link() -> str:
    """Make an invite link's address."""
    return f"https://t.me/+{secrets.token_urlsafe(12)}"


def _rows(sandbox: Sandbox, table: str, group: Row) -> list[Row]:
    return sandbox.store.list(f"SELECT * FROM {table} WHERE group_id = :group_id", group_id=group["id"])  # noqa: S608
