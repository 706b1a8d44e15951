"""One bot after the other."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy


class RoundRobin(Strategy):
    """Every bot has as many turns as every other."""

    name = "round_robin"
    summary = "one after the other, in the order they were named"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Choose the bot whose turn it is."""
        return bots[moment.turn % len(bots)]
