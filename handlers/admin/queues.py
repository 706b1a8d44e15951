"""/admin/queues: how full the queues are, who works, what is stopped, and the dead jobs; for administrators only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import Any

from grimbots.conf.redactions import scrub
from grimbots.handlers.admin.base import PageHandler
from grimbots.handlers.admin.formats import read_ms, show_decimal
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import StopKind
from grimbots.queue.sightings import DeadJob
from grimbots.services import dead_jobs, sales, stops
from grimbots.services.errors import Invalid

PAGE_JOBS = 25
PAYLOAD_CHARS = 4000
PAGE_ROWS = 20  # of each table that grows with bots and accounts
SAID = ("requeued", "discarded", "running", "pending", "gone", "paused", "resumed", "unstopped")


class OperatorHandler(PageHandler):
    """A page that exists for administrators only."""

    async def prepare(self) -> None:
        """Let nobody else see that it is there. Instants are written as in the visitor's own account, if he has one."""
        await super().prepare()
        if self.visitor:
            self.visitor.demand_administrator()
            self.zone = sales.open_zone(self.visitor.memberships[0]) if self.visitor.memberships else UTC


class QueuesHandler(OperatorHandler):
    """GET /admin/queues."""

    async def get(self) -> None:
        """Show all of it as it is now; dead jobs from the one behind the id `after`."""
        inspector = Inspector(self.app.queue)
        after = self.get_query_argument("after", "")
        dead = await inspector.dead(after, PAGE_JOBS + 1)
        said = self.get_query_argument("said", "")
        self.render(
            "queues.html",
            tab="queues",
            redis=await inspector.redis(),
            queues=await inspector.queues(),
            stops=await inspector.stops(),
            running=(await inspector.running())[:PAGE_ROWS],
            ready=(await inspector.ready())[:PAGE_ROWS],
            due=await inspector.due(),
            rate=self.show_rate,
            consumers=await inspector.consumers(),
            dead=[self._show(job) for job in dead[:PAGE_JOBS]],
            next_after=dead[PAGE_JOBS - 1].job.id if len(dead) > PAGE_JOBS else "",
            after=after,
            said=said if said in SAID else "",
        )

    def show_rate(self, per_second: float) -> str:
        """Write jobs a second, to a tenth."""
        return show_decimal(per_second, self.texts.language)

    def _show(self, dead: DeadJob) -> dict[str, Any]:
        headline, _, trace = scrub(dead.error).partition("\n")
        return {
            "job": dead.job,
            "at": self.show_instant(read_ms(dead.at_ms)),
            "reason": self.texts.name("dead", dead.reason),
            "attempts": dead.attempts,
            "headline": headline,
            "trace": trace,
            "payload": _show_payload(dead.job.payload),
            "note": self.texts.say("retry_message" if dead.job.task == "messages.send" else "retry_any"),
        }


def _show_payload(payload: Mapping[str, Any]) -> str:
    """Write a masked payload, cut; its names come from outside and may be no valid Unicode."""
    text = json.dumps(payload, ensure_ascii=False, indent=2).encode(errors="replace").decode()
    return text if len(text) <= PAYLOAD_CHARS else f"{text[:PAYLOAD_CHARS]} …"


class DeadJobHandler(OperatorHandler):
    """POST /admin/queues/requeue and /admin/queues/discard."""

    async def post(self, verb: str) -> None:
        """Do it and tell on the queues' page what came of it."""
        job_id = self.get_body_argument("id", "", strip=False)
        if not job_id:
            raise Invalid("which job is not said")
        act, done = VERBS[verb]
        verdict = await act(self.app, self.user, job_id)
        said = done if verdict.value == "OK" else verdict.value.lower()
        self.go(f"/admin/queues?said={said}")


class StopHandler(OperatorHandler):
    """POST /admin/queues/pause and /admin/queues/resume."""

    async def post(self, verb: stops.Verb) -> None:
        """Do it and tell on the queues' page what came of it. Here only queues are paused; all that is stopped resumes.

        Raises:
            Invalid: there is no such kind of thing, or no such queue.
        """
        kind, name = self.get_body_argument("kind", ""), self.get_body_argument("name", "", strip=False)
        if kind not in STOPPABLE[verb]:
            raise Invalid("what is meant is not said")
        done = await stops.act(self.app, self.user, verb, STOPPABLE[verb][kind], name)
        said = "unstopped" if not done else "paused" if verb == "pause" else "resumed"
        self.go(f"/admin/queues?said={said}")


STOPPABLE: dict[str, dict[str, StopKind]] = {
    "pause": {"queue": "queue"},
    "resume": {"queue": "queue", "source": "source", "account": "account"},
}
VERBS: dict[str, tuple[Callable[..., Awaitable[Any]], str]] = {
    "requeue": (dead_jobs.requeue, "requeued"),
    "discard": (dead_jobs.discard, "discarded"),
}
