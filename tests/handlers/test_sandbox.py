"""The sandbox at the main address: passed on as it is, for this machine only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from grimbots.conf.settings import Settings, load
from grimbots.services.sandbox.server import Server, build
from grimbots.tests.services.sandbox.drivers import Driver, ask
from grimbots.tests.services.sandbox.test_pictures import make_png, upload

# Asked for by name, so that the session's stores stand before this test's loop does.
pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def behind(io_loop: tornado.ioloop.IOLoop, tmp_path: Path) -> Iterator[Server]:
    """Give a running sandbox."""
    server = build(
        load({"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX_URL": "http://127.0.0.1:0"})
    )
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


@pytest.fixture
def settings(tmp_path: Path, behind: Server) -> Settings:
    """Give settings with that sandbox open."""
    return load({"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX_URL": behind.url})


@pytest.mark.gen_test
async def test_face_answers_at_the_main_address(http_client: Any, base_url: str) -> None:
    made = await ask(f"{base_url}/sandbox/api/bots", "POST", {"username": "loja_bot", "name": "Loja"})
    assert made.json["username"] == "loja_bot"
    listed = await ask(f"{base_url}/sandbox/api/bots")
    assert [bot["username"] for bot in listed.json] == ["loja_bot"]
    assert (await ask(f"{base_url}/sandbox/api/calls?after=x")).status == 400
    assert (await ask(f"{base_url}/sandbox/api/faults", "DELETE")).status == 200


@pytest.mark.gen_test
async def test_page_keeps_its_headers(http_client: Any, base_url: str, behind: Server) -> None:
    page, direct = await ask(f"{base_url}/sandbox"), await ask(f"{behind.url}/sandbox")
    assert page.body == direct.body
    for name in ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options"):
        assert page.headers[name] == direct.headers[name]
    assert (await ask(f"{base_url}/sandbox/static/main.js")).headers["Content-Type"].startswith("text/javascript")


@pytest.mark.gen_test
async def test_big_picture_passes(http_client: Any, base_url: str, behind: Server) -> None:
    driver = Driver(behind)
    driver.token = await driver.make_bot(driver.username)
    await driver.say()
    content = make_png() + b"\0" * 3_000_000
    photo = (await upload(driver, content)).json["result"]["photo"][0]
    assert (await ask(f"{base_url}/sandbox/files/{photo['file_id']}")).body == content


@pytest.mark.gen_test
@pytest.mark.parametrize("host", ["evil.example", "[", ""])
async def test_foreign_host_is_refused(http_client: Any, base_url: str, host: str) -> None:
    assert (await ask(f"{base_url}/sandbox/api/bots", Host=host)).status in {400, 403}


@pytest.mark.gen_test
async def test_foreign_page_is_refused(http_client: Any, base_url: str) -> None:
    assert (await ask(f"{base_url}/sandbox/api/bots", "POST", {}, Origin="https://evil.example")).status == 403


@pytest.mark.gen_test
async def test_absent_sandbox_is_502_with_what_to_do(http_client: Any, base_url: str, behind: Server) -> None:
    behind._http.stop()
    await behind._http.close_all_connections()
    reply = await ask(f"{base_url}/sandbox/api/bots")
    assert (reply.status, reply.json["error"]["code"]) == (502, "sandbox_away")
    assert "grimbots sandbox" in reply.json["error"]["message"]
