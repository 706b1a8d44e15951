"""/sales/<account>/reports: clicks, starts, charges, payments and revenue, as figures, charts, tables and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grimbots.handlers.admin.bars import HEIGHT, WIDTH, Chart, draw
from grimbots.handlers.admin.formats import show_day
from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import figures, sales, spreadsheets
from grimbots.services.figures import Line, Span

TABLES = {"source": ("source", "campaign"), "bot": ("bot",), "step": ("step",), "day": ("day",)}
MOST_LINES = 50
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # by which spreadsheets know UTF-8


class ReportHandler(AccountHandler):
    """What both forms of a report share."""

    periods = (7, 1, 30, 90)

    def read_span(self) -> Span:
        """Read the days that are asked for."""
        zone = sales.open_zone(self.member)
        return figures.span_days(self.member.account_id, zone, self.app.clock(), self.read_days())


class ReportsHandler(ReportHandler):
    """GET /sales/<account>/reports."""

    async def get(self, _account: str) -> None:
        """Show the figures of the last days."""
        span = self.read_span()
        tables = {name: await figures.report(self.app, span, by) for name, by in TABLES.items()}
        days = {line.key[0]: line for line in tables["day"]}
        lines = [days.get(day, Line((day,))) for day in span.days]
        await self.show(
            "reports.html",
            tab="reports",
            days=len(span.days),
            periods=sorted(self.periods),
            total=figures.total(lines),
            charts=self._draw_charts(lines),
            ends=[show_day(day, self.texts.language) for day in (span.first_day, span.last_day)],
            size=(WIDTH, HEIGHT),
            tables={name: _sort(name, found)[:MOST_LINES] for name, found in tables.items()},
            is_cut={name: len(found) > MOST_LINES for name, found in tables.items()},
            most_lines=MOST_LINES,
            title=self._title,
        )

    def _draw_charts(self, lines: Sequence[Line]) -> list[tuple[str, Chart, str]]:
        """Give each chart with its name and what its top is."""
        revenue = self._draw(lines, {"revenue": lambda line: max(line.revenue_cents, 0)}, self.show_money)
        visits = self._draw(lines, {"clicks": lambda line: line.clicks, "starts": lambda line: line.starts}, str)
        return [
            ("revenue_chart", revenue, self.show_money(revenue.most)),
            ("visits_chart", visits, str(visits.most)),
        ]

    def _draw(
        self, lines: Sequence[Line], series: dict[str, Callable[[Line], int]], write: Callable[[int], str]
    ) -> Chart:
        numbers = [[read(line) for line in lines] for read in series.values()]
        labels = [
            [
                f"{show_day(line.key[0], self.texts.language)} · {self.texts.say(name)}: {write(read(line))}"
                for line in lines
            ]
            for name, read in series.items()
        ]
        return draw(numbers, labels)

    def _title(self, table: str, line: Line) -> str:
        """Write what a line is of."""
        if table == "bot":
            return f"@{line.key[0]}"
        if table == "day":
            return show_day(line.key[0], self.texts.language)
        if table == "step":
            return str(line.key[0])
        source, campaign = line.key
        return f"{source or self.texts.say('report_no_source')}{f' / {campaign}' if campaign else ''}"


class ReportFileHandler(ReportHandler):
    """GET /sales/<account>/reports.csv."""

    async def get(self, account: str) -> None:
        """Give every line there is, by all dimensions."""
        span, by = self.read_span(), figures.DIMENSIONS
        rows = [figures.describe(line, by) for line in await figures.report(self.app, span, by)]
        name = f"{account}-{span.first_day}-{span.last_day}.csv"
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(BYTE_ORDER_MARK + spreadsheets.write(figures.columns(by), [tuple(row.values()) for row in rows]))


def _sort(table: str, lines: list[Line]) -> list[Line]:
    """Put the newest day, else the largest revenue, first."""
    if table == "day":
        return lines[::-1]
    return sorted(lines, key=lambda line: (line.revenue_cents, line.charges, line.starts, line.clicks), reverse=True)
