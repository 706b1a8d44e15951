"""People at the pages: an owner of each tenant, a viewer of the first, an administrator, and a stranger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.conftest import provider, query, shop, shops
from grimbots.tests.services.people import add_person

__all__ = ["provider", "query", "shop", "shops"]


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    """Give settings as `make run` has them: plain http on this machine, the sandbox open."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1"})


@pytest.fixture
def stranger(app: Any, http_client: Any, base_url: str) -> Reader:
    """Give a reader who is not logged in. `app` is named so that the session's servers start before the test's loop."""
    return Reader(http_client, base_url)


@pytest.fixture
def enter(io_loop: Any, app: Any, http_client: Any, base_url: str) -> Callable[..., Reader]:
    """Give a function that adds a person and gives him as a logged-in reader."""

    async def make(name: str, account: str | None, role: str, administrator: bool) -> Reader:
        email = await add_person(app, name, account, role, administrator=administrator)
        reader = Reader(http_client, base_url)
        page = await reader.log_in(email)
        while page.status == 303:
            page = await reader.follow(page)
        assert page.status == 200  # a page with forms: the reader has its token
        return reader

    def entered(name: str, account: str | None = None, role: str = "owner", administrator: bool = False) -> Reader:
        made: Reader = io_loop.run_sync(partial(make, name, account, role, administrator))
        return made

    return entered


@pytest.fixture
def owner(enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give an owner of the first account."""
    return enter("owner", accounts[0].name)


@pytest.fixture
def other(enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give an owner of the second account."""
    return enter("other", accounts[1].name)


@pytest.fixture
def viewer(enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give somebody who may look at the first account and not act."""
    return enter("viewer", accounts[0].name, role="viewer")


@pytest.fixture
def administrator(enter: Callable[..., Reader]) -> Reader:
    """Give an administrator of the installation, of no account."""
    return enter("root", administrator=True)
