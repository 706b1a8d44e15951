"""The order in which a seller's gateway accounts are asked, as his page shows and changes it, a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grimbots.services import breakers, gateway_accounts
from grimbots.services.errors import Conflict, NotFound
from grimbots.services.gateways.base import Gateway
from grimbots.services.gateways.scan import offered_gateways

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway account as its seller sees it. `kind` is None where this installation offers the provider no more.

    `breaker`: one of breakers.STATES. `is_next`: a new charge that is within its limits is asked of it first.
    """

    account: Row
    kind: type[Gateway] | None
    breaker: str
    is_in_service: bool
    is_day_full: bool
    is_next: bool = False


async def list_places(app: App, account_id: int) -> list[Place]:
    """Return an account's gateway accounts in the order in which they are asked, those that are not behind them."""
    offered, now = offered_gateways(app.settings), app.clock()
    places: list[Place] = []
    is_next_known = False
    for row in await app.db.gateway_accounts.list_shown(account_id=account_id, now=now):
        kind, breaker = offered.get(row.gateway), breakers.state(row, now)
        is_in_service = row.is_active or row.backup_place is not None
        is_full = _is_day_full(row)
        is_next = is_in_service and not is_next_known and kind is not None and breaker != "open" and not is_full
        is_next_known |= is_next
        places.append(Place(row, kind, breaker, is_in_service, is_full, is_next))
    return places


async def change(
    app: App, account_id: int, gateway_account_id: int, verb: str, seen: Sequence[int], *, actor: str
) -> None:
    """Move one to the `front`, take it out (`retire`) or put it at the end (`activate`) of the order that was `seen`.

    Raises:
        NotFound: the account has no such gateway account, or it is not among those to be moved.
        Conflict: the order is not any more what was seen.
    """
    ids = [row.id for row in await app.db.gateway_accounts.list_in_service(account_id=account_id)]
    if verb != "activate" and gateway_account_id not in ids:
        raise NotFound(f"no new charges are asked of a gateway account {gateway_account_id} of this account")
    if ids != list(seen):
        raise Conflict("somebody has changed the order meanwhile: look again")
    await gateway_accounts.arrange(app, account_id, CHANGES[verb](ids, gateway_account_id), actor)


def _is_day_full(row: Row) -> bool:
    charges, cents = row.most_day_charges, row.most_day_cents
    return (charges is not None and row.day_charges >= charges) or (cents is not None and row.day_cents >= cents)


CHANGES: dict[str, Callable[[list[int], int], list[int]]] = {
    "front": lambda ids, one: [one, *(id_ for id_ in ids if id_ != one)],
    "retire": lambda ids, one: [id_ for id_ in ids if id_ != one],
    "activate": lambda ids, one: [*(id_ for id_ in ids if id_ != one), one],
}
