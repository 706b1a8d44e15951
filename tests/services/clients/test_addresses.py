"""Which addresses what a tenant typed may lead to."""

from __future__ import annotations

import pytest

from grimbots.services.clients.addresses import is_public


@pytest.mark.parametrize("address", ["8.8.8.8", "149.154.167.220", "2a00:1450:4001:800::200e", "2606:4700::1111"])
def test_is_public_accepts_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",  # carrier-grade NAT
        "127.0.0.1",
        "127.8.9.1",
        "169.254.169.254",  # a cloud's metadata
        "172.16.0.1",
        "192.0.0.8",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_is_public_refuses_everything_else(address: str) -> None:
    assert not is_public(address)
