"""Which addresses belong to the public internet: what a tenant typed must lead nowhere else."""

from __future__ import annotations

import errno
import ipaddress
import socket

import aiohttp

# What Python's is_global lets through in one version or another. Most of the IPv6 ones wrap an IPv4 address, which may
# be a private one.
REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "::ffff:0:0/96",  # IPv4-mapped (RFC 4291)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "2001::/32",  # Teredo (RFC 4380)
        "2002::/16",  # 6to4 (RFC 3056)
        "fec0::/10",  # site-local (RFC 3879)
        "3fff::/20",  # documentation (RFC 9637)
        "64:ff9b:1::/48",  # NAT64 of a network's own (RFC 8215)
    )
)


def connect_public_only(info: aiohttp.AddrInfoType) -> socket.socket:
    """Make the socket for an address just before it is dialled, whatever name led there and however often it changes.

    Raises:
        PermissionError: the address is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PermissionError(errno.EACCES, "the address is not of the public internet")
    return socket.socket(family, kind, protocol)


def is_public(text: str) -> bool:
    """Tell whether an IP address (an IPv6 one perhaps with its `%zone`) is one of the public internet."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in REFUSED)
