"""The cache of rows the edges need: asked for once, stale when changed, used stale when Postgres is away or hangs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from grimbots.services import caches
from grimbots.services.caches import Cache, Key
from grimbots.services.errors import Unavailable
from grimbots.sql.database import DatabaseUnavailable

APP: Any = None  # handed through to the loader, which needs none


@dataclass(frozen=True)
class Thing:
    """What is cached."""

    id: int
    key: str
    word: str = "first"


@dataclass
class Shelf:
    """Where things are loaded from: `asked` notes each question, `fault` is raised, `gate` is waited for."""

    things: dict[Key, Thing] = field(default_factory=dict)
    asked: list[Key] = field(default_factory=list)
    fault: Exception | None = None
    gate: asyncio.Event | None = None

    async def load(self, app: Any, key: Key) -> Thing | None:
        """Answer as Postgres would."""
        self.asked.append(key)
        found = self.things.get(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return found


@pytest.fixture
def shelf() -> Shelf:
    """Give a shelf with one thing."""
    return Shelf({"k7": Thing(7, "k7")})


def make_cache(shelf: Shelf, seconds: float = 300) -> Cache[Thing]:
    """Make a cache over a shelf."""
    return Cache("thing", seconds, shelf.load)


@pytest.mark.gen_test
async def test_get_asks_once_while_the_word_is_fresh(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    found = [await cache.get(APP, "k7") for _ in range(3)]
    assert found == [Thing(7, "k7")] * 3 and shelf.asked == ["k7"]


@pytest.mark.gen_test
async def test_get_asks_once_for_all_who_come_together(shelf: Shelf) -> None:
    cache = make_cache(shelf, seconds=0)
    await asyncio.gather(*(cache.get(APP, "k7") for _ in range(20)))
    assert shelf.asked == ["k7"]


@pytest.mark.gen_test
async def test_get_remembers_what_is_not_there_until_something_changes(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    assert [await cache.get(APP, "k8") for _ in range(3)] == [None] * 3 and shelf.asked == ["k8"]
    shelf.things["k8"] = Thing(8, "k8")
    cache.expire("8")
    assert await cache.get(APP, "k8") == Thing(8, "k8")


@pytest.mark.gen_test
@pytest.mark.parametrize(("word", "asked"), [("7", 2), ("", 2), ("9", 1)])
async def test_expire_makes_stale_what_changed(shelf: Shelf, word: str, asked: int) -> None:
    cache = make_cache(shelf)
    await cache.get(APP, "k7")
    cache.expire(word)
    await cache.get(APP, "k7")
    assert len(shelf.asked) == asked


@pytest.mark.gen_test
async def test_get_does_not_believe_what_changed_while_it_was_read(shelf: Shelf) -> None:
    cache, shelf.gate = make_cache(shelf), asyncio.Event()
    reading = asyncio.create_task(cache.get(APP, "k7"))
    while not shelf.asked:
        await asyncio.sleep(0)
    shelf.things["k7"] = Thing(7, "k7", "second")
    cache.expire("7")
    shelf.gate.set()
    await reading
    assert await cache.get(APP, "k7") == Thing(7, "k7", "second")


@pytest.mark.gen_test
async def test_get_gives_the_old_word_while_postgres_is_away_and_asks_no_more_for_a_moment(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    await cache.get(APP, "k7")
    cache.expire("")
    shelf.fault = DatabaseUnavailable("away")
    assert [await cache.get(APP, "k7") for _ in range(3)] == [Thing(7, "k7")] * 3
    assert len(shelf.asked) == 2


@pytest.mark.alone
@pytest.mark.gen_test
async def test_get_gives_the_old_word_while_postgres_hangs(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    await cache.get(APP, "k7")
    cache.expire("")
    shelf.gate = asyncio.Event()
    async with asyncio.timeout(caches.LOOK_UP_SECONDS * 2):
        assert await cache.get(APP, "k7") == Thing(7, "k7")


@pytest.mark.gen_test
async def test_get_refuses_what_was_never_read_while_postgres_is_away(shelf: Shelf) -> None:
    shelf.fault = DatabaseUnavailable("away")
    with pytest.raises(Unavailable, match="this thing cannot be looked up"):
        await make_cache(shelf).get(APP, "k7")


@pytest.mark.gen_test
async def test_keep_makes_a_thing_known_by_its_id_and_its_key(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    cache.keep(Thing(9, "k9"))
    assert [await cache.get(APP, key) for key in (9, "k9")] == [Thing(9, "k9")] * 2 and shelf.asked == []


@pytest.mark.gen_test
async def test_guessed_keys_push_out_nothing_that_is_known(shelf: Shelf) -> None:
    cache = make_cache(shelf)
    await cache.get(APP, "k7")
    for number in range(caches.REMEMBERED + 1):
        await cache.get(APP, f"guess {number}")
    shelf.asked.clear()
    assert await cache.get(APP, "k7") == Thing(7, "k7") and shelf.asked == []
