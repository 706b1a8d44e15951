"""Invites: the link that a message shows, looked up or made when the message is sent.

A message holds {"invite": <access id>}, so that sent again it shows the same link. One whose making got no clear answer
is made once more: nobody knows the other. The link of an access `by_request` only asks to be let in, and
services/group_updates.py lets in nobody but the buyer; the other kind works once, and for a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services import groups, periods
from grimbots.services.clients.telegram import Answer, Kind

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row

ONE_USE_LIFE, LEAST_LIFE = timedelta(days=1), timedelta(minutes=10)
MAX_LINK = 256
OVER = "the access has ended: nothing is handed over"


async def fill_in(app: App, bot: Bot, account_id: int, body: Mapping[str, Any]) -> Mapping[str, Any] | Answer:
    """Put the links into a body that shows some; or give the answer that says why there is none."""
    links: dict[int, str] = {}
    for access_id in _list_accesses(body):
        link = await _find_link(app, bot, account_id, access_id)
        if isinstance(link, Answer):
            return link
        links[access_id] = link
    if not links:
        return body
    rows = [[_show(button, links) for button in row] for row in _list_rows(body)]
    return {**body, "reply_markup": {**body["reply_markup"], "inline_keyboard": rows}}


def _list_rows(body: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    rows: list[list[Mapping[str, Any]]] = body.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def _list_accesses(body: Mapping[str, Any]) -> set[int]:
    urls = [button.get("url") for row in _list_rows(body) for button in row]
    return {url["invite"] for url in urls if isinstance(url, dict)}


def _show(button: Mapping[str, Any], links: Mapping[int, str]) -> dict[str, Any]:
    url = button.get("url")
    return {**button, "url": links[url["invite"]]} if isinstance(url, dict) else dict(button)


async def _find_link(app: App, bot: Bot, account_id: int, access_id: int) -> str | Answer:
    access = await app.db.accesses.find(account_id=account_id, access_id=access_id)
    if access is None or access.status not in periods.LIVE:
        return Answer(Kind.REFUSED, description=OVER)
    if access.link is not None and (
        access.link_expires_at is None or access.link_expires_at > app.clock() + LEAST_LIFE
    ):
        link: str = access.link
        return link
    return await _make_link(app, bot, access)


async def _make_link(app: App, bot: Bot, access: Row) -> str | Answer:
    """Make a link, twice if need be; any other answer waits for the delivery's next try (services/deliveries.py)."""
    group = await app.db.groups.get(account_id=access.account_id, group_id=access.group_id)
    expires_at = None if access.by_request else app.clock() + ONE_USE_LIFE
    params: dict[str, Any] = {"name": f"#{access.payment_id}"}
    if expires_at is None:
        params["creates_join_request"] = True
    else:
        params |= {"member_limit": 1, "expire_date": int(expires_at.timestamp())}
    answer = await groups.call(app, bot, group, "createChatInviteLink", params)
    if answer.kind is Kind.AMBIGUOUS:
        answer = await groups.call(app, bot, group, "createChatInviteLink", params)
    link = answer.result.get("invite_link") if isinstance(answer.result, dict) else None
    if isinstance(link, str) and len(link) <= MAX_LINK:
        which = {"account_id": access.account_id, "access_id": access.id}
        shown: str = await app.db.accesses.set_link(**which, former=access.link, link=link, expires_at=expires_at)
        return shown
    if answer.kind in (Kind.FLOOD, Kind.NEVER_SENT, Kind.DEAD_BOT):
        return answer
    return Answer(
        Kind.LOST_CHAT, http=answer.http, description=f"no link to {groups.name(group)}: {answer.description}"
    )
