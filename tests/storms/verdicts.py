"""Verdicts on the storm, beside those of tests/e2e/verdicts.py: sales reported, money booked, nothing seen.

Pure: what each check finds wrong is a sentence; none is a clean run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grimbots.tests.e2e.verdicts import Verdict
from grimbots.tests.storms.searches import Found

Row = Mapping[str, Any]


def judge_purchases(paid: Row, outbox: Sequence[Row], reported: Mapping[str, set[str]], verdict: Verdict) -> None:
    """Hold what the network received against the sales: `paid`, payment ids by key; `reported`, event ids by key."""
    rows = {row["payment_id"]: row for row in outbox if row["event"] == "Purchase"}
    verdict.faults += _check_sales(paid, rows, reported, verdict)
    owners = Counter(event_id for ids in reported.values() for event_id in ids)
    verdict.faults += [f"P: {times} sales have the event id {one}" for one, times in owners.items() if times > 1]
    verdict.faults += [f"P: sale {key} is reported and not paid" for key in reported.keys() - paid.keys()]
    for row in outbox:
        verdict.count(f"conversions {row['event']} {row['status']}")


def _check_sales(
    paid: Row, rows: Mapping[int, Row], reported: Mapping[str, set[str]], verdict: Verdict
) -> Iterator[str]:
    for key, payment_id in paid.items():
        ids, row = reported.get(key, set()), rows.get(payment_id)
        if row is None:
            yield f"P: payment {payment_id} is paid and no Purchase was written down"
        elif len(ids) > 1:
            yield f"P: payment {payment_id} has {len(ids)} event ids at the receiver: {sorted(ids)}"
        elif row["status"] == "sent" and ids:
            verdict.count("sales with one event id at the receiver")
        elif row["status"] in ("refused", "expired", "uncertain", "skipped") and row["answer"]:
            verdict.listed[f"sale not reported: {row['status']}: {row['answer']}"] += 1
        else:
            yield f"P: payment {payment_id}: its Purchase is {row['status']} and came {len(ids)} times"


def judge_money(charges: Sequence[Row], entries: Sequence[Row], verdict: Verdict) -> None:
    """Hold the book against the money that the provider has: all that was paid, less its fees."""
    places: Counter[str] = Counter()
    for row in entries:
        places[row["debit"]] += int(row["cents"])
        places[row["credit"]] -= int(row["cents"])
    received = [one for charge in charges for one in charge["paid"]]
    held = sum(one["amount_cents"] - one["fee_cents"] for one in received)
    verdict.count("cents at the provider", held)
    if sum(places.values()):
        verdict.faults.append(f"L: the book adds up to {sum(places.values())} cents")
    if places["provider"] != held:
        verdict.faults.append(f"L: the book says the provider has {places['provider']} cents, it has {held}")


def judge_found(found: Sequence[Found], verdict: Verdict) -> None:
    """Nothing that must not be seen was seen."""
    for (what, kind), places in _group(found).items():
        one = places[0]
        verdict.faults.append(f"S: {what} in {len(places)} places of {kind}, as {one.file}: {one.around!r}")


def _group(found: Sequence[Found]) -> dict[tuple[str, str], list[Found]]:
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        kind = one.file.partition(" ")[2] or one.file
        groups.setdefault((one.what, kind), []).append(one)
    return groups
