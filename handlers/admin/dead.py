"""/admin/queues/dead: the dead jobs, all or of one reason, run again or deleted, one by one or a reason at once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from grimbots.conf.redactions import scrub
from grimbots.handlers.admin.formats import read_ms
from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.queue.inspector import Inspector
from grimbots.queue.sightings import DeadJob
from grimbots.services import dead_jobs
from grimbots.services.errors import Invalid
from grimbots.services.places import find_names

PAGE_JOBS = 25
PAYLOAD_CHARS = 4000
HERE = "/admin/queues/dead"


class DeadHandler(OperatorHandler):
    """GET /admin/queues/dead."""

    async def get(self) -> None:
        """Show dead jobs, from the one behind the id `after`; only those of `reason`, if one is chosen."""
        after, reason = self.get_query_argument("after", ""), self.get_query_argument("reason", "", strip=False)
        inspector = Inspector(self.app.queue)
        reasons = await inspector.count_reasons()
        dead = await inspector.dead(after, PAGE_JOBS + 1, reason)
        shown = dead[:PAGE_JOBS]
        names = await find_names(self.app, {one.job.source for one in shown}, {one.job.account for one in shown})
        more = {"after": shown[-1].job.id, **({"reason": reason} if reason else {})} if len(dead) > PAGE_JOBS else {}
        self.render(
            "dead.html",
            dead=[self._show(job) for job in shown],
            names=names,
            reasons=reasons,
            reason=reason,
            here=HERE,
            older=f"{HERE}?{urlencode(more, errors='replace')}" if more else "",
            after=after,
        )

    def _show(self, dead: DeadJob) -> dict[str, Any]:
        headline, _, trace = scrub(dead.error).partition("\n")
        return {
            "job": dead.job,
            "at": self.show_instant(read_ms(dead.at_ms)),
            "reason": self.texts.name("dead", dead.reason),
            "attempts": dead.attempts,
            "headline": headline,
            "trace": trace,
            "payload": show_payload(dead.job.payload),
            "note": self.texts.say(note_of(dead.job.task)),
        }


def note_of(task: str) -> str:
    """Name the text that says what running a job of this task again does."""
    return "retry_message" if task == "messages.send" else "retry_any"


def show_payload(payload: Mapping[str, Any]) -> str:
    """Write a masked payload, cut; its names come from outside and may be no valid Unicode."""
    text = json.dumps(payload, ensure_ascii=False, indent=2).encode(errors="replace").decode()
    return text if len(text) <= PAYLOAD_CHARS else f"{text[:PAYLOAD_CHARS]} …"


class DeadJobHandler(OperatorHandler):
    """POST /admin/queues/requeue and /admin/queues/discard."""

    async def post(self, verb: str) -> None:
        """Do it and tell on the page of dead jobs what came of it."""
        job_id = self.get_body_argument("id", "", strip=False)
        if not job_id:
            raise Invalid("which job is not said")
        act, done = VERBS[verb]
        verdict = await act(self.app, self.user, job_id)
        said = done if verdict.value == "OK" else verdict.value.lower()
        self.go(f"{HERE}?said={said}")


class DeadReasonHandler(OperatorHandler):
    """GET and POST /admin/queues/requeue/all."""

    async def get(self) -> None:
        """Ask whether all that died of a reason shall run again."""
        reason = self.get_query_argument("reason", "", strip=False)
        reasons = await Inspector(self.app.queue).count_reasons()
        self.render("requeue.html", reason=reason, jobs=reasons.get(reason, 0), most=dead_jobs.MOST_AT_ONCE)

    async def post(self) -> None:
        """Let them run again."""
        reason = self.get_body_argument("reason", "", strip=False)
        if not reason:
            raise Invalid("which reason is not said")
        await dead_jobs.requeue_all(self.app, self.user, reason)
        self.go(f"{HERE}?said=requeued_all")


VERBS: dict[str, tuple[Callable[..., Awaitable[Any]], str]] = {
    "requeue": (dead_jobs.requeue, "requeued"),
    "discard": (dead_jobs.discard, "discarded"),
}
