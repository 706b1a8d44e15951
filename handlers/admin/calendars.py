"""/admin/queues/due: what comes due when, in the queue and among the timers."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.handlers.admin.charts import draw_bars
from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.queue.inspector import Inspector
from grimbots.services import calendars
from grimbots.services.calendars import Bucket

NEXT = 10  # entries shown one by one


class CalendarHandler(OperatorHandler):
    """GET /admin/queues/due."""

    async def get(self) -> None:
        """Show the next hour by minutes, the next two days by hours, and what comes first."""
        inspector = Inspector(self.app.queue)
        calendar = await calendars.read(self.app)
        self.render(
            "due.html",
            now=self.app.clock(),
            calendar=calendar,
            minutes=self._draw("due_minutes_label", calendar.minutes),
            hours=self._draw("due_hours_label", calendar.hours),
            windows=await inspector.due(),
            waiting=await inspector.waiting(NEXT),
        )

    def _draw(self, label: str, buckets: Sequence[Bucket]) -> str:
        total = sum(one.jobs + one.timers for one in buckets)
        busiest = max(buckets, key=lambda one: one.jobs + one.timers)
        values = {"total": self.show_count(total), "at": self.show_instant(busiest.at)}
        return draw_bars(self.texts.say(label, **values), [(one.timers, one.jobs) for one in buckets])
