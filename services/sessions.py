"""Sessions: who uses the pages, and what he may see and do. The cookie holds 32 random bytes, the row their hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.services.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App

TOKEN_BYTES = 32
IDLE = timedelta(hours=12)
LIFE = timedelta(days=7)
BROWSER_CHARS = 300
SEEN_EVERY = timedelta(minutes=1)  # a page writes at most this often that it was used


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, for its owner to recognise it: an address, and what the browser calls itself."""

    address: str
    browser: str = ""


NOWHERE = Origin("")


@dataclass(frozen=True, slots=True)
class Member:
    """A person in one account. `role`: owner, editor, operator or viewer; a viewer looks and does not act."""

    user_id: int
    account_id: int
    account: str
    time_zone: str
    role: str

    @property
    def actor(self) -> str:
        """How audit and history name him."""
        return f"user:{self.user_id}"

    @property
    def may_act(self) -> bool:
        """Tell whether he may change anything."""
        return self.role != "viewer"

    @property
    def may_give_back(self) -> bool:
        """Tell whether he may give money back."""
        return self.role in ("owner", "editor")

    def demand_give_back(self) -> None:
        """Raise Forbidden unless he may give this account's money back."""
        if not self.may_give_back:
            raise Forbidden("only an owner or an editor of the account may give money back: ask one of them")

    @property
    def may_handle_people(self) -> bool:
        """Tell whether he may look up, take and erase what is kept of people."""
        return self.role in ("owner", "editor")

    def demand_handle_people(self) -> None:
        """Raise Forbidden unless he may look up, take and erase what is kept of people."""
        if not self.may_handle_people:
            raise Forbidden("only an owner or an editor of the account may see what is kept of people: ask one of them")

    @property
    def may_manage_gateways(self) -> bool:
        """Tell whether he may decide to whom the account's buyers pay."""
        return self.role == "owner"

    def demand_manage_gateways(self) -> None:
        """Raise Forbidden unless he may decide to whom the account's buyers pay."""
        if not self.may_manage_gateways:
            raise Forbidden("only an owner of the account decides who its payment providers are: ask one of them")

    def demand_act(self) -> None:
        """Raise Forbidden unless he may change things in this account."""
        if not self.may_act:
            raise Forbidden("a viewer may look and not act: ask the account's owner")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody logged in. An administrator of the installation sees its queues, but only the accounts he belongs to."""

    session_id: int
    user_id: int
    email: str
    is_administrator: bool
    memberships: tuple[Member, ...]

    def get_member(self, account: str) -> Member:
        """Return what he is in the account of that name.

        Raises:
            NotFound: he does not belong to it, whether it exists or not.
        """
        for member in self.memberships:
            if member.account == account:
                return member
        raise NotFound("there is no such account among yours")

    def demand_administrator(self) -> None:
        """Raise NotFound unless he is an administrator: to others the page does not exist."""
        if not self.is_administrator:
            raise NotFound("there is no such page")


def make_token() -> tuple[str, str]:
    """Return a new secret and the hash under which its row is found."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """Hash a secret of ours. It is random and long, so one round is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


async def start(app: App, user_id: int, way: str, origin: Origin = NOWHERE) -> str:
    """Open a session for somebody who has proven who he is, by `way`, and return its token."""
    token, token_hash = make_token()
    now = app.clock()
    async with app.db.transaction() as tx:
        session_id = await tx.sessions.add(
            user_id=user_id,
            token_hash=token_hash,
            now=now,
            expires_at=now + LIFE,
            origin_encrypted=app.vault.encrypt(f"{origin.address}\n{origin.browser[:BROWSER_CHARS]}"),
        )
        await tx.audit.note(
            account_id=None,
            actor=f"user:{user_id}",
            action="session.open",
            subject=f"session:{session_id}",
            details={"way": way},
            at=now,
        )
    return token


async def find(app: App, token: str, *, is_use: bool = True) -> Visitor | None:
    """Return whose session this is, while it lasts: 12 hours unused, seven days in all. Rights are read each time.

    A page that refreshes itself is no use: a browser left open must not keep its session for ever.
    """
    now = app.clock()
    row = await app.db.sessions.find(token_hash=hash_token(token), now=now, idle_since=now - IDLE)
    if row is None:
        return None
    if is_use:
        await _note_use(app, row.id, row.seen_at)
    memberships = await app.db.users.list_memberships(user_id=row.user_id)
    members = tuple(Member(row.user_id, one.account_id, one.account, one.time_zone, one.role) for one in memberships)
    return Visitor(row.id, row.user_id, row.email, row.is_administrator, members)


async def _note_use(app: App, session_id: int, seen_at: datetime) -> None:
    now = app.clock()
    if now - seen_at >= SEEN_EVERY:
        await app.db.sessions.touch(session_id=session_id, now=now)


async def end(app: App, visitor: Visitor) -> None:
    """Log out here."""
    await app.db.sessions.remove(session_id=visitor.session_id, user_id=visitor.user_id)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One place where a person is logged in."""

    id: int
    created_at: datetime
    seen_at: datetime
    origin: Origin


async def list_open(app: App, visitor: Visitor) -> list[OpenSession]:
    """Return where a person is logged in, the session used last first."""
    now = app.clock()
    rows = await app.db.sessions.list_open(user_id=visitor.user_id, now=now, idle_since=now - IDLE)
    return [OpenSession(row.id, row.created_at, row.seen_at, _open_origin(app, row.origin_encrypted)) for row in rows]


def _open_origin(app: App, sealed: str | None) -> Origin:
    """Read from where a login came; sessions of before 0009 do not know."""
    return Origin(*app.vault.decrypt(sealed).split("\n", 1)) if sealed else NOWHERE


async def end_one(app: App, visitor: Visitor, session_id: int) -> None:
    """End one of a person's own sessions; whoever else's it is stays as it is."""
    async with app.db.transaction() as tx:
        await tx.sessions.remove(session_id=session_id, user_id=visitor.user_id)
        await tx.audit.note(
            account_id=None,
            actor=f"user:{visitor.user_id}",
            action="session.end",
            subject=f"session:{session_id}",
            details={},
            at=app.clock(),
        )


async def end_all(app: App, visitor: Visitor) -> None:
    """Log out everywhere: no cookie of his is worth anything any more."""
    async with app.db.transaction() as tx:
        await tx.sessions.remove_all(user_id=visitor.user_id)
        await tx.audit.note(
            account_id=None,
            actor=f"user:{visitor.user_id}",
            action="session.end_all",
            subject=f"user:{visitor.user_id}",
            details={},
            at=app.clock(),
        )
