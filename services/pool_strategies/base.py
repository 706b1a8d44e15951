"""What every strategy of a pool is given, and the one thing it does: choose a bot for a visitor.

A new one is one file of this folder with one `Strategy` class: `grimbots pool add --strategy` offers it.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class PoolBot:
    """A living bot of a pool. `hears`: what is written to it reaches us (services/webhooks.py)."""

    id: int
    username: str
    weight: int = 1
    priority: int = 0
    hears: bool = True


@dataclass(frozen=True, slots=True)
class Moment:
    """A visitor's moment: all that a strategy may look at besides the bots. No store is asked.

    `turn`: how many visitors of this pool this process had before; `load_of`: how many, about, it sent to a bot lately.
    """

    turn: int
    load_of: Callable[[int], float]
    chance: random.Random


class Strategy(ABC):
    """One way to spread visitors over bots. `name` is stored; `summary` is what a person chooses by."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        """Choose one of the bots, of which there is one at least, in the order they were named."""
