"""Verdicts: I1 to I4 judged from the evidence. Pure: what each check finds wrong is a sentence; none is a clean run."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from grimbots.tests.e2e.evidence import Evidence, Row, Said, Saying, Update, read_saying

HELD = {"underpaid", "unsold"}
OF_MONEY = {"checkouts", "payments"}  # updates that act upon a payment: once by its charge's id, judged with it


@dataclass
class Verdict:
    """Figures, what the rows admit (`listed`, by reason), and what nothing explains (`faults`)."""

    figures: Counter[str] = field(default_factory=Counter)
    listed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Add to a figure."""
        self.figures[what] += number


def judge(evidence: Evidence) -> Verdict:
    """Hold the sandbox's log against the rows."""
    verdict = Verdict()
    for check in (
        _check_codes,
        _check_events,
        _check_payments,
        _check_deliveries,
        _check_updates,
        _check_chats,
        _check_rest,
    ):
        verdict.faults += check(evidence, verdict)
    return verdict


def _check_codes(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I1: every code that was shown belongs to a committed payment with its code, all ids and an end."""
    known = {row["code"]: row for row in evidence.rows["payments"] if row["code"]}
    for chat, said in evidence.said.items():
        for code in {code for one in said for code in one.codes}:
            verdict.count("codes shown")
            row = known.get(code)
            if row is None:
                yield f"I1: chat {chat} was shown a code that no payment has: {code}"
            elif None in (row["txid"], row["provider_id"], row["expires_at"]):
                yield f"I1: chat {chat} was shown the code of payment {row['id']}, which lacks an id or its end"


def _check_events(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I2: every event answered 200 is one row that came to an end; the money it proved is a receipt, once."""
    stored = Counter(row["body"] for row in evidence.rows["events"])
    receipts = Counter(row["end_to_end_id"] for row in evidence.rows["receipts"])
    verdict.count("event posts", len(evidence.events))
    for post in evidence.events:
        if post["outcome"] != "carried":
            yield f"I2: an event was never answered 200: {post['outcome']} {post['last_error']}"
        elif stored[post["body"]] != 1:
            yield f"I2: an event answered 200 is {stored[post['body']]} rows: {post['body']}"
        elif post["kind"] == "event" and receipts[json.loads(post["body"])["end_to_end_id"]] != 1:
            yield f"I2: a true event acted {receipts[json.loads(post['body'])['end_to_end_id']]} times: {post['body']}"
    for row in evidence.rows["events"]:
        verdict.count(f"events {row['status']}")
        if row["status"] in ("received", "failed", "unmatched"):
            yield f"I2: event {row['id']} ended {row['status']}: {row['reason']}"


def _check_payments(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I3: every charge paid at the provider is paid once, or held and shown with its flag; no other is."""
    rows = {row["idempotency_key"]: row for row in evidence.rows["payments"]}
    times_paid = Counter(row["payment_id"] for row in evidence.rows["transitions"] if row["to_state"] == "paid")
    paid_at_provider = set()
    for charge in evidence.charges:
        row = rows.get(charge["txid"])
        if row is None:
            yield f"I3: the provider has a charge that no payment asked for: {charge['txid']}"
        elif charge["paid"]:
            paid_at_provider.add(row["id"])
            yield from _check_payment(
                row, charge, times_paid[row["id"]], evidence.payments_shown.get(row["id"]), verdict
            )
    for row in rows.values():
        verdict.count(f"payments {row['state']}")
        if row["state"] == "paid" and row["id"] not in paid_at_provider:
            yield f"I3: payment {row['id']} is paid and the provider knows nothing of it"


def _check_payment(row: Row, charge: Row, times_paid: int, shown: Any, verdict: Verdict) -> Iterator[str]:
    covers = any(receipt["amount_cents"] >= row["amount_cents"] for receipt in charge["paid"])
    flags = set(row["flags"])
    verdict.count("charges paid at the provider")
    verdict.listed.update(f"flag {flag}" for flag in flags)
    if shown is None or set(shown.flags) != flags or shown.state != row["state"]:
        yield f"I3: the sales page does not show payment {row['id']} as it is"
    if covers and times_paid == 1:
        verdict.count("paid")
    elif covers or not flags & HELD or times_paid:
        yield (
            f"I3: payment {row['id']} has {charge['paid']} of {row['amount_cents']} cents, is {row['state']}"
            f" {sorted(flags)} and became paid {times_paid} times"
        )


def _check_deliveries(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I3: what is paid is delivered by one message that was sent, or listed with its reason; nothing else is."""
    messages = {row["id"]: row for row in evidence.rows["messages"]}
    planned = Counter((row["payment_id"], row["step"]) for row in messages.values())
    of_payment: dict[int, list[Row]] = defaultdict(list)
    for row in evidence.rows["deliveries"]:
        of_payment[row["payment_id"]].append(row)
    for payment in evidence.rows["payments"]:
        deliveries = of_payment[payment["id"]]
        if len(deliveries) != (payment["state"] == "paid"):
            yield f"I3: payment {payment['id']} is {payment['state']} and has {len(deliveries)} deliveries"
        for row in deliveries:
            if planned[row["payment_id"], row["step"]] != 1:
                yield f"I3: payment {payment['id']} is handed over {planned[row['payment_id'], row['step']]} times"
            yield from _check_delivery(row, messages[row["message_id"]], evidence, verdict)


def _check_delivery(row: Row, message: Row, evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    shown = evidence.payments_shown.get(row["payment_id"])
    mishap = evidence.mishaps_shown.get(message["id"])
    if shown is None or shown.delivery != row["status"]:
        yield f"I3: the sales page does not show delivery {row['id']} as it is ({row['status']})"
    if row["status"] == "delivered" and message["status"] == "sent":
        verdict.count("delivered")
    elif row["status"] == "failed" and mishap is not None and mishap.error and row["error"]:
        verdict.listed[f"not delivered: {row['error']}"] += 1
    else:
        yield f"I3: delivery {row['id']} is {row['status']} ({row['error']}), its message {message['status']}"


def _check_updates(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I4: every update answered 200 acted, in the order in which Telegram could know it: see `_comes_first`."""
    applied = Counter((row["bot"], row["update_id"]) for row in evidence.rows["updates"])
    bots = {row["id"]: row["telegram_id"] for row in evidence.rows["bots"]}
    acted: dict[tuple[int, int], int] = {}
    for row in evidence.rows["messages"]:
        if _is_update(row):
            _, bot_id, update_id = row["cause"].split(":")
            acted.setdefault((bots[int(bot_id)], int(update_id)), row["id"])
    chats: dict[tuple[int, int], dict[int, Update]] = defaultdict(dict)
    for update in evidence.updates:
        _keep_first(chats[update.bot, update.chat_id], update)
    for updates in chats.values():
        for update in (update for update in updates.values() if update.family not in OF_MONEY):
            yield from _check_update(update, applied[update.bot, update.update_id], verdict)
        yield from _check_order(sorted(updates.values(), key=lambda update: update.update_id), acted, verdict)


def _is_update(message: Row) -> bool:
    """Tell whether an update itself planned a message, not what it asked the provider (u:<bot>:<id>:pending)."""
    return bool(message["cause"].startswith("u:") and message["cause"].count(":") == 2)


def _keep_first(updates: dict[int, Update], update: Update) -> None:
    """Of an update's copies keep the one that was answered first."""
    known = updates.get(update.update_id)
    if known is None or known.done_at is None or (update.done_at is not None and update.done_at < known.done_at):
        updates[update.update_id] = update


def _check_update(update: Update, times: int, verdict: Verdict) -> Iterator[str]:
    verdict.count("updates accepted" if update.done_at else "updates that outlived themselves at Telegram")
    if times != (update.done_at is not None) and (update.done_at or times > 1):
        yield f"I4: update {update.update_id} of chat {update.chat_id} was answered 200 and acted {times} times"


def _check_order(updates: list[Update], acted: Mapping[tuple[int, int], int], verdict: Verdict) -> Iterator[str]:
    known = [update for update in updates if (update.bot, update.update_id) in acted]
    for earlier, later in combinations(known, 2):
        if acted[earlier.bot, earlier.update_id] > acted[later.bot, later.update_id]:
            if _comes_first(earlier, later):
                yield f"I4: chat {earlier.chat_id}: update {later.update_id} acted before {earlier.update_id}"
            else:
                verdict.count("updates swapped on their way")


def _comes_first(earlier: Update, later: Update) -> bool:
    """Tell whether one must act first: Telegram posts a kind's updates one by one; other kinds it may swap."""
    return earlier.family == later.family or (earlier.done_at is not None and earlier.done_at < later.made_at)


def _check_chats(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """I4: chat by chat, what came is what was planned: nothing lost, first sends in order, every repeat admitted."""
    rows: dict[int, list[Row]] = defaultdict(list)
    for row in evidence.rows["messages"]:
        rows[row["chat_id"]].append(row)
    for chat in rows.keys() | evidence.said.keys():
        yield from _check_chat(chat, rows[chat], evidence.said.get(chat, []), evidence, verdict)


def _check_chat(chat: int, rows: list[Row], said: list[Said], evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    planned: dict[Saying, list[Row]] = defaultdict(list)
    for row in rows:
        planned[read_saying(row["body"])].append(row)
    arrived: dict[Saying, list[int]] = defaultdict(list)
    for one in said:
        arrived[one.saying].append(one.number)
    verdict.count("messages seen", len(said))
    for saying in planned.keys() | arrived.keys():
        yield from _check_saying(chat, saying, planned.get(saying, []), len(arrived[saying]), verdict)
    for row in rows:
        yield from _check_message(row, evidence, verdict)
    first = {row["id"]: arrived[saying][0] for saying, (row, *more) in planned.items() if not more and arrived[saying]}
    yield from _check_sends(chat, [row for row in rows if row["id"] in first], first, verdict)


def _check_saying(chat: int, saying: Saying, rows: list[Row], times: int, verdict: Verdict) -> Iterator[str]:
    """Compare how often something came with how often it was planned, sent, and may have been sent again."""
    sent = sum(row["status"] == "sent" for row in rows)
    doubts = sum(row["attempts"] - 1 for row in rows if row["resent"])
    if times < sent:
        verdict.count("lost", sent - times)
        yield f"I4: chat {chat}: {saying[0][:40]!r} is called sent {sent} times and came {times} times"
    if times > len(rows):
        verdict.count(
            "repeated, and their rows say so" if times <= len(rows) + doubts else "repeated", times - len(rows)
        )
    if times > len(rows) + doubts:
        yield f"I4: chat {chat}: {saying[0][:40]!r} came {times} times, planned {len(rows)} times, {doubts} sent again"


def _check_message(row: Row, evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    verdict.count(f"messages {row['status']}")
    if row["status"] in ("failed", "uncertain"):
        shown = evidence.mishaps_shown.get(row["id"])
        verdict.listed[f"message {row['status']}: {row['error']}"] += 1
        if shown is None or not shown.error:
            yield f"message {row['id']} is {row['status']} and not on the page with a reason"
    elif row["status"] != "sent":
        yield f"message {row['id']} is left {row['status']}"


def _check_sends(chat: int, rows: list[Row], first: Mapping[int, int], verdict: Verdict) -> Iterator[str]:
    """First sends: in order within a cause, and from one update to the next. What was planned anew has its own time.

    So has what was given up after a call in doubt: Telegram may do that call whenever it likes.
    """
    firm = [row for row in rows if not row["regrants"] and (row["status"] == "sent" or not row["resent"])]
    chains = defaultdict(list)
    for row in firm:
        chains[row["cause"]].append(row)
        if _is_update(row):
            chains["updates"].append(row)
    for chain in chains.values():
        for one, other in pairwise(chain):
            if first[one["id"]] > first[other["id"]]:
                verdict.count("out of order")
                names = [f"{row['cause']}#{row['ordinal']}" for row in (other, one)]
                yield f"I4: chat {chat}: {' came before '.join(names)}"


def _check_rest(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """Nothing is stuck: no job left, no dead job without a row that says why, no ERROR line."""
    if evidence.pending:
        yield f"{evidence.pending} jobs are left in the queue"
    messages = {f"{row['cause']}#{row['ordinal']}": row["status"] for row in evidence.rows["messages"]}
    charges = {f"{row['cause']}#{row['ordinal']}": row["state"] for row in evidence.rows["payments"]}
    for dead in evidence.dead:
        name = dead.job.id.partition("@")[0]
        verdict.listed[f"dead job: {dead.job.task}: {dead.reason}"] += 1
        if messages.get(name) not in ("failed", "sent") and charges.get(name) != "cancelled":
            yield f"dead job {dead.job.id} ({dead.reason}: {dead.error}) has no row that says why"
    for line in evidence.errors:
        yield f"ERROR line: {line.get('message', line)}"
