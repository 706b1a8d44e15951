"""/admin/queues/pause, drain and resume: a queue, a source or an account, each after a page that asks."""

from __future__ import annotations

from typing import get_args

from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.queue.job import StopKind
from grimbots.services import stops
from grimbots.services.errors import Invalid

KINDS: dict[str, StopKind] = {kind: kind for kind in get_args(StopKind)}
SAID = {"pause": "paused", "drain": "draining", "resume": "resumed"}


class StopHandler(OperatorHandler):
    """GET and POST /admin/queues/pause, /drain and /resume."""

    async def get(self, verb: stops.Verb) -> None:
        """Say what would happen, and ask."""
        kind, name = self._read(self.get_query_argument("kind", ""), self.get_query_argument("name", "", strip=False))
        await stops.check(self.app, self.user, verb, kind, name)
        self.render("stop.html", verb=verb, kind=kind, name_of_it=name, called=await self.find_place(kind, name))

    async def post(self, verb: stops.Verb) -> None:
        """Do it and tell on the queues' page what came of it.

        Raises:
            Invalid: there is no such kind of thing, or no such queue, source or account.
        """
        kind, name = self._read(self.get_body_argument("kind", ""), self.get_body_argument("name", "", strip=False))
        done = await stops.act(self.app, self.user, verb, kind, name)
        self.go(f"/admin/queues?said={SAID[verb] if done else 'unstopped'}")

    def _read(self, kind: str, name: str) -> tuple[StopKind, str]:
        if kind not in KINDS or not name:
            raise Invalid("what is meant is not said")
        return KINDS[kind], name
