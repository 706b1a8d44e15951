"""The way to an address: straight, or, for https ones, through the installation's proxy.

The proxy is asked to CONNECT, so it sees neither tokens nor bodies. It looks names up itself, in a network of its own:
in place of a name that a tenant typed it is told an address that was found here and is public.
"""

from __future__ import annotations

import asyncio
import base64
import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from yarl import URL

from grimbots.services.clients.addresses import is_public
from grimbots.services.clients.names import Names

HTTPS = "https:"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address without its credentials, and the header that carries them."""

    url: str
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Way:
    """What to ask for, and how. `is_guarded`: each address that is dialled must be public."""

    url: str | URL = field(repr=False)
    is_guarded: bool
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict, repr=False)  # of aiohttp's request


def read_proxy(url: str) -> Proxy | None:
    """Take http(s)://user:password@host:port apart; None for an empty one."""
    if not url:
        return None
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    encoded = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return Proxy(f"{parts.scheme}://{host}", {"Proxy-Authorization": f"Basic {encoded}"} if credentials else {})


async def find_way(url: str, proxy: Proxy | None, names: Names, *, public_only: bool, seconds: float) -> Way:
    """Find the way to an address, looking a tenant's name up within `seconds`.

    Raises:
        OSError: a tenant's name has no address, or none that is public.
        UnicodeError: it can be no host's name.
    """
    if proxy is None or not url.lower().startswith(HTTPS):
        return Way(url, is_guarded=public_only)
    options = {"proxy": proxy.url, "proxy_headers": proxy.headers}
    if not public_only:
        return Way(url, is_guarded=False, options=options)
    try:
        address = URL(url)
    except ValueError as error:
        raise OSError(errno.EINVAL, "this is no address") from error
    host = address.raw_host or ""
    async with asyncio.timeout(seconds):
        addresses = await names.resolve(host, address.port or 0)
    found = choose_public([each["host"] for each in addresses])
    return Way(
        address.with_host(found),
        is_guarded=False,
        headers={"Host": address.host_port_subcomponent or ""},
        options={**options, "server_hostname": host},
    )


def choose_public(addresses: Sequence[str]) -> str:
    """Choose one of a name's addresses, IPv4 first: every proxy reaches that.

    Raises:
        PermissionError: none of them is public.
    """
    public = sorted((address for address in addresses if is_public(address)), key=lambda address: ":" in address)
    if not public:
        raise PermissionError(errno.EACCES, "the address is not of the public internet")
    return public[0]
