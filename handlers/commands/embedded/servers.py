"""The private stores of `grimbots dev` together: those the settings do not name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.embedded.children import Child
from grimbots.handlers.commands.embedded.folders import is_locked
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis

OVERRIDES_FILE = "dev.json"


@dataclass(frozen=True, slots=True)
class Store:
    """One private server: where it listens, and its process. `setting` is the setting its address belongs into."""

    setting: str
    url: str
    child: Child


async def start_store(setting: str, data: Path) -> Store:
    """Start the private server behind DATABASE_URL or REDIS_URL, its data and its log in `data`; again after it died.

    Raises:
        CannotStart: with what to do.
    """
    name, start = {"DATABASE_URL": ("postgres", start_postgres), "REDIS_URL": ("redis", start_redis)}[setting]
    url, child = await start(data / name, data / f"{name}.log")
    return Store(setting, url, child)


def list_missing(settings: Settings) -> list[str]:
    """List the stores the settings do not name."""
    named = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    return [setting for setting, url in named.items() if not url]


def write_overrides(data: Path, overrides: Mapping[str, str]) -> None:
    """Leave word of the running stores, whole or not at all, for the commands in another shell."""
    draft = data / f"{OVERRIDES_FILE}.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(overrides, indent=1), encoding="utf-8")
    draft.replace(data / OVERRIDES_FILE)


def read_overrides(data: Path) -> dict[str, str]:
    """Give the settings of the `grimbots dev` that runs over this folder; none where none runs, or is not up yet."""
    file = data / OVERRIDES_FILE
    if not file.exists() or not is_locked(data):
        return {}
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def remove_overrides(data: Path) -> None:
    """Take the word back."""
    (data / OVERRIDES_FILE).unlink(missing_ok=True)


def child_environ(overrides: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of our own processes: this one's, with `overrides`."""
    return {**os.environ, **overrides}
