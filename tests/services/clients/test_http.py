"""The outbound client against real sockets: what is surely not sent, what is in doubt, what must never happen."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from grimbots.services.clients.http import MAX_RESPONSE_BYTES, Ambiguous, File, HttpClient, NeverSent, Response

SECRET = "123456:very-secret-token"


async def post(http: HttpClient, url: str, **options: Any) -> Response:
    defaults: dict[str, Any] = {"party": "telegram", "json": {"chat_id": 1}, "timeout_seconds": 3.0}
    return await http.request("POST", f"{url}/bot{SECRET}/sendMessage", **{**defaults, **options})


@asynccontextmanager
async def make_client(**options: Any) -> AsyncIterator[HttpClient]:
    client = HttpClient(**options)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def find_closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def write_certificate(folder: Path) -> Path:
    """Write a key and a certificate for `localhost` that nobody vouches for, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    signed = builder.sign(key, hashes.SHA256())
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(unlocked + signed.public_bytes(Encoding.PEM))
    return path


@pytest.mark.gen_test
async def test_request_reuses_its_connection(http: Any, fake_telegram: Any) -> None:
    for _ in range(3):
        assert (await post(http, fake_telegram.url)).status == 200
    assert fake_telegram.connections == 1


@pytest.mark.gen_test
async def test_request_gives_status_headers_and_body(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=418, body=b"a teapot", headers={"Retry-After": "7"})
    response = await post(http, fake_telegram.url)
    assert (response.status, response.headers["retry-after"], response.body) == (418, "7", b"a teapot")


@pytest.mark.gen_test
async def test_request_says_who_we_are(http: Any, fake_telegram: Any) -> None:
    await post(http, fake_telegram.url)
    assert fake_telegram.calls[0].headers["user-agent"] == "GrimBots/1"


@pytest.mark.gen_test
async def test_request_sends_a_form(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", body=b"{}")
    await post(
        http, fake_telegram.url, json=None, form={"a": "á"}, files={"photo": File("p.png", b"\x89", "image/png")}
    )
    call = fake_telegram.calls[0]
    assert call.params == {"a": "á"}
    assert (call.files["photo"].filename, call.files["photo"].body) == ("p.png", b"\x89")


@pytest.mark.gen_test
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_post_leaves_once_when_a_reused_connection_drops(http: Any, fake_telegram: Any, drop: str) -> None:
    await post(http, fake_telegram.url)
    fake_telegram.answer("sendMessage", drop=drop)
    with pytest.raises(Ambiguous):
        await post(http, fake_telegram.url)
    assert fake_telegram.requests == 2
    assert fake_telegram.connections == 1


@pytest.mark.gen_test
async def test_post_after_an_idle_close_leaves_once(http: Any, fake_telegram: Any) -> None:
    await post(http, fake_telegram.url)
    fake_telegram.drop_connections()
    try:
        await post(http, fake_telegram.url)
    except Ambiguous:
        assert fake_telegram.requests == 1
    else:
        assert fake_telegram.requests == 2


@pytest.mark.gen_test
async def test_request_without_answer_in_time_is_ambiguous(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", until=asyncio.Event())
    with pytest.raises(Ambiguous):
        await post(http, fake_telegram.url, timeout_seconds=0.05)
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_request_with_half_an_answer_is_ambiguous(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", body=b"{}", headers={"X": "y\r\nContent-Length: 99"})
    with pytest.raises(Ambiguous):
        await post(http, fake_telegram.url, timeout_seconds=0.1)


@pytest.mark.gen_test
async def test_request_refuses_an_endless_answer(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", body=b"x" * (MAX_RESPONSE_BYTES + 1))
    with pytest.raises(Ambiguous):
        await post(http, fake_telegram.url)


@pytest.mark.gen_test
async def test_request_to_a_closed_port_is_never_sent(http: Any) -> None:
    with pytest.raises(NeverSent, match="Connect call failed"):
        await post(http, f"http://127.0.0.1:{find_closed_port()}")


@pytest.mark.gen_test
@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".example.com", "a..b", "127.1"])
async def test_request_to_a_host_without_address_is_never_sent(http: Any, host: str) -> None:
    with pytest.raises(NeverSent):
        await post(http, f"http://{host}")


@pytest.mark.gen_test
@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999"])
async def test_request_to_no_http_address_is_never_sent(http: Any, url: str) -> None:
    with pytest.raises(NeverSent):
        await post(http, url)


@pytest.mark.gen_test
async def test_request_to_an_untrusted_server_is_never_sent(http: Any, tmp_path: Path) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read())

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(write_certificate(tmp_path))
    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NeverSent, match="Certificate"):
            await post(http, f"https://localhost:{port}")
    assert heard == b""


