"""The bot that had the fewest visitors lately, in whatever pools it stands."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy


class LeastLoad(Strategy):
    """A bot that other pools send visitors to gets fewer of this one; a new one is not flooded."""

    name = "least_load"
    summary = "the one that had the fewest visitors in the last minutes, from all of its links"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Choose the least loaded; of equals the one that was named first."""
        return min(bots, key=lambda bot: moment.load_of(bot.id))
