"""A chat of a bot for tests of messages: plans rows, runs their jobs here and now, and reads what became of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import psycopg2.extras

from grimbots.services import bots, leads, messages
from grimbots.services.arrivals import Person

CAUSES = itertools.count(1)


def read_payload(app: Any, message_id: int) -> dict[str, Any]:
    """Return what the job of a message is told."""
    with closing(psycopg2.connect(app.settings.database_url)) as connection:
        cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        cursor.execute("SELECT cause, ordinal FROM messages WHERE id = %s", (message_id,))
        return dict(cursor.fetchone())


async def send_planned(app: Any, message_id: int) -> Any:
    """Run the job of a message once, here and now."""
    return await messages.send(app, **read_payload(app, message_id))


class Chat:
    """One lead of a tenant's bot."""

    def __init__(self, app: Any, tenant: Any, database_url: str, chat_id: int = 501) -> None:
        self.app, self.tenant, self.chat_id = app, tenant, chat_id
        self.lead: Any = None
        self._url = database_url

    async def open(self) -> Chat:
        """Add the lead, as its first update does."""
        bot = bots.from_row(self.app, await self.app.db.bots.find_by_id(bot_id=self.tenant.bot_id))
        async with self.app.db.transaction() as tx:
            self.lead = await leads.lock(tx, bot, self.chat_id, Person("Ana", language_code="pt"), self.app.clock())
        return self

    async def plan(self, text: str = "oi", **changes: Any) -> Any:
        """Plan one message and return its row."""
        values = {
            "lead": self.lead,
            "cause": f"u:{self.tenant.bot_id}:{next(CAUSES)}",
            "ordinal": 0,
            "version_id": None,
            "step": "welcome",
            "method": "sendMessage",
            "body": {"text": text},
            "nonce": None,
            "policy": "retry",
            "payment_id": None,
            "planned_at": self.app.clock(),
        }
        values |= changes
        async with self.app.db.transaction() as tx:
            await messages.plan(tx, **values)
        return self._select("SELECT * FROM messages WHERE (cause, ordinal) = (%(cause)s, %(ordinal)s)", **values)

    async def send(self, message: Any) -> Any:
        """Run the message's job once, here and now."""
        return await send_planned(self.app, message.id)

    def read(self, message: Any) -> Any:
        """Return the message's row with every column."""
        return self._select("SELECT * FROM messages WHERE id = %s", message.id)

    def read_lead(self) -> Any:
        """Return the lead's row with every column."""
        return self._select("SELECT * FROM leads WHERE id = %s", self.lead.id)

    def read_delivery(self, message: Any) -> Any:
        """Return the row of the delivery that the message hands over."""
        return self._select("SELECT * FROM deliveries WHERE message_id = %s", message.id)

    def execute(self, statement: str, *values: Any, **named: Any) -> None:
        """Change rows behind the program's back."""
        with self._connect() as connection:
            connection.cursor().execute(statement, named or values)
            connection.commit()

    def lock(self, message: Any) -> Callable[[], None]:
        """Keep everybody from changing the message's row; call the result to let go."""
        connection = psycopg2.connect(self._url)
        connection.cursor().execute("SELECT FROM messages WHERE id = %s FOR UPDATE", (message.id,))
        return connection.close

    def _select(self, statement: str, *values: Any, **named: Any) -> Any:
        with self._connect() as connection:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor)
            cursor.execute(statement, named or values)
            return cursor.fetchone()

    def _connect(self) -> Any:
        return closing(psycopg2.connect(self._url))
