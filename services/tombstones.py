"""Tombstones: who was erased, by keyed hash, so that nothing brings them back: no import, no backup of before.

Rows, and a file in the data folder, written first: a backup knows only those of before it, and the file outlives a
database that is lost. Every backup leaves the whole list beside it; a restore reads every list it finds.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

FILE_NAME = "tombstones.jsonl"
PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erasure. `digest`: of bot and chat, under the master key; `made_at` is ISO."""

    account_id: int
    lead_id: int
    bot_id: int
    digest: str
    actor: str
    made_at: str

    def is_of(self, app: App, lead: Row) -> bool:
        """Tell whether this lead is the one that was erased, and no later one of the same chat or number."""
        digest = app.vault.tombstone(lead.bot_id, lead.chat_id)
        return digest == self.digest and lead.created_at <= datetime.fromisoformat(self.made_at)


async def keep(app: App, tombstone: Tombstone) -> None:
    """Write a tombstone into the file of this machine; durable when it returns."""
    await asyncio.to_thread(_append, Path(app.settings.data_dir), tombstone)


def read(folders: Iterable[Path]) -> list[Tombstone]:
    """Read every list that is there; a line that a crash cut off is no erasure that was promised to anybody."""
    found: list[Tombstone] = []
    for file in [folder / FILE_NAME for folder in folders]:
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            try:
                one = Tombstone(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found.append(one)
    return _unite(found)


async def list_all(app: App) -> list[Tombstone]:
    """Return every tombstone of the installation's database."""
    found: list[Tombstone] = []
    after = 0
    while rows := await app.db.tombstones.list_page(after=after, limit=PAGE_ROWS):
        after = rows[-1].lead_id
        found += [Tombstone(**{**row._asdict(), "made_at": row.made_at.isoformat()}) for row in rows]
    return found


def write(folder: Path, tombstones: Sequence[Tombstone]) -> None:
    """Write a list over the one in a folder, whose entries stay; it appears whole or not at all."""
    every = _unite([*read([folder]), *tombstones])
    draft = folder / f".{FILE_NAME}.{os.getpid()}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(_dump(one) for one in every)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / FILE_NAME)


def _unite(tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """Leave one of each erasure: what is in two lists, or was erased again after a restore, is there twice."""
    return list({(one.lead_id, one.bot_id, one.digest): one for one in tombstones}.values())


def _append(folder: Path, tombstone: Tombstone) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, _dump(tombstone).encode())
        os.fsync(file)
    finally:
        os.close(file)


def _dump(tombstone: Tombstone) -> str:
    return json.dumps(asdict(tombstone)) + "\n"
