"""Requests through a real CONNECT proxy: what it sees, what it is told, and what its failures mean."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.clients.http import Ambiguous, HttpClient, NeverSent, Response
from grimbots.services.clients.proxies import choose_public, read_proxy
from grimbots.tests.fakes.certificates import make_server_tls, trust_server
from grimbots.tests.fakes.connect_proxy import ConnectProxy
from grimbots.tests.fakes.telegram import FakeTelegram

TOKEN = "123456:very-secret-token"
USER, PASSWORD = "grim", "hunter 2/@"
QUOTED = "grim:hunter%202%2F%40"
TENANT, PUBLIC = "shop.example.com", "93.184.215.14"


class Road:
    """A client, the proxy it goes through, and the party behind it."""

    def __init__(self, http: HttpClient, proxy: ConnectProxy, party: FakeTelegram) -> None:
        self.http, self.proxy, self.party = http, proxy, party

    async def post(self, url: str = "", **options: Any) -> Response:
        return await self.http.request(
            "POST",
            f"{url or self.party.url}/bot{TOKEN}/sendMessage",
            party="telegram",
            json={"chat_id": 1, "text": "a secret"},
            timeout_seconds=3.0,
            **options,
        )


@asynccontextmanager
async def open_road(folder: Path, *, credentials: str = QUOTED, tls_to_proxy: bool = False) -> AsyncIterator[Road]:
    tls = make_server_tls(folder, "localhost", TENANT)
    party, proxy = FakeTelegram(), ConnectProxy(USER, PASSWORD)
    await party.start(tls)
    await proxy.start(tls if tls_to_proxy else None)
    proxy.leads[f"localhost:{party.port}"] = proxy.leads[f"{PUBLIC}:443"] = party.port
    scheme = "https" if tls_to_proxy else "http"
    http = HttpClient(proxy=f"{scheme}://{credentials}@localhost:{proxy.port}", tls=trust_server(folder))
    await http.open()
    try:
        yield Road(http, proxy, party)
    finally:
        await http.close()
        await proxy.stop()
        await party.stop()


def name_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Make the tenant's name stand for these addresses, one look-up after the other; the last one stays."""
    system, left = socket.getaddrinfo, list(addresses)

    def look_up(host: str, *arguments: Any) -> Any:
        if host != TENANT:
            return system(host, *arguments)
        return system(left.pop(0) if len(left) > 1 else left[0], *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.gen_test
@pytest.mark.parametrize("tls_to_proxy", [False, True])
async def test_https_goes_through_one_tunnel_that_the_proxy_cannot_read(tmp_path: Path, tls_to_proxy: bool) -> None:
    async with open_road(tmp_path, tls_to_proxy=tls_to_proxy) as road:
        assert [(await road.post()).status for _ in range(3)] == [200] * 3
        assert road.proxy.asked == [f"CONNECT localhost:{road.party.port}"]
        seen = "".join(road.proxy.heads).encode() + road.proxy.heard
    assert TOKEN.encode() not in seen
    assert b"a secret" not in seen
    assert "proxy-authorization" not in road.party.calls[0].headers


@pytest.mark.gen_test
async def test_plain_http_is_reached_directly(tmp_path: Path, fake_telegram: FakeTelegram) -> None:
    async with open_road(tmp_path) as road:
        assert (await road.post(fake_telegram.url)).status == 200
        assert road.proxy.asked == []


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("credentials", "target", "reason"),
    [("grim:wrong", "localhost", "the proxy answers 407"), (QUOTED, "elsewhere.example", "the proxy answers 502")],
)
async def test_what_the_proxy_refuses_is_never_sent(tmp_path: Path, credentials: str, target: str, reason: str) -> None:
    async with open_road(tmp_path, credentials=credentials) as road:
        with pytest.raises(NeverSent, match=reason):
            await road.post(f"https://{target}:{road.party.port}")
        assert road.party.requests == 0


