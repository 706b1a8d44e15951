"""What the kill tests share: buyers who walk a funnel, and the verdict from the rows and the sandbox's own log."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2

from grimbots.tests.e2e.installation import Installation, until

BOT = "kill_bot"
PATIENCE_SECONDS = 150.0
FUNNEL: dict[str, Any] = {
    "language": "pt-BR",
    "start": "a",
    "steps": [
        {"id": "a", "kind": "message", "text": "A {{start_param}}", "next": "b"},
        {"id": "b", "kind": "message", "text": "B {{start_param}}", "next": "c"},
        {"id": "c", "kind": "message", "text": "C {{start_param}}", "buttons": [{"text": "Quero", "next": "offer"}]},
        {
            "id": "offer",
            "kind": "offer",
            "text": "Oferta",
            "product": "Curso",
            "price_cents": 1990,
            "accept": {"text": "Comprar", "next": "charge"},
        },
        {"id": "charge", "kind": "charge", "expires_in_minutes": 30, "next": "delivery"},
        {
            "id": "delivery",
            "kind": "delivery",
            "text": "Acesso liberado",
            "link": {"text": "Abrir", "url": "https://example.com/curso"},
        },
    ],
}


@dataclass(frozen=True)
class Buyer:
    """One chat: starts the funnel several times, then buys and pays three times."""

    installation: Installation
    chat_id: int
    starts: int

    async def walk(self) -> None:
        """Do it all, as fast as the bot answers."""
        txid = await self.order()
        await self.pay(txid)
        await self.wait_delivered()

    async def order(self) -> str:
        """Walk to the code and return its charge's txid."""
        for number in range(self.starts):
            await self._api("POST", "messages", {"text": f"/start {number}"})
            await asyncio.sleep(random.uniform(0.2, 1.5))
        await self._tap(f"C {self.starts - 1}", "Quero")
        await self._tap("Oferta", "Comprar")
        code = (await self._find("<code>"))["entities_text"]
        charges = await self.installation.api("GET", "pix")
        return next(str(charge["txid"]) for charge in charges if charge["code"] == code)

    async def pay(self, txid: str) -> None:
        """Pay three times."""
        await self.installation.api("POST", f"pix/{txid}/pay", {"times": 3})

    async def wait_delivered(self) -> None:
        """Wait for what was bought."""
        await self._find("Acesso liberado")

    async def _tap(self, text: str, button: str) -> None:
        message = await self._find(text)
        await self._api("POST", "taps", {"message_id": message["message_id"], "button": button})

    async def _find(self, text: str) -> dict[str, Any]:
        """Wait for the bot's message that says `text`; "<code>" finds the one with a code, given as `entities_text`."""

        async def look() -> dict[str, Any] | None:
            for message in reversed(await self._api("GET", "messages?after=0")):
                said = message.get("text", "")
                codes = [
                    said[entity["offset"] : entity["offset"] + entity["length"]]
                    for entity in message.get("entities", [])
                    if entity["type"] == "code"
                ]
                if message["from"]["is_bot"] and (codes if text == "<code>" else said.startswith(text)):
                    return {**message, "entities_text": codes[0] if codes else ""}
            return None

        found: dict[str, Any] = await until(look, PATIENCE_SECONDS, f"chat {self.chat_id} waits for {text!r}")
        return found

    async def _api(self, method: str, path: str, body: Any = None) -> Any:
        return await self.installation.api(method, f"bots/{BOT}/chats/{self.chat_id}/{path}", body)


async def plan_once_messages(installation: Installation, rounds: int) -> None:
    """Plan messages that may never be repeated, straight as rows: the sweep finds them and gives them jobs."""
    for number in range(rounds):
        await asyncio.sleep(2)
        await until(partial(_plan_once, installation, number), PATIENCE_SECONDS, "Postgres is away")


