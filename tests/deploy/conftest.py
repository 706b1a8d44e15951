"""Fixtures of the fronts' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grimbots.tests.deploy.fronts import Backend, make_certificate, run_backend
from grimbots.tests.services.conftest import provider, query, shop, shops

__all__ = ["provider", "query", "shop", "shops"]


@pytest.fixture(scope="session")
def certificate(servers_folder: Path) -> Path:
    """Give a certificate for 127.0.0.1, made here."""
    return make_certificate(servers_folder)


@pytest.fixture
def backend() -> Iterator[Backend]:
    """Give a running Backend."""
    with run_backend() as running:
        yield running
