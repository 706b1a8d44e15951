"""The watch over the event loop: it says what holds the loop up for over a second, and ends a process that is stuck.

It looks from a thread. A call in C that keeps the interpreter to itself (a regular expression gone wild) stops that
thread too; then faulthandler's own clock, which needs no interpreter, ends the process.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread, get_ident
from time import monotonic

import sentry_sdk

from grimbots.conf import metrics

log = logging.getLogger(__name__)

LAG_SECONDS = 60.0
FAREWELL_SECONDS = 2.0
STACK_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the loop may be silent. Only tests shorten it."""

    look_seconds: float = 0.25
    slow_seconds: float = 1.0  # then a WARNING says where it is
    stuck_seconds: float = 30.0  # then the process ends

    @property
    def frozen_seconds(self) -> float:
        """After so long without a look by the thread itself the process ends: stuck in C, or stopped and continued."""
        return 2 * self.stuck_seconds


DEFAULT_PATIENCE = Patience()


def exit_now(reason: str) -> None:
    """End this process with EX_SOFTWARE, every thread's stack on standard error if that is possible at all.

    The loop may be stuck in a write to a full pipe, with the lock of the log in its hands: nobody waits for the words.
    """
    farewell = Thread(target=_say_farewell, args=(reason,), daemon=True)
    farewell.start()
    farewell.join(FAREWELL_SECONDS)
    os._exit(os.EX_SOFTWARE)


def _say_farewell(reason: str) -> None:
    log.critical("this process ends now: %s", reason)
    faulthandler.dump_traceback()
    sentry_sdk.flush(FAREWELL_SECONDS)


class Lag:
    """How late the loop's ticks came in the last minute."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[float, float]] = (
            deque()
        )  # (when, how late); a later tick that came later still hides it

    def note(self, late_seconds: float) -> None:
        """A tick came, so late."""
        metrics.loop_lag_seconds.observe(late_seconds)
        while self._ticks and self._ticks[-1][1] <= late_seconds:
            self._ticks.pop()
        self._ticks.append((monotonic(), late_seconds))

    def worst_seconds(self) -> float:
        """Return the latest tick's lateness; 0 before the first."""
        while self._ticks and monotonic() - self._ticks[0][0] > LAG_SECONDS:
            self._ticks.popleft()
        return self._ticks[0][1] if self._ticks else 0.0


class LoopWatch:
    """Watches the loop it is entered on, until it is left. `exit_process` is called on a thread of its own."""

    def __init__(self, patience: Patience = DEFAULT_PATIENCE, exit_process: Callable[[str], None] = exit_now) -> None:
        self._lag = Lag()
        self._patience = patience
        self._exit_process = exit_process
        self._stopping = Event()
        self._ticked = True
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._watched = 0
        self._thread = Thread(target=self._run, name="loop-watch", daemon=True)

    def __enter__(self) -> Lag:
        """Begin; gives what it measures."""
        self._watched = get_ident()
        self._await_tick()
        self._thread.start()
        return self._lag

    def __exit__(self, *error: object) -> None:
        """End; the process may now take its time."""
        self._stopping.set()
        if self._timer:
            self._timer.cancel()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _await_tick(self) -> None:
        self._due_at = monotonic() + self._patience.look_seconds
        self._timer = asyncio.get_running_loop().call_later(self._patience.look_seconds, self._tick)

    def _tick(self) -> None:
        late_seconds = max(0.0, monotonic() - self._due_at)
        self._lag.note(late_seconds)
        if late_seconds >= self._patience.slow_seconds:
            log.warning("the event loop goes on; it was held up for %.1f s", late_seconds)
        self._ticked = True
        self._await_tick()

    def _run(self) -> None:
        # Looks are added up as planned, not read from a clock: a process that was stopped (SIGSTOP) has no stuck loop.
        silent_seconds, told = 0.0, False
        self._arm()
        while not self._stopping.wait(self._patience.look_seconds):
            self._arm()
            silent_seconds = 0.0 if self._ticked else silent_seconds + self._patience.look_seconds
            self._ticked = False
            if silent_seconds >= self._patience.stuck_seconds:
                self._exit_process("the event loop is stuck")
                return
            if silent_seconds >= self._patience.slow_seconds and not told:
                self._tell(silent_seconds)
            told = silent_seconds >= self._patience.slow_seconds

    def _arm(self) -> None:
        faulthandler.dump_traceback_later(self._patience.frozen_seconds, exit=True)

    def _tell(self, silent_seconds: float) -> None:
        """Log where the loop is. On a thread of its own: the loop may hold the log's lock."""
        frame = sys._current_frames().get(self._watched)
        stack = "".join(traceback.format_stack(frame)[-STACK_FRAMES:])
        message = "the event loop is held up for %.1f s by:\n%s"
        Thread(target=log.warning, args=(message, silent_seconds, stack), daemon=True).start()
