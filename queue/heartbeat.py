"""The lease and its heartbeat: a thread renews a consumer's lease whatever the event loop does meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

from grimbots.queue.connections import RedisAway
from grimbots.queue.job import Verdict
from grimbots.queue.task import LeaseLost

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """The clockwork of a lease (`lease_seconds` is what drain.lua grants). Only tests shorten it."""

    lease_seconds: float = 10.0
    margin_seconds: float = 3.0  # an effect starts only while the last good beat is younger than lease - margin
    beat_seconds: float = 2.5
    retry_seconds: float = 0.5  # after a beat that failed


DEFAULT_TIMING = Timing()


class Heartbeat:
    """The lease of one consumer, kept by a thread until it is stopped or lost; a stuck process ends (conf/loops.py).

    `beat` renews it over a blocking connection (RedisAway: nobody knows). `on_lost` is called on the thread, its last.
    """

    def __init__(
        self,
        consumer: str,
        beat: Callable[[str], Verdict],
        *,
        on_lost: Callable[[Heartbeat], object],
        timing: Timing,
    ) -> None:
        self.consumer = consumer
        self._beat = beat
        self._on_lost = on_lost
        self._timing = timing
        self._good_at = monotonic()
        self.is_lost = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="queue-heartbeat", daemon=True)

    def start(self, registered_at: float) -> None:
        """Begin to beat for a lease granted to a request sent at `registered_at` (monotonic)."""
        self._good_at = registered_at
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; the thread ends by itself."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the thread's end, at most one beat's timeout. Blocks: not for the event loop."""
        self._thread.join()

    def lose(self) -> None:
        """Give the lease up for lost: no effect starts under it any more."""
        self.is_lost = True
        self.stop()

    @property
    def holds(self) -> bool:
        """Tell whether the lease is surely ours for the time an effect needs to start."""
        return (
            not self.is_lost and monotonic() - self._good_at < self._timing.lease_seconds - self._timing.margin_seconds
        )

    def guard(self) -> None:
        """Raise LeaseLost unless the lease is surely ours."""
        if not self.holds:
            raise LeaseLost(f"{self.consumer} has no lease it can be sure of")

    def _run(self) -> None:
        pause_seconds = self._timing.beat_seconds
        while not self._stopping.wait(pause_seconds):
            pause_seconds = self._timing.beat_seconds if self._beat_once() else self._timing.retry_seconds

    def _beat_once(self) -> bool:
        sent_at = monotonic()
        try:
            verdict = self._beat(self.consumer)
        except RedisAway as error:
            log.warning("the queue's heartbeat failed: %s", error)
            return False
        if verdict is Verdict.OK:
            self._good_at = sent_at
        elif not self._stopping.is_set():
            self.lose()
            self._on_lost(self)
        return True
