"""A steady load of updates and clicks through a front, by callers who keep their connections and note what they got."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import pools
from grimbots.tests.deploy.fronts import Front, send

KEY, SLUG, CHATS = "key-of-a-loaded-bot", "promo", 20


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


@dataclass
class Load:
    """What was sent and how it went; a status of 0 is a connection that was refused or cut."""

    front: Front
    secret: str
    accepted: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    waits_seconds: list[float] = field(default_factory=list)

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


@contextmanager
def run_load(front: Front, secret: str, callers: int = 4) -> Iterator[Load]:
    """Send updates and clicks in turns meanwhile."""
    load, numbers, stopped = Load(front, secret), itertools.count(1), threading.Event()

    def call() -> None:
        connection = front.connect()
        for number in numbers:
            if stopped.wait(0.005):
                break
            began = time.monotonic()
            try:
                status = (load.send_update if number % 2 else load.click)(connection, number)
            except (OSError, http.client.HTTPException):
                status = 0
                connection.close()
            load.statuses.append(status)
            load.waits_seconds.append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
