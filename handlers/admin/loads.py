"""What the queues hold and do for each account, and for each source of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from grimbots.queue.overviews import Load, Ready
from grimbots.services.places import Names


@dataclass(slots=True)
class SourceLoad:
    """A bot, or another source: what runs of it and what has its turn next, in all queues."""

    source: str
    running: int = 0
    ready: int = 0


@dataclass(slots=True)
class AccountLoad:
    """An account; "" stands for the installation's own work."""

    account: str
    sources: dict[str, SourceLoad] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """How many jobs run of it."""
        return sum(one.running for one in self.sources.values())

    @property
    def ready(self) -> int:
        """How much of it has its turn next."""
        return sum(one.ready for one in self.sources.values())

    def list_sources(self) -> list[SourceLoad]:
        """List its sources, the busiest first."""
        return sorted(self.sources.values(), key=lambda one: (-one.running - one.ready, one.source))


def add_up(running: Iterable[Load], ready: Iterable[Ready], names: Names) -> list[AccountLoad]:
    """Put together what runs and what is ready, by account, the busiest first. Of a bot the account is looked up."""
    accounts: dict[str, AccountLoad] = {}

    def find(account: str, source: str) -> SourceLoad:
        load = accounts.setdefault(account, AccountLoad(account))
        return load.sources.setdefault(source, SourceLoad(source))

    known = dict(names.owners)
    for load in running:
        known.setdefault(load.source, load.account)
        find(known[load.source], load.source).running += load.jobs
    for one in ready:
        find(known.get(one.source, ""), one.source).ready += one.entries
    return sorted(accounts.values(), key=lambda one: (-one.running - one.ready, one.account))
