"""Invite links of the sandbox's groups: made by a bot, opened by a person, who comes in or asks to."""

from __future__ import annotations

from typing import Any

from grimbots.services.errors import Conflict, NotFound
from grimbots.services.sandbox import bots, groups
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row


def add(sandbox: Sandbox, group: Row, bot: Row, columns: dict[str, Any]) -> Row:
    """Store a new link of a bot's."""
    link = groups.make_link()
    sandbox.store.run(
        """
        INSERT INTO invite_links (link, group_id, bot_id, name, expires_at, member_limit, by_request)
        VALUES (:link, :group_id, :bot_id, :name, :expires_at, :member_limit, :by_request)
        """,
        link=link,
        group_id=group["id"],
        bot_id=bot["id"],
        **columns,
    )
    return get(sandbox, link)


def find(sandbox: Sandbox, link: str) -> Row | None:
    """Give a link's row."""
    return sandbox.store.find("SELECT * FROM invite_links WHERE link = :link", link=link)


def get(sandbox: Sandbox, link: str) -> Row:
    """Give a link's row.

    Raises:
        NotFound
    """
    row = find(sandbox, link)
    if row is None:
        raise NotFound("There is no such invite link.")
    return row


def revoke(sandbox: Sandbox, link: str) -> Row:
    """Make a link worth nothing."""
    sandbox.store.run("UPDATE invite_links SET is_revoked = 1 WHERE link = :link", link=link)
    return get(sandbox, link)


def as_link(sandbox: Sandbox, row: Row) -> dict[str, Any]:
    """Give a link as a Bot API ChatInviteLink."""
    optional = {"name": row["name"], "expire_date": row["expires_at"], "member_limit": row["member_limit"]}
    creator = bots.find_by_id(sandbox, row["bot_id"])
    return {
        "invite_link": row["link"],
        "creator": bots.as_user(creator) if creator else groups.OWNER,
        "creates_join_request": bool(row["by_request"]),
        "is_primary": False,
        "is_revoked": bool(row["is_revoked"]),
    } | {name: value for name, value in optional.items() if value}


def open_link(sandbox: Sandbox, group: Row, user_id: int, link: str) -> tuple[str, list[str]]:
    """Let a person open a link: it is in ("joined") or has asked ("requested"); give that and the queues.

    Raises:
        Conflict: it is in already or banned; or the link is spent, revoked, too old, or of another group.
    """
    row = get(sandbox, link)
    status = groups.as_member(sandbox, group, user_id)["status"]
    if status in (*groups.INSIDE, "kicked"):
        raise Conflict(f"This person cannot open the link: {status}.")
    if row["group_id"] != group["id"] or _is_worthless(sandbox, row):
        raise Conflict("The invite link is not valid any more.")
    if row["by_request"]:
        return "requested", _ask(sandbox, group, user_id, row)
    sandbox.store.run("UPDATE invite_links SET uses = uses + 1 WHERE link = :link", link=link)
    person = groups.as_user(sandbox, user_id)
    return "joined", groups.set_member(
        sandbox, group, user_id, "member", by=person, link=as_link(sandbox, get(sandbox, link))
    )


def take_request(sandbox: Sandbox, group: Row, user_id: int) -> Row | None:
    """Take a person's request away; give the link it came by, None where there is no request."""
    wanted = {"group_id": group["id"], "user_id": user_id}
    row = sandbox.store.find(
        "SELECT link FROM join_requests WHERE group_id = :group_id AND user_id = :user_id", **wanted
    )
    sandbox.store.run("DELETE FROM join_requests WHERE group_id = :group_id AND user_id = :user_id", **wanted)
    return find(sandbox, row["link"]) if row else None


def _ask(sandbox: Sandbox, group: Row, user_id: int, row: Row) -> list[str]:
    sandbox.store.run(
        "INSERT OR REPLACE INTO join_requests (group_id, user_id, link) VALUES (:group_id, :user_id, :link)",
        group_id=group["id"],
        user_id=user_id,
        link=row["link"],
    )
    request = {
        "chat": groups.as_chat(group),
        "from": groups.as_user(sandbox, user_id),
        "user_chat_id": user_id,
        "date": int(sandbox.clock()),
        "invite_link": as_link(sandbox, row),
    }
    return groups.tell(sandbox, group, "chat_join_request", user_id, request, "can_invite_users")


def _is_worthless(sandbox: Sandbox, row: Row) -> bool:
    is_late = row["expires_at"] is not None and row["expires_at"] <= sandbox.clock()
    is_spent = row["member_limit"] is not None and row["uses"] >= row["member_limit"]
    return bool(row["is_revoked"]) or is_late or is_spent
