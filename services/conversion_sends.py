"""Conversion sends: the outbox of services/conversion_events.py told to the networks, in rounds, a destination each.

A duty finds destinations with something to send; a round takes what is oldest, in batches as big as the network takes,
until nothing is left or the network does not listen: then the next round is later and later. One bad event spoils a
whole batch at Meta and at Google, so a batch that is refused for that is cut in halves until the bad one stands alone.

A process that dies behind the network's answer leaves its rows planned: they are told again, with the same ids. Where
the network would count that twice they end as uncertain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.conf.redactions import scrub
from grimbots.queue.job import Accepted
from grimbots.queue.task import Done
from grimbots.services import conversion_contexts, conversion_destinations
from grimbots.services.conversions.base import Answer, Destination, Network, Told, Verdict
from grimbots.services.conversions.scan import find_networks
from grimbots.services.errors import Invalid, Unavailable
from grimbots.services.secrets import MasterKeyError
from grimbots.services.tasks import task
from grimbots.sql.database import DatabaseUnavailable, Json, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

LINGER = timedelta(seconds=3)  # so that a click is stored and a batch comes together
CLAIM = timedelta(minutes=3)  # a round that is not finished by then is begun anew
DESTINATIONS_A_LOOK = 100
TAKEN = 50  # at least, in one statement
MOST_CALLS = 20  # a round, so that it ends within its time
TIMEOUT_SECONDS = 150  # of the 5 s that a call may take
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=15)
LONGEST_ANSWER = 300
COUNT_SECONDS = 2.0
COUNTED = 10_000  # so that a scrape costs the same on the worst day


async def hand_out_due(app: App) -> int:
    """Hand the rounds of destinations that are due to the queue; returns how many. Harmless in several processes.

    Raises:
        QueueUnavailable: Redis is away; they are handed out again after CLAIM.
    """
    now = app.clock()
    due = await app.db.conversion_destinations.claim_due(
        now=now, before=now - LINGER, claimed_until=now + CLAIM, limit=DESTINATIONS_A_LOOK
    )
    await asyncio.gather(*(_hand_out(app, row) for row in due))
    return len(due)


@task("conversions.send", queue="campaigns", timeout_seconds=TIMEOUT_SECONDS, attempts=3)
async def send(app: App, *, account_id: int, destination_id: int, number: int) -> Done:
    """Do one round of a destination, unless a later one has begun."""
    row = await app.db.conversion_destinations.find(account_id=account_id, destination_id=destination_id)
    if row is None or row.status != "active" or row.rounds != number:
        return Done()
    answer = await _Round(app, row).run()
    now = app.clock()
    failures = 0 if answer.verdict is Verdict.SENT else row.failures + 1
    await app.db.conversion_destinations.finish_round(
        account_id=account_id,
        destination_id=destination_id,
        round=number,
        failures=failures,
        due_at=now + find_pause(failures),
        now=now,
    )
    return Done()


async def measure(app: App) -> None:
    """Set the gauges of what waits and of who refuses our credentials.

    Raises:
        Unavailable: Postgres is away; they keep their last values.
    """
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            waiting = await app.db.conversions.count_waiting(limit=COUNTED)
            paused = await app.db.conversion_destinations.count_paused()
    except (DatabaseUnavailable, StatementTimeout, TimeoutError) as error:
        raise Unavailable("Postgres is away") from error
    oldest = {row.network: row.oldest_at for row in waiting}
    counts = {row.network: row.destinations for row in paused}
    now = app.clock()
    for name in find_networks():
        age_seconds = (now - oldest[name]).total_seconds() if name in oldest else 0
        metrics.conversions_oldest_seconds.labels(name).set(age_seconds)
        metrics.conversions_paused.labels(name).set(counts.get(name, 0))


def find_pause(failures: int) -> timedelta:
    """Return how long to leave a network alone that did not listen so many times in a row: 10, 20, 40 s ... 15 min."""
    if not failures:
        return timedelta(0)
    return min(FIRST_PAUSE * (1 << min(failures - 1, 20)), LONGEST_PAUSE)


async def _hand_out(app: App, row: Row) -> None:
    job = send.job(
        id=f"cv:{row.id}@{row.rounds}",
        source=f"a{row.account_id}",
        account=str(row.account_id),
        group=f"cv{row.id}",
        account_id=row.account_id,
        destination_id=row.id,
        number=row.rounds,
    )
    if await app.queue.enqueue(job) is Accepted.DEAD:
        log.error("job %s is dead: look at it with `grimbots queue dead`", job.id)


@dataclass(frozen=True, slots=True)
class _Letter:
    """One row and what is to be said of it."""

    row: Row
    told: Told


class _Round:
    """One round of one destination."""

    def __init__(self, app: App, row: Row) -> None:
        self._app, self._row = app, row
        self._key = {"account_id": row.account_id, "destination_id": row.id}
        self._calls = MOST_CALLS

    async def run(self) -> Answer:
        """Send until nothing is left, the calls are used up, or the network does not listen; returns the last word."""
        answer = Answer(Verdict.SENT)
        while self._calls and answer.verdict is Verdict.SENT:
            try:
                network, destination = conversion_destinations.open_network(self._app, self._row)
            except (Invalid, MasterKeyError) as error:
                log.error("conversion destination %d cannot be opened: %s", self._row.id, error)
                return Answer(Verdict.DEAD, str(error))
            rows = await self._take(max(network.batch_size, TAKEN))
            if not rows:
                break
            letters = await self._write(network, destination, rows)
            answer = await self._send_all(network, destination, letters)
        return answer

    async def _take(self, limit: int) -> list[Row]:
        now = self._app.clock()
        rows: list[Row] = await self._app.db.conversions.take(**self._key, now=now, before=now - LINGER, limit=limit)
        return rows

    async def _write(self, network: Network, destination: Destination, rows: Sequence[Row]) -> list[_Letter]:
        """Say the events in the network's words; end those that it is not to be told."""
        letters = []
        for row in rows:
            conversion = await conversion_contexts.read(self._app, row)
            if row.was_doubtful and not network.knows_repeats:
                await self._end([_Letter(row, {})], "uncertain", "it may have arrived, and a repeat would count twice")
            elif self._row.pool_ids and row.pool_id not in self._row.pool_ids:
                await self._end([_Letter(row, {})], "skipped", "it came by another link")
            elif obstacle := network.find_obstacle(destination, conversion):
                await self._end([_Letter(row, {})], "skipped", obstacle)
            else:
                letters.append(_Letter(row, network.build(destination, conversion)))
        return letters

    async def _send_all(self, network: Network, destination: Destination, letters: Sequence[_Letter]) -> Answer:
        """Send letters in their order; cut a batch in halves where one of it is bad."""
        size = network.batch_size
        waiting = [letters[start : start + size] for start in range(0, len(letters), size)]
        while waiting and self._calls:
            batch = waiting.pop(0)
            self._calls -= 1
            answer = await network.send(destination, [letter.told for letter in batch], self._app.clock())
            metrics.conversion_calls.labels(network.name, answer.verdict.value).inc()
            if answer.verdict is Verdict.SENT:
                await self._end(batch, "sent", answer.said, network)
            elif answer.verdict is not Verdict.BAD:
                await self._stop(batch, [letter for rest in waiting for letter in rest], answer)
                return answer
            elif len(batch) > 1:
                waiting[:0] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
            else:
                await self._end(batch, "refused", answer.said, network)
        await self._put_off([letter for rest in waiting for letter in rest], None, is_doubtful=False)
        return Answer(Verdict.SENT)

    async def _stop(self, batch: Sequence[_Letter], rest: Sequence[_Letter], answer: Answer) -> None:
        """Leave what is not sent for a later round; pause the destination where only a person can help."""
        said = _clean(answer.said)
        await self._put_off(batch, said, is_doubtful=answer.verdict is Verdict.LATER)
        await self._put_off(rest, None, is_doubtful=False)
        if answer.verdict is Verdict.DEAD:
            await conversion_destinations.pause(self._app, self._row, batch[0].row.bot_id, said)
        else:
            log.info("conversion destination %d is told later: %s", self._row.id, said)

    async def _put_off(self, letters: Sequence[_Letter], said: str | None, *, is_doubtful: bool) -> None:
        if letters:
            ids = [letter.row.id for letter in letters]
            await self._app.db.conversions.put_off(
                **self._key, conversion_ids=ids, answer=said, is_doubtful=is_doubtful
            )

    async def _end(self, letters: Sequence[_Letter], status: str, said: str, network: Network | None = None) -> None:
        """Write how events ended, and what was sent of them."""
        answer = _clean(said)
        told = [
            {"id": letter.row.id, "sent": network.summarize(letter.told) if network else None} for letter in letters
        ]
        await self._app.db.conversions.end_all(
            **self._key, status=status, answer=answer, told=Json(told), now=self._app.clock()
        )
        metrics.conversions.labels(self._row.network, status).inc(len(letters))
        if status in ("refused", "uncertain"):
            log.warning("conversion %d is %s by %s: %s", letters[0].row.id, status, self._row.network, answer)


def _clean(said: str) -> str:
    """Keep of a network's words what people need: they may repeat what it was told."""
    return scrub(said)[:LONGEST_ANSWER]
