"""What the queue's sources and accounts are called: it knows them by the numbers of bots and accounts only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.app import App

BOT = re.compile(r"b([0-9]{1,18})")
NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Names:
    """Names by what the queue says: `sources` has bots, `owners` each bot's account as the queue names it."""

    accounts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def account(self, account: str) -> str:
        """Return what an account is called, or what the queue calls it."""
        return self.accounts.get(account, account)

    def source(self, source: str) -> str:
        """Return what a source is called, or what the queue calls it."""
        return self.sources.get(source, source)


async def find_names(app: App, sources: Iterable[str], accounts: Iterable[str]) -> Names:
    """Look up bots and accounts; whatever is neither keeps the queue's name."""
    bots = [int(found[1]) for source in set(sources) if (found := BOT.fullmatch(source))]
    rows = await app.db.bots.list_names(ids=bots) if bots else []
    known = {str(row.account_id): row.account for row in rows}
    missing = [int(one) for one in set(accounts) - known.keys() if NUMBER.fullmatch(one)]
    for row in await app.db.accounts.list_names(ids=missing) if missing else []:
        known[str(row.id)] = row.name
    named = {f"b{row.id}": row for row in rows}
    return Names(
        accounts=known,
        sources={source: f"@{row.username}" for source, row in named.items()},
        owners={source: str(row.account_id) for source, row in named.items()},
    )


async def is_known(app: App, kind: str, name: str) -> bool:
    """Tell whether an account or a bot of that number is there; a source of another kind always is."""
    if kind == "source":
        names = await find_names(app, [name], [])
        return name in names.sources or not BOT.fullmatch(name)
    return name in (await find_names(app, [], [name])).accounts
