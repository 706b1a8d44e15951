"""The old plan's load for Locust: start 50, text 30, tap 20, health 10, with payments and /go: `make load`.

A user is a person in a chat with one of the bots, and Telegram, his browser and the provider besides: what they would
post goes through nginx; what the bot told him he reads in the sandbox. Each waits for his answers, so where the server
is slow less is sent: for honest percentiles see tests/bench/bench_mixed.py. LOAD_TARGETS names the file in which
tests/load/run.py says where everything is.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, task
from locust.clients import ResponseContextManager

from grimbots.tests.bench import people
from grimbots.tests.fakes.provider import sign, write_event

TARGETS: dict[str, Any] = json.loads(Path(os.environ["LOAD_TARGETS"]).read_text())
CHATS = itertools.count(TARGETS["first_chat"])
NUMBERS = itertools.count(TARGETS["first_number"])
CODE = re.compile(r"qr/v2/(\w+)5204000053039865")  # the charge's txid stands before the next fields of its BR Code


class Person(FastHttpUser):
    """One person in one chat."""

    wait_time = between(2, 6)
    insecure = True  # the certificate is this run's own

    def on_start(self) -> None:
        """Meet a bot."""
        self.chat_id = next(CHATS)
        self.bot = TARGETS["bots"][self.chat_id % len(TARGETS["bots"])]
        self.buttons, self.codes, self.seen = list[str](), list[str](), 0
        self.press_start()

    @task(50)
    def press_start(self) -> None:
        """Begin anew."""
        self._tell("start", people.start(self.chat_id))

    @task(30)
    def write(self) -> None:
        """Ask something."""
        self._tell("text", people.text(self.chat_id, "quanto custa?"))

    @task(20)
    def tap(self) -> None:
        """Press the newest button, if the bot has shown one by now."""
        self._look()
        if self.buttons:
            self._tell("tap", people.tap(self.chat_id, self.buttons[-1]))

    @task(10)
    def look_at_health(self) -> None:
        """Ask as a monitor does."""
        self.client.get("/health", name="health")

    @task(50)
    def click(self) -> None:
        """Follow the ad."""
        path = f"/go/{TARGETS['slug']}?utm_source=locust&fbclid=click{next(NUMBERS)}"
        with self.client.get(path, name="go", allow_redirects=False, catch_response=True) as answer:
            _expect(answer, 302)

    @task(5)
    def pay(self) -> None:
        """Pay the newest code, if there is one that he has not paid."""
        self._look()
        if not self.codes:
            return
        txid = self.codes.pop()
        now = datetime.now(UTC)
        amount_cents = TARGETS["price_cents"]
        body = write_event(txid, end_to_end_id=f"E{txid}", amount_cents=amount_cents, at=now.isoformat())
        headers = sign(body, TARGETS["payment_secret"], now)
        self.client.post(TARGETS["payment_path"], data=body, headers=headers, name="payment")

    def _tell(self, name: str, content: dict[str, Any]) -> None:
        """Post what he did as Telegram does."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.bot["secret"]}
        update = {"update_id": next(NUMBERS), **content}
        self.client.post(self.bot["path"], json=update, headers=headers, name=name)

    def _look(self) -> None:
        """Read what the bot has said since he last looked."""
        path = f"{TARGETS['sandbox_url']}/sandbox/api/bots/{self.bot['username']}/chats/{self.chat_id}/messages"
        for message in self.client.get(f"{path}?after={self.seen}", name="(his chat)").json():
            self.seen = message["message_id"]
            self.codes += CODE.findall(message.get("text", ""))
            rows = message.get("reply_markup", {}).get("inline_keyboard", [])
            self.buttons += [button["callback_data"] for row in rows for button in row if "callback_data" in button]


def _expect(answer: ResponseContextManager, status: int) -> None:
    if answer.status_code == status:
        answer.success()
    else:
        answer.failure(f"answered {answer.status_code}, not {status}")
