"""Registrations: a bank is told where to post the events of one's own gateway accounts, when somebody says so."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grimbots.services import gateway_accounts, gateway_tests, registrations
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
    """Give an App that finds Efí where it listens, and whose time is real: a certificate's is."""
    settings = replace(app.settings, gateway_urls={"efi": efi.url}, public_url="https://bots.example.com")
    return replace(app, settings=settings, clock=lambda: datetime.now(UTC))


async def connect(app: Any, tenant: Any, credentials: dict[str, str]) -> Any:
    """Return the new gateway account."""
    return await gateway_accounts.add_gateway_account(app, tenant.account_id, "efi", credentials, actor="test")


@pytest.mark.gen_test
async def test_a_bank_is_told_where_to_post_events(at_efi: Any, efi: Fake, tenant: Any) -> None:
    added = await connect(at_efi, tenant, efi.credentials())
    assert efi.webhooks == {}
    await registrations.register(at_efi, tenant.account_id, added.id, "ana")
    (url,) = efi.webhooks.values()
    assert url.startswith(gateway_accounts.notification_url(at_efi, added) + "?hmac=")
    (noted, *_) = await at_efi.db.audit.list_recent(account_id=tenant.account_id, limit=1)
    assert (noted.action, noted.actor) == ("gateway.register", "ana") and "hmac" not in str(noted)


@pytest.mark.gen_test
async def test_what_the_bank_refuses_is_told_and_not_noted(at_efi: Any, efi: Fake, tenant: Any) -> None:
    added = await connect(at_efi, tenant, {**efi.credentials(), "client_secret": "wrong"})
    with pytest.raises(Invalid, match="Client Secret"):
        await registrations.register(at_efi, tenant.account_id, added.id, "ana")
    (noted, *_) = await at_efi.db.audit.list_recent(account_id=tenant.account_id, limit=1)
    assert noted.action == "gateway.add"


@pytest.mark.gen_test
async def test_nobody_registers_another_accounts(at_efi: Any, efi: Fake, tenant: Any) -> None:
    added = await connect(at_efi, tenant, efi.credentials())
    with pytest.raises(NotFound):
        await registrations.register(at_efi, tenant.account_id + 1, added.id, "eva")
    assert efi.calls == []


@pytest.mark.gen_test
async def test_a_certificate_as_it_was_downloaded_is_tried_and_kept_as_pem(at_efi: Any, efi: Fake, tenant: Any) -> None:
    given = efi.credentials()
    packed = {**given, "certificate": base64.b64encode(given["certificate"].encode()).decode()}
    assert await gateway_tests.require(at_efi, "efi", packed) == ""
    _, kept = gateway_accounts.open_gateway(at_efi, await connect(at_efi, tenant, packed))
    assert kept == given


@pytest.mark.gen_test
async def test_a_certificate_of_no_use_is_refused_before_it_is_kept(at_efi: Any, efi: Fake, tenant: Any) -> None:
    old = get_authority().issue("shop", ends_at=datetime.now(UTC) - timedelta(9)).decode()
    with pytest.raises(Invalid, match="venceu em"):
        await connect(at_efi, tenant, {**efi.credentials(), "certificate": old})
    with pytest.raises(Invalid, match="venceu em"):
        await gateway_tests.require(at_efi, "efi", {**efi.credentials(), "certificate": old})
    assert await at_efi.db.gateway_accounts.list_all(account_id=tenant.account_id) == []
