"""Every route, asked with another account's names and ids: nothing is shown, nothing changes.

The routes come from the URL map itself: one that is not listed here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.handlers.routes import ACCOUNT, routes
from grimbots.services import events
from grimbots.tests.handlers.admin.readers import Reader, Seen
from grimbots.tests.services.shops import Shop
from grimbots.tests.worlds import World, make_world

Attempt = Callable[[Reader, World], Any]


def get(path: str, **values: str) -> Attempt:
    """Open a page; {own} and {other} in its path are filled from the world."""

    async def attempt(reader: Reader, world: World) -> Seen:
        return await reader.get(path.format(own=world.own, other=world.other))

    return attempt


def post(path: str, **fields: str) -> Attempt:
    """Send a form."""

    async def attempt(reader: Reader, world: World) -> Seen:
        filled = {name: value.format(own=world.own, other=world.other) for name, value in fields.items()}
        return await reader.post(path.format(own=world.own, other=world.other), filled)

    return attempt


async def post_update(reader: Reader, world: World) -> Seen:
    """Post an update to the other's bot with the own bot's secret."""
    app, tenant = world.own_shop.app, world.other_shop.tenant
    secret = app.vault.webhook_secret(world.own_shop.tenant.key, 1)
    answer = await reader._client.fetch(
        f"{reader.base_url}/webhook/telegram/{tenant.key}",
        method="POST",
        body='{"update_id": 1}',
        headers={"X-Telegram-Bot-Api-Secret-Token": secret},
        raise_error=False,
    )
    return Seen(answer.code, answer.headers, answer.body.decode(), {})


async def post_event(reader: Reader, world: World) -> Seen:
    """Tell the other's webhook that its pending charge is paid, signed with the own secret, and let it act."""
    return await _tell_of_others_charge(reader, world, world.other_shop.key)


async def post_others_charge(reader: Reader, world: World) -> Seen:
    """Tell the own webhook, as its provider would, that the other's pending charge is paid, and let it act."""
    return await _tell_of_others_charge(reader, world, world.own_shop.key)


async def _tell_of_others_charge(reader: Reader, world: World, key: str) -> Seen:
    body = await world.write_event_of_other()
    answer = await reader._client.fetch(
        f"{reader.base_url}/webhook/payment/sandbox/{key}",
        method="POST",
        body=body,
        headers=world.own_shop.provider.sign(body, world.own_shop.secret),
        raise_error=False,
    )
    world.own_shop.app.clock.move(minutes=11)
    for event_id in await world.own_shop.list_events():
        await events.apply(world.own_shop.app, event_id=event_id)
    return Seen(answer.code, answer.headers, answer.body.decode(), {})


def move_gateway(base: str, verb: str) -> Attempt:
    """Act on the other's gateway account, and send along the order as the own page shows it."""

    async def attempt(reader: Reader, world: World) -> Seen:
        ((own_id,),) = world.query("SELECT id FROM gateway_accounts WHERE account_id = %s", world.own.account_id)
        ((id_,),) = world.query("SELECT id FROM gateway_accounts WHERE account_id = %s", world.other.account_id)
        path = base.format(own=world.own, other=world.other)
        return await reader.post(f"{path}/gateways/{id_}/{verb}", {"order": str(own_id)})

    return attempt


