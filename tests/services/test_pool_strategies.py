"""How each strategy spreads visitors, and that one more is one file more."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grimbots.services import pool_strategies, pools
from grimbots.services.errors import Invalid
from grimbots.services.pool_loads import Loads
from grimbots.services.pool_strategies.base import Moment, PoolBot
from grimbots.services.pool_strategies.scan import find_strategies
from grimbots.services.pools import Pool, PoolCache
from grimbots.tests.services.additions import add_file

NEWEST = """
from collections.abc import Sequence

from grimbots.services.pool_strategies.base import Moment, PoolBot, Strategy
from grimbots.tests.services.additions import add_file


class Newest(Strategy):
    name = "newest"
    summary = "the bot that came last"

    def choose(self, bots: Sequence[PoolBot], moment: Moment) -> PoolBot:
        return max(bots, key=lambda bot: bot.id)
"""
VISITS = 6000
A, B, C = PoolBot(1, "a"), PoolBot(2, "b"), PoolBot(3, "c")


def spread(strategy: str, *bots: PoolBot, visits: int = VISITS) -> Counter[str]:
    """Count whom visitors of a pool are sent to."""
    cache = PoolCache()
    cache._chance = random.Random(7)
    pool = Pool(1, 1, "promo", strategy, None, bots)
    return Counter(cache.next_bot(pool).username for _ in range(visits))


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[None]:
    """Put one more file where the strategies are looked for."""
    with add_file(tmp_path, pool_strategies, "newest", NEWEST, find_strategies):
        yield


def test_find_strategies_finds_those_that_ship() -> None:
    assert set(find_strategies()) == {"round_robin", "least_load", "weighted", "random", "priority"}


@pytest.mark.gen_test
async def test_a_new_file_is_a_new_strategy(newest: None, app: Any, accounts: Any) -> None:
    wanted = {"account": "tenant1", "slug": "promo", "usernames": ["tenant1_bot"], "actor": "test"}
    await pools.save(app, **wanted, strategy="newest")
    assert [row.strategy for row in await pools.list_pools(app)] == ["newest"]
    assert spread("newest", A, B, C) == {"c": VISITS}


@pytest.mark.gen_test
async def test_unknown_strategy_is_refused_by_name(app: Any, accounts: Any) -> None:
    with pytest.raises(Invalid, match="choose one of least_load, priority, random, round_robin, weighted"):
        await pools.save(
            app, account="tenant1", slug="promo", usernames=["tenant1_bot"], actor="test", strategy="newest"
        )


def test_round_robin_is_even_to_one() -> None:
    assert spread("round_robin", A, B, C, visits=31) == {"a": 11, "b": 10, "c": 10}


def test_strategy_of_a_newer_version_takes_turns() -> None:
    assert spread("of tomorrow", A, B, visits=10) == {"a": 5, "b": 5}


def test_random_draws_each_as_often() -> None:
    drawn = spread("random", A, B, C)
    assert all(abs(times - VISITS / 3) < VISITS * 0.03 for times in drawn.values())
    assert set(drawn) == {"a", "b", "c"}


def test_weighted_follows_the_weights() -> None:
    drawn = spread("weighted", PoolBot(1, "a", weight=3), PoolBot(2, "b", weight=1))
    assert abs(drawn["a"] - VISITS * 3 / 4) < VISITS * 0.03


def test_priority_keeps_the_others_in_reserve() -> None:
    high, also, low = PoolBot(1, "a", priority=1), PoolBot(2, "b", priority=1), PoolBot(3, "c", priority=-1)
    assert spread("priority", low, high, also, visits=10) == {"a": 5, "b": 5}
    assert spread("priority", low, visits=3) == {"c": 3}


def test_least_load_spares_a_bot_that_other_links_load() -> None:
    cache = PoolCache()
    own, both = Pool(1, 1, "own", "round_robin", None, (A,)), Pool(2, 1, "both", "least_load", None, (A, B))
    for _ in range(10):
        cache.next_bot(own)
    assert [cache.next_bot(both).username for _ in range(10)] == ["b"] * 10
    assert {cache.next_bot(both).username for _ in range(2)} == {"a", "b"}


def test_load_is_forgotten() -> None:
    now = [0.0]
    loads = Loads(lambda: now[0])
    for _ in range(8):
        loads.note(1)
    now[0] = 120.0
    assert loads.of(1) == pytest.approx(2.0)
    assert loads.of(2) == 0.0


def test_loads_of_long_ago_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grimbots.services.pool_loads.REMEMBERED_BOTS", 10)
    now = [0.0]
    loads = Loads(lambda: now[0])
    for bot_id in range(10):
        loads.note(bot_id)
    now[0] = 3600.0
    loads.note(99)
    assert len(loads._loads) == 1


@pytest.mark.parametrize("strategy", ["round_robin", "least_load", "weighted", "random", "priority"])
def test_no_strategy_sends_anybody_to_a_bot_that_hears_nothing_while_another_does(strategy: str) -> None:
    deaf = PoolBot(1, "deaf", weight=1000, priority=100, hears=False)
    assert spread(strategy, deaf, B, C, visits=30).keys() <= {"b", "c"}
    assert spread(strategy, deaf, visits=3) == {"deaf": 3}


def test_every_strategy_chooses_a_bot_of_the_pool() -> None:
    moment = Moment(turn=10**9, load_of=lambda _: 0.0, chance=random.Random(1))
    for strategy in find_strategies().values():
        assert strategy.choose([A, B], moment) in (A, B)
        assert strategy.choose([B], moment) is B
