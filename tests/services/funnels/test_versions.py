from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from grimbots.services.errors import Invalid, NotFound
from grimbots.services.funnels import versions
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.versions import REMEMBERED_VERSIONS, VersionCache
from grimbots.tests.services.funnels.samples import FILES, FUNNEL, PNG, make_funnel


async def publish(app: Any, account_id: int, definition: Any = FUNNEL, files: Any = FILES) -> versions.Published:
    return await versions.publish(app, account_id, definition, files, actor="command")


@pytest.mark.gen_test
async def test_publish_numbers_versions_and_makes_the_last_one_current(app: Any, accounts: Any) -> None:
    first = await publish(app, accounts[0].account_id)
    second = await publish(app, accounts[0].account_id, make_funnel(bye={"text": "Até!"}))
    assert (first.number, second.number, second.funnel_id) == (1, 2, first.funnel_id)
    funnel = await app.db.funnels.find_by_name(account_id=accounts[0].account_id, name="shop")
    assert funnel.current_version_id == second.version_id


@pytest.mark.gen_test
async def test_publish_of_what_is_current_changes_nothing(app: Any, accounts: Any) -> None:
    first = await publish(app, accounts[0].account_id)
    again = await publish(app, accounts[0].account_id)
    assert (again.version_id, again.is_new) == (first.version_id, False)


@pytest.mark.gen_test
async def test_publish_of_a_changed_picture_is_a_new_version(app: Any, accounts: Any) -> None:
    await publish(app, accounts[0].account_id)
    again = await publish(app, accounts[0].account_id, files={"welcome.png": PNG + b"!"})
    assert again.number == 2


@pytest.mark.gen_test
async def test_publish_keeps_accounts_apart(app: Any, accounts: Any) -> None:
    one, other = [await publish(app, tenant.account_id) for tenant in accounts]
    assert one.funnel_id != other.funnel_id
    assert await app.db.funnel_versions.find_current(account_id=accounts[1].account_id, funnel_id=one.funnel_id) is None


@pytest.mark.gen_test
async def test_publish_stores_pictures_by_their_content(app: Any, accounts: Any) -> None:
    published = await publish(app, accounts[0].account_id)
    version = await versions.load(app, published.version_id)
    sha256 = version.assets["welcome.png"]
    asset = await app.db.assets.find(account_id=accounts[0].account_id, sha256=sha256)
    chunk = await app.db.assets.find_chunk(account_id=accounts[0].account_id, asset_id=asset.id, number=0)
    assert (bytes(chunk), asset.content_type, asset.size_bytes) == (PNG, "image/png", len(PNG))
    assert await app.db.assets.find(account_id=accounts[1].account_id, sha256=sha256) is None


@pytest.mark.gen_test
async def test_publish_refuses_mistakes_and_writes_nothing(app: Any, accounts: Any) -> None:
    with pytest.raises(Invalid, match=r"offer\.price_cents: .*centavos"):
        await publish(app, accounts[0].account_id, make_funnel(offer={"price_cents": 0}))
    assert await app.db.funnels.find_by_name(account_id=accounts[0].account_id, name="shop") is None


@pytest.mark.gen_test
async def test_publish_is_audited(app: Any, accounts: Any) -> None:
    published = await publish(app, accounts[0].account_id)
    (note,) = await app.db.audit.list_recent(account_id=accounts[0].account_id, limit=5)
    assert (note.actor, note.action, note.subject) == ("command", "funnel.publish", f"funnel:{published.funnel_id}")


@pytest.mark.gen_test
async def test_a_published_version_cannot_be_changed(app: Any, accounts: Any, database_url: str) -> None:
    await publish(app, accounts[0].account_id)
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.RaiseException, match="immutable"):
        cursor.execute("UPDATE funnel_versions SET number = 9")
    connection.close()


@pytest.mark.gen_test
async def test_load_gives_what_was_published(app: Any, accounts: Any) -> None:
    published = await publish(app, accounts[0].account_id)
    version = await versions.load(app, published.version_id)
    assert (version.id, version.name, version.start, list(version.steps)) == (
        published.version_id,
        "shop",
        "welcome",
        [step["id"] for step in FUNNEL["steps"]],
    )
    assert await versions.load(app, published.version_id) is version


@pytest.mark.gen_test
async def test_load_of_an_unknown_version_says_so(app: Any) -> None:
    with pytest.raises(NotFound):
        await versions.load(app, 5)


def test_version_cache_forgets_the_longest_unused() -> None:
    cache = VersionCache()
    for number in range(REMEMBERED_VERSIONS + 1):
        cache.keep(Version(number, "x", "en", "a", {}))
        cache.find(0)
    assert cache.find(0) is not None
    assert cache.find(1) is None
    assert cache.find(REMEMBERED_VERSIONS) is not None