OTHERS = "/sales/{other.account}"
OWN = "/sales/{own.account}"
ATTEMPTS: dict[str, list[tuple[Attempt, set[int]]]] = {
    r"/webhook/telegram/([A-Za-z0-9_-]{1,64})": [(post_update, {401})],
    r"/webhook/payment/([a-z0-9_]{1,32})/([A-Za-z0-9_-]{1,64})((?:/.*)?)": [
        (post_event, {200}),
        (post_others_charge, {200}),
    ],
    r"/go/([A-Za-z0-9_-]{1,64})/?": [
        (get("/go/{other.account}"), {404})
    ],  # a slug is public, an account's name is none
    r"/\.well-known/grimbots/([A-Za-z0-9_-]{16,64})": [(get("/.well-known/grimbots/challenge-of-anybody"), {200})],
    r"/live": [(get("/live"), {200})],
    r"/ready": [(get("/ready"), {200})],
    r"/health": [(get("/health"), {200, 503})],
    r"/metrics": [(get("/metrics"), {200})],
    r"/": [(get("/"), {303})],
    r"/login": [(get("/login"), {303})],
    r"/login/code": [(get("/login/code"), {303}), (post("/login/code", code="000000"), {303})],
    r"/me": [(get("/me?user_id=1"), {200})],
    r"/me/sessions/([0-9]{1,18})/end": [(post("/me/sessions/1/end"), {303})],
    r"/me/code(/off)?": [(get("/me/code"), {200}), (post("/me/code/off", code="000000"), {401})],
    r"/logout(/everywhere)?": [(post("/logout", user="{other.account}"), {303})],
    r"/language": [(post("/language", language="en", back=OTHERS), {303})],
    r"/static/([a-z]{1,32}\.[a-z]{1,8})": [(get("/static/pages.css"), {200})],
    r"/sales": [(get("/sales?account={other.account}"), {303})],
    ACCOUNT: [
        (get(OTHERS), {404}),
        (get(OTHERS + "?days=30&before=9000000000"), {404}),
        (get(OWN + "?before={other.payment_id}"), {200}),
        (get(OWN + "?account={other.account}&account_id={other.account_id}"), {200}),
    ],
    ACCOUNT + r"/payments/([0-9]{1,18})": [
        (get(OTHERS + "/payments/{other.payment_id}"), {404}),
        (get(OWN + "/payments/{other.payment_id}"), {404}),
    ],
    ACCOUNT + r"/payments/([0-9]{1,18})/refund": [
        (get(f"{base}/payments/{{other.payment_id}}/refund?transfer=E5010"), {404}) for base in (OTHERS, OWN)
    ]
    + [
        (post(f"{base}/payments/{{other.payment_id}}/refund", transfer="E5010", amount="1", key="k" * 24), {404})
        for base in (OTHERS, OWN)
    ],
    ACCOUNT + r"/bots": [
        (get(OTHERS + "/bots"), {404}),
        (get(OWN + "/bots?before=900000000000"), {200}),
    ],
    ACCOUNT + r"/reports": [
        (get(OTHERS + "/reports"), {404}),
        (get(OWN + "/reports?days=30&account={other.account}"), {200}),
    ],
    ACCOUNT + r"/reports\.csv": [
        (get(OTHERS + "/reports.csv"), {404}),
        (get(OWN + "/reports.csv?days=30&account={other.account}"), {200}),
    ],
    ACCOUNT + r"/bots/([0-9]{1,18})/(webhook|token)": [
        (post(f"{base}/bots/{{other.bot_id}}/{verb}", token="123:" + "A" * 35), {404})
        for base in (OTHERS, OWN)
        for verb in ("webhook", "token")
    ],
    ACCOUNT + r"/chats": [
        (get(OTHERS + "/chats"), {404}),
        (get(OWN + "/chats?account_id={other.account_id}"), {200}),
        (post(OTHERS + "/chats", bot="{other.account}_bot", lead="502", hours="1"), {404}),
        (post(OWN + "/chats", bot="{other.account}_bot", lead="502", hours="1"), {303}),
    ],
    ACCOUNT + r"/chats/([0-9]{1,18})/return": [
        (post(base + "/chats/{other.lead_id}/return"), {404}) for base in (OTHERS, OWN)
    ],
    ACCOUNT + r"/gateways": [
        (get(OTHERS + "/gateways"), {404}),
        (get(OWN + "/gateways?account_id={other.account_id}"), {200}),
        (post(OTHERS + "/gateways"), {404}),
        (post(OWN + "/gateways", account_id="{other.account_id}"), {200}),
    ],
    ACCOUNT + r"/gateways/add": [
        (get(OTHERS + "/gateways/add?gateway=sandbox"), {404}),
        (post(OTHERS + "/gateways/add", gateway="sandbox", field_api_key="k", field_webhook_secret="s"), {404}),
    ],
    ACCOUNT + r"/gateways/([0-9]{1,18})/(front|retire|activate|limits|register)": [
        (move_gateway(base, verb), {404})
        for base in (OTHERS, OWN)
        for verb in ("front", "retire", "activate", "limits", "register")
    ],
    ACCOUNT + r"/ledger": [
        (get(OTHERS + "/ledger"), {404}),
        (get(OWN + "/ledger?before=900000000000&account_id={other.account_id}"), {200}),
    ],
    ACCOUNT + r"/ledger\.csv": [
        (get(OTHERS + "/ledger.csv"), {404}),
        (get(OWN + "/ledger.csv?account={other.account}"), {200}),
    ],
    ACCOUNT + r"/privacy": [
        (get(OTHERS + "/privacy"), {404}),
        (get(OWN + "/privacy?account_id={other.account_id}"), {200}),
        (post(OTHERS + "/privacy", who="502"), {404}),
        (post(OWN + "/privacy", who="502"), {200}),
    ],
    ACCOUNT + r"/privacy/([0-9]{1,18})": [(get(base + "/privacy/{other.lead_id}"), {404}) for base in (OTHERS, OWN)],
    ACCOUNT + r"/privacy/([0-9]{1,18})/export": [
        (post(base + "/privacy/{other.lead_id}/export"), {404}) for base in (OTHERS, OWN)
    ],
    ACCOUNT + r"/privacy/([0-9]{1,18})/erase": [
        (ask(base + "/privacy/{other.lead_id}/erase"), {404}) for base in (OTHERS, OWN) for ask in (get, post)
    ],
    ACCOUNT + r"/messages": [
        (get(OTHERS + "/messages"), {404}),
        (get(OWN + "/messages?before=900000000000"), {200}),
    ],
    ACCOUNT + r"/messages/([0-9]{1,18})/(resend|discard)": [
        (post(f"{base}/messages/{{other.message_id}}/{verb}"), {404})
        for base in (OTHERS, OWN)
        for verb in ("resend", "discard")
    ],
    ACCOUNT + r"/events": [
        (get(OTHERS + "/events"), {404}),
        (get(OWN + "/events?before=900000000000"), {200}),
    ],
    r"/admin/queues": [(get("/admin/queues"), {404})],
    r"/admin/queues/dead": [
        (get("/admin/queues/dead"), {404}),
        (get("/admin/queues/dead?after={other.job_id}&reason=attempts"), {404}),
    ],
    r"/admin/queues/due": [(get("/admin/queues/due"), {404})],
    r"/admin/queues/job": [(get("/admin/queues/job?id={other.job_id}"), {404})],
    r"/admin/queues/requeue/all": [
        (get("/admin/queues/requeue/all?reason=attempts"), {404}),
        (post("/admin/queues/requeue/all", reason="attempts"), {404}),
    ],
    r"/admin/audit": [(get("/admin/audit"), {404})],
    r"/admin/queues/(requeue|discard)": [
        (post("/admin/queues/requeue", id="{other.job_id}"), {404}),
        (post("/admin/queues/discard", id="{other.job_id}"), {404}),
    ],
    r"/admin/queues/(pause|drain|resume)": [
        (get("/admin/queues/pause?kind=account&name={other.account_id}"), {404}),
        (post("/admin/queues/drain", kind="account", name="{other.account_id}"), {404}),
        (post("/admin/queues/pause", kind="queue", name="tasks"), {404}),
        (post("/admin/queues/pause", kind="account", name="{other.account_id}"), {404}),
        (post("/admin/queues/resume", kind="account", name="{other.account_id}"), {404}),
    ],
    r"/sandbox(?:/.*)?": [],  # the sandbox's own world, on this machine only (tests/handlers/test_sandbox.py)
    r"/login/link(?:/([A-Za-z0-9_-]{43}))?": [(post("/login/link", token="{other.account}"), {401})],
}
TRIED = [(pattern, place) for pattern, attempts in ATTEMPTS.items() for place in range(len(attempts))]


