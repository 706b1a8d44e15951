"""The part of the sandbox's JSON face that is about groups and channels: what their owner and their people do."""

from __future__ import annotations

from grimbots.services.errors import Invalid
from grimbots.services.sandbox import bots, groups, invites
from grimbots.services.sandbox.requests import LocalHandler, take

STATUSES = ("administrator", "member", "left", "kicked")


class GroupsHandler(LocalHandler):
    """GET and POST groups."""

    async def get(self) -> None:
        """List them with who is in them, their links and the requests that wait."""
        self.answer(groups.list_all(self.sandbox))

    async def post(self) -> None:
        """Make one."""
        body = self.read_json()
        group = groups.create(self.sandbox, take(body, "title", str), take(body, "type", str, "supergroup"))
        await self.sandbox.commit()
        self.answer(groups.as_chat(group))


class BotsHandler(LocalHandler):
    """POST groups/<id>/bots."""

    async def post(self, group_id: str) -> None:
        """Make a bot an administrator with rights (both it needs, unless they are named), a member, or put it out."""
        body = self.read_json()
        status, rights = take(body, "status", str, "administrator"), take(body, "rights", list, list(groups.RIGHTS))
        if status not in STATUSES or not {*rights} <= {*groups.RIGHTS}:
            raise Invalid(f"'status' is one of {', '.join(STATUSES)}; 'rights' are among {', '.join(groups.RIGHTS)}.")
        bot, group = bots.get(self.sandbox, take(body, "bot", str)), groups.get(self.sandbox, int(group_id))
        with self.sandbox.store.change():
            queues = groups.set_member(self.sandbox, group, bot["id"], status, rights=rights)
        await self.sandbox.commit(*queues)
        self.answer({"status": status})


class JoinsHandler(LocalHandler):
    """POST groups/<id>/joins."""

    async def post(self, group_id: str) -> None:
        """Open an invite link as a person."""
        body = self.read_json()
        user_id, link = take(body, "user_id", int), take(body, "link", str)
        with self.sandbox.store.change():
            outcome, queues = invites.open_link(self.sandbox, groups.get(self.sandbox, int(group_id)), user_id, link)
        await self.sandbox.commit(*queues)
        self.answer({"outcome": outcome})


class LeavesHandler(LocalHandler):
    """POST groups/<id>/leaves."""

    async def post(self, group_id: str) -> None:
        """Leave as a person."""
        user_id = take(self.read_json(), "user_id", int)
        with self.sandbox.store.change():
            queues = groups.leave(self.sandbox, groups.get(self.sandbox, int(group_id)), user_id)
        await self.sandbox.commit(*queues)
        self.answer({"outcome": "left"})


class MigrateHandler(LocalHandler):
    """POST groups/<id>/migrate."""

    async def post(self, group_id: str) -> None:
        """Turn a group into a supergroup."""
        with self.sandbox.store.change():
            made, queues = groups.migrate(self.sandbox, groups.get(self.sandbox, int(group_id)))
        await self.sandbox.commit(*queues)
        self.answer(groups.as_chat(made))
