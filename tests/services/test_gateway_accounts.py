"""Gateway accounts: checked against the provider's fields, sealed, one active each, reached by an opaque key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import gateway_accounts
from grimbots.services.errors import Invalid, NotFound
from grimbots.tests.services.shops import Shop

GOOD = {"api_key": "key", "webhook_secret": "secret"}


@pytest.mark.gen_test
async def test_add_seals_the_credentials_and_gives_them_back_to_the_gateway(shop: Shop) -> None:
    added = await gateway_accounts.add_gateway_account(shop.app, shop.tenant.account_id, "sandbox", GOOD, actor="test")
    gateway, credentials = gateway_accounts.open_gateway(shop.app, added)
    assert (gateway.name, credentials) == ("sandbox", GOOD)
    assert "secret" not in added.credentials_encrypted and len(added.key) >= 20
    noted = await shop.app.db.audit.list_recent(account_id=shop.tenant.account_id, limit=1)
    assert noted[0].action == "gateway.add" and "secret" not in str(noted[0])


@pytest.mark.gen_test
async def test_add_makes_the_new_one_active_and_keeps_the_old_ones_webhook(shop: Shop) -> None:
    added = await gateway_accounts.add_gateway_account(shop.app, shop.tenant.account_id, "sandbox", GOOD, actor="test")
    listed = await shop.app.db.gateway_accounts.list_all(account_id=shop.tenant.account_id)
    assert [row.id for row in listed if row.is_active] == [added.id] and len(listed) == 2
    assert await gateway_accounts.find_by_key(shop.app, "sandbox", shop.key) is not None


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("gateway", "credentials", "said"),
    [
        ("nobank", GOOD, "no gateway"),
        ("sandbox", {"api_key": "key"}, "webhook_secret"),
        ("sandbox", {**GOOD, "api_key": "  "}, "api_key"),
        ("sandbox", {**GOOD, "pin": "1"}, "pin"),
        ("sandbox", {**GOOD, "api_key": "k" * 20_000}, "at most"),
    ],
)
async def test_add_refuses_what_the_gateway_cannot_use(
    shop: Shop, gateway: str, credentials: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        await gateway_accounts.add_gateway_account(shop.app, shop.tenant.account_id, gateway, credentials, actor="test")


@pytest.mark.gen_test
async def test_open_gateway_refuses_the_sandbox_where_it_is_closed(shop: Shop) -> None:
    account = await gateway_accounts.find_by_key(shop.app, "sandbox", shop.key)
    closed = replace(shop.app, settings=replace(shop.app.settings, sandbox=False))
    with pytest.raises(NotFound):
        gateway_accounts.open_gateway(closed, account)


@pytest.mark.gen_test
async def test_find_by_key_wants_the_gateways_name_too(shop: Shop) -> None:
    assert await gateway_accounts.find_by_key(shop.app, "other", shop.key) is None
