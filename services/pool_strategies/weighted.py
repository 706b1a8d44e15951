"""Some bots more often than others."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy


class Weighted(Strategy):
    """A bot of weight 3 gets three times the visitors of one of weight 1."""

    name = "weighted"
    summary = "by chance, a bot of weight 3 three times as often as one of weight 1"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Draw one by the weights."""
        (chosen,) = moment.chance.choices(bots, [bot.weight for bot in bots])
        return chosen
