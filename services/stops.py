"""Queues, bots and accounts that an administrator stops and lets go on. Each act is audited before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from grimbots.queue.inspector import Inspector
from grimbots.queue.operators import Operator
from grimbots.services import accounts
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.places import is_known

if TYPE_CHECKING:
    from grimbots.queue.job import StopKind
    from grimbots.queue.sightings import Stop
    from grimbots.services.app import App
    from grimbots.services.sessions import Visitor

Verb = Literal["pause", "drain", "resume"]

ACTS = {"pause": Operator.pause, "drain": Operator.drain, "resume": Operator.resume}


async def act(app: App, visitor: Visitor, verb: Verb, kind: StopKind, name: str) -> bool:
    """Pause, drain or resume a queue, a source or an account, as the queue names it. False: it was not stopped.

    Raises:
        NotFound: the visitor is no administrator.
        Invalid: there is no such queue, or none of the bots or accounts has that number.
        QueueUnavailable: it is not known whether it happened.
    """
    await check(app, visitor, verb, kind, name)
    return await _act(app, f"user:{visitor.user_id}", verb, kind, name)


async def check(app: App, visitor: Visitor, verb: Verb, kind: StopKind, name: str) -> None:
    """Raise as `act` would, and do nothing. What is to be resumed was there once, and may be gone since."""
    visitor.demand_administrator()
    if verb == "resume":
        return
    if kind == "queue":
        check_queue(app, name)
    elif not await is_known(app, kind, name):
        raise Invalid(f"there is no {kind} {name!r}: the page of the queues names those that have work")


async def act_by_command(app: App, verb: Verb, kind: StopKind, name: str) -> bool:
    """Do it for whoever may run commands on this machine. Raises Invalid and QueueUnavailable as `act`."""
    return await _act(app, "command", verb, kind, name)


async def list_stops(app: App) -> list[Stop]:
    """Return what is paused or drained. Raises QueueUnavailable."""
    return await Inspector(app.queue).stops()


def check_queue(app: App, name: str) -> None:
    """Raise Invalid, with the names there are, unless there is such a queue."""
    if name not in app.queue.queue_slots:
        raise Invalid(f"there is no queue {name!r}: there are {', '.join(sorted(app.queue.queue_slots))}")


async def find_account(app: App, name: str) -> str:
    """Return how the queue names an account. Raises NotFound."""
    return str((await accounts.get_account(app, name)).id)


async def find_bot(app: App, account: str, username: str) -> str:
    """Return how the queue names a bot's source. Raises NotFound."""
    account_id = int(await find_account(app, account))
    bot = await app.db.bots.find_by_username(account_id=account_id, username=username.removeprefix("@"))
    if bot is None:
        raise NotFound(f"account {account!r} has no bot @{username.removeprefix('@')}: `grimbots bot list` shows them")
    return f"b{bot.id}"


async def _act(app: App, actor: str, verb: Verb, kind: StopKind, name: str) -> bool:
    if verb == "resume":
        if not await _is_stopped(app, kind, name):
            return False
    elif kind == "queue":
        check_queue(app, name)
    await app.db.audit.note(
        account_id=None, actor=actor, action=f"queue.{verb}", subject=f"{kind}:{name}", details={}, at=app.clock()
    )
    await ACTS[verb](Operator(app.queue), kind, name)
    return True


async def _is_stopped(app: App, kind: StopKind, name: str) -> bool:
    return any((stop.kind, stop.name) == (kind, name) for stop in await list_stops(app))
