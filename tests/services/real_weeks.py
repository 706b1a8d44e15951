"""A scripted week for real: the sandbox, the front door, a worker, Postgres, Redis; the clock is moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from grimbots.queue.inspector import Inspector
from grimbots.services import bots, gateway_accounts, leads, notices, stories, timers
from grimbots.services.funnels import versions
from grimbots.services.funnels.effects import Charge, Say
from grimbots.services.funnels.events import Paid
from grimbots.services.funnels.simulations import BEGIN
from grimbots.tests.conftest import Clock
from grimbots.tests.rows import Query
from grimbots.tests.services.sandbox.drivers import Driver, wait_until
from grimbots.tests.services.scripts import DAYS, Act, Heard, Sold, read_heard

START = BEGIN + timedelta(weeks=9)  # a Monday behind the tests' first instant
SELLER, FIRST_CHAT = 77, 101
OPEN = """
SELECT (SELECT count(*) FROM timers WHERE status = 'pending' AND due_at <= %s)
    + (SELECT count(*) FROM messages WHERE status IN ('planned', 'sending'))
    + (SELECT count(*) FROM payments WHERE state IN ('new', 'creating'))
    + (SELECT count(*) FROM provider_events WHERE status = 'received')
    + (SELECT count(*) FROM posts WHERE status = 'planned')
