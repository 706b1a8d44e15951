"""Who calls: the address a connection comes from, or the one a proxy of ours says it comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1918, 4193, 3927 and loopback. `ipaddress` calls more private: 0.0.0.0, and with some Pythons ::ffff:8.8.8.8.
PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


def find_client(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the caller's address: the last in X-Forwarded-For that none of our proxies has.

    Anyone can write that header, so it counts only as far as trusted proxies wrote it: from its end, and not at all
    when the connection itself comes from elsewhere.
    """
    client = _parse(peer)
    if client is None:
        return ""
    for text in reversed(forwarded_for.split(",")):
        named = _parse(text.strip())
        if named is None or not any(client in network for network in proxies):
            break
        client = named
    return str(client)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def is_private(address: str) -> bool:
    """Tell whether an address is this machine's or of a network that the internet does not reach; "" is nobody's."""
    parsed = _parse(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return is_within(str(mapped or parsed), PRIVATE)


def _parse(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
