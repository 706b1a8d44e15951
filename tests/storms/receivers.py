"""The ad network of the storm: Meta's rules, and everything that ever came, repeats too."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from grimbots.tests.fakes.networks import Meta, Told


@dataclass
class Pixel(Meta):
    """`seen`: by event name and id each time that event came. `token` is not to be seen anywhere."""

    seen: dict[tuple[str, str], list[Told]] = field(default_factory=lambda: defaultdict(list))
    token: str = field(default_factory=lambda: f"EAA{secrets.token_urlsafe(32)}")

    def keep(self, told: Sequence[Told]) -> None:
        """Keep every one."""
        for one in told:
            self.seen[one["event_name"], one["event_id"]].append(one)

    def list_purchases(self) -> dict[str, set[str]]:
        """Give the event ids of every sale that was reported, by the sale."""
        sales: dict[str, set[str]] = defaultdict(set)
        for (name, event_id), times in self.seen.items():
            if name == "Purchase":
                for one in times:
                    sales[one["custom_data"]["order_id"]].add(event_id)
        return sales
