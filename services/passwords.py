"""Passwords: argon2id in threads, few at a time, so that a flood of logins takes neither the loop nor the memory."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from grimbots.services.errors import Invalid, TooMany

SIDE_BY_SIDE = 2  # each takes 64 MiB and four lanes while it lasts (argon2-cffi's defaults, RFC 9106's second choice)
MOST_WAITING = 32
LONGEST = 1024


class Passwords:
    """Hashes and compares. A comparison takes as long for a stranger as for somebody known."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Keep how a hash is made: what argon2-cffi recommends, unless told otherwise (tests are)."""
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)
        self._waiting = 0
        self._nobodys_hash = ""

    async def hash(self, password: str) -> str:
        """Return the hash to keep.

        Raises:
            Invalid: over 1024 characters.
        """
        if len(password) > LONGEST:
            raise Invalid(f"the password is too long: use at most {LONGEST} characters")
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the hash is this password's; None stands for somebody unknown and matches nothing.

        Raises:
            TooMany: too many comparisons wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise TooMany("too many people are logging in: try again in a moment", retry_after_seconds=2)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._compare, password[:LONGEST], password_hash)
        finally:
            self._waiting -= 1

    def _compare(self, password: str, password_hash: str | None) -> bool:
        """Compare, with a hash of nobody's in place of none; made at the first comparison, whoever it is with."""
        self._nobodys_hash = self._nobodys_hash or self._hasher.hash(secrets.token_hex())
        try:
            return self._hasher.verify(password_hash or self._nobodys_hash, password) and password_hash is not None
        except VerifyMismatchError:
            return False
