"""Client certificates: shown to who asks, each account's own, made once, and never on a disk."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from grimbots.services.clients.http import Ambiguous, HttpClient, NeverSent, Response
from grimbots.services.clients.identities import Identities
from grimbots.tests.fakes.certificates import Authority, make_demanding_tls
from grimbots.tests.ports import pick_port

AUTHORITY, STRANGER = Authority("Bank"), Authority("Stranger")
KEY = "-----BEGIN PRIVATE KEY-----"
ANA, BIA = (AUTHORITY.issue(name).decode() for name in ("ana", "bia"))


class _Who(RequestHandler):
    def get(self) -> None:
        shown: Any = self.request.get_ssl_certificate()
        self.finish(dict(pair[0] for pair in shown["subject"])["commonName"])


@asynccontextmanager
async def open_bank(folder: Path) -> AsyncIterator[tuple[HttpClient, str]]:
    """Give a client that trusts the bank, and the bank's address: it answers with the name on one's certificate."""
    port = pick_port()
    bank = HTTPServer(Application([("/who", _Who)]), ssl_options=make_demanding_tls(folder, AUTHORITY))
    bank.listen(port, "127.0.0.1")
    http = HttpClient(tls=ssl.create_default_context(cadata=AUTHORITY.pem.decode()))
    await http.open()
    try:
        yield http, f"https://localhost:{port}/who"
    finally:
        await http.close()
        bank.stop()
        await bank.close_all_connections()


async def ask(http: HttpClient, url: str, certificate: str) -> Response:
    return await http.request("GET", url, party="gateway:bank", timeout_seconds=30.0, certificate=certificate)


@pytest.mark.gen_test
async def test_each_account_is_known_by_its_own_certificate(tmp_path: Path) -> None:
    async with open_bank(tmp_path) as (http, url):
        answers = [(await ask(http, url, pem)).body for pem in (ANA, BIA, ANA, BIA)]
    assert answers == [b"ana", b"bia", b"ana", b"bia"]


@pytest.mark.gen_test
@pytest.mark.parametrize("certificate", ["", STRANGER.issue("ana").decode()], ids=["none", "a stranger's"])
async def test_who_shows_none_or_a_strangers_is_not_let_in(tmp_path: Path, certificate: str) -> None:
    async with open_bank(tmp_path) as (http, url):
        with pytest.raises((NeverSent, Ambiguous)):  # TLS 1.3 says so after our side is done
            await ask(http, url, certificate)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "broken",
    ["no PEM at all", ANA.replace(ANA[-200:-180], "A" * 20), BIA.partition(KEY)[0] + KEY + ANA.partition(KEY)[2]],
    ids=["no PEM", "a broken key", "another's key"],
)
async def test_what_is_no_certificate_is_never_sent_nor_shown(tmp_path: Path, broken: str) -> None:
    async with open_bank(tmp_path) as (http, url):
        with pytest.raises(NeverSent) as caught:
            await ask(http, url, broken)
    told = "".join(traceback.format_exception(caught.value))
    assert broken[-200:] not in told and broken[-200:] not in repr(caught.value)


@pytest.mark.gen_test
async def test_a_context_is_made_once_and_few_are_kept() -> None:
    identities = Identities(most=2)
    contexts = await asyncio.gather(*(identities.get(ANA) for _ in range(20)))
    assert {id(context) for context in contexts} == {id(contexts[0])}
    await identities.get(BIA)
    assert await identities.get(ANA) is contexts[0]
    await identities.get(AUTHORITY.issue("cris").decode())
    assert await identities.get(ANA) is contexts[0]
    assert len(identities._kept) == 2


@pytest.mark.gen_test
async def test_a_key_touches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def note(context: ssl.SSLContext, path: Any, *rest: Any) -> None:
        paths.append(str(path))
        load(context, path, *rest)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", note)
    await Identities().get(ANA)
    (path,) = paths
    assert path.startswith("/proc/self/fd/") and not Path(path).exists()
