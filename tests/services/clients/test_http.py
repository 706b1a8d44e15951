"""The outbound client against real sockets: what is surely not sent, what is in doubt, what must never happen."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import threading
import traceback
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.clients.http import MAX_RESPONSE_BYTES, Ambiguous, File, HttpClient, NeverSent, Response
from grimbots.services.clients.names import THREADS
from grimbots.tests.fakes.certificates import make_server_tls
from grimbots.tests.ports import pick_port

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


async def ask(http: HttpClient, url: str, party: str) -> Response:
    return await http.request("POST", f"{url}/bot{SECRET}/getMe", party=party, json={}, timeout_seconds=5.0)


@asynccontextmanager
async def serve_raw(answer: bytes, more: bytes = b"") -> AsyncIterator[str]:
    """Give the address of a server that answers with `answer` and then, for ever, `more`."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            while more:
                writer.write(more)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


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
    await fake_telegram.wait_for_hangups(1)


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
@pytest.mark.parametrize(
    ("answer", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Another: header\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: another\r\n" * 1000),
    ],
    ids=["body", "chunks", "headers", "header", "trailers"],
)
async def test_request_gives_up_on_what_does_not_end(http: Any, answer: bytes, more: bytes) -> None:
    tracemalloc.start()
    try:
        async with serve_raw(answer, more) as url:
            with pytest.raises(Ambiguous, match=r"^(?!.*Timeout)"):
                await post(http, url)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.gen_test
async def test_request_unpacks_nothing(http: Any) -> None:
    """A kilobyte that would be a megabyte stays a kilobyte, though nobody had asked for a packed answer."""
    bomb = gzip.compress(b"0" * MAX_RESPONSE_BYTES)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with serve_raw(head.encode() + bomb) as url:
        assert (await post(http, url)).body == bomb


@pytest.mark.gen_test
async def test_request_to_a_closed_port_is_never_sent(http: Any) -> None:
    with pytest.raises(NeverSent, match="Connect call failed"):
        await post(http, f"http://127.0.0.1:{pick_port()}")


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

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=make_server_tls(tmp_path)) as server:
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
async def test_request_without_a_place_is_never_sent(fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release)
    async with make_client(places={"telegram": 1}) as http:
        holder = asyncio.create_task(post(http, fake_telegram.url))
        await fake_telegram.wait_for_calls(1)
        with pytest.raises(NeverSent, match="no place came free"):
            await post(http, fake_telegram.url, timeout_seconds=0.1)
        release.set()
        assert (await holder).status == 200
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_request_that_waited_for_its_place_leaves(fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release, times=1)
    async with make_client(places={"telegram": 1}) as http:
        requests = [asyncio.create_task(post(http, fake_telegram.url)) for _ in range(2)]
        await fake_telegram.wait_for_calls(1)
        release.set()
        assert [(await request).status for request in requests] == [200, 200]


@pytest.mark.alone
@pytest.mark.gen_test
async def test_a_party_that_hangs_starves_no_other(fake_telegram: Any) -> None:
    """Its places are taken, its line is full: whoever comes then is refused at once, and the others pass."""
    release = asyncio.Event()
    fake_telegram.answer("getMe", until=release)
    async with make_client(places={"gateway": 2}) as http:
        slow = [asyncio.create_task(ask(http, fake_telegram.url, "gateway:slow")) for _ in range(4)]
        await fake_telegram.wait_for_calls(2, "getMe")
        async with asyncio.timeout(0.5):  # under the longest wait in a line
            with pytest.raises(NeverSent, match="2 requests wait already"):
                await ask(http, fake_telegram.url, "gateway:slow")
            for party in ("gateway:quick", "telegram", "ads:meta"):
                assert (await post(http, fake_telegram.url, party=party)).status == 200
        release.set()
        assert [(await request).status for request in slow] == [200] * 4


@pytest.mark.gen_test
async def test_names_that_do_not_resolve_keep_nobody_waiting(
    http: Any, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go, system = threading.Semaphore(0), threading.Event(), socket.getaddrinfo

    def look_up(host: str, *arguments: Any) -> Any:
        if host.endswith(".slow"):
            asked.release()
            go.wait(60)
        return system(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    slow = [asyncio.create_task(ask(http, f"http://{n}.slow", "webhook")) for n in range(40)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(asked.acquire, timeout=30)
    try:
        assert (await post(http, fake_telegram.url.replace("127.0.0.1", "localhost"))).status == 200
        assert not asked.acquire(blocking=False)
        assert not any(request.done() for request in slow)
    finally:
        go.set()
    for request in slow:
        request.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.gen_test
async def test_a_name_that_is_not_found_after_all_gave_up_is_no_error(http: Any, expect_errors: list[str]) -> None:
    """As Python 3.14 says it; another future's failure stays one."""
    for work in ("TCPConnector._resolve_host_with_throttle()", "charge()"):
        logging.getLogger("asyncio").error(
            "gaierror exception in shielded future\nfuture: <Task finished coro=<%s done>>", work
        )
    assert [("charge()" in line) for line in expect_errors] == [True]


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
    "host",
    [
        *("127.0.0.1", "localhost", "localhost.", "LOCALHOST", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("127.1", "0", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.0.1.", "①②⑦.0.0.1"),
        *(
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[fe80::1%25lo]",
            "[fd00:ec2::254]",
        ),
        *("[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fec0::1]", "[3fff::1]", "[ff02::1]"),
    ],
)
async def test_public_only_refuses_addresses_of_ours(http: Any, fake_telegram: Any, host: str) -> None:
    await post(http, fake_telegram.url)  # a kept connection of the same party must not be used either
    with pytest.raises(NeverSent):  # not of the public internet, or no address of anything
        await post(http, fake_telegram.url.replace("127.0.0.1", host), public_only=True)
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_public_only_looks_at_each_address_that_is_dialled(
    http: Any, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may be public when it is checked and ours when it is dialled (rebinding): the socket decides."""
    answers = iter(["203.0.113.9", "127.0.0.1", "169.254.169.254"])
    dialled: list[str] = []

    def look_up(host: str, port: int, *rest: Any) -> list[Any]:
        dialled.append(next(answers))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (dialled[-1], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for place in range(3):
        with pytest.raises(NeverSent, match="not of the public internet"):
            await post(http, fake_telegram.url.replace("127.0.0.1", f"rebind{place}.example.com"), public_only=True)
    assert len(dialled) == 3
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_failures_do_not_tell_the_token(http: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", drop="after")
    for url in (fake_telegram.url, f"http://127.0.0.1:{pick_port()}", "http://nowhere.invalid", "ftp://x", ""):
        with pytest.raises((NeverSent, Ambiguous)) as failure:
            await post(http, url)
        assert SECRET not in "".join(traceback.format_exception(failure.value))
        assert failure.value.__context__ is None
