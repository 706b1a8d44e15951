"""Any bot."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy


class Random(Strategy):
    """Each visitor's bot is drawn by itself."""

    name = "random"
    summary = "by chance, each as often as every other"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Draw one."""
        return moment.chance.choice(bots)
