"""Every route answers whatever it is asked: nothing is our fault (5xx), nothing hangs. `make fuzz-input` asks more."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from random import Random
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.handlers.admin import forgeries
from grimbots.handlers.roles import Role
from grimbots.handlers.routes import routes
from grimbots.server import build_web
from grimbots.services import pools
from grimbots.tests.fuzz.asks import Caller, Known, make_ask
from grimbots.tests.fuzz.runs import INPUTS, MOST_GROWTH_BYTES, SEED, measure_memory
from grimbots.tests.services.conftest import provider, query, shop, shops
from grimbots.tests.services.people import add_person, log_in

__all__ = ["provider", "query", "shop", "shops"]

ROUTE_INPUTS = INPUTS // 10
SANDBOX = "/sandbox"  # passed on to a process of its own, on this machine only; not here, so 502 is its answer


@pytest.fixture
def settings(tmp_path: Any) -> Any:
    """Give settings as `make run` has them, with every route."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1"})


@pytest.fixture
def web(app: Any) -> Any:
    """Give the site of a process that only serves: nobody works here, and /health knows that it is so meant."""
    return build_web(app, Role(http=True, work=False))


@pytest.fixture
def known(app: Any, accounts: Any, shop: Any, io_loop: Any) -> Known:
    """Give a pool, a shop, and an administrator who owns the first account."""

    async def make() -> Known:
        await pools.save(app, account="tenant1", slug="promo", usernames=["tenant1_bot"], actor="test")
        email = await add_person(app, "root", accounts[0].name, administrator=True)
        token = await log_in(app, email)
        sales = f"/sales/{accounts[0].name}"
        paths = [
            *("/", "/login", "/logout", "/logout/everywhere", "/language", "/static/pages.css", "/sales", sales),
            *("/live", "/ready", "/health", "/metrics", "/login/link", f"/login/link/{'a' * 43}", "/nowhere"),
            *("/go/promo", "/go/nothing", f"/webhook/telegram/{accounts[0].key}", "/webhook/telegram/unknown"),
            *(f"/webhook/payment/sandbox/{shop.key}", f"/webhook/payment/sandbox/{shop.key}/pix%00/a"),
            *(
                f"{sales}/payments/1",
                f"{sales}/payments/1/refund",
                f"{sales}/messages",
                f"{sales}/messages/1/resend",
                f"{sales}/events",
            ),
            *(f"{sales}/chats", f"{sales}/chats/1/return"),
            *(f"{sales}/ledger", f"{sales}/ledger.csv"),
            *(f"{sales}/gateways{rest}" for rest in ("", "/add", "/1/front", "/1/limits", "/1/register")),
            *(f"{sales}/privacy{rest}" for rest in ("", "/1", "/1/export", "/1/erase")),
            *(f"{sales}/bots", f"{sales}/bots/1/webhook", f"{sales}/bots/1/token"),
            *(f"{sales}/reports", f"{sales}/reports.csv", f"/.well-known/grimbots/{'a' * 32}"),
            *(f"{sales}/messages/1/discard", "/admin/queues", "/admin/queues/requeue", "/admin/queues/pause"),
            *("/admin/queues/resume", "/admin/queues/discard", "/admin/queues/drain", "/admin/queues/requeue/all"),
            *("/admin/queues/dead", "/admin/queues/due", "/admin/queues/job", "/admin/audit", "/login/code"),
            *("/me", "/me/sessions/1/end", "/me/code", "/me/code/off"),
        ]
        secret = app.vault.webhook_secret(accounts[0].key, 1)
        return Known(paths, f"grimbots={token}", forgeries.make_form_token(app, token), secret)

    made: Known = io_loop.run_sync(partial(make))
    return made


def test_every_route_is_asked(known: Known, settings: Any) -> None:
    patterns = [pattern for pattern, _ in routes(settings) if not pattern.startswith(SANDBOX)]
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, path) for path in known.paths)] == []


@pytest.mark.gen_test(timeout=900)
async def test_route_answers_whatever_it_is_asked(
    web: Any, http_port: int, http_server: Any, known: Known, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, caller, statuses = Random(f"{SEED} routes"), Caller(http_port), Counter[int]()
    before = measure_memory()
    for number in range(ROUTE_INPUTS):
        request = make_ask(rng, known)
        status = await caller.ask(request)
        statuses[status] += 1
        told = f"request {number} of seed {SEED} is answered {status}: {request.content[:600]!r}"
        assert status < 500, told
        assert status > 0 or not request.is_whole, told
    with capsys.disabled():
        shown = ", ".join(f"{count:,} x {status or 'hung up'}" for status, count in sorted(statuses.items()))
        print(f"\nfuzz routes: {ROUTE_INPUTS:,} inputs: {shown}; 0 faults", end="")
    assert measure_memory() - before < MOST_GROWTH_BYTES
    assert statuses[200] > 0
    assert statuses[303] > 0
