"""Whose address counts: X-Forwarded-For as far as trusted proxies wrote it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from grimbots.handlers.addresses import find_client, is_private

OURS = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_find_client(peer: str, forwarded_for: str, expected: str) -> None:
    assert find_client(peer, forwarded_for, OURS) == expected


def test_find_client_believes_nobody_unless_told() -> None:
    assert find_client("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.9.8.7", "172.31.0.1", "192.168.1.1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]
)
def test_is_private_knows_what_the_internet_does_not_reach(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    ["", "x", "0.0.0.0", "8.8.8.8", "203.0.113.9", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"],
)
def test_is_private_knows_strangers(address: str) -> None:
    assert not is_private(address)
