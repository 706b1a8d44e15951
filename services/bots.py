"""Bots: added with a token, reached by an opaque key, cached by every process, buried when Telegram disowns them."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.conf import logs
from grimbots.services import accounts
from grimbots.services.caches import Cache, Key
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.errors import Conflict, Invalid, NotFound, Unauthorized, Unavailable

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

TOKEN = re.compile(r"\d{1,16}:[A-Za-z0-9_-]{20,64}")
USERNAME = re.compile(r"(?=.{5,32}$)[A-Za-z]\w*bot", re.ASCII | re.IGNORECASE)
KEY_BYTES = 18
SECRET_GRACE = timedelta(hours=1)  # for what Telegram was sending when it learned the new secret; an answer takes 60 s
# Named in full: Telegram leaves chat_member out unless asked (Bot API, setWebhook, allowed_updates).
ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "callback_query",
    "pre_checkout_query",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "managed_bot",
]


@dataclass(frozen=True, slots=True)
class Bot:
    """What every update and every send needs to know of a bot. `account_id` is its tenant."""

    id: int
    account_id: int
    telegram_id: int
    username: str
    key: str
    secret_generation: int
    funnel_id: int | None
    status: str
    token: str = field(repr=False)
    # Of its webhook: the current one, and for a while the one before, which Telegram may still send.
    secrets: tuple[bytes, ...] = field(repr=False)
    manager_id: int | None = None
    storage_chat_id: int | None = None


class BotCache:
    """Bots by key and by id (services/caches.py)."""

    def __init__(self, seconds: float) -> None:
        self._bots = Cache("bot", seconds, _load)

    async def by_key(self, app: App, key: str) -> Bot | None:
        """Return the living bot whose webhook path ends in `key`, or None.

        Raises:
            Unavailable: not in the cache, and Postgres is away.
        """
        return await self._bots.get(app, key)

    def find_fresh(self, key: str) -> Bot | None:
        """Return the living bot of a key, if it is remembered and nothing need be asked."""
        return self._bots.find_fresh(key)

    async def by_id(self, app: App, bot_id: int) -> Bot:
        """Return a bot whatever its status.

        Raises:
            NotFound: no row has this id.
            Unavailable: not in the cache, and Postgres is away.
        """
        bot = await self._bots.get(app, bot_id)
        if bot is None:
            raise NotFound(f"there is no bot {bot_id}")
        return bot

    async def watch(self, app: App) -> None:
        """Make stale what other processes say has changed, until cancelled."""
        async for word in app.db.listen("bots"):
            self._bots.expire(word)


async def _load(app: App, which: Key) -> Bot | None:
    row = await (app.db.bots.find_by_id(bot_id=which) if isinstance(which, int) else app.db.bots.find_by_key(key=which))
    return None if row is None else from_row(app, row)


async def authenticate(app: App, key: str, secret: str) -> Bot:
    """Return the bot whose webhook this is, once the secret header proves it is Telegram who calls.

    Raises:
        NotFound: no living bot has this key.
        Unauthorized: the secret is neither the current generation's nor the one before.
        Unavailable: unknown here and Postgres is away.
    """
    bot = await app.bots.by_key(app, key)
    if bot is None:
        raise NotFound("no bot has this key")
    if not proves(bot, secret):
        raise Unauthorized("the secret token is missing or wrong")
    logs.add(account_id=bot.account_id, bot_id=bot.id)
    return bot


def proves(bot: Bot, secret: str) -> bool:
    """Tell, in a time that does not hang on it, whether a secret is one of the bot's."""
    offered = secret.encode()
    matches = [hmac.compare_digest(offered, expected) for expected in bot.secrets]
    return any(matches)


async def add(app: App, *, account: str, token: str, funnel: str | None, actor: str) -> Bot:
    """Add a bot to an account, or bring a known one up to date, and point its webhook here; a repeat repairs it.

    Raises:
        Invalid: no token, or one Telegram does not know; or no https PUBLIC_URL for the real Telegram.
        NotFound: no such account or funnel.
        Conflict: the bot belongs to another account.
        Unavailable: Telegram cannot be reached; nothing or only the row was written: run it again.
    """
    check_token(app, token)
    tenant = await accounts.get_account(app, account)
    funnel_id = await find_funnel(app, tenant.id, funnel)
    me = await ask_me(app, token)
    bot = await save(app, tenant.id, token, me, funnel_id, actor)
    await set_webhook(app, bot)
    return bot


