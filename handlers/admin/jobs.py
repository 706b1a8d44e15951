"""/admin/queues/job: all that is known of one job, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from grimbots.conf.redactions import scrub
from grimbots.handlers.admin.dead import note_of, show_payload
from grimbots.handlers.admin.formats import read_ms
from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.queue.inspector import Inspector
from grimbots.queue.sightings import Sighting, State, Waiting
from grimbots.services import audit
from grimbots.services.places import find_names

CHAT_JOBS = 10


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job, or will. `tone`: "", "good", "warn" or "bad"."""

    at: datetime | None
    text: str
    hint: str = ""
    tone: str = ""


class JobHandler(OperatorHandler):
    """GET /admin/queues/job?id=..."""

    async def get(self) -> None:
        """Show a job; of one that nothing is known of, say so, and what operators once did to it."""
        job_id = self.get_query_argument("id", "", strip=False)
        inspector = Inspector(self.app.queue)
        seen = await inspector.job(job_id) if job_id else None
        acts = await audit.list_by_subject(self.app, self.user, f"job:{job_id}")
        job = seen.job if seen else None
        chat = await inspector.chat(job.source, job.group, CHAT_JOBS) if job and job.group else []
        names = await find_names(self.app, [job.source] if job else [], [job.account] if job else [])
        headline, _, trace = scrub(str(seen.header.get("error", "")) if seen else "").partition("\n")
        if seen is None and not acts:
            self.set_status(404)
        self.render(
            "job.html",
            job_id=job_id,
            seen=seen,
            job=job,
            events=self._list_events(seen, acts),
            headline=headline,
            trace=trace,
            payload=show_payload(job.payload) if job else "",
            note=self.texts.say(note_of(job.task)) if job else "",
            chat=chat,
            names=names,
        )

    def _list_events(self, seen: Sighting | None, acts: list[Any]) -> list[Event]:
        """List what happened in its order; what is still to come stands at the end."""
        events = [
            Event(act.at, self.texts.name("act", act.action), self.texts.say("by", who=act.email or act.actor))
            for act in acts
        ]
        if seen and seen.state is not State.DONE:
            events += self._list_moves(seen)
        events.sort(key=lambda event: (event.at is None, event.at or self.app.clock()))
        if seen and seen.state is State.DONE:
            events.append(Event(None, self.texts.say("job_done"), self.texts.say("job_done_hint"), "good"))
        return events + ([Event(None, self._say_wait(wait), tone="warn") for wait in seen.waits] if seen else [])

    def _list_moves(self, seen: Sighting) -> list[Event]:
        say, header = self.texts.say, seen.header
        attempts, limit = header.get("attempts", 0), seen.job.attempts_limit if seen.job else 0
        moves = [Event(read_ms(header["at"]), say("job_enqueued"))] if "at" in header else []
        if header.get("retrying_since"):
            hint = say("job_failing_hint") if header["group"] else ""
            moves.append(Event(read_ms(header["retrying_since"]), say("job_failing"), hint, "warn"))
        if header.get("crashes"):
            moves.append(Event(None, say("job_crashes", count=header["crashes"]), say("job_crashes_hint"), "warn"))
        if attempts and seen.state is not State.DEAD:
            moves.append(Event(None, say("job_attempts", count=attempts, limit=limit), tone="warn"))
        if seen.flight:
            at = read_ms(seen.flight.claimed_ms)
            moves.append(Event(at, say("job_claimed", count=attempts + 1, limit=limit), seen.consumer, "good"))
        if "dead" in header:
            reason = self.texts.name("dead", header["reason"])
            hint = say("job_attempts", count=attempts, limit=limit)
            moves.append(Event(read_ms(header["dead"]), say("job_died", reason=reason), hint, "bad"))
        return moves

    def _say_wait(self, wait: Waiting) -> str:
        place = self.texts.name("wait", wait.kind.name.lower())
        if wait.in_ms is None:
            return self.texts.say("job_parked", place=place)
        at = self.app.clock() + timedelta(milliseconds=wait.in_ms)
        return self.texts.say("job_waits", place=place, at=self.show_clock(at))
