"""Rounds: when each periodic duty of this process last came to its end, for /health and /metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from grimbots.conf import metrics

PATIENCE = timedelta(minutes=1)
MISSED_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Round:
    """A duty's last success; before the first, when it began to try."""

    every: timedelta
    at: datetime
    has_succeeded: bool

    def is_late(self, now: datetime) -> bool:
        """Tell whether several rounds went by without success, and a minute at least."""
        return now - self.at > PATIENCE + MISSED_ROUNDS * self.every


class Rounds:
    """The last round of each duty, by its name."""

    def __init__(self) -> None:
        self.last: dict[str, Round] = {}

    def begin(self, duty: str, every_seconds: float, now: datetime) -> None:
        """A duty is about to be tried for the first time."""
        self.last[duty] = Round(timedelta(seconds=every_seconds), now, has_succeeded=False)
        metrics.duty_success.labels(duty).set(now.timestamp())

    def note(self, duty: str, now: datetime) -> None:
        """A round came to its end."""
        self.last[duty] = Round(self.last[duty].every, now, has_succeeded=True)
        metrics.duty_success.labels(duty).set(now.timestamp())

    def list_late(self, now: datetime) -> list[str]:
        """List the duties that have not come to an end for too long."""
        return [duty for duty, last in self.last.items() if last.is_late(now)]
