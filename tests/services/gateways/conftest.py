"""What the contract suite's files share: every gateway there is, each on a bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Gateway
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.services.gateways.benches import Bench, find_fakes, place


@pytest.fixture(params=sorted(find_gateways()))
def kind(request: pytest.FixtureRequest) -> type[Gateway]:
    """Give each gateway of the folder."""
    return find_gateways()[request.param]


@pytest.fixture
def bench(
    kind: type[Gateway], io_loop: Any, http: HttpClient, settings: Settings, clock: Clock, monkeypatch: Any
) -> Iterator[Bench]:
    """Give the gateway over its listening fake provider."""
    provider, make = place(kind, find_fakes()[kind.name], clock)
    for name, value in provider.patches().items():
        monkeypatch.setattr(kind, name, value)
    io_loop.run_sync(provider.start)
    yield make(http, settings)
    io_loop.run_sync(provider.stop)
