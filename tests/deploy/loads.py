"""A steady load through a front: updates and clicks by callers who keep their connections, forms, and a campaign."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import campaigns, pools
from grimbots.services.app import App
from grimbots.services.funnels import versions
from grimbots.tests import rows
from grimbots.tests.deploy.fronts import Front, send
from grimbots.tests.fakes.telegram import FakeTelegram

KEY, SLUG, CHATS = "key-of-a-loaded-bot", "promo", 20
FIRST_RECIPIENT = 10_000
WATCH_SECONDS = 0.1
NEWS: dict[str, Any] = {
    "name": "news",
    "start": "news",
    "steps": [{"id": "news", "kind": "message", "text": "Oi, {{first_name}}!"}],
}
# A form that nobody logged in for: it is sent to the login page, and no front may send it twice.
PERSON_PATH = "/sales/shop/messages/1/resend"


async def make_shop(environ: dict[str, str]) -> str:
    """Make an account with a bot and a link to it, and give the secret Telegram would send."""
    async with build_app(load(environ), with_queue=False) as app:
        now = app.clock()
        account = await app.db.accounts.add(name="shop", now=now)
        token = app.vault.encrypt("900000001:" + "A" * 35)
        given: dict[str, Any] = {"telegram_id": 900_000_001, "username": "shop_bot", "name": "Shop", "funnel_id": None}
        await app.db.bots.add(account_id=account.id, key=KEY, token_encrypted=token, now=now, **given)
        await pools.save(app, account="shop", slug=SLUG, usernames=["shop_bot"], actor="test")
        return app.vault.webhook_secret(KEY, 1)


async def start_campaign(environ: dict[str, str], recipients: int) -> None:
    """Begin to say one `once` message to so many leads, at the bot's own pace."""
    async with build_app(load(environ), with_queue=False) as app:
        await _add_leads(app, environ["DATABASE_URL"], recipients)
        account = await app.db.accounts.find(name="shop")
        await versions.publish(app, account.id, NEWS, {}, actor="test")
        wanted: dict[str, Any] = {"bot": "shop_bot", "funnel": "news", "audience": "all", "quiet_days": 0}
        await campaigns.start(app, account="shop", starts_at=app.clock(), actor="test", **wanted)


async def _add_leads(app: App, database_url: str, count: int) -> None:
    bot = await app.db.bots.find_by_key(key=KEY)
    rows.query(
        database_url,
        "INSERT INTO leads (account_id, bot_id, chat_id, first_name, created_at, updated_at)"
        " SELECT %s, %s, chat, 'Ana', now(), now() FROM generate_series(%s, %s) AS chat",
        *(bot.account_id, bot.id, FIRST_RECIPIENT, FIRST_RECIPIENT + count - 1),
    )


@contextmanager
def run_telegram() -> Iterator[FakeTelegram]:
    """Run a Telegram that takes everything and remembers it, in a thread of its own."""
    fake, loop = FakeTelegram(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(fake.start(), loop).result()
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def count_told(telegram: FakeTelegram) -> Counter[int]:
    """Count how often each chat was told something."""
    return Counter(int(call.params["chat_id"]) for call in telegram.list_calls("sendMessage"))


@dataclass(frozen=True, slots=True)
class Trip:
    """One call: when it left and came back (time.monotonic), and how; a status of 0 was refused or cut."""

    left_at: float
    back_at: float
    status: int

    @property
    def failed(self) -> bool:
        """Tell whether nobody answered it as meant."""
        return self.status == 0 or self.status >= 500

    def overlaps(self, first: float, last: float) -> bool:
        """Tell whether it was under way in a span of time."""
        return self.left_at <= last and self.back_at >= first


@dataclass
class Load:
    """What was sent and how it went; `trips` are webhooks and clicks, `people` a person's posts.

    `held_up_seconds` is how much later than asked for the machine let a thread of this process go on, at worst.
    """

    front: Front
    secret: str
    accepted: list[int] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)
    people: list[Trip] = field(default_factory=list)
    held_up_seconds: float = 0.0

    def send_update(self, connection: http.client.HTTPSConnection, number: int) -> int:
        """Send one update of one of the chats."""
        person = {"id": 500 + number % CHATS, "first_name": "Ana", "is_bot": False}
        chat = {"id": person["id"], "type": "private", "first_name": "Ana"}
        message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": person, "text": "oi"}
        body = json.dumps({"update_id": number, "message": message}).encode()
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret, "Content-Type": "application/json"}
        status = send(connection, "POST", f"/webhook/telegram/{KEY}", body, headers).status
        if status == 200:
            self.accepted.append(number)
        return status

    def click(self, connection: http.client.HTTPSConnection, number: int) -> int:
        """Follow the link once."""
        return send(connection, "GET", f"/go/{SLUG}?utm_source={number}").status

    def call(self, connection: http.client.HTTPSConnection, number: int) -> int:
        """Send an update or a click, in turns."""
        return (self.send_update if number % 2 else self.click)(connection, number)

    def post(self, connection: http.client.HTTPSConnection, number: int) -> int:
        """Send a person's form."""
        return send(connection, "POST", PERSON_PATH, b"form=1").status

    def watch_machine(self, stopped: threading.Event) -> None:
        """Notice how long the machine holds up whoever wants to go on: what else is late then says nothing of us."""
        asked_at = time.monotonic()
        while not stopped.wait(WATCH_SECONDS):
            now = time.monotonic()
            self.held_up_seconds, asked_at = max(self.held_up_seconds, now - asked_at - WATCH_SECONDS), now

    def longest_seconds(self, since: int) -> float:
        """Give the longest wait of the trips that ended after the first so many."""
        return max(trip.back_at - trip.left_at for trip in self.trips[since:])


@contextmanager
def run_load(front: Front, secret: str, callers: int = 4) -> Iterator[Load]:
    """Send updates and clicks in turns meanwhile, and ten forms a second (a front limits people, not webhooks)."""
    load, numbers, stopped = Load(front, secret), itertools.count(1), threading.Event()
    roads = [(load.call, load.trips, 0.005)] * callers + [(load.post, load.people, 0.1)]
    threads = [threading.Thread(target=_travel, args=(front, numbers, stopped, *road)) for road in roads]
    threads.append(threading.Thread(target=load.watch_machine, args=(stopped,)))
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _travel(
    front: Front,
    numbers: Iterator[int],
    stopped: threading.Event,
    call: Callable[[http.client.HTTPSConnection, int], int],
    trips: list[Trip],
    pause_seconds: float,
) -> None:
    connection = front.connect()
    while not stopped.wait(pause_seconds):
        number, left_at = next(numbers), time.monotonic()
        try:
            status = call(connection, number)
        except (OSError, http.client.HTTPException):
            status = 0
            connection.close()
        trips.append(Trip(left_at, time.monotonic(), status))
    connection.close()