"""
NEXT_DUE = "SELECT min(due_at) FROM timers WHERE status = 'pending' AND due_at <= %s"
SAID = "SELECT step, body, status, chat_id FROM messages WHERE chat_id = %s ORDER BY id"
ORDERED = """
SELECT items, amount_cents, state
FROM payments
WHERE lead_id = (SELECT id FROM leads WHERE chat_id = %s)
ORDER BY id
"""


class RealWeek:
    """One bot in the sandbox whose leads do what the script says."""

    def __init__(
        self, app: Any, driver: Driver, clock: Clock, query: Query, script: Mapping[str, Sequence[Act]]
    ) -> None:
        self.app, self.driver, self.clock, self.query = app, driver, clock, query
        self.script = list(script.values())
        self.version_id = 0

    async def open(self, account: str, definition: Any, files: Any) -> None:
        """Publish the funnel, put the bot in service, name the seller's chat."""
        tenant = await self.app.db.accounts.find(name=account)
        self.clock.now = START - timedelta(hours=1)
        credentials = {"api_key": "k" * 20, "webhook_secret": "w" * 32}
        await gateway_accounts.add_gateway_account(self.app, tenant.id, "sandbox", credentials, actor="test")
        published = await versions.publish(self.app, tenant.id, definition, files, actor="test")
        self.version_id = published.version_id
        await bots.add(self.app, account=account, token=self.driver.token, funnel=definition["name"], actor="test")
        await self.driver.say(chat=SELLER)
        await self.settle()
        where = {"account": account, "bot": self.driver.username, "who": str(SELLER)}
        await notices.set_chat(self.app, **where, actor="test")

    async def live(self) -> None:
        """Let the week pass."""
        acts = sorted((act.minute, number, act) for number, acts in enumerate(self.script) for act in acts)
        for minute, number, act in acts:
            await self.pass_to(START + timedelta(minutes=minute))
            await self.act(FIRST_CHAT + number, act)
            await self.settle()
        await self.pass_to(START + timedelta(days=DAYS))

    async def pass_to(self, at: datetime) -> None:
        """Move the clock from one timer to the next, and each time let happen what is due."""
        while due := self.query(NEXT_DUE, at)[0][0]:
            self.clock.now = max(self.clock.now, due)
            await timers.fire_due(self.app)
            await self.settle()
        self.clock.now = at

    async def act(self, chat: int, act: Act) -> None:
        """Do what a person does."""
        match act.do:
            case "start":
                await self._do(chat, "messages", {"text": f"/start {act.what}".strip(), "first_name": "Ana"})
            case "write":
                await self._do(chat, "messages", {"text": act.what})
            case "tap":
                await self._do(chat, "taps", await self._find_button(chat, act.what))
            case "pay":
                await self.driver.face(f"pix/{await self._find_charge(chat)}/pay", "POST", {})
            case _:
                await self._do(chat, "block", {"blocked": act.do == "block"})

    async def settle(self) -> None:
        """Wait until nothing is under way: what was posted becomes jobs, jobs become rows, rows are done."""
        await wait_until(self._is_at_rest)

    async def _is_at_rest(self) -> bool:
        if await self._count_posts():
            return False
        depths = await Inspector(self.app.queue).queues()
        busy = sum(depth.pending + depth.in_flight for depth in depths) + self.query(OPEN, self.clock())[0][0]
        return not busy and not await self._count_posts()

    async def _count_posts(self) -> int:
        store = self.driver.server.sandbox.store
        return int(store.value("SELECT count(*) FROM parcels WHERE outcome IS NULL"))

    async def _do(self, chat: int, path: str, body: Any) -> None:
        reply = await self.driver.chat(path, body, chat)
        assert reply.status == 200, reply.body

    async def _find_button(self, chat: int, label: str) -> dict[str, Any]:
        for message in reversed(await self._read_chat(chat)):
            for row in message.get("reply_markup", {}).get("inline_keyboard", ()):
                for button in row:
                    if button["text"].startswith(label):
                        return {"message_id": message["message_id"], "button": button["text"]}
        raise AssertionError(f"chat {chat} shows no {label!r}")

    async def _find_charge(self, chat: int) -> str:
        said = " ".join(message.get("text", "") for message in reversed(await self._read_chat(chat)))
        charges = (await self.driver.face("pix")).json
        return str(min(charges, key=lambda one: said.find(one["code"]) % (len(said) + 1))["txid"])

    async def _read_chat(self, chat: int) -> list[Any]:
        messages: list[Any] = (await self.driver.chat("messages", chat=chat)).json
        return [message for message in messages if message["from"]["is_bot"]]

    def list_codes(self) -> list[str]:
        """Give the codes of all charges."""
        return [code for (code,) in self.query("SELECT code FROM payments WHERE code IS NOT NULL")]

    def list_planned(self, number: int) -> list[Heard]:
        """Give all that was to be said to a lead, whatever became of it."""
        rows = self.query(SAID, FIRST_CHAT + number)
        return [read_heard(step, body, self.list_codes()) for step, body, _, _ in rows]

    def list_sent(self, number: int) -> list[Heard]:
        """Give what was said to a lead, as the rows have it."""
        rows = self.query(SAID, FIRST_CHAT + number)
        return [read_heard(step, body, self.list_codes()) for step, body, status, _ in rows if status == "sent"]

    async def list_arrived(self, number: int) -> list[Heard]:
        """Give what came, as the sandbox has it: of an album's pictures the first; nobody there knows of steps."""
        messages = await self._read_chat(FIRST_CHAT + number)
        albums = [message.get("media_group_id") for message in messages]
        firsts = [one for place, one in enumerate(messages) if not albums[place] or albums[place] not in albums[:place]]
        return [read_heard("", message, self.list_codes()) for message in firsts]

    def list_sold(self, number: int) -> list[Sold]:
        """Give a lead's lines of the ledger out of the payments."""
        rows = self.query(ORDERED, FIRST_CHAT + number)
        return [Sold(tuple(one["offer"] for one in items), cents, state == "paid") for items, cents, state in rows]

    async def replay(self, number: int) -> tuple[list[Heard], list[Sold]]:
        """Play again what is written down of a lead: what was to be said to it, and its lines of the ledger."""
        chat = FIRST_CHAT + number
        ((lead_id, account_id),) = self.query("SELECT id, account_id FROM leads WHERE chat_id = %s", chat)
        async with self.app.db.transaction() as tx:
            lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
        edited = await versions.load(self.app, self.version_id)
        assert (await stories.replay(self.app, lead, edited))[1] is None
        passages = await stories.tell(self.app, lead)
        effects = [effect for passage in passages for effect in passage.done.effects]
        paid = {one.happening.event.payment_id for one in passages if isinstance(one.happening.event, Paid)}
        ids = [payment_id for passage in passages for payment_id in passage.happening.payment_ids]
        charges = [effect for effect in effects if isinstance(effect, Charge)]
        sold = [
            Sold(tuple(item.offer for item in charge.items), charge.amount_cents, payment_id in paid)
            for payment_id, charge in zip(ids, charges, strict=True)
        ]
        codes = self.list_codes()
        return [read_heard(one.step, one.body, codes) for one in effects if isinstance(one, Say)], sold
