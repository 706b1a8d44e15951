"""The preferred bots while one of them lives, then the others."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy


class Priority(Strategy):
    """A bot of a lower priority stands by: it has visitors only when every one above it is out of service."""

    name = "priority"
    summary = "those of the highest priority in turn; lower ones only when none of them is in service"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Choose the one of the highest priority whose turn it is."""
        highest = max(bot.priority for bot in bots)
        preferred = [bot for bot in bots if bot.priority == highest]
        return preferred[moment.turn % len(preferred)]