async def _plan_once(installation: Installation, number: int) -> bool:
    try:
        installation.query(f"""
            INSERT INTO messages
                (account_id, bot_id, lead_id, chat_id, cause, ordinal, method, body, policy, planned_at)
            SELECT
                account_id, bot_id, id, chat_id, 'once:' || id, {number}, 'sendMessage',
                jsonb_build_object('text', 'Once {number}'), 'once', now() - interval '1 minute'
            FROM leads
        """)
    except psycopg2.OperationalError:  # killed at this instant
        return False
    return True


async def wait_until_quiet(installation: Installation) -> None:
    """Wait until no message is planned or under way and no payment is being made."""

    async def quiet() -> bool:
        busy = installation.query("SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')")
        making = installation.query("SELECT count(*) FROM payments WHERE state IN ('new', 'creating')")
        return (busy[0][0], making[0][0]) == (0, 0)

    await until(quiet, PATIENCE_SECONDS, "messages and payments are still under way")


@dataclass(frozen=True)
class Verdict:
    """Counts of what must not be, and of what may: `repeated` are repeats that their row admits."""

    sent: int
    repeated: int
    uncertain: int
    faults: list[str]


async def judge(installation: Installation, chats: list[int], starts: int) -> Verdict:
    """Compare the rows with what the sandbox received."""
    arrivals = await _read_arrivals(installation)
    rows = installation.query("SELECT chat_id, body, policy, status, resent FROM messages ORDER BY id")
    by_chat: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for chat_id, *row in rows:
        by_chat[chat_id].append(tuple(row))
    faults = [fault for chat in chats for fault in _judge_chat(chat, by_chat[chat], arrivals[chat], starts)]
    faults += _judge_money(installation, len(chats))
    repeated = sum(len(seen) - len(set(seen)) for seen in arrivals.values())
    uncertain = sum(row[3] == "uncertain" for row in rows)
    return Verdict(sent=sum(map(len, arrivals.values())), repeated=repeated, uncertain=uncertain, faults=faults)


async def _read_arrivals(installation: Installation) -> dict[int, list[str]]:
    """What each chat was sent, in the order of arrival."""
    arrivals: dict[int, list[str]] = defaultdict(list)
    for call in await installation.read_calls():
        if call["method"] in ("sendMessage", "sendPhoto") and call["answer"].get("ok"):
            arrivals[int(call["params"]["chat_id"])].append(_said(call["params"]))
    return arrivals


def _said(body: dict[str, Any]) -> str:
    return str(body.get("text") or body.get("caption"))


def _judge_chat(chat: int, rows: list[tuple[Any, ...]], arrived: list[str], starts: int) -> list[str]:
    faults = []
    ordered = [_said(body) for body, policy, _, _ in rows if policy == "retry"]
    wanted = [f"{letter} {number}" for number in range(starts) for letter in "ABC"]
    if missing := [text for text in wanted if text not in arrived]:
        faults.append(f"chat {chat}: never got {missing}")
    firsts = [text for text in dict.fromkeys(arrived) if not text.startswith("Once")]
    if firsts != ordered:
        faults.append(f"chat {chat}: first sends {firsts} are not in the order planned {ordered}")
    for body, policy, status, resent in rows:
        times = arrived.count(_said(body))
        if status not in ("sent", "uncertain"):
            faults.append(f"chat {chat}: {_said(body)!r} ended {status}")
        if times > 1 and (policy == "once" or not resent):
            faults.append(f"chat {chat}: {_said(body)!r} ({policy}) came {times} times, resent={resent}")
        if times == 0 and status == "sent":
            faults.append(f"chat {chat}: {_said(body)!r} is called sent and never came")
    return faults


def _judge_money(installation: Installation, buyers: int) -> list[str]:
    paid = installation.query("SELECT count(*) FROM payments WHERE state = 'paid'")[0][0]
    delivered = installation.query(
        "SELECT count(*), count(DISTINCT payment_id) FROM deliveries WHERE status = 'delivered'"
    )[0]
    faults = [] if paid == buyers else [f"{buyers} buyers paid, {paid} payments are paid"]
    return faults if delivered == (buyers, buyers) else [*faults, f"{buyers} buyers paid, deliveries are {delivered}"]
