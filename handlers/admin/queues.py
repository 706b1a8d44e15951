"""/admin/queues: how full the queues are, how fast they go, who works and for whom; it keeps itself fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grimbots.handlers.admin.base import POLICY
from grimbots.handlers.admin.charts import Points, draw_line, draw_spark, make_frame
from grimbots.handlers.admin.formats import show_span
from grimbots.handlers.admin.loads import add_up
from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.queue.inspector import Inspector, QueueDepth
from grimbots.services import processes, samples
from grimbots.services.places import find_names
from grimbots.services.samples import Sample

REFRESH_SECONDS = 5
SHOWN_ACCOUNTS = 12
SHOWN_JOBS = 20
LIVE_POLICY = f"{POLICY}; script-src 'self'; connect-src 'self'"


@dataclass(frozen=True, slots=True)
class Figure:
    """One large number with the line of its last half hour. `tone`: "", "warn" or "bad"."""

    name: str
    value: str
    chart: str
    tone: str = ""
    hint: str = ""
    link: str = ""


class QueuesHandler(OperatorHandler):
    """GET /admin/queues."""

    def set_default_headers(self) -> None:
        """Let this page alone run our own script and ask us again."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", LIVE_POLICY)

    async def get(self) -> None:
        """Show all of it as it is now, with the last half hour."""
        inspector, now = Inspector(self.app.queue), self.app.clock()
        depths, stops = await inspector.queues(), await inspector.stops()
        running, ready = await inspector.running(), await inspector.ready()
        longest = await inspector.longest(SHOWN_JOBS)
        series = await samples.list_series(self.app)
        whole = samples.sum_up(series)
        sources = {one.source for some in (running, ready, longest) for one in some}
        owners = {one.account for some in (running, longest) for one in some}
        stopped = {kind: {stop.name for stop in stops if stop.kind == kind} for kind in ("queue", "source", "account")}
        names = await find_names(self.app, sources | stopped["source"], owners | stopped["account"])
        self.render(
            "queues.html",
            now=now,
            every=REFRESH_SECONDS,
            redis=await inspector.redis(),
            stops=[(stop, self.name_place(names, stop.kind, stop.name)) for stop in stops],
            stopped=stopped,
            figures=self._list_figures(depths, whole, now),
            pace=self._draw_pace(depths, whole, now),
            queues=[(depth, self._draw_pending(depth, series.get(depth.queue, []), now)) for depth in depths],
            accounts=add_up(running, ready, names),
            shown=SHOWN_ACCOUNTS,
            longest=longest,
            names=names,
            processes=await self._list_processes(inspector),
        )

    def _list_figures(self, depths: Sequence[QueueDepth], whole: Sequence[Sample], now: datetime) -> list[Figure]:
        say, count = self.texts.say, self.show_count
        pending, running = sum(one.pending for one in depths), sum(one.in_flight for one in depths)
        dead, oldest = sum(one.dead for one in depths), max((one.oldest_age_seconds for one in depths), default=0.0)
        lines: dict[str, Points] = {
            "pending": [(one.at, one.pending) for one in whole] + [(now, pending)],
            "oldest": [(one.at, one.oldest_age_seconds) for one in whole] + [(now, oldest)],
            "in_flight": [(one.at, one.in_flight) for one in whole] + [(now, running)],
            "dead": [(one.at, one.dead) for one in whole] + [(now, dead)],
        }
        spans = {"oldest": show_span}
        charts = {name: self._draw(say(name), points, spans.get(name, count), now) for name, points in lines.items()}
        return [
            Figure(say("pending"), count(pending), charts["pending"], hint=say("pending_hint")),
            Figure(say("oldest"), show_span(oldest), charts["oldest"], hint=say("oldest_hint")),
            Figure(say("in_flight"), count(running), charts["in_flight"], hint=say("in_flight_hint")),
            Figure(
                say("dead"),
                count(dead),
                charts["dead"],
                "bad" if dead else "",
                say("dead_hint"),
                "/admin/queues/dead" if dead else "",
            ),
        ]

    def _draw(self, name: str, points: Points, write: Any, now: datetime) -> str:
        values = [value for _, value in points if value is not None]
        label = self.texts.say("chart_label", what=name, now=write(values[-1]), most=write(max(values)))
        return draw_spark(make_frame(now, points), label, points)

    def _draw_pending(self, depth: QueueDepth, kept: Sequence[Sample], now: datetime) -> str:
        points: Points = [*((one.at, one.pending) for one in kept), (now, depth.pending)]
        return self._draw(f"{depth.queue}, {self.texts.say('pending')}", points, self.show_count, now)

    def _draw_pace(self, depths: Sequence[QueueDepth], whole: Sequence[Sample], now: datetime) -> dict[str, Any]:
        """Draw what comes in and what is settled a second, and give the figures that stand beside it."""
        entering = sum(one.enqueued_per_second or 0 for one in depths)
        leaving = sum(one.settled_per_second or 0 for one in depths)
        lines: list[Points] = [
            [(one.at, one.enqueued_per_second) for one in whole],
            [(one.at, one.settled_per_second) for one in whole],
        ]
        frame = make_frame(now, *lines)
        texts = {"entering": self.show_decimal(entering), "leaving": self.show_decimal(leaving)}
        return {
            **texts,
            "chart": draw_line(frame, self.texts.say("pace_label", **texts), ("main", lines[0]), ("other", lines[1])),
            "top": self.show_count(frame.top) if frame.top >= 10 else self.show_decimal(frame.top),
            "span": show_span((frame.end - frame.begin).total_seconds()),
            "is_known": any(one.over_seconds for one in depths),
        }

    async def _list_processes(self, inspector: Inspector) -> list[Mapping[str, Any]]:
        """Put what processes say of themselves beside their leases in Redis."""
        told = {process.name: process for process in await processes.list_processes(self.app)}
        leases = {one.name.rpartition(":")[0]: one for one in await inspector.consumers()}
        return [
            {"name": name, "told": told.get(name), "lease": leases.get(name)}
            for name in sorted(told.keys() | leases.keys())
        ]
