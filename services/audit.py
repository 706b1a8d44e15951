"""The record of what people did: each act has written its line before it was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.sessions import Visitor
    from grimbots.sql.database import Row

PAGE_ACTS = 50
MOST_OF_ONE = 100
PAST_ALL_IDS = 2**62


@dataclass(frozen=True, slots=True)
class Page:
    """Some acts, and the id before which the next page begins; None: these are the oldest."""

    acts: list[Row]
    next_before: int | None


async def list_page(app: App, visitor: Visitor, before: int | None) -> Page:
    """Return what was done in the whole installation, the newest first.

    Raises:
        NotFound: the visitor is no administrator.
    """
    visitor.demand_administrator()
    rows = await app.db.audit.list_page(before_id=before or PAST_ALL_IDS, limit=PAGE_ACTS + 1)
    return Page(rows[:PAGE_ACTS], rows[PAGE_ACTS - 1].id if len(rows) > PAGE_ACTS else None)


async def list_by_subject(app: App, visitor: Visitor, subject: str) -> list[Row]:
    """Return what operators did to one thing, the first act first. Raises NotFound as `list_page`."""
    visitor.demand_administrator()
    rows: list[Row] = await app.db.audit.list_by_subject(subject=subject, limit=MOST_OF_ONE)
    return rows
