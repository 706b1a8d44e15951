"""Settings: from the environment and one file, checked once at start, every mistake named in one message.

The file is `NAME=value` lines (`conf/example.env` shows every name); `GRIMBOTS_ENV` says where it is, else
`grimbots.env` in the working directory if there is one. A variable of the environment wins over the file's. Only
`server.py` and the commands call `load`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TRUE_WORDS, FALSE_WORDS = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
LOG_LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR"}


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """Settings are wrong; the message names each and says what would be right. It never repeats a secret."""


def _text(raw: str) -> str:
    return raw


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(raw: str) -> int:
        if not re.fullmatch(r"-?\d+", raw) or not least <= int(raw) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(raw)

    return read


def _switch(raw: str) -> bool:
    word = raw.lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError("must be 1 or 0")
    return word in TRUE_WORDS


def _url(*schemes: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if raw and urlsplit(raw).scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{scheme}:" for scheme in schemes))
        return raw.rstrip("/")

    return read


def _proxy(raw: str) -> str:
    try:
        parts = urlsplit(raw)
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port and parts.path in ("", "/")
    except ValueError:
        is_right = False
    if raw and not is_right:
        raise ValueError("must be http://host:port or https://host:port, with user:password@ before the host if needed")
    return raw.rstrip("/")


def _recipient(raw: str) -> str:
    if raw and not re.fullmatch(r"age1[0-9a-z]+|ssh-(ed25519|rsa) \S+( .*)?", raw):
        raise ValueError("must be the public key that age-keygen shows (age1...), or an ssh-ed25519 or ssh-rsa one")
    return raw


def _level(raw: str) -> str:
    if raw.upper() not in LOG_LEVELS:
        raise ValueError("must be one of " + ", ".join(sorted(LOG_LEVELS)))
    return raw.upper()


def _networks(raw: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in raw.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("must be addresses or networks like 127.0.0.1,10.0.0.0/8") from error


def _queues(raw: str) -> dict[str, int]:
    slots: dict[str, int] = {}
    for part in raw.split(","):
        name, _, count = part.strip().partition("=")
        if not re.fullmatch(r"[a-z]{1,20}", name) or not re.fullmatch(r"\d{1,4}", count) or int(count) < 1:
            raise ValueError("must look like tasks=50,webhook=20,gateway=20,checks=5,campaigns=10")
        slots[name] = int(count)
    return slots


def _urls(raw: str) -> Mapping[str, str]:
    """Read addresses by name; plain http is for this machine only."""
    try:
        urls = json.loads(raw or "{}")
    except ValueError:
        urls = None
    is_right = isinstance(urls, dict) and all(isinstance(url, str) and _is_safe(url) for url in urls.values())
    if not is_right:
        raise ValueError('must look like {"asaas": "https://api-sandbox.asaas.com/v3"}: https, or http on this machine')
    return {name: url.rstrip("/") for name, url in urls.items()}


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _version(raw: str) -> str:
    if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", raw):
        raise ValueError("must be a version of Meta's Graph API, like v25.0")
    return raw


def _setting(name: str, default: str, read: Callable[[str], Any], secret: bool = False) -> Any:
    return field(
        default=None, metadata={"name": name, "default": default, "read": read, "secret": secret}, repr=not secret
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, typed: its environment name, default and rule stand beside it; `conf/example.env` explains."""

    database_url: str = _setting("DATABASE_URL", "", _url("postgresql", "postgres"), secret=True)
    redis_url: str = _setting("REDIS_URL", "", _url(*REDIS_SCHEMES), secret=True)
    redis_wait_replicas: int = _setting("REDIS_WAIT_REPLICAS", "0", _whole(0, 5))
    host: str = _setting("HOST", "127.0.0.1", _text)
    port: int = _setting("PORT", "8080", _whole(0, 65535))
    trusted_proxies: tuple[Network, ...] = _setting("TRUSTED_PROXIES", "", _networks)
    public_url: str = _setting("PUBLIC_URL", "", _url("https", "http"))
    reuse_port: bool = _setting("REUSE_PORT", "0", _switch)
    status_port: int = _setting("STATUS_PORT", "0", _whole(0, 65535))
    data_dir: str = _setting("GRIMBOTS_DATA", "var", _text)
    master_key_file: str = _setting("GRIMBOTS_MASTER_KEY_FILE", "", _text)
    slot: int = _setting("GRIMBOTS_SLOT", "0", _whole(0, 999))
    queue_slots: Mapping[str, int] = _setting(
        "QUEUE_SLOTS", "tasks=50,webhook=20,gateway=20,checks=5,campaigns=10", _queues
    )
    queue_account_percent: int = _setting("QUEUE_ACCOUNT_PERCENT", "75", _whole(1, 100))
    queue_group_cap: int = _setting("QUEUE_GROUP_CAP", "1000", _whole(1, 1_000_000))
    database_pool: int = _setting("DATABASE_POOL", "10", _whole(2, 200))
    bot_cache_seconds: int = _setting("BOT_CACHE_SECONDS", "300", _whole(1, 3600))
    telegram_url: str = _setting("TELEGRAM_URL", "https://api.telegram.org", _url("https", "http"))
    meta_api_version: str = _setting("META_API_VERSION", "v25.0", _version)
    conversion_urls: Mapping[str, str] = _setting("GRIMBOTS_CONVERSION_URLS", "", _urls)
    outbound_proxy: str = _setting("OUTBOUND_PROXY", "", _proxy, secret=True)
    backup_recipient: str = _setting("BACKUP_RECIPIENT", "", _recipient)
    sandbox: bool = _setting("GRIMBOTS_SANDBOX", "0", _switch)
    gateway_urls: Mapping[str, str] = _setting("GRIMBOTS_GATEWAY_URLS", "", _urls)
    banks_dir: str = _setting("GRIMBOTS_BANKS", "", _text)
    sandbox_url: str = _setting("GRIMBOTS_SANDBOX_URL", "http://127.0.0.1:8081", _url("http"))
    log_level: str = _setting("LOG_LEVEL", "INFO", _level)
    sentry_dsn: str = _setting("SENTRY_DSN", "", _url("https", "http"), secret=True)
    sentry_percent: int = _setting("SENTRY_PERCENT", "100", _whole(1, 100))

    @property
    def master_key_path(self) -> Path:
        """Where the master key lies: the setting, else `master.key` in the data folder."""
        return Path(self.master_key_file) if self.master_key_file else Path(self.data_dir) / "master.key"

    @property
    def secrets(self) -> list[str]:
        """What must be seen nowhere."""
        return [getattr(self, item.name) for item in fields(self) if item.metadata["secret"]]

    @property
    def base_url(self) -> str:
        """The address the outside reaches us by: PUBLIC_URL, else the listening address."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load(environ: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read settings from `environ` (os.environ) over `file`.

    Raises:
        SettingsError: with one line per mistake.
    """
    given = dict(os.environ if environ is None else environ)
    mistakes: list[str] = []
    values = {**_read_file(file or find_file(given), mistakes), **given}
    read: dict[str, Any] = {}
    for item in fields(Settings):
        name = item.metadata["name"]
        raw = values.get(name, "").strip() or item.metadata["default"]
        try:
            read[item.name] = item.metadata["read"](raw)
        except ValueError as error:
            shown = "" if item.metadata["secret"] else f" (it is {raw!r})"
            mistakes.append(f"{name} {error}{shown}")
    if not mistakes:
        mistakes = _contradictions(Settings(**read))
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return Settings(**read)


