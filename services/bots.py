"""Bots: added with a token, reached by an opaque key, cached by every process, buried when Telegram disowns them."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grimbots.conf import logs
from grimbots.services import accounts
from grimbots.services.caches import Cache, Key
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.errors import Conflict, Invalid, NotFound, Unauthorized, Unavailable

if TYPE_CHECKING:
    from grimbots.services.app import App

TOKEN = re.compile(r"\d{1,16}:[A-Za-z0-9_-]{20,64}")
KEY_BYTES = 18
# Named in full: Telegram leaves chat_member out unless asked (Bot API, setWebhook, allowed_updates).
ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "callback_query",
    "pre_checkout_query",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
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
    # Of its webhook: the current one, and the one before, which Telegram may still send.
    secrets: tuple[bytes, ...] = field(repr=False)


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
    return None if row is None else _from_row(app, row)


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
    if not TOKEN.fullmatch(token):
        raise Invalid(
            "this is no bot token: copy it whole from @BotFather, like 123456789:AAExampleExampleExampleExample"
        )
    if app.settings.telegram_url == "https://api.telegram.org" and not app.settings.base_url.startswith("https://"):
        raise Invalid("Telegram calls https addresses only: set PUBLIC_URL to the https address of this server")
    tenant = await accounts.get_account(app, account)
    funnel_id = await _find_funnel(app, tenant.id, funnel)
    me = await _call(app, token, "getMe")
    bot = await _save(app, tenant.id, token, me, funnel_id, actor)
    await set_webhook(app, bot)
    return bot


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
    tenant = await accounts.get_account(app, account)
    row = await app.db.bots.find_by_username(account_id=tenant.id, username=username.removeprefix("@"))
    if row is None:
        raise NotFound(f"account {account!r} has no bot @{username.removeprefix('@')}: `grimbots bot list` shows them")
    bot = _from_row(app, row)
    answer = await app.telegram.call(bot.token, "deleteWebhook", {})
    if answer.kind not in (Kind.OK, Kind.DEAD_BOT):
        raise Unavailable(f"Telegram did not drop the webhook ({answer.description}): nothing was removed, try again")
    await _set_status(app, bot, "removed", "removed", actor)


async def rotate_secret(app: App, *, account_id: int, bot_id: int, actor: str) -> None:
    """Give a bot's webhook a new secret. The one before stays valid, so no update is refused meanwhile."""
    async with app.db.transaction() as tx:
        if await tx.bots.raise_secret_generation(account_id=account_id, bot_id=bot_id, now=app.clock()) is None:
            raise NotFound(f"there is no bot {bot_id} in this account")
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="bot.rotate_secret",
            subject=f"bot:{bot_id}",
            details={},
            at=app.clock(),
        )
        await tx.bots.announce_change(bot_id=bot_id)
    row = await app.db.bots.find_by_id(bot_id=bot_id)
    await set_webhook(app, _from_row(app, row))


def webhook_url(app: App, bot: Bot) -> str:
    """Return the address at which this installation takes the bot's updates."""
    return f"{app.settings.base_url}/webhook/telegram/{bot.key}"


async def set_webhook(app: App, bot: Bot) -> None:
    """Point the bot's webhook at this installation, with the current secret and every kind of update we read.

    Raises:
        Invalid: Telegram refuses the address.
        Unavailable: Telegram cannot be reached.
    """
    parameters = {
        "url": webhook_url(app, bot),
        "secret_token": app.vault.webhook_secret(bot.key, bot.secret_generation),
        "allowed_updates": ALLOWED_UPDATES,
        "max_connections": 40,
    }
    await _call(app, bot.token, "setWebhook", parameters)


async def confirm_dead(app: App, bot_id: int) -> bool:
    """Ask Telegram once more, and declare the bot dead when the answer is the same. Returns whether it is dead."""
    bot = await app.bots.by_id(app, bot_id)
    if bot.status != "active":
        return True
    answer = await app.telegram.call(bot.token, "getMe", {})
    if answer.kind is not Kind.DEAD_BOT:
        return False
    await _set_status(app, bot, "dead", f"Telegram answers {answer.http} {answer.description}", "task")
    return True


async def _find_funnel(app: App, account_id: int, name: str | None) -> int | None:
    if name is None:
        return None
    row = await app.db.funnels.find_by_name(account_id=account_id, name=name)
    if row is None:
        raise NotFound(f"the account has no funnel {name!r}: publish it first with `grimbots funnel publish`")
    funnel_id: int = row.id
    return funnel_id


async def _save(app: App, account_id: int, token: str, me: dict[str, Any], funnel_id: int | None, actor: str) -> Bot:
    now, sealed = app.clock(), app.vault.encrypt(token)
    names = {
        "username": me["username"],
        "name": me["first_name"],
        "token_encrypted": sealed,
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
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="bot.add",
            subject=f"bot:{row.id}",
            details={"username": me["username"]},
            at=now,
        )
        await tx.bots.announce_change(bot_id=row.id)
    return _from_row(app, row)


async def _set_status(app: App, bot: Bot, status: str, reason: str, actor: str) -> None:
    async with app.db.transaction() as tx:
        await tx.bots.set_status(
            account_id=bot.account_id, bot_id=bot.id, status=status, reason=reason, now=app.clock()
        )
        await tx.webhooks.forget(account_id=bot.account_id, bot_id=bot.id)
        details = {"status": status, "reason": reason}
        await tx.audit.note(
            account_id=bot.account_id,
            actor=actor,
            action="bot.status",
            subject=f"bot:{bot.id}",
            details=details,
            at=app.clock(),
        )
        await tx.bots.announce_change(bot_id=bot.id)


async def _call(app: App, token: str, method: str, parameters: dict[str, Any] | None = None) -> Any:
    answer = await app.telegram.call(token, method, parameters or {})
    if answer.kind is Kind.OK:
        return answer.result
    raise _refusal(method, answer)


def _refusal(method: str, answer: Answer) -> Exception:
    if answer.kind is Kind.DEAD_BOT:
        return Invalid("Telegram does not know this token: copy it again from @BotFather")
    if answer.kind in (Kind.NEVER_SENT, Kind.AMBIGUOUS, Kind.FLOOD):
        return Unavailable(
            f"Telegram did not answer {method} ({answer.description}): run the same command again in a moment"
        )
    return Invalid(f"Telegram refuses {method}: {answer.description}")


def _from_row(app: App, row: Any) -> Bot:
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
        secrets=_derive_secrets(app, row.key, row.secret_generation),
    )


def _derive_secrets(app: App, key: str, generation: int) -> tuple[bytes, ...]:
    generations = (generation, max(generation - 1, 1))
    return tuple(app.vault.webhook_secret(key, one).encode() for one in generations)