def check_token(app: App, token: str) -> None:
    """Raise Invalid unless a token may be one, and its bot's updates may come here."""
    if not TOKEN.fullmatch(token):
        raise Invalid(
            "this is no bot token: copy it whole from @BotFather, like 123456789:AAExampleExampleExampleExample"
        )
    if app.settings.telegram_url == "https://api.telegram.org" and not app.settings.base_url.startswith("https://"):
        raise Invalid("Telegram calls https addresses only: set PUBLIC_URL to the https address of this server")


async def ask_me(app: App, token: str) -> dict[str, Any]:
    """Ask Telegram whose token this is.

    Raises:
        Invalid: nobody's.
        Unavailable: Telegram cannot be reached.
    """
    me: dict[str, Any] = await call(app, token, "getMe")
    return me


async def get_by_username(app: App, account: str, username: str) -> Bot:
    """Return an account's living bot.

    Raises:
        NotFound: no such account, or it has no such bot.
    """
    return from_row(app, await _get_row(app, account, username))


async def _get_row(app: App, account: str, username: str) -> Row:
    tenant, name = await accounts.get_account(app, account), username.removeprefix("@")
    row = await app.db.bots.find_by_username(account_id=tenant.id, username=name)
    if row is None:
        raise NotFound(f"account {account!r} has no bot @{name}: `grimbots bot list` shows them")
    return row


async def list_bots(app: App, account: str | None = None) -> list[Any]:
    """Return the living bots of one account, or of all."""
    account_id = None if account is None else (await accounts.get_account(app, account)).id
    rows: list[Any] = await app.db.bots.list_all(account_id=account_id)
    return rows


async def remove(app: App, *, account: str, username: str, actor: str) -> None:
    """Take a bot out of service: its webhook is dropped at Telegram, its rows stay.

    Raises:
        NotFound: the account has no such bot.
    """
    bot = await get_by_username(app, account, username)
    answer = await app.telegram.call(bot.token, "deleteWebhook", {})
    if answer.kind not in (Kind.OK, Kind.DEAD_BOT):
        raise Unavailable(f"Telegram did not drop the webhook ({answer.description}): nothing was removed, try again")
    await _set_status(app, bot, "removed", "removed", actor)


async def rotate_secret(app: App, *, account_id: int, bot_id: int, actor: str) -> None:
    """Give a bot's webhook a new secret. The one before is taken for a while, so no update is refused meanwhile."""
    async with app.db.transaction() as tx:
        if await tx.bots.raise_secret_generation(account_id=account_id, bot_id=bot_id, now=app.clock()) is None:
            raise NotFound(f"there is no bot {bot_id} in this account")
        await note_change(app, tx, account_id, bot_id, actor, "bot.rotate_secret", {})
    row = await app.db.bots.find_by_id(bot_id=bot_id)
    await set_webhook(app, from_row(app, row))


def webhook_url(app: App, bot: Bot) -> str:
    """Return the address at which this installation takes the bot's updates."""
    return f"{app.settings.base_url}/webhook/telegram/{bot.key}"


async def set_webhook(app: App, bot: Bot) -> None:
    """Point the bot's webhook at this installation, with the current secret and every kind of update we read.

    Raises:
        Invalid: Telegram refuses the address.
        Unavailable: Telegram cannot be reached; it goes on with the secret it has, which is taken until it knows this.
    """
    await call(app, bot.token, "setWebhook", describe_webhook(app, bot))
    await note_webhook_set(app, bot)


def describe_webhook(app: App, bot: Bot) -> dict[str, Any]:
    """Give setWebhook's parameters."""
    return {
        "url": webhook_url(app, bot),
        "secret_token": app.vault.webhook_secret(bot.key, bot.secret_generation),
        "allowed_updates": ALLOWED_UPDATES,
        "max_connections": 40,
    }


async def note_webhook_set(app: App, bot: Bot) -> None:
    """Note that Telegram knows the current secret; the one before is taken for SECRET_GRACE yet."""
    await app.db.bots.end_previous_secret(
        account_id=bot.account_id,
        bot_id=bot.id,
        generation=bot.secret_generation,
        until=app.clock() + SECRET_GRACE,
    )


async def find_funnel(app: App, account_id: int, name: str | None) -> int | None:
    """Return the id of an account's funnel, None for no name.

    Raises:
        NotFound: the account has no funnel of this name.
    """
    if name is None:
        return None
    row = await app.db.funnels.find_by_name(account_id=account_id, name=name)
    if row is None:
        raise NotFound(f"the account has no funnel {name!r}: publish it first with `grimbots funnel publish`")
    funnel_id: int = row.id
    return funnel_id