@pytest.mark.gen_test
async def test_request_that_cannot_connect_in_time_is_never_sent() -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # the kernel drops every SYN beyond the first in the backlog
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        async with make_client(connect_seconds=0.1) as http:
            with pytest.raises(NeverSent):
                await post(http, f"http://127.0.0.1:{deaf.getsockname()[1]}")


@pytest.mark.gen_test
async def test_request_without_a_place_in_the_pool_is_never_sent(fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release)
    async with make_client(connections_per_party=1, connect_seconds=0.1) as http:
        holder = asyncio.create_task(post(http, fake_telegram.url))
        await fake_telegram.wait_for_calls(1)
        with pytest.raises(NeverSent):
            await post(http, fake_telegram.url)
        release.set()
        assert (await holder).status == 200
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_request_to_one_party_leaves_the_others_their_places(fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release, times=1)
    async with make_client(connections_per_party=1, connect_seconds=0.1) as http:
        holder = asyncio.create_task(post(http, fake_telegram.url, party="webhook"))
        await fake_telegram.wait_for_calls(1)
        assert (await post(http, fake_telegram.url, party="telegram")).status == 200
        release.set()
        await holder


@pytest.mark.gen_test
async def test_request_when_cancelled_hangs_up(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", until=asyncio.Event())
    request = asyncio.create_task(post(http, fake_telegram.url))
    await fake_telegram.wait_for_calls(1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await fake_telegram.wait_for_hangups(1)


@pytest.mark.gen_test
async def test_request_follows_no_redirect(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=307, body=b"-", headers={"Location": f"{fake_telegram.url}/bot1:a/getMe"})
    assert (await post(http, fake_telegram.url)).status == 307
    assert [call.method for call in fake_telegram.calls] == ["sendMessage"]


@pytest.mark.gen_test
async def test_request_keeps_no_cookie(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", body=b"{}", headers={"Set-Cookie": "tenant=1; Path=/"})
    await post(http, fake_telegram.url)
    await post(http, fake_telegram.url)
    assert "cookie" not in fake_telegram.calls[1].headers


@pytest.mark.gen_test
async def test_request_after_close_is_never_sent(fake_telegram: Any) -> None:
    async with make_client() as http:
        await post(http, fake_telegram.url)
    with pytest.raises(NeverSent):
        await post(http, fake_telegram.url)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"]
)
async def test_public_only_refuses_addresses_of_ours(http: Any, fake_telegram: Any, host: str) -> None:
    await post(http, fake_telegram.url)  # a kept connection of the same party must not be used either
    with pytest.raises(NeverSent, match="not of the public internet"):
        await post(http, fake_telegram.url.replace("127.0.0.1", host), public_only=True)
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_failures_do_not_tell_the_token(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", drop="after")
    for url in (fake_telegram.url, f"http://127.0.0.1:{find_closed_port()}", "http://nowhere.invalid", "ftp://x", ""):
        with pytest.raises((NeverSent, Ambiguous)) as failure:
            await post(http, url)
        assert SECRET not in "".join(traceback.format_exception(failure.value))
        assert failure.value.__context__ is None
