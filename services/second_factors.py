"""A second factor: codes by time from a telephone, and recovery codes for who has lost it. Whoever wants it sets it up.

The secret lies encrypted, recovery codes as HMACs under the master key. No code is taken twice: of those by time the
last step is kept and raised in the statement that takes one, a recovery code is deleted as it is taken.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from grimbots.services import totp
from grimbots.services.errors import Conflict, NotFound, Unauthorized

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.sessions import Visitor
    from grimbots.sql.database import Database, Transaction

RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits: sixteen letters
ISSUER = "GrimBots"


async def is_on(app: App, user_id: int) -> bool:
    """Tell whether this person's login asks for a code."""
    row = await app.db.second_factors.find(user_id=user_id)
    return row is not None and row.confirmed_at is not None


async def offer(app: App, visitor: Visitor) -> str:
    """Return the secret to be set up; the one that was offered before, so that a reload spoils no half-done set-up.

    Raises:
        Conflict: codes are in force already.
    """
    sealed = await app.db.second_factors.offer(
        user_id=visitor.user_id, secret_encrypted=app.vault.encrypt(totp.make_secret()), now=app.clock()
    )
    if sealed is None:
        raise Conflict("codes are in force already: turn them off first")
    return app.vault.decrypt(sealed)


async def confirm(app: App, visitor: Visitor, code: str) -> list[str]:
    """Bring codes in force by the first one that is right. Returns the recovery codes, which nobody can show again.

    Raises:
        Unauthorized: the code is wrong, or was used before.
        Conflict: nothing was offered.
    """
    row = await app.db.second_factors.find(user_id=visitor.user_id)
    if row is None or row.confirmed_at is not None:
        raise Conflict("there is nothing to confirm: open the page again")
    codes = [_make_recovery_code() for _ in range(RECOVERY_CODES)]
    async with app.db.transaction() as tx:
        await _demand_code(app, tx, visitor.user_id, code)
        await tx.second_factors.confirm(user_id=visitor.user_id, now=app.clock())
        await tx.recovery_codes.forget_all(user_id=visitor.user_id)
        for one in codes:
            await tx.recovery_codes.add(user_id=visitor.user_id, code_hash=_hash(app, visitor.user_id, one))
        await _note(app, tx, visitor.user_id, f"user:{visitor.user_id}", "second_factor.on")
    return codes


async def turn_off(app: App, visitor: Visitor) -> None:
    """Ask for no codes any more. The caller has taken one (`logins.check_code`)."""
    await _forget(app, visitor.user_id, f"user:{visitor.user_id}")


async def forget_by_command(app: App, email: str) -> None:
    """Ask for no codes any more, for whoever may run commands on this machine: the telephone and the codes are lost.

    Raises:
        NotFound: nobody has this e-mail.
    """
    user = await app.db.users.find_by_email(email=email.strip().lower())
    if user is None:
        raise NotFound(f"there is no user {email}")
    await _forget(app, user.id, "command")


async def check(app: App, user_id: int, code: str) -> None:
    """Take a code of either kind, once.

    Raises:
        Unauthorized: it is wrong, or was used before.
    """
    if len(_squeeze(code)) == totp.DIGITS:
        await _demand_code(app, app.db, user_id, code)
    elif not await app.db.recovery_codes.take(user_id=user_id, code_hash=_hash(app, user_id, code)):
        raise Unauthorized("the code is wrong, or was used before")


async def _demand_code(app: App, db: Database | Transaction, user_id: int, code: str) -> None:
    row = await app.db.second_factors.find(user_id=user_id)
    secret = app.vault.decrypt(row.secret_encrypted) if row else totp.make_secret()
    step = totp.find_step(secret, _squeeze(code), app.clock().timestamp())
    if step is None or not await db.second_factors.take_step(user_id=user_id, step=step):
        raise Unauthorized("the code is wrong, or was used before")


async def _forget(app: App, user_id: int, actor: str) -> None:
    async with app.db.transaction() as tx:
        await tx.recovery_codes.forget_all(user_id=user_id)
        await tx.second_factors.remove(user_id=user_id)
        await _note(app, tx, user_id, actor, "second_factor.off")


async def _note(app: App, tx: Transaction, user_id: int, actor: str, action: str) -> None:
    await tx.audit.note(
        account_id=None, actor=actor, action=action, subject=f"user:{user_id}", details={}, at=app.clock()
    )


def _make_recovery_code() -> str:
    """Return sixteen letters in groups of four, as one writes them down."""
    letters = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def _squeeze(code: str) -> str:
    """Leave out what people type between the signs."""
    return "".join(sign for sign in code.lower() if sign.isalnum())


def _hash(app: App, user_id: int, code: str) -> str:
    return app.vault.nonce("recovery code", user_id, _squeeze(code))
