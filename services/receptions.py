"""Receptions: provider events taken in, and kept before they are answered: in Postgres, else on this machine's disk.

receive: whose it is, is it the provider's, kept, handed to the queue; with Redis away the sweep hands it on
store_spooled: what the disk kept goes to Postgres, in order; the same event is one row, whichever way it came
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from grimbots.conf import logs, metrics
from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import events, gateway_accounts
from grimbots.services.arrivals import clean
from grimbots.services.errors import NotFound, Unavailable
from grimbots.services.gateways.base import Event, Verdict
from grimbots.services.spool import SpoolUnavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Database, Row, Transaction

log = logging.getLogger(__name__)

SPOOL_BYTES = 256 << 20  # some 300,000 events
KEPT_HEADERS = ("content-type", "user-agent")
STORE_SECONDS = 3.0  # a Postgres that hangs is away; the least patient provider of docs/gateways.md waits 10 s
BATCH = 100


@dataclass(frozen=True, slots=True)
class Posting:
    """An event as it is kept. `dedup_key`: the same for the same event, however often it is posted."""

    account_id: int
    gateway_account_id: int
    dedup_key: str
    suffix: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    verified: str
    received_at: datetime


async def receive(
    app: App, gateway_name: str, key: str, suffix: str, query: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Keep an event, durably, then ask for it to be acted upon. The same event again changes nothing.

    Raises:
        NotFound: no gateway account has this path.
        Unavailable: neither Postgres nor the disk took it, or whose it is cannot be told while Postgres is away.
    """
    posting = await _read(app, gateway_name, key, suffix, query, headers, body)
    try:
        async with asyncio.timeout(STORE_SECONDS):
            row = await _store(app.db, posting)
    except (DatabaseUnavailable, StatementTimeout, TimeoutError) as error:
        await _spool(app, posting, error)
    else:
        await _hand_on(app, [row])


async def store_spooled(app: App) -> int:
    """Store what this process, and those that died here, have spooled; returns how many events that was.

    Raises:
        DatabaseUnavailable, StatementTimeout: the rest stays where it is.
        SpoolUnavailable: the disk cannot be read.
    """
    return await app.event_spool.drain(partial(_store_all, app), BATCH)


async def _read(
    app: App, gateway_name: str, key: str, suffix: str, query: str, headers: Mapping[str, str], body: bytes
) -> Posting:
    """Find whose an event is and whether it is the provider's, while the moment that a signature names is fresh."""
    account = await gateway_accounts.find_by_key(app, gateway_name, key)
    if account is None:
        raise NotFound("there is no such webhook")
    logs.add(account_id=account.account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    wanted = {*KEPT_HEADERS, *gateway.kept_headers, *gateway.secret_headers}
    read = {name.lower(): clean(value) for name, value in headers.items() if name.lower() in wanted}
    event = Event(clean(suffix), clean(query), read, body)
    kept = {name: value for name, value in read.items() if name not in gateway.secret_headers}
    now = app.clock()
    verified = gateway.verify(credentials, event, now)
    metrics.provider_events.labels(gateway_name, verified.value).inc()
    dedup_key = _make_dedup_key(event, verified)
    return Posting(
        account.account_id, account.id, dedup_key, event.suffix, event.query, kept, body, verified.value, now
    )


def _make_dedup_key(event: Event, verified: Verdict) -> str:
    """Tell events apart by what they say, and by the verdict: a forged copy must not stand in for the real one."""
    said = b"\0".join((event.suffix.encode(), event.query.encode(), event.body))
    return f"{verified.value}:{hashlib.sha256(said).hexdigest()}"


async def _store(door: Database | Transaction, posting: Posting) -> Row:
    return await door.provider_events.add(**asdict(posting))


async def _hand_on(app: App, rows: Sequence[Row]) -> None:
    """Enqueue what is not acted upon yet."""
    jobs = [events.job(row) for row in rows if row.status == "received"]
    try:
        await asyncio.gather(*(app.queue.enqueue(job) for job in jobs))
    except QueueUnavailable:
        log.warning("%d events are stored; the queue is away, so the sweep will hand them on", len(jobs))


async def _spool(app: App, posting: Posting, reason: Exception) -> None:
    try:
        await app.event_spool.append(_to_record(posting))
    except SpoolUnavailable as error:
        metrics.provider_events_spooled.labels("refused").inc()
        raise Unavailable("the event could not be stored: send it again") from error
    metrics.provider_events_spooled.labels("spooled").inc()
    log.warning("an event of gateway account %d is spooled: %s", posting.gateway_account_id, reason or "no answer")


async def _store_all(app: App, records: Sequence[Mapping[str, Any]]) -> None:
    async with app.db.transaction() as tx:
        rows = [await _store(tx, _from_record(record)) for record in records]
    metrics.provider_events_spooled.labels("stored").inc(len(rows))
    await _hand_on(app, rows)


def _to_record(posting: Posting) -> dict[str, Any]:
    body = base64.b64encode(posting.body).decode()
    return {**asdict(posting), "body": body, "received_at": posting.received_at.isoformat()}


def _from_record(record: Mapping[str, Any]) -> Posting:
    body = base64.b64decode(record["body"])
    return Posting(**{**record, "body": body, "received_at": datetime.fromisoformat(record["received_at"])})
