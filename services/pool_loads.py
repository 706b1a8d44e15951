"""How many visitors each bot was sent lately, by this process: a count that halves every minute."""

from __future__ import annotations

import time
from collections.abc import Callable

HALF_LIFE_SECONDS = 60.0
REMEMBERED_BOTS = 10_000  # then those of which nothing is left are forgotten
NOTHING = 0.01


class Loads:
    """Loads by a bot's id. Each process evens out its own visitors, so all of them together are even."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loads: dict[int, tuple[float, float]] = {}  # as it was, and when

    def note(self, bot_id: int) -> None:
        """A visitor was sent to a bot."""
        self._loads[bot_id] = (self.of(bot_id) + 1.0, self._clock())
        if len(self._loads) > REMEMBERED_BOTS:
            self._loads = {one: kept for one, kept in self._loads.items() if self.of(one) >= NOTHING}

    def of(self, bot_id: int) -> float:
        """Return a bot's load now."""
        was, at = self._loads.get(bot_id, (0.0, 0.0))
        return was * 0.5 ** ((self._clock() - at) / HALF_LIFE_SECONDS) if was else 0.0
