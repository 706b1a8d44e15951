"""Accounts (tenants) and the users who log in to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from grimbots.services import figures
from grimbots.services.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App

ROLES = ("owner", "editor", "operator", "viewer")
PASSWORD_LEAST = 10
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}\.[^\s@]{2,60}")


async def add_account(app: App, name: str, actor: str) -> Any:
    """Add a tenant and return its row.

    Raises:
        Invalid: the name has other signs than a-z, 0-9, dot, dash and underscore.
        Conflict: the name is taken.
    """
    _check_name(name)
    async with app.db.transaction() as tx:
        account = await tx.accounts.add(name=name, now=app.clock())
        if account is None:
            raise Conflict(f"there is an account {name!r} already: choose another name")
        await tx.audit.note(
            account_id=account.id, actor=actor, action="account.add", subject=name, details={}, at=app.clock()
        )
    return account


async def get_account(app: App, name: str) -> Any:
    """Return the account called `name`.

    Raises:
        NotFound: there is none; the message says how to see or add one.
    """
    account = await app.db.accounts.find(name=name)
    if account is None:
        raise NotFound(
            f"there is no account {name!r}: `grimbots account list` shows them, `grimbots account add {name}` adds it"
        )
    return account


async def change_account(app: App, name: str, *, new_name: str | None, time_zone: str | None, actor: str) -> Any:
    """Give an account another name, another time zone or both; None leaves what is. Returns its row.

    Raises:
        Invalid: nothing is to change, or what is given is no name or no time zone.
        NotFound: there is no such account.
        Conflict: the new name is taken.
    """
    if new_name is None and time_zone is None:
        raise Invalid("nothing to change: name a new name (--name), a time zone (--time-zone) or both")
    if new_name is not None:
        _check_name(new_name)
    if time_zone is not None and time_zone not in available_timezones():
        raise Invalid(f"{time_zone!r} is no time zone: write one like America/Sao_Paulo or America/Manaus")
    before = await get_account(app, name)
    async with app.db.transaction() as tx:
        account = await tx.accounts.change(name=name, new_name=new_name, time_zone=time_zone)
        if account is None:
            raise Conflict(f"there is an account {new_name!r} already: choose another name")
        if account.time_zone != before.time_zone:
            await figures.rebuild(tx, account.id)
        await tx.audit.note(
            account_id=account.id,
            actor=actor,
            action="account.set",
            subject=account.name,
            details={"before": {"name": before.name, "time_zone": before.time_zone}, "time_zone": account.time_zone},
            at=app.clock(),
        )
    return account


async def change_password(app: App, email: str, password: str, actor: str) -> None:
    """Give a person another password, end what is open in the person's name, and void an open link.

    Raises:
        Invalid: the password is too short or too long.
        NotFound: nobody has this e-mail.
    """
    address = email.strip().lower()
    _check_password(password)
    user = await app.db.users.find_by_email(email=address)
    if user is None:
        raise NotFound(f"there is no user {address}: `grimbots user add {address}` adds one")
    hashed = await app.passwords.hash(password)
    async with app.db.transaction() as tx:
        await tx.users.set_password(user_id=user.id, password_hash=hashed)
        await tx.sessions.remove_all(user_id=user.id)
        await tx.sign_in_links.remove(user_id=user.id)
        await tx.audit.note(
            account_id=None, actor=actor, action="user.password", subject=f"user:{user.id}", details={}, at=app.clock()
        )


async def list_accounts(app: App) -> list[Any]:
    """Return every account of the installation, by name."""
    rows: list[Any] = await app.db.accounts.list_all()
    return rows


async def add_user(
    app: App, *, email: str, password: str, administrator: bool, account: str | None, role: str, actor: str
) -> int:
    """Add a person who may log in: an administrator of the installation, or a member of one account. Returns the id.

    Raises:
        Invalid: e-mail, password, role or the combination is wrong.
        NotFound: no such account.
        Conflict: the e-mail is taken.
    """
    address = email.strip().lower()
    _check_user(address, password, administrator, account, role)
    tenant = await get_account(app, account) if account else None
    hashed = await app.passwords.hash(password)
    async with app.db.transaction() as tx:
        user_id: int | None = await tx.users.add(
            email=address, password_hash=hashed, is_administrator=administrator, now=app.clock()
        )
        if user_id is None:
            raise Conflict(f"there is a user {address} already")
        if tenant is not None:
            await tx.users.grant_role(account_id=tenant.id, user_id=user_id, role=role, now=app.clock())
        details = {"administrator": administrator, "role": role if tenant else None}
        account_id = tenant.id if tenant else None
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="user.add",
            subject=f"user:{user_id}",
            details=details,
            at=app.clock(),
        )
    return user_id


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is no account name: use 1 to 40 of a-z, 0-9, dot, dash and underscore, a letter or digit first"
        )


def _check_password(password: str) -> None:
    if len(password) < PASSWORD_LEAST:
        raise Invalid(f"the password is too short: use at least {PASSWORD_LEAST} characters")


def _check_user(address: str, password: str, administrator: bool, account: str | None, role: str) -> None:
    if not EMAIL.fullmatch(address):
        raise Invalid("this is no e-mail address: write it like name@example.com")
    _check_password(password)
    if role not in ROLES:
        raise Invalid(f"{role!r} is no role: use one of {', '.join(ROLES)}")
    if not administrator and account is None:
        raise Invalid("name the account this person belongs to (--account), or make an administrator (--administrator)")
