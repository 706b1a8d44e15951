"""Dead jobs, as an administrator of the installation treats them: run again, or forgotten. Each act is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.queue.job import Verdict
from grimbots.queue.operators import Operator

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.sessions import Visitor

MOST_AT_ONCE = 1000


async def requeue(app: App, visitor: Visitor, job_id: str) -> Verdict:
    """Let a dead job run again. What it then does, its row in Postgres decides: a message given up stays given up.

    Raises:
        NotFound: the visitor is no administrator.
        QueueUnavailable: it is not known whether it happened.
    """
    await _note(app, visitor, "job.requeue", job_id)
    return await Operator(app.queue).requeue(job_id)


async def discard(app: App, visitor: Visitor, job_id: str) -> Verdict:
    """Forget a dead job and its payload. Raises as `requeue`."""
    await _note(app, visitor, "job.discard", job_id)
    return await Operator(app.queue).discard(job_id)


async def requeue_all(app: App, visitor: Visitor, reason: str) -> int:
    """Let what died of a reason run again, the longest dead first; at most so many in one go. Raises as `requeue`."""
    await _note(app, visitor, "job.requeue_all", reason, "reason")
    return await Operator(app.queue).requeue_all(reason, MOST_AT_ONCE)


async def requeue_by_command(app: App, job_id: str) -> Verdict:
    """Let a dead job run again, for whoever may run commands on this machine. Raises QueueUnavailable."""
    await _write(app, "command", "job.requeue", job_id)
    return await Operator(app.queue).requeue(job_id)


async def discard_by_command(app: App, job_id: str) -> Verdict:
    """Forget a dead job and its payload, likewise. Raises QueueUnavailable."""
    await _write(app, "command", "job.discard", job_id)
    return await Operator(app.queue).discard(job_id)


async def _note(app: App, visitor: Visitor, action: str, name: str, kind: str = "job") -> None:
    visitor.demand_administrator()
    await _write(app, f"user:{visitor.user_id}", action, name, kind)


async def _write(app: App, actor: str, action: str, name: str, kind: str = "job") -> None:
    """Note what is asked for before it is done: nothing an operator does may lack its line."""
    await app.db.audit.note(
        account_id=None,
        actor=actor,
        action=action,
        subject=f"{kind}:{name}",
        details={},
        at=app.clock(),
    )
