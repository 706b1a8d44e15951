"""/sales/<account>/ledger: an account's book by month: its balances, its entries, whether it adds up, and a CSV."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta

from grimbots.handlers.admin.formats import show_month
from grimbots.handlers.admin.reports import BYTE_ORDER_MARK
from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import ledger, sales, spreadsheets
from grimbots.services.errors import Invalid
from grimbots.services.figures import Span

MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
CREDITS = ("buyers", "revenue", "platform")  # people say how much there is of them; the book says so below nought


class BookHandler(AccountHandler):
    """What both forms of a book share: its month and its currency."""

    def read_span(self) -> Span:
        """Read the month that is asked for, this one if none is.

        Raises:
            Invalid: it is no month.
        """
        zone = sales.open_zone(self.member)
        found = MONTH.fullmatch(self.get_query_argument("month", f"{self.app.clock().astimezone(zone):%Y-%m}"))
        if found is None:
            raise Invalid("a month is written as 2026-11")
        first = date(int(found[1]), int(found[2]), 1)
        return Span(self.member.account_id, zone, first, _next_month(first) - timedelta(days=1))

    def read_currency(self) -> str:
        """Read the currency.

        Raises:
            Invalid: the book has no such one.
        """
        currency = self.get_query_argument("currency", ledger.CURRENCIES[0])
        if currency not in ledger.CURRENCIES:
            raise Invalid(f"the book is kept in {', '.join(ledger.CURRENCIES)}")
        return currency


class LedgerHandler(BookHandler):
    """GET /sales/<account>/ledger."""

    async def get(self, _account: str) -> None:
        """Show a month: what is in each place before and after it, and its entries, the newest first."""
        span, currency, before = self.read_span(), self.read_currency(), self.read_id("before")
        months = {
            "previous": f"{span.first_day - timedelta(days=1):%Y-%m}",
            "shown": f"{span.first_day:%Y-%m}",
            "next": f"{_next_month(span.first_day):%Y-%m}",
        }
        await self.show(
            "ledger.html",
            tab="ledger",
            before=before,
            month=show_month(span.first_day, self.texts.language),
            months=months,
            currency=currency,
            currencies=ledger.CURRENCIES,
            balances=await ledger.balance(self.app, span, currency),
            places=[(place, -1 if place in CREDITS else 1) for place in ledger.PLACES],
            entries=await sales.list_entries(self.app, self.member, span, currency, before),
            differences=await sales.list_differences(self.app, self.member),
            nights=ledger.NIGHTS,
        )


class LedgerFileHandler(BookHandler):
    """GET /sales/<account>/ledger.csv."""

    async def get(self, account: str) -> None:
        """Give every entry of a month, in the columns of `grimbots ledger statement --csv`."""
        span, currency = self.read_span(), self.read_currency()
        lines = (await ledger.state(self.app, span, currency)).lines
        rows = [tuple(line.values()) for line in lines]
        text = await asyncio.to_thread(spreadsheets.write, ledger.COLUMNS, rows)
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        name = f"{account}-{span.first_day:%Y-%m}-{currency}.csv"
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(BYTE_ORDER_MARK + text)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
