"""The master key and everything derived from it: ciphertexts that name their key, webhook secrets, button nonces.

The key is 32 random bytes in a file of mode 0600, made on the first start. The database remembers its id
(`installation`), so that a lost or swapped file is noticed at start and not at the first token that cannot be read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from grimbots.sql.database import Database

KEY_BYTES = 32
GCM_NONCE_BYTES = 12
BUTTON_NONCE_BYTES = 9
CLICK_MARK_BYTES = 3


class MasterKeyError(Exception):
    """The master key is lost, changed, unreadable or open to others; the message says which and what to do."""


class Vault:
    """Encrypt, decrypt and derive with one master key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(self._derive("encryption"))
        self.key_id = hashlib.sha256(b"grimbots key id" + key).hexdigest()[:12]

    def encrypt(self, text: str) -> str:
        """Return `v1.<key id>.<base64url of nonce and AES-256-GCM ciphertext>`."""
        nonce = secrets.token_bytes(GCM_NONCE_BYTES)
        return f"v1.{self.key_id}.{_encode(nonce + self._cipher.encrypt(nonce, text.encode(), self.key_id.encode()))}"

    def decrypt(self, ciphertext: str) -> str:
        """Return the text of a ciphertext made with this key.

        Raises:
            MasterKeyError: it was made with another key, or was changed.
        """
        version, _, rest = ciphertext.partition(".")
        key_id, _, sealed = rest.partition(".")
        if version != "v1" or key_id != self.key_id:
            raise MasterKeyError(
                f"this secret was encrypted with master key {key_id!r}, not with {self.key_id!r}: restore that key file"
            )
        raw = _decode(sealed)
        try:
            return self._cipher.decrypt(raw[:GCM_NONCE_BYTES], raw[GCM_NONCE_BYTES:], key_id.encode()).decode()
        except InvalidTag as error:
            raise MasterKeyError(
                "a stored secret was changed since it was encrypted: restore it from a backup"
            ) from error

    def nonce(self, *parts: object) -> str:
        """Return 12 url-safe characters only this installation can compute; the same for the same `parts`."""
        return _encode(self._derive("button", *parts)[:BUTTON_NONCE_BYTES])

    def webhook_secret(self, bot_key: str, generation: int) -> str:
        """Return the secret Telegram sends back for this bot: 43 of the characters it allows (Bot API, setWebhook)."""
        return _encode(self._derive("webhook", bot_key, generation))

    def click_mark(self, account_id: int, text: str) -> str:
        """Return 4 url-safe characters that only this installation can put to `text` for this account."""
        return _encode(self._derive("click", account_id, text)[:CLICK_MARK_BYTES])

    def domain_answer(self, host: str, challenge: str) -> str:
        """Return what only this installation can answer to a challenge at a host."""
        return _encode(self._derive("domain", host, challenge))

    def post_key(self, account_id: int) -> bytes:
        """Return the 32 bytes that what an account's funnels post to its servers is signed with."""
        return self._derive("post", account_id)

    def person_id(self, lead_id: int) -> str:
        """Return a name for a lead that tells outside parties nothing but that it is the same one."""
        return _encode(self._derive("person", lead_id))

    def _derive(self, purpose: str, *parts: object) -> bytes:
        message = "".join(f"{len(text)}:{text}" for text in (purpose, *map(str, parts)))
        return hmac.new(self._key, message.encode(), hashlib.sha256).digest()


async def open_vault(path: Path, db: Database) -> Vault:
    """Read the master key, or make one on the very first start, and compare it with what the database remembers.

    Raises:
        MasterKeyError: lost, changed, unreadable, or readable by others.
    """
    known = await db.installation.find(name="master_key_id")
    if not path.exists():  # noqa: ASYNC240  at start, before anything is served
        if known is not None:
            raise MasterKeyError(
                f"the master key {path} is missing, and this database was encrypted with key {known!r}. Restore the "
                "file from your backup. Without it the bots' tokens and the gateways' credentials cannot be read and "
                "must be entered again in a new database."
            )
        place(path, _encode(secrets.token_bytes(KEY_BYTES)))
    vault = read(path)
    remembered = await db.installation.remember(name="master_key_id", value=vault.key_id)
    if remembered != vault.key_id:
        raise MasterKeyError(
            f"the master key in {path} is {vault.key_id!r}, but the database was encrypted with {remembered!r}. Put "
            "the right key file back (or point GRIMBOTS_MASTER_KEY_FILE at it, or DATABASE_URL at its own database)."
        )
    return vault


def place(path: Path, key: str) -> None:
    """Write a key's text so that it appears whole or not at all, and never over another process's key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first: its key is the one
    finally:
        draft.unlink()


def read(path: Path) -> Vault:
    """Give the vault of a key file.

    Raises:
        MasterKeyError: it is damaged, unreadable, or readable by others.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyError(
            f"the master key {path} cannot be read ({error}): run as the user who owns it, or restore it from a backup"
        ) from error
    if mode & 0o077:
        raise MasterKeyError(f"the master key {path} can be read by others (mode {mode:04o}): run  chmod 600 {path}")
    try:
        key = _decode(text)
    except ValueError as error:
        raise MasterKeyError(f"the master key {path} is damaged: restore it from a backup") from error
    if len(key) != KEY_BYTES:
        raise MasterKeyError(
            f"the master key {path} is damaged ({len(key)} bytes, not {KEY_BYTES}): restore it from a backup"
        )
    return Vault(key)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