def find_file(environ: Mapping[str, str]) -> Path | None:
    """Give the settings file that `load` reads; None where there is none."""
    if environ.get("GRIMBOTS_ENV"):
        return Path(environ["GRIMBOTS_ENV"])
    beside = Path("grimbots.env")
    return beside if beside.exists() else None


def _read_file(path: Path | None, mistakes: list[str]) -> dict[str, str]:
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        mistakes.append(f"GRIMBOTS_ENV: cannot read {path}: {error.strerror}")
        return {}
    known = {item.metadata["name"] for item in fields(Settings)}
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or name.strip() not in known:
            mistakes.append(f"{path}:{number}: {name.strip()!r} is not a setting; conf/example.env lists them")
            continue
        values[name.strip()] = value.strip().strip("'\"")
    return values


def _contradictions(settings: Settings) -> list[str]:
    wrong = []
    if settings.sandbox and not is_loopback(settings.host):
        wrong.append(
            f"GRIMBOTS_SANDBOX=1 is allowed on a loopback HOST only, not on {settings.host!r}: anyone pays its charges"
        )
    if settings.sandbox and not is_loopback(urlsplit(settings.sandbox_url).hostname or ""):
        wrong.append("GRIMBOTS_SANDBOX_URL must be a loopback address")
    return wrong


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine only: `localhost` or an address of 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
