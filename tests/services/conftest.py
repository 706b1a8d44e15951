"""Fixtures of the money road: a fake payment provider and two tenants' shops on it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.services.shops import Shop, open_shop


@pytest.fixture
def provider(io_loop: Any, clock: Clock) -> Iterator[FakeProvider]:
    """Give a listening fake provider whose time is the application's."""
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    yield fake
    io_loop.run_sync(fake.stop)


@pytest.fixture
def shops(io_loop: Any, app: Any, provider: FakeProvider, accounts: Any) -> list[Shop]:
    """Give a shop of each tenant."""
    return [io_loop.run_sync(partial(open_shop, app, provider, tenant)) for tenant in accounts]


@pytest.fixture
def shop(shops: list[Shop]) -> Shop:
    """Give the first tenant's shop."""
    return shops[0]