async def set_funnel(app: App, account: str, username: str, funnel: str, actor: str) -> None:
    """Let chats of a bot that begin from now on walk another funnel of its account.

    Raises:
        NotFound: no such account, bot or funnel.
    """
    bot = await _get_row(app, account, username)
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    funnel_id = await find_funnel(app, bot.account_id, funnel)
    async with app.db.transaction() as tx:
        await tx.bots.set_funnel(**key, funnel_id=funnel_id)
        await note_change(app, tx, **key, actor=actor, action="bot.funnel", details={"funnel": funnel})


async def save(app: App, account_id: int, token: str, me: Mapping[str, Any], funnel_id: int | None, actor: str) -> Bot:
    """Write a bot that `me` (Telegram's User) describes; a known one of the account is brought up to date.

    Raises:
        Conflict: it belongs to another account.
    """
    now = app.clock()
    names = {
        "username": me["username"],
        "name": me["first_name"],
        "token_encrypted": app.vault.encrypt(token),
        "funnel_id": funnel_id,
        "now": now,
    }
    async with app.db.transaction() as tx:
        key = secrets.token_urlsafe(KEY_BYTES)
        row = await tx.bots.add(account_id=account_id, telegram_id=me["id"], key=key, **names)
        if row is None:
            row = await tx.bots.find_by_telegram_id(telegram_id=me["id"])
            if row.account_id != account_id:
                raise Conflict(
                    f"@{me['username']} belongs to another account of this installation: remove it there first"
                )
            await tx.bots.renew(account_id=account_id, bot_id=row.id, **names)
            row = await tx.bots.find_by_id(bot_id=row.id)
        await tx.webhooks.watch(account_id=account_id, bot_id=row.id, now=now)
        await note_change(app, tx, account_id, row.id, actor, "bot.add", {"username": me["username"]})
    return from_row(app, row)


async def note_change(
    app: App, tx: Transaction, account_id: int, bot_id: int, actor: str, action: str, details: Mapping[str, Any]
) -> None:
    """Put a change on record, and make every process read the bot anew."""
    await tx.audit.note(
        account_id=account_id,
        actor=actor,
        action=action,
        subject=f"bot:{bot_id}",
        details=dict(details),
        at=app.clock(),
    )
    await tx.bots.announce_change(bot_id=bot_id)


async def _set_status(app: App, bot: Bot, status: str, reason: str, actor: str) -> None:
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    async with app.db.transaction() as tx:
        await tx.bots.set_status(**key, status=status, reason=reason, now=app.clock())
        await tx.webhooks.forget(**key)
        await note_change(
            app, tx, **key, actor=actor, action="bot.status", details={"status": status, "reason": reason}
        )


async def call(app: App, token: str, method: str, parameters: dict[str, Any] | None = None) -> Any:
    """Call Telegram for a person who waits, and give the result.

    Raises:
        Invalid: Telegram refuses, or does not know the token.
        Unavailable: it did not answer, or not now.
    """
    answer = await app.telegram.call(token, method, parameters or {})
    if answer.kind is Kind.OK:
        return answer.result
    raise refusal(method, answer)


def refusal(method: str, answer: Answer) -> Exception:
    """Say what came of a call that a person waits for."""
    if answer.kind is Kind.DEAD_BOT:
        return Invalid("Telegram does not know this token: copy it again from @BotFather")
    if answer.kind in (Kind.NEVER_SENT, Kind.AMBIGUOUS, Kind.FLOOD):
        return Unavailable(
            f"Telegram did not answer {method} ({answer.description}): run the same command again in a moment"
        )
    return Invalid(f"Telegram refuses {method}: {answer.description}")


def from_row(app: App, row: Any) -> Bot:
    """Make a Bot of its row, its token decrypted."""
    return Bot(
        id=row.id,
        account_id=row.account_id,
        telegram_id=row.telegram_id,
        username=row.username,
        key=row.key,
        secret_generation=row.secret_generation,
        funnel_id=row.funnel_id,
        status=row.status,
        token=app.vault.decrypt(row.token_encrypted),
        secrets=_derive_secrets(app, row),
        manager_id=row.manager_id,
        storage_chat_id=row.storage_chat_id,
    )


def _derive_secrets(app: App, row: Any) -> tuple[bytes, ...]:
    newest, until = row.secret_generation, row.previous_secret_until
    has_previous = newest > 1 and (until is None or app.clock() < until)
    generations = (newest, newest - 1) if has_previous else (newest,)
    return tuple(app.vault.webhook_secret(row.key, one).encode() for one in generations)