@pytest.fixture
def world(io_loop: Any, shops: list[Shop], query: Callable[..., list[Any]]) -> World:
    """Give both accounts goods."""
    return io_loop.run_sync(partial(make_world, shops, query))


def test_every_route_is_tried(settings: Any) -> None:
    assert {pattern for pattern, _ in routes(settings)} == set(ATTEMPTS)


@pytest.mark.gen_test
@pytest.mark.parametrize(("pattern", "place"), TRIED)
async def test_route_gives_an_owner_nothing_of_another_account(
    world: World, owner: Reader, pattern: str, place: int
) -> None:
    attempt, expected = ATTEMPTS[pattern][place]
    before = world.fingerprint(world.other)
    seen = await attempt(owner, world)
    assert seen.status in expected
    assert world.other.mark not in seen.text + str(dict(seen.headers))
    assert world.fingerprint(world.other) == before


@pytest.mark.gen_test
@pytest.mark.parametrize("pattern", [pattern for pattern in ATTEMPTS if pattern.startswith(ACCOUNT)])
async def test_route_gives_an_administrator_nothing_of_an_account(
    world: World, administrator: Reader, pattern: str
) -> None:
    before = world.fingerprint(world.other)
    for attempt, _ in ATTEMPTS[pattern]:
        assert (await attempt(administrator, world)).status == 404
    assert world.fingerprint(world.other) == before


@pytest.mark.gen_test
@pytest.mark.parametrize("pattern", [pattern for pattern in ATTEMPTS if pattern.startswith((ACCOUNT, "/admin"))])
async def test_route_gives_a_stranger_nothing(world: World, stranger: Reader, pattern: str) -> None:
    before = world.fingerprint(world.other)
    for attempt, _ in ATTEMPTS[pattern]:
        seen = await attempt(stranger, world)
        assert (seen.status, seen.place, seen.html) == (303, "/login", "")
    assert world.fingerprint(world.other) == before


@pytest.mark.gen_test
async def test_the_account_itself_is_shown_what_the_others_are_not(world: World, other: Reader) -> None:
    """Without this the tests above could look for what is nowhere."""
    paths = ["", "/messages", f"/payments/{world.other.payment_id}"]
    pages = [await other.get(f"/sales/{world.other.account}{path}") for path in paths]
    assert [(page.status, world.other.mark in page.text) for page in pages] == [(200, True)] * 3
    notices = await other.get(f"/sales/{world.other.account}/events")
    assert f"Aviso {world.other.event_id}" in notices.text
    before = world.fingerprint(world.other)
    seen = await other.post(f"/sales/{world.other.account}/messages/{world.other.message_id}/discard")
    assert (seen.status, world.fingerprint(world.other) == before) == (303, False)


@pytest.mark.gen_test
async def test_viewer_sees_and_does_nothing(world: World, viewer: Reader) -> None:
    page = await viewer.get(f"/sales/{world.own.account}/messages")
    assert (page.status, world.own.mark in page.text) == (200, True)
    assert "resend" not in page.html
    for verb in ("resend", "discard"):
        seen = await viewer.post(f"/sales/{world.own.account}/messages/{world.own.message_id}/{verb}")
        assert seen.status == 403
    assert world.query("SELECT status FROM messages WHERE id = %s", world.own.message_id) == [("failed",)]
