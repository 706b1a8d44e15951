"""The page of bots: what it says of those out of service, and the two acts that bring them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.tests.conftest import Tenant
from grimbots.tests.handlers.admin.readers import Reader

Query = Callable[..., list[Any]]
PATH = "/sales/tenant1/bots"
NEW = "900000001:" + "N" * 35


@pytest.fixture(autouse=True)
def local(app: Any, fake_telegram: Any) -> None:
    """Say that this Telegram is no real one, which would want https of us."""
    object.__setattr__(app.settings, "telegram_url", fake_telegram.url)


def lose(query: Query, tenant: Tenant) -> None:
    query(
        "INSERT INTO bot_webhooks (bot_id, account_id, state, host, state_since, asked_at)"
        " VALUES (%s, %s, 'taken', 'thief.example.org', now(), now())",
        *(tenant.bot_id, tenant.account_id),
    )


@pytest.mark.gen_test
async def test_a_dead_bot_is_told_of_with_its_reason(owner: Reader, accounts: list[Tenant], query: Query) -> None:
    query("UPDATE bots SET status = 'dead', status_reason = 'Telegram answers 401 Unauthorized'")
    assert "Bots que não recebem nada: 1" in (await owner.get("/sales/tenant1")).text
    page = (await owner.get(PATH)).text
    for word in ("o Telegram recusou o token", "401 Unauthorized", "Pegue o token novo no @BotFather", "Trocar"):
        assert word in page


@pytest.mark.gen_test
async def test_a_bot_that_waits_its_turn_is_shown_so_and_has_no_acts(
    owner: Reader, accounts: list[Tenant], query: Query
) -> None:
    query("UPDATE bots SET status = 'new', due_at = now()")
    page = await owner.get(PATH)
    assert "esperando a vez no Telegram" in page.text
    assert '/token"' not in page.html


@pytest.mark.gen_test
async def test_button_sets_our_webhook_again(
    owner: Reader, app: Any, accounts: list[Tenant], query: Query, fake_telegram: Any
) -> None:
    lose(query, accounts[0])
    fake_telegram.answer("getWebhookInfo", {"url": f"{app.settings.base_url}/webhook/telegram/{accounts[0].key}"})
    await owner.get(PATH)
    seen = await owner.follow(await owner.post(f"{PATH}/{accounts[0].bot_id}/webhook"))
    assert "O bot está conectado de novo" in seen.text
    assert "em serviço" in seen.text
    assert "thief" not in seen.text
    assert query("SELECT actor, action FROM audit ORDER BY id DESC LIMIT 1")[0][1] == "bot.webhook"


@pytest.mark.gen_test
async def test_form_gives_a_dead_bot_its_new_token_and_never_shows_it(
    owner: Reader, app: Any, accounts: list[Tenant], query: Query, fake_telegram: Any
) -> None:
    query("UPDATE bots SET status = 'dead'")
    known = {"id": 900_000_001, "is_bot": True, "first_name": "Um", "username": "tenant1_bot"}
    fake_telegram.answer("getMe", known)
    await owner.get(PATH)
    seen = await owner.follow(await owner.post(f"{PATH}/{accounts[0].bot_id}/token", {"token": NEW}))
    assert "O token foi trocado" in seen.text
    assert NEW not in seen.html + str(seen.headers)
    ((status, sealed),) = query("SELECT status, token_encrypted FROM bots WHERE id = %s", accounts[0].bot_id)
    assert (status, app.vault.decrypt(sealed)) == ("active", NEW)


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("token", {"http": 401, "description": "Unauthorized"}, "o Telegram não conhece este token"),
        ("token", {"http": 502, "description": "Bad Gateway"}, "O Telegram não respondeu"),
        ("webhook", {"http": 401, "description": "Unauthorized"}, "não conhece mais o token"),
        ("webhook", {"http": 502, "description": "Bad Gateway"}, "O Telegram não respondeu"),
        ("token", {"result": {"id": 5, "is_bot": True, "first_name": "x", "username": "x_bot"}}, "é de outro bot"),
    ],
)
@pytest.mark.gen_test
async def test_refusals_are_said_in_the_readers_words(
    owner: Reader, accounts: list[Tenant], fake_telegram: Any, verb: str, answer: dict[str, Any], said: str
) -> None:
    fake_telegram.answer("*", **answer)
    await owner.get(PATH)
    seen = await owner.follow(await owner.post(f"{PATH}/{accounts[0].bot_id}/{verb}", {"token": NEW}))
    assert said in seen.text


@pytest.mark.gen_test
async def test_viewer_is_offered_nothing_and_may_do_nothing(viewer: Reader, accounts: list[Tenant]) -> None:
    assert '/token"' not in (await viewer.get(PATH)).html
    for verb in ("token", "webhook"):
        assert (await viewer.post(f"{PATH}/{accounts[0].bot_id}/{verb}", {"token": NEW})).status == 403
