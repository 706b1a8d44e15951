"""People of the tests: added as `grimbots user add` adds them, with one password, and logged in."""

from __future__ import annotations

from typing import Any

from grimbots.services import accounts, logins, sessions
from grimbots.services.sessions import Member, Origin, Visitor

PASSWORD = "correct horse battery"


async def add_person(app: Any, name: str, account: str | None = None, role: str = "owner", **more: Any) -> str:
    """Add somebody and return his e-mail."""
    email = f"{name}@example.com"
    values = {"administrator": False, **more}
    await accounts.add_user(app, email=email, password=PASSWORD, account=account, role=role, actor="test", **values)
    return email


async def log_in(app: Any, email: str, password: str = PASSWORD, address: str = "203.0.113.7") -> str:
    """Log somebody in and return the session's token."""
    entry = await logins.log_in(app, email=email, password=password, origin=Origin(address))
    return entry.token


async def get_visitor(app: Any, email: str) -> Visitor:
    """Log somebody in and return who the pages see."""
    visitor = await sessions.find(app, await log_in(app, email))
    assert visitor is not None
    return visitor


async def make_member(app: Any, tenant: Any, role: str = "owner") -> Member:
    """Add somebody to a tenant's account and return what he is there."""
    visitor = await get_visitor(app, await add_person(app, f"{role}-of-{tenant.name}", tenant.name, role))
    return visitor.get_member(tenant.name)
