"""Whose address counts: X-Forwarded-For as far as trusted proxies wrote it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from grimbots.handlers.addresses import find_client

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
