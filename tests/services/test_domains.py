"""Domains: who may have one, how it is shown to lead here, and that its links are its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from grimbots.services import domains, pools
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.services.secrets import Vault
from grimbots.tests.ports import pick_port
from grimbots.tests.services.test_pools import become_true

HOST = "vendas.example.com"


@pytest.fixture
def site(app: Any, base_url: str, http_server: Any) -> Any:
    """Give an App whose own address is the listening server's, and which asks itself for any domain."""
    port = urlsplit(base_url).port
    return replace(app, settings=replace(app.settings, sandbox=True, host="127.0.0.1", port=port))


async def add(site: Any, account: str = "tenant1", host: str = HOST) -> None:
    await domains.add(site, account=account, host=host, actor="test")


async def verify(site: Any, account: str = "tenant1") -> None:
    await domains.verify(site, account=account, host=HOST, actor="test")


async def save(site: Any, account: str, domain: str = "") -> str:
    wanted = {"slug": "promo", "usernames": [f"{account}_bot"], "domain": domain}
    return await pools.save(site, account=account, actor="test", **wanted)


@pytest.mark.gen_test
async def test_domain_that_leads_here_is_verified(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    ((host, status),) = [(row.host, row.status) for row in await domains.list_domains(site, "tenant1")]
    assert (host, status) == (HOST, "verified")


@pytest.mark.gen_test
async def test_domain_that_leads_elsewhere_is_not(site: Any, accounts: Any) -> None:
    await add(site)
    with pytest.raises(Invalid, match="somebody else"):
        await verify(replace(site, vault=Vault(b"k" * 32)))
    with pytest.raises(Invalid, match="is not verified"):
        await save(site, "tenant1", HOST)


@pytest.mark.gen_test
async def test_domain_where_nobody_answers_is_not(app: Any, site: Any, accounts: Any) -> None:
    await add(site)
    with pytest.raises(Unavailable, match="does not answer"):
        await verify(replace(site, settings=replace(site.settings, port=pick_port())))


@pytest.mark.gen_test
async def test_domain_is_verified_for_one_account(site: Any, accounts: Any) -> None:
    await add(site)
    await add(site, "tenant2")
    await verify(site)
    with pytest.raises(Conflict, match="another account"):
        await verify(site, "tenant2")


@pytest.mark.parametrize("host", ["", "example", "https://a.example.com", "a b.com", "127.0.0.1", "a_b.com", "-a.com"])
@pytest.mark.gen_test
async def test_what_is_no_domain_is_refused(app: Any, accounts: Any, host: str) -> None:
    with pytest.raises(Invalid):
        await add(app, host=host)


@pytest.mark.gen_test
async def test_own_address_is_nobodys_domain(app: Any, accounts: Any) -> None:
    with pytest.raises(Invalid, match="own address"):
        await add(replace(app, settings=replace(app.settings, public_url=f"https://{HOST}")))


@pytest.mark.gen_test
async def test_same_word_leads_elsewhere_on_each_domain(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    assert await save(site, "tenant1", HOST) == f"http://{HOST}:{site.settings.port}/go/promo"
    await save(site, "tenant2")
    await site.pools.load(site)
    found = {host: (await site.pools.get(site, "promo", host)).account_id for host in (HOST, "elsewhere.com", "")}
    own, other = (tenant.account_id for tenant in accounts)
    assert found == {HOST: own, "elsewhere.com": other, "": other}


@pytest.mark.gen_test
async def test_host_is_known_with_port_dot_and_capitals(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    await save(site, "tenant1", HOST)
    await site.pools.load(site)
    for host in (f"{HOST}:8443", f"{HOST}.", HOST.upper()):
        assert (await site.pools.get(site, "promo", host)).account_id == accounts[0].account_id


@pytest.mark.gen_test
async def test_domain_knows_no_links_of_the_installation(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    await save(site, "tenant2")
    await site.pools.load(site)
    with pytest.raises(NotFound):
        await site.pools.get(site, "promo", HOST)


@pytest.mark.gen_test
async def test_links_stand_on_own_domains_only(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    with pytest.raises(NotFound):
        await save(site, "tenant2", HOST)


@pytest.mark.gen_test
async def test_domain_with_links_stays(site: Any, accounts: Any) -> None:
    await add(site)
    await verify(site)
    await save(site, "tenant1", HOST)
    with pytest.raises(Conflict, match="links stand on"):
        await domains.remove(site, account="tenant1", host=HOST, actor="test")
    await pools.remove(site, account="tenant1", slug=f"{HOST}/promo", actor="test")
    await domains.remove(site, account="tenant1", host=HOST, actor="test")
    assert await domains.list_domains(site) == []


@pytest.mark.gen_test
async def test_every_process_hears_of_a_domain(site: Any, accounts: Any, io_loop: Any) -> None:
    cache = pools.PoolCache()
    watching = io_loop.asyncio_loop.create_task(cache.watch(site))
    await add(site)
    await verify(site)
    await become_true(lambda: HOST in cache._hosts)
    await domains.remove(site, account="tenant1", host=HOST, actor="test")
    await become_true(lambda: HOST not in cache._hosts)
    watching.cancel()
