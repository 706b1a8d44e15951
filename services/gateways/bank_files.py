"""Banks that speak the Central Bank's API Pix, each a TOML file: `banks/` has ours, GRIMBOTS_BANKS a folder of yours.

The standard leaves to each bank where it listens, how one logs in, and how a callback proves itself: that is what a
file says, by the fields of `Bank`. docs/gateways/banks.md explains them to whoever adds one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin, urlsplit

from grimbots.conf.settings import SettingsError, is_loopback


@dataclass(frozen=True, slots=True)
class Bank:
    """What one bank's file says.

    Args:
        url: where the standard's paths (/cob, /pix, /webhook) begin.
        login_url: OAuth 2.0, client credentials; an address, or a path on the host of `url`.
        login_by: client id and secret go as "basic" authentication, or in the "body".
        login_body: the request is a "form", or "json".
        asks_scopes: the request names what the token is for.
        has_certificate: it wants to know its customers' programs by a certificate (mTLS), as the standard does.
        headers: sent with every call; `{client_id}` stands for the seller's.
        code_path: asked for the code where a charge comes without one, `{id}` being its location's; "" where none is.
        webhook_query: ends the address of callbacks; `{secret}` stands for a word only the bank and we know.
        webhook_headers: sent with its registration.
    """

    name: str
    label: str
    url: str
    login_url: str
    login_by: str = "basic"
    login_body: str = "form"
    asks_scopes: bool = True
    has_certificate: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    code_path: str = ""
    webhook_query: str = ""
    webhook_headers: Mapping[str, str] = field(default_factory=dict)


def read_banks(folder: Path) -> list[Bank]:
    """Read every file of a folder.

    Raises:
        SettingsError: one is wrong; the message names the file, the field, and what would be right.
    """
    if not folder.is_dir():
        raise SettingsError(f"GRIMBOTS_BANKS names {folder}, which is no folder")
    return [_read_bank(path) for path in sorted(folder.glob("*.toml"))]


def _read_bank(path: Path) -> Bank:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: this is no TOML file: {error}") from error
    faults = _list_faults(said)
    if not faults and said["name"] != path.stem:
        faults = [f"name must be {path.stem}, as the file is called"]
    if faults:
        raise SettingsError("\n".join(f"{path}: {fault}" for fault in faults))
    return Bank(**said)


def _list_faults(said: Mapping[str, Any]) -> list[str]:
    known = {each.name: each for each in fields(Bank)}
    faults = [f"{name} is no field of a bank: they are {', '.join(known)}" for name in said if name not in known]
    faults += [f"{name} is missing" for name, each in known.items() if _is_needed(each) and name not in said]
    for name, value in said.items():
        is_right, right = RULES.get(name, ANYTHING)
        if not is_right(value):
            faults.append(f"{name} must be {right}")
    if not faults and not _is_url(urljoin(said["url"] + "/", said["login_url"])):
        faults.append("login_url must be an https:// address, or begin with / and be a path on the host of url")
    return faults


def _is_needed(known: Field[Any]) -> bool:
    return known.default is MISSING and known.default_factory is MISSING


def _is_url(value: Any) -> bool:
    if not isinstance(value, str) or value.endswith("/"):
        return False
    parts = urlsplit(value)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


TEXT, SWITCH, TABLE = (_is_text, "a text"), (_is_switch, "true or false"), (_is_table, "a table of texts")
ANYTHING: tuple[Callable[[Any], bool], str] = (lambda value: True, "")
RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "name": (
            lambda value: _is_text(value) and re.fullmatch(r"[a-z0-9_]{1,32}", value) is not None,
            "of small letters, digits and _, 32 at most",
        ),
        "label": TEXT,
        "url": (_is_url, "an https:// address without a / at its end"),
        "login_url": TEXT,
        "login_by": (lambda value: value in ("basic", "body"), "basic or body"),
        "login_body": (lambda value: value in ("form", "json"), "form or json"),
        "asks_scopes": SWITCH,
        "has_certificate": SWITCH,
        "headers": TABLE,
        "code_path": TEXT,
        "webhook_query": TEXT,
        "webhook_headers": TABLE,
    }
)