@pytest.mark.gen_test
async def test_a_proxy_that_is_away_is_never_sent(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await road.proxy.stop()
        with pytest.raises(NeverSent, match="ClientProxyConnectionError"):
            await road.post()


@pytest.mark.gen_test
async def test_a_stranger_behind_the_proxy_is_never_sent(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        road.proxy.leads["api.telegram.org:443"] = road.party.port
        with pytest.raises(NeverSent, match="Certificate"):
            await road.post("https://api.telegram.org")
        assert road.party.requests == 0


@pytest.mark.gen_test
async def test_a_tunnel_that_drops_sends_no_post_twice(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await road.post()
        road.party.answer("sendMessage", drop="after", times=1)
        with pytest.raises(Ambiguous):
            await road.post()
        assert road.party.requests == 2
        road.proxy.cut()
        try:
            await road.post()
        except Ambiguous:
            assert road.party.requests == 2
        else:
            assert road.party.requests == 3


@pytest.mark.gen_test
async def test_a_tenants_name_is_looked_up_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it stands for later, or in the proxy's own network, plays no part."""
    name_addresses(monkeypatch, PUBLIC, "127.0.0.1")
    async with open_road(tmp_path) as road:
        road.proxy.leads[f"{TENANT}:443"] = 1
        assert (await road.post(f"https://{TENANT}", public_only=True)).status == 200
        assert road.proxy.asked == [f"CONNECT {PUBLIC}:443"]
        assert road.party.calls[0].headers["host"] == TENANT
        with pytest.raises(NeverSent, match="not of the public internet"):
            await road.post(f"https://{TENANT}", public_only=True)


@pytest.mark.gen_test
async def test_a_tenants_name_vouches_for_itself_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name at the same address gets neither its connection nor its certificate."""
    system = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest: system(PUBLIC if host.endswith(".example.com") else host, *rest),
    )
    async with open_road(tmp_path) as road:
        await road.post(f"https://{TENANT}", public_only=True)
        with pytest.raises(NeverSent, match="Certificate"):
            await road.post("https://other.example.com", public_only=True)
        assert road.party.requests == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "", "[::1"],
)
@pytest.mark.parametrize("scheme", ["https", "HTTPS", "http"])
async def test_a_tenants_address_leads_nowhere_inside(tmp_path: Path, scheme: str, host: str) -> None:
    async with open_road(tmp_path) as road:
        with pytest.raises(NeverSent):
            await road.post(f"{scheme}://{host}:{road.party.port}", public_only=True)
        assert (road.proxy.asked, road.party.connections) == ([], 0)


@pytest.mark.gen_test
async def test_nothing_tells_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    name_addresses(monkeypatch, "10.0.0.1")
    told = [repr(read_proxy(f"http://{QUOTED}@localhost:1"))]
    async with open_road(tmp_path) as road:
        await road.post()
        for url in ("https://nowhere.invalid", f"https://{TENANT}", "https://[::1"):
            with pytest.raises(NeverSent) as failure:
                await road.post(url, public_only=True)
            told += traceback.format_exception(failure.value)
        await road.proxy.stop()
        with pytest.raises((NeverSent, Ambiguous)) as failure:
            await road.post("https://localhost:9")
        told += traceback.format_exception(failure.value)
    text = "".join(told) + caplog.text
    assert not [secret for secret in (PASSWORD, QUOTED, "Basic ", TOKEN) if secret in text]


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["2606:4700::1111", "1.1.1.1"], "1.1.1.1"),
        (["10.0.0.1", "1.1.1.1"], "1.1.1.1"),
        (["::1", "2606:4700::1111"], "2606:4700::1111"),
    ],
)
def test_choose_public_prefers_what_every_proxy_reaches(addresses: list[str], chosen: str) -> None:
    assert choose_public(addresses) == chosen


def test_choose_public_refuses_what_is_ours() -> None:
    with pytest.raises(PermissionError):
        choose_public(["10.0.0.1", "::1"])
