"""Connections: credentials tried and events asked for, of one's own gateway accounts alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grimbots.services import connections, gateway_accounts
from grimbots.services.errors import Invalid, NotFound
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.bank import get_authority
from grimbots.tests.fakes.providers.efi import Fake


@pytest.fixture
def efi(io_loop: Any, clock: Clock) -> Iterator[Fake]:
    """Give Efí, listening."""
    bank = Fake(clock)
    io_loop.run_sync(bank.start)
    yield bank
    io_loop.run_sync(bank.stop)


@pytest.fixture
def tenant(accounts: Any) -> Any:
    """Give a tenant who has no provider yet."""
    return accounts[0]


@pytest.fixture
def at_efi(app: Any, efi: Fake) -> Any:
    """Give an App that finds Efí where it listens, and whose time is the certificates'."""
    settings = replace(app.settings, gateway_urls={"efi": efi.url}, public_url="https://bots.example.com")
    return replace(app, settings=settings, clock=lambda: datetime.now(UTC))


async def connect(app: Any, tenant: Any, credentials: dict[str, str]) -> Any:
    """Return the new gateway account."""
    return await gateway_accounts.add_gateway_account(app, tenant.account_id, "efi", credentials, actor="test")


@pytest.mark.gen_test
async def test_a_connected_account_is_tried_and_its_events_are_asked_for(at_efi: Any, efi: Fake, tenant: Any) -> None:
    given = efi.credentials()
    packed = base64.b64encode(given["certificate"].encode()).decode()
    added = await connect(at_efi, tenant, {**given, "certificate": packed})
    _, kept = gateway_accounts.open_gateway(at_efi, added)
    assert kept == given
    which = {"account_id": tenant.account_id, "gateway_account_id": added.id}
    assert await connections.test(at_efi, **which) is None and efi.webhooks == {}
    assert await connections.register(at_efi, **which, actor="ana") is None
    (url,) = efi.webhooks.values()
    assert url.startswith(gateway_accounts.notification_url(at_efi, added) + "?hmac=")
    (noted, *_) = await at_efi.db.audit.list_recent(account_id=tenant.account_id, limit=1)
    assert (noted.action, noted.actor) == ("gateway.register", "ana") and "hmac" not in str(noted)


@pytest.mark.gen_test
async def test_what_the_provider_refuses_is_told_and_not_noted(at_efi: Any, efi: Fake, tenant: Any) -> None:
    added = await connect(at_efi, tenant, {**efi.credentials(), "client_secret": "wrong"})
    which = {"account_id": tenant.account_id, "gateway_account_id": added.id}
    for refusal in (await connections.test(at_efi, **which), await connections.register(at_efi, **which, actor="ana")):
        assert refusal is not None and "Client Secret" in refusal.reason
    (noted, *_) = await at_efi.db.audit.list_recent(account_id=tenant.account_id, limit=1)
    assert noted.action == "gateway.add"


@pytest.mark.gen_test
async def test_nobody_reaches_another_accounts(at_efi: Any, efi: Fake, tenant: Any) -> None:
    added = await connect(at_efi, tenant, efi.credentials())
    others = {"account_id": tenant.account_id + 1, "gateway_account_id": added.id}
    with pytest.raises(NotFound):
        await connections.test(at_efi, **others)
    with pytest.raises(NotFound):
        await connections.register(at_efi, **others, actor="eva")
    assert efi.calls == []


@pytest.mark.gen_test
async def test_a_certificate_of_no_use_is_refused_before_it_is_kept(at_efi: Any, efi: Fake, tenant: Any) -> None:
    old = get_authority().issue("shop", begins_at=datetime.now(UTC) - timedelta(9)).decode()
    with pytest.raises(Invalid, match="venceu em"):
        await connect(at_efi, tenant, {**efi.credentials(), "certificate": old})
    assert await at_efi.db.gateway_accounts.list_all(account_id=tenant.account_id) == []
