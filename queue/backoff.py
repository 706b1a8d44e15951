"""How long to wait before trying again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays drawn at random below a bound that doubles, so that a crowd spreads out."""

    first_seconds: float
    most_seconds: float

    def draw_seconds(self, failures: int) -> float:
        """Return the wait after so many failures in a row (1, 2 ...)."""
        doublings = min(failures, 60)  # past any sensible bound; 2.0 ** 1024 would overflow
        return random.uniform(self.first_seconds, min(self.most_seconds, self.first_seconds * 2.0**doublings))  # noqa: S311


JOB_RETRIES = Backoff(first_seconds=1.0, most_seconds=600.0)
RECONNECTS = Backoff(first_seconds=0.05, most_seconds=2.0)
MOVES = Backoff(first_seconds=0.05, most_seconds=0.5)  # a failover, a slot on its way to another server
