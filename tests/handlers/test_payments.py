"""POST /webhook/payment/<gateway>/<key>: what a provider is answered, and what is stored by then."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from grimbots.conf.settings import Settings, load
from grimbots.handlers.payments import LARGEST_EVENT_BYTES
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.services.shops import Shop, open_shop


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings with the sandbox open."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1"})


@pytest.fixture
def shop(io_loop: Any, app: Any, clock: Any, accounts: Any) -> Shop:
    """Give a shop whose provider is never asked."""
    opened: Shop = io_loop.run_sync(partial(open_shop, app, FakeProvider(clock), accounts[0]))
    return opened


@pytest.fixture
def post(http_client: Any, base_url: str, shop: Shop) -> Any:
    """Give a function that posts a signed event, by default to the shop's address."""

    async def send(body: bytes = b"{}", *, key: str = "", suffix: str = "", method: str = "POST") -> HTTPResponse:
        url = f"{base_url}/webhook/payment/sandbox/{key or shop.key}{suffix}"
        headers = shop.provider.sign(body, shop.secret) if method == "POST" else {}
        wanted = {"method": method, "headers": headers, "body": body if method == "POST" else None}
        answer: HTTPResponse = await http_client.fetch(url, raise_error=False, **wanted)
        return answer

    return send


@pytest.mark.gen_test
async def test_event_is_stored_before_it_is_answered(post: Any, shop: Shop) -> None:
    assert (await post()).code == 200
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
async def test_event_seen_before_is_answered_alike_and_stored_once(post: Any, shop: Shop) -> None:
    assert [(await post()).code for _ in range(3)] == [200, 200, 200]
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
async def test_event_keeps_what_followed_the_key_and_the_query(post: Any, shop: Shop) -> None:
    assert (await post(suffix="/pix%00/v2?data.id=7&type=payment")).code == 200
    (event_id,) = await shop.list_events()
    event = await shop.app.db.provider_events.find_by_id(event_id=event_id)
    assert (event.suffix, event.query) == ("/pix/v2", "data.id=7&type=payment")


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [b"", b"junk", b"\x00\xff", b"[" * 10_000, b"a=1&b=2"])
async def test_event_nobody_can_read_is_stored_and_answered_200(post: Any, shop: Shop, body: bytes) -> None:
    assert (await post(body)).code == 200
    (event_id,) = await shop.list_events()
    assert (await shop.app.db.provider_events.find_by_id(event_id=event_id)).body == body


@pytest.mark.gen_test
async def test_event_of_an_unknown_key_is_answered_404(post: Any, shop: Shop) -> None:
    assert (await post(key="guessed")).code == 404
    assert await shop.list_events() == []


@pytest.mark.gen_test
async def test_event_over_the_limit_is_answered_413(post: Any, shop: Shop) -> None:
    assert (await post(b"x" * LARGEST_EVENT_BYTES)).code == 200
    assert (await post(b"x" * (LARGEST_EVENT_BYTES + 1))).code == 413
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_panel_that_probes_the_address_is_answered_200(post: Any, shop: Shop, method: str) -> None:
    assert (await post(method=method)).code == 200
    assert await shop.list_events() == []


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "text/xml", "%"],
)
async def test_event_of_any_content_type_is_kept_byte_for_byte(
    http_client: Any, base_url: str, shop: Shop, content_type: str
) -> None:
    body = b"--y\r\nid=1&status=paid&broken=%zz\xff"
    url = f"{base_url}/webhook/payment/sandbox/{shop.key}"
    answer = await http_client.fetch(
        url, method="POST", headers={"Content-Type": content_type}, body=body, raise_error=False
    )
    (event_id,) = await shop.list_events()
    event = await shop.app.db.provider_events.find_by_id(event_id=event_id)
    assert (answer.code, event.body, event.headers["content-type"]) == (200, body, content_type)
